package records

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// IAM is what is known of an account's identities:
//
//	what                            kept in  table                    key                 written by
//	users with keys and policies    facts    UserDefinition           IAMKey              API
//	roles with policies             facts    RoleDefinition           IAMKey              API
//	groups with policies            facts    GroupDefinition          IAMKey              API
//	managed policies, versions      facts    ManagedPolicyDefinition  IAMKey              API
//	last use of keys and roles      facts    KeyUseDefinition         IAMKey of the key   package accesskey
//
// What depends on more than one of these records is written under IAMGuard.
type IAM struct {
	Users    *store.Table[resource.User]
	Roles    *store.Table[resource.Role]
	Groups   *store.Table[resource.Group]
	Policies *store.Table[resource.ManagedPolicy]
	Uses     *store.Table[resource.KeyUse]
}

// OpenIAM opens the records of identities.
func OpenIAM(ctx context.Context, s *store.Store) (IAM, error) {
	var r IAM
	err := errors.Join(
		keep(&r.Users)(store.OpenTable(ctx, s, UserDefinition())),
		keep(&r.Roles)(store.OpenTable(ctx, s, RoleDefinition())),
		keep(&r.Groups)(store.OpenTable(ctx, s, GroupDefinition())),
		keep(&r.Policies)(store.OpenTable(ctx, s, ManagedPolicyDefinition())),
		keep(&r.Uses)(store.OpenTable(ctx, s, KeyUseDefinition())),
	)
	if err != nil {
		return r, fmt.Errorf("records of identities: %w", err)
	}
	return r, nil
}

// IAMKey is the key of the record of a user, a role, a group or a managed policy: by its ID, which is never used again,
// and not by its name, which users and groups may change.
func IAMKey(account, id string) store.Key {
	return store.Key{Scope: resource.IAMScope(account), ID: id}
}

// IAMGuard is the guard of every change of an account's identities that depends on other records (Table.Under): what is
// attached where, who is in which group, which names are taken, how many there are.
func IAMGuard(account string) store.Key { return IAMKey(account, "iam") }

// IAMName is the value under which the indexes "name" of the tables of IAM find a record: names are the same in any case
// of letters.
func IAMName(account, name string) string { return account + "/" + strings.ToLower(name) }

// UserDefinition is the table of users, keyed by IAMKey. Its indexes "accessKey", "attached", "boundary" and "group" find
// who has a key, a managed policy (by ARN) or a group (by ID).
func UserDefinition() store.Definition[resource.User] {
	return store.Definition[resource.User]{Name: "iamuser", Class: store.Facts, Indexes: []store.Index[resource.User]{
		{Name: "name", Values: func(u resource.User) []string { return []string{IAMName(u.Account, u.Name)} }},
		{Name: "accessKey", Values: func(u resource.User) []string {
			ids := make([]string, len(u.Keys))
			for i, k := range u.Keys {
				ids[i] = k.ID
			}
			return ids
		}},
		{Name: "attached", Values: func(u resource.User) []string { return u.Attached }},
		{Name: "boundary", Values: func(u resource.User) []string { return boundaryValues(u.Boundary) }},
		{Name: "group", Values: func(u resource.User) []string { return u.Groups }},
	}}
}

// RoleDefinition is the table of roles, keyed by IAMKey. Its indexes are as those of UserDefinition.
func RoleDefinition() store.Definition[resource.Role] {
	return store.Definition[resource.Role]{Name: "iamrole", Class: store.Facts, Indexes: []store.Index[resource.Role]{
		{Name: "name", Values: func(r resource.Role) []string { return []string{IAMName(r.Account, r.Name)} }},
		{Name: "attached", Values: func(r resource.Role) []string { return r.Attached }},
		{Name: "boundary", Values: func(r resource.Role) []string { return boundaryValues(r.Boundary) }},
	}}
}

// GroupDefinition is the table of groups, keyed by IAMKey.
func GroupDefinition() store.Definition[resource.Group] {
	return store.Definition[resource.Group]{Name: "iamgroup", Class: store.Facts, Indexes: []store.Index[resource.Group]{
		{Name: "name", Values: func(g resource.Group) []string { return []string{IAMName(g.Account, g.Name)} }},
		{Name: "attached", Values: func(g resource.Group) []string { return g.Attached }},
	}}
}

// ManagedPolicyDefinition is the table of the accounts' own managed policies, keyed by IAMKey. Its index "arn" finds what
// is attached.
func ManagedPolicyDefinition() store.Definition[resource.ManagedPolicy] {
	return store.Definition[resource.ManagedPolicy]{Name: "iampolicy", Class: store.Facts, Indexes: []store.Index[resource.ManagedPolicy]{
		{Name: "name", Values: func(p resource.ManagedPolicy) []string { return []string{IAMName(p.Account, p.Name)} }},
		{Name: "arn", Values: func(p resource.ManagedPolicy) []string { return []string{p.ARN().String()} }},
	}}
}

// KeyUseDefinition is the table of when access keys and roles were used last, keyed by IAMKey with their ID.
func KeyUseDefinition() store.Definition[resource.KeyUse] {
	return store.Definition[resource.KeyUse]{Name: "iamuse", Class: store.Facts}
}

func boundaryValues(arn string) []string {
	if arn == "" {
		return nil
	}
	return []string{arn}
}
