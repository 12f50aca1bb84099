// Package token mints and verifies what lets somebody in: participant tokens on to a stage, viewers' tokens into a private
// channel.
//
// A token is a JWT signed with ES384. A participant's is signed by this server, with a key that is derived from a secret in
// the store, so every node has the same, or by an account with a key of which it has imported the public half (spec
// ivs-realtime.md 5.2). Both have the same claims. A viewer's is signed by an account alone (spec ivs.md 10).
//
// To verify takes a token apart in a fixed order and answers the first thing that is wrong with it as a *Refusal, which holds
// the HTTP status to give; any other error means that the state engine did not answer. A token is a secret: neither it nor a
// part of it is in an error.
//
// An Authority and a PlaybackVerifier are safe for concurrent use. They have no goroutine.
//
// Imports: arn, fault, records, resource, store, weborigin; golang-jwt/jwt/v5.
package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/arn"
)

// Limits of a token (spec ivs-realtime.md 5.2, 5.3).
const (
	MaxLifetime   = 14 * 24 * time.Hour
	MaxUserID     = 128  // characters
	MaxAttributes = 1024 // bytes of keys and values together

	// MaxLength is the greatest length of a token. It has room for the longest attributes and user id with every
	// character escaped, for long host names and for the third that base64 adds.
	MaxLength = 16 << 10
)

// skew is how far ahead of ours the clock of a signer may be.
const skew = time.Minute

const (
	maxParticipantID = 64
	version          = "1.0"
)

// Claims are what a token says.
type Claims struct {
	ParticipantID string  // jti
	StageARN      arn.ARN // resource
	Topic         string  // the ID of the stage
	UserID        string
	Attributes    map[string]string
	Publish       bool
	Subscribe     bool
	IssuedAt      time.Time // whole seconds
	Expires       time.Time // whole seconds
	EventsURL     string
	WHIPURL       string
	OurOwn        bool    // this server signed it
	KeyARN        arn.ARN // the public key that proves it; zero when OurOwn
}

// Options configure an Authority. Clock may be nil.
type Options struct {
	Seed    []byte  // secret of 32 bytes or more, the same on all nodes and in all lives of the server
	Records Records // what a verification looks up
	Clock   func() time.Time
}

// Authority mints and verifies tokens.
type Authority struct {
	key     *ecdsa.PrivateKey
	kid     string
	records Records
	clock   func() time.Time
	parser  *jwt.Parser
	proofs  proofs
}

// NewAuthority derives the server's key.
func NewAuthority(o Options) (*Authority, error) {
	key, err := derive(o.Seed)
	if err != nil {
		return nil, fmt.Errorf("token: derive key: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("token: encode key: %w", err)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	sum := sha256.Sum256(der)
	return &Authority{
		key: key, kid: "rivus:" + hex.EncodeToString(sum[:8]), records: o.Records, clock: o.Clock,
		parser: jwt.NewParser(jwt.WithJSONNumber(), jwt.WithStrictDecoding()),
	}, nil
}

// minSeed is the least length of a seed: as many bits as the curve is strong, and some.
const minSeed = 32

// derive makes a P-384 key of a seed: 64 bits more than the order of the curve has, reduced, so that each key is as
// good as equally likely (FIPS 186-5 A.2.1).
func derive(seed []byte) (*ecdsa.PrivateKey, error) {
	if len(seed) < minSeed {
		return nil, fmt.Errorf("a seed of %d bytes is too short", len(seed))
	}
	curve := elliptic.P384()
	size := curve.Params().BitSize / 8
	wide, err := hkdf.Key(sha512.New384, seed, nil, "rivus participant tokens", size+8)
	if err != nil {
		return nil, fmt.Errorf("expand the seed: %w", err)
	}
	one := big.NewInt(1)
	d := new(big.Int).SetBytes(wide)
	d.Mod(d, new(big.Int).Sub(curve.Params().N, one)).Add(d, one)
	return ecdsa.ParseRawPrivateKey(curve, d.FillBytes(make([]byte, size))) // the caller says what it does
}

// Mint returns a signed token. It does not check the claims: who mints has. An empty Topic is the stage's ID.
func (a *Authority) Mint(c Claims) (string, error) {
	if c.Topic == "" {
		c.Topic = c.StageARN.ID
	}
	claims := jwt.MapClaims{
		claimID: c.ParticipantID, claimResource: c.StageARN.String(), claimTopic: c.Topic, claimVersion: version,
		claimIssued: c.IssuedAt.Unix(), claimExpires: c.Expires.Unix(),
		claimEvents: c.EventsURL, claimWHIP: c.WHIPURL,
		claimCapabilities: map[string]bool{mayPublish: c.Publish, maySubscribe: c.Subscribe},
	}
	if c.UserID != "" {
		claims[claimUser] = c.UserID
	}
	if len(c.Attributes) > 0 {
		claims[claimAttributes] = c.Attributes
	}
	t := jwt.NewWithClaims(jwt.SigningMethodES384, claims)
	t.Header["kid"] = a.kid
	text, err := t.SignedString(a.key)
	if err != nil {
		return "", fmt.Errorf("token: sign: %w", err)
	}
	return text, nil
}

// The names of claims and capabilities (spec ivs-realtime.md 5.2).
const (
	claimID           = "jti"
	claimResource     = "resource"
	claimTopic        = "topic"
	claimVersion      = "version"
	claimIssued       = "iat"
	claimExpires      = "exp"
	claimNotBefore    = "nbf"
	claimEvents       = "events_url"
	claimWHIP         = "whip_url"
	claimUser         = "user_id"
	claimAttributes   = "attributes"
	claimCapabilities = "capabilities"

	mayPublish   = "allow_publish"
	maySubscribe = "allow_subscribe"
)

// AttributesSize returns how much of MaxAttributes a set of attributes takes.
func AttributesSize(attributes map[string]string) int {
	n := 0
	for k, v := range attributes {
		n += len(k) + len(v)
	}
	return n
}
