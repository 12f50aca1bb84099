// Package accesskey knows access keys: whose each of them is, and the secret that goes with it.
//
// No secret is stored. That of a key is derived from the key's ID by a key of the store (HMAC), the same on every node,
// so a record that is read by the wrong person proves nothing. Temporary credentials (STS) have no record at all: their
// session token holds what they stand for, encrypted and authenticated under another key of the store, and every node
// reads it. What a record says counts at once: a key that was deactivated, or a session whose user or role is gone, is no
// good any more as soon as this node's index has the change.
//
// An Authority is safe for concurrent use. It notes when keys are used in memory, and Run writes that down now and then.
//
// Imports: awsapi, fault, records, resource, tagging.
package accesskey

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/tagging"
)

// Prefixes of the IDs of access keys (spec errata.md A2).
const (
	permanentPrefix = "AKIA"
	temporaryPrefix = "ASIA"
)

// KeySize is how many bytes the key has that an Authority derives all others from.
const KeySize = 32

// Root is the access key of the account's owner, which the operator has given.
type Root struct{ ID, Secret, Account string }

// Options are the parts that an Authority works with. All are needed unless they say otherwise.
type Options struct {
	Records records.IAM
	Key     []byte // 32 bytes of the store, the same on all nodes
	Root    Root
	Clock   func() time.Time // nil: the system's
	Logger  *slog.Logger     // nil: discard
}

// Authority implements awsapi.Credentials.
type Authority struct {
	opts      Options
	secretKey []byte // of secrets
	tokenKey  []byte // of session tokens

	mu   sync.Mutex
	uses map[string]*use
}

// New returns an Authority. It is an error when the key has the wrong size or the root key is not there.
func New(o Options) (*Authority, error) {
	if len(o.Key) != KeySize || o.Root.ID == "" || o.Root.Secret == "" {
		return nil, errors.New("accesskey: no key to derive secrets from, or no root key")
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Authority{
		opts: o, uses: map[string]*use{},
		secretKey: derive(o.Key, "secret of an access key"), tokenKey: derive(o.Key, "session token"),
	}, nil
}

// derive returns a key of 32 bytes for a purpose.
func derive(key []byte, purpose string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(purpose))
	return h.Sum(nil)
}

// idChars is how many random characters of base32 an access key's ID has: 80 bits.
const idChars = 16

// NewKey makes a permanent access key. The caller stores its ID; the secret is shown once and can be derived again.
func (a *Authority) NewKey() (id, secret string) {
	id = permanentPrefix + rand.Text()[:idChars]
	return id, a.secretOf(id)
}

// secretOf derives the secret of a key: 40 characters, as clients expect.
func (a *Authority) secretOf(id string) string {
	const size = 30
	return base64.StdEncoding.EncodeToString(derive(a.secretKey, id)[:size])
}

// Lookup returns the secret of an access key that may sign now. Key IDs are no secrets, but comparing the root key's in
// constant time costs nothing and leaves nothing to think about. Every ID of a temporary key has a secret: whether the key
// was ever made is what its session token proves.
func (a *Authority) Lookup(accessKeyID string) (secret string, ok bool) {
	switch {
	case a.isRoot(accessKeyID):
		return a.opts.Root.Secret, true
	case strings.HasPrefix(accessKeyID, temporaryPrefix):
		return a.secretOf(accessKeyID), true
	}
	if _, ok := a.owner(accessKeyID); !ok {
		return "", false
	}
	return a.secretOf(accessKeyID), true
}

func (a *Authority) isRoot(id string) bool {
	return subtle.ConstantTimeCompare([]byte(id), []byte(a.opts.Root.ID)) == 1
}

// owner returns the user who has an active access key.
func (a *Authority) owner(id string) (resource.User, bool) {
	r, err := a.opts.Records.Users.Find(context.Background(), "accessKey", id) // reads memory
	if err != nil {
		return resource.User{}, false
	}
	i := r.Value.Key(id)
	return r.Value, i >= 0 && r.Value.Keys[i].Active
}

// Principal implements awsapi.Credentials. A session whose user or role is gone is fault.Denied.
func (a *Authority) Principal(ctx context.Context, accessKeyID, sessionToken string) (awsapi.Principal, error) {
	root := a.isRoot(accessKeyID)
	if !root && strings.HasPrefix(accessKeyID, temporaryPrefix) {
		return a.temporary(ctx, accessKeyID, sessionToken)
	}
	if sessionToken != "" { // it belongs to other credentials
		return awsapi.Principal{}, unrecognized()
	}
	if root {
		return awsapi.Principal{Account: a.opts.Root.Account, AccessKeyID: accessKeyID, Kind: awsapi.PrincipalRoot}, nil
	}
	u, ok := a.owner(accessKeyID)
	if !ok {
		return awsapi.Principal{}, unrecognized()
	}
	return principalOf(u, accessKeyID), nil
}

// principalOf returns a user as a principal.
func principalOf(u resource.User, accessKeyID string) awsapi.Principal {
	return awsapi.Principal{
		Account: u.Account, AccessKeyID: accessKeyID, Kind: awsapi.PrincipalUser, Name: u.Name, Path: u.Path, ID: u.ID, Tags: u.Tags,
	}
}

// unrecognized is what a caller is told whose credentials are not, or no longer, known.
func unrecognized() error {
	return fault.New(fault.Denied, "The security token included in the request is invalid.")
}

// temporary returns whom temporary credentials stand for.
func (a *Authority) temporary(ctx context.Context, accessKeyID, sessionToken string) (awsapi.Principal, error) {
	s, err := a.open(accessKeyID, sessionToken)
	if err != nil {
		return awsapi.Principal{}, unrecognized()
	}
	if !a.opts.Clock().Before(s.Expires) {
		return awsapi.Principal{}, fault.New(fault.Expired, "The security token included in the request is expired")
	}
	p := awsapi.Principal{Account: s.Account, AccessKeyID: accessKeyID, Kind: awsapi.PrincipalRoot}
	switch s.Kind {
	case kindUser:
		u, err := a.opts.Records.Users.Get(ctx, records.IAMKey(s.Account, s.ID))
		if err != nil {
			return awsapi.Principal{}, gone(err)
		}
		p = principalOf(u.Value, accessKeyID)
	case kindRole:
		r, err := a.opts.Records.Roles.Get(ctx, records.IAMKey(s.Account, s.ID))
		if err != nil {
			return awsapi.Principal{}, gone(err)
		}
		p.Kind, p.Name, p.Path, p.ID = awsapi.PrincipalRole, r.Value.Name, r.Value.Path, r.Value.ID
		p.Session, p.Tags, p.Transitive = s.Name, tagging.Overlaid(r.Value.Tags, s.Tags), s.Transitive
		p.SessionPolicies, err = a.sessionPolicies(ctx, s)
		if err != nil {
			return awsapi.Principal{}, err
		}
	}
	p.Issued = s.Issued
	return p, nil
}

// gone turns the error of a record that is not there into that of credentials which are no good any more.
func gone(err error) error {
	if fault.Is(err, fault.NotFound) {
		return unrecognized()
	}
	return err //nolint:wrapcheck // the store says what it could not do
}

// nothing is a policy that allows nothing. It stands for a session policy that is gone: to leave that out would allow more
// than was asked for.
const nothing = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"none:none","Resource":"*"}]}`

// sessionPolicies returns the documents that limit a session; nil when it has no limits of its own.
func (a *Authority) sessionPolicies(ctx context.Context, s session) ([]string, error) {
	var documents []string
	if s.Policy != "" {
		documents = append(documents, s.Policy)
	}
	for _, arn := range s.PolicyARNs {
		p, err := a.policy(ctx, arn)
		if fault.Is(err, fault.NotFound) {
			documents = append(documents, nothing)
			continue
		}
		if err != nil {
			return nil, err
		}
		documents = append(documents, p.Document())
	}
	return documents, nil
}

// policy returns the managed policy of an ARN.
func (a *Authority) policy(ctx context.Context, arn string) (resource.ManagedPolicy, error) {
	if p, ok := resource.AWSManagedPolicy(arn); ok {
		return p, nil
	}
	r, err := a.opts.Records.Policies.Find(ctx, "arn", arn)
	return r.Value, err //nolint:wrapcheck // the store says what it could not do
}
