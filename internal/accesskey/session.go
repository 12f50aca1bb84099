package accesskey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
)

// Session is what temporary credentials are to stand for.
type Session struct {
	Of         awsapi.Principal // the user or the owner; for a role, its account and ID
	Name       string           // of a role's session
	Policy     string           // the session policy, "" for none
	PolicyARNs []string         // managed policies that limit the session as well
	Tags       map[string]string
	Transitive []string // keys of Tags that sessions of further roles inherit
	Duration   time.Duration
}

// Temporary are temporary credentials.
type Temporary struct {
	AccessKeyID, Secret, Token string
	Expires                    time.Time
	Packed                     int // percent of the room for policies and tags that they take
}

// Kinds of session.
const (
	kindRoot = "root"
	kindUser = "user"
	kindRole = "role"
)

// session is what a session token holds.
type session struct {
	Kind       string            `json:"k"`
	Account    string            `json:"a"`
	ID         string            `json:"i,omitempty"` // of the user or the role
	Name       string            `json:"n,omitempty"`
	Issued     time.Time         `json:"t"`
	Expires    time.Time         `json:"x"`
	Policy     string            `json:"p,omitempty"`
	PolicyARNs []string          `json:"r,omitempty"`
	Tags       map[string]string `json:"g,omitempty"`
	Transitive []string          `json:"v,omitempty"`
}

// maxPacked is the room for policies and tags in a token, in bytes of JSON. A token travels in a header of every call.
const maxPacked = 4096

// errToken is the error of a token that was not made here for the key it comes with.
var errToken = errors.New("accesskey: not a session token of this key") //nolint:gochecknoglobals // a constant

// Temporary makes temporary credentials, which are good from now on and leave no record. It is fault.Quota when policies
// and tags take too much room.
func (a *Authority) Temporary(s Session) (Temporary, error) {
	now := a.opts.Clock().UTC().Truncate(time.Second)
	held := session{
		Kind: kindRoot, Account: s.Of.Account, ID: s.Of.ID, Name: s.Name, Issued: now, Expires: now.Add(s.Duration),
		Policy: s.Policy, PolicyARNs: s.PolicyARNs, Tags: s.Tags, Transitive: s.Transitive,
	}
	switch s.Of.Kind {
	case awsapi.PrincipalUser:
		held.Kind = kindUser
	case awsapi.PrincipalRole:
		held.Kind = kindRole
	case awsapi.PrincipalRoot, awsapi.PrincipalAnonymous:
	}
	packed, err := packedSize(held)
	if err != nil {
		return Temporary{}, err
	}
	id := temporaryPrefix + rand.Text()[:idChars]
	token, err := a.seal(id, held)
	return Temporary{AccessKeyID: id, Secret: a.secretOf(id), Token: token, Expires: held.Expires, Packed: packed}, err
}

// packedSize returns how many percent of their room policies and tags take.
func packedSize(s session) (int, error) {
	if s.Policy == "" && len(s.PolicyARNs) == 0 && len(s.Tags) == 0 {
		return 0, nil
	}
	b, err := json.Marshal(session{Policy: s.Policy, PolicyARNs: s.PolicyARNs, Tags: s.Tags, Transitive: s.Transitive})
	if err != nil {
		return 0, fmt.Errorf("accesskey: encode a session: %w", err)
	}
	percent := (100*len(b) + maxPacked - 1) / maxPacked
	if percent > 100 {
		return 0, fault.New(fault.Quota, "Packed policy consumes %d%% of allotted space, please use smaller policy.", percent)
	}
	return percent, nil
}

// A token is a byte that tells the form, a nonce, and the sealed JSON of a session, in base64. The form and the ID of the
// key it belongs to are authenticated with it, the ID by its part in the encryption key.
const (
	tokenForm = 1
	nonceSize = 12
	// maxToken bounds what is decrypted: more than maxPacked needs, less than a header may have.
	maxToken = 16 << 10
)

func (a *Authority) seal(id string, s session) (string, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("accesskey: encode a session: %w", err)
	}
	out := make([]byte, 1+nonceSize, 1+nonceSize+len(plain)+aes.BlockSize)
	out[0] = tokenForm
	_, _ = rand.Read(out[1:]) // never fails
	out = a.cipher(id).Seal(out, out[1:], plain, out[:1])
	return base64.StdEncoding.EncodeToString(out), nil
}

// open returns what a token holds. It says no more of one that is no good than that.
func (a *Authority) open(id, token string) (session, error) {
	if len(token) > maxToken {
		return session{}, errToken
	}
	b, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < 1+nonceSize || b[0] != tokenForm {
		return session{}, errToken
	}
	plain, err := a.cipher(id).Open(nil, b[1:1+nonceSize], b[1+nonceSize:], b[:1])
	if err != nil {
		return session{}, errToken
	}
	var s session
	if err := json.Unmarshal(plain, &s); err != nil {
		return session{}, errToken
	}
	return s, nil
}

// cipher returns the cipher of one key's token: each has its own, so that no nonce is ever used twice under one.
func (a *Authority) cipher(id string) cipher.AEAD {
	block, err := aes.NewCipher(derive(a.tokenKey, id))
	if err != nil {
		panic(err) // a key of 32 bytes is one of AES-256
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}
