package resource

import (
	"slices"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
)

// Types of resource of IAM, as their ARNs name them.
const (
	KindUser   = "user"
	KindRole   = "role"
	KindGroup  = "group"
	KindPolicy = "policy"
)

// AWSAccount is what stands for an account in the ARNs of policies that are built in.
const AWSAccount = "aws"

// IAMScope returns the scope of an account's identities: there is one IAM for all regions (spec neighbours.md 1).
func IAMScope(account string) arn.Scope { return arn.Scope{Region: "global", Account: account} }

// IAMARN returns the ARN of an identity or a policy, which has no region and holds the path: "user/a/b/name" (spec
// neighbours.md 2).
func IAMARN(account, kind, path, name string) arn.ARN {
	return arn.ARN{Service: "iam", Scope: arn.Scope{Account: account}, Type: kind, ID: strings.TrimPrefix(path, "/") + name}
}

// User is the aggregate of a user: access keys, policies, memberships and tags live and change in one record. The record
// is found by its ID, which no other user ever has, so one who is made again under an old name is somebody else.
type User struct {
	Account   string            `json:"account"`
	ID        string            `json:"id"`                 // "AIDA" and 17 characters of [A-Z2-7]
	Path      string            `json:"path"`               // "/", or "/a/b/"
	Name      string            `json:"name"`               // unique in its account, in any case of letters
	Keys      []AccessKey       `json:"keys,omitempty"`     // two at most
	Inline    map[string]string `json:"inline,omitempty"`   // policy name to document, as it was sent
	Attached  []string          `json:"attached,omitempty"` // ARNs of managed policies
	Groups    []string          `json:"groups,omitempty"`   // IDs
	Boundary  string            `json:"boundary,omitempty"` // ARN of a managed policy
	Tags      map[string]string `json:"tags,omitempty"`
	CreatedAt time.Time         `json:"createdAt"`
}

// ARN returns the name of the user in policies.
func (u User) ARN() arn.ARN { return IAMARN(u.Account, KindUser, u.Path, u.Name) }

// Key returns the place of an access key among the user's, -1 for a key of somebody else.
func (u User) Key(id string) int {
	return slices.IndexFunc(u.Keys, func(k AccessKey) bool { return k.ID == id })
}

// AccessKey is an access key of a user. Its secret is in no record: package accesskey derives it from the ID.
type AccessKey struct {
	ID        string    `json:"id"` // "AKIA" and 16 characters of [A-Z2-7]
	Active    bool      `json:"active"`
	CreatedAt time.Time `json:"createdAt"`
}

// Role is the aggregate of a role.
type Role struct {
	Account     string            `json:"account"`
	ID          string            `json:"id"` // "AROA" and 17 characters of [A-Z2-7]
	Path        string            `json:"path"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Trust       string            `json:"trust"`      // who may assume it: the policy as it was sent
	MaxSession  int               `json:"maxSession"` // seconds, 3600..43200
	Inline      map[string]string `json:"inline,omitempty"`
	Attached    []string          `json:"attached,omitempty"`
	Boundary    string            `json:"boundary,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
}

// ARN returns the name of the role in policies.
func (r Role) ARN() arn.ARN { return IAMARN(r.Account, KindRole, r.Path, r.Name) }

// Group is the aggregate of a group. Who is in it is in the records of the users.
type Group struct {
	Account   string            `json:"account"`
	ID        string            `json:"id"` // "AGPA" and 17 characters of [A-Z2-7]
	Path      string            `json:"path"`
	Name      string            `json:"name"`
	Inline    map[string]string `json:"inline,omitempty"`
	Attached  []string          `json:"attached,omitempty"`
	CreatedAt time.Time         `json:"createdAt"`
}

// ARN returns the name of the group in policies.
func (g Group) ARN() arn.ARN { return IAMARN(g.Account, KindGroup, g.Path, g.Name) }

// ManagedPolicy is the aggregate of a policy that has a name of its own: its versions. To whom it is attached is in the
// records of users, roles and groups.
type ManagedPolicy struct {
	Account     string            `json:"account"` // AWSAccount for one that is built in
	ID          string            `json:"id"`      // "ANPA" and 17 characters of [A-Z2-7]
	Path        string            `json:"path"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Versions    []PolicyVersion   `json:"versions"` // the oldest first, five at most
	Default     int               `json:"default"`  // number of the version that is in effect
	Next        int               `json:"next"`     // number of the version that comes next: none is used twice
	Tags        map[string]string `json:"tags,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
	UpdatedAt   time.Time         `json:"updatedAt"` // the last version was made
}

// PolicyVersion is a version of a managed policy. They are never changed.
type PolicyVersion struct {
	Number    int       `json:"number"` // 1 for "v1"
	Document  string    `json:"document"`
	CreatedAt time.Time `json:"createdAt"`
}

// ARN returns the name of the policy, by which it is attached.
func (p ManagedPolicy) ARN() arn.ARN { return IAMARN(p.Account, KindPolicy, p.Path, p.Name) }

// Document returns the text that is in effect, "" for a record without one.
func (p ManagedPolicy) Document() string {
	if i := p.Version(p.Default); i >= 0 {
		return p.Versions[i].Document
	}
	return ""
}

// Version returns the place of a version, -1 when there is none of that number.
func (p ManagedPolicy) Version(number int) int {
	return slices.IndexFunc(p.Versions, func(v PolicyVersion) bool { return v.Number == number })
}

// KeyUse is when an access key or a role was used last, to within ten minutes (spec neighbours.md 3).
type KeyUse struct {
	ID      string    `json:"id"` // of an access key or a role
	At      time.Time `json:"at"`
	Service string    `json:"service"` // as signatures name it
	Region  string    `json:"region"`
}
