package notification

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/store"
)

// Tokens makes and reads the tokens that confirm subscriptions. A token names its subscription and proves that the server gave
// it out for this topic and for the subscription's present nonce; it is 288 hexadecimal digits, as in the service.
type Tokens struct{ key []byte }

const (
	tokenKeySize = 32
	uuidSize     = 16
	nonceSize    = 16
	proofSize    = 112 // bytes: as many as make the length of the service's tokens
	tokenSize    = uuidSize + nonceSize + proofSize
)

// OpenTokens returns the tokens of a store.
func OpenTokens(ctx context.Context, s *store.Store) (*Tokens, error) {
	key, err := s.Secret(ctx, "subscription-token", tokenKeySize)
	if err != nil {
		return nil, fmt.Errorf("notification: key of the tokens: %w", err)
	}
	return &Tokens{key: key}, nil
}

// NewNonce returns the nonce of a subscription that is to be confirmed.
func NewNonce() []byte {
	b := make([]byte, nonceSize)
	rand.Read(b) // never fails
	return b
}

// make returns the token of a subscription, by the ARN of its topic and its own.
func (t *Tokens) make(topic, subscription string, nonce []byte) string {
	id, err := uuidOf(subscription)
	if err != nil {
		return ""
	}
	body := append(id, nonce...)
	return hex.EncodeToString(append(body, t.proof(topic, body)...))
}

// Read returns the last part of the ARN of the subscription that a token confirms, and its nonce; false for what is no token of
// this topic.
func (t *Tokens) Read(topic, token string) (id string, nonce []byte, ok bool) {
	b, err := hex.DecodeString(token)
	if err != nil || len(b) != tokenSize {
		return "", nil, false
	}
	body, proof := b[:uuidSize+nonceSize], b[uuidSize+nonceSize:]
	if !hmac.Equal(proof, t.proof(topic, body)) {
		return "", nil, false
	}
	name := topic[strings.LastIndexByte(topic, ':')+1:]
	return name + ":" + arn.HexUUID([uuidSize]byte(body)), body[uuidSize:], true
}

// proof is a MAC of a token's body: longer than any hash, so it is made of two.
func (t *Tokens) proof(topic string, body []byte) []byte {
	long, short := hmac.New(sha512.New, t.key), hmac.New(sha256.New, t.key)
	for _, part := range [...]string{"subscription\x00", topic, "\x00", string(body)} {
		long.Write([]byte(part))
		short.Write([]byte(part))
	}
	out := short.Sum(long.Sum(nil)) // 96 bytes
	return append(out, out[:proofSize-len(out)]...)
}

// uuidOf returns the bytes of the UUID at the end of a subscription's ARN.
func uuidOf(subscription string) ([]byte, error) {
	text := subscription[strings.LastIndexByte(subscription, ':')+1:]
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != uuidSize {
		return nil, fmt.Errorf("notification: %q ends with no UUID", subscription)
	}
	return b, nil
}

// parseSubscriptionARN takes the ARN of a subscription apart.
func parseSubscriptionARN(text string) (arn.ARN, error) {
	a, err := arn.ParseAny(text)
	if _, bad := uuidOf(text); err != nil || bad != nil || a.Service != "sns" || strings.Count(a.ID, ":") != 1 {
		return arn.ARN{}, fault.New(fault.Invalid, "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1")
	}
	return a, nil
}
