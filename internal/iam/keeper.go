package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// keeper is a type of resource that requests name by name: users, roles, groups. All of them keep policies.
type keeper[T any] struct {
	table *store.Table[T]
	kind  string // for instance resource.KindUser
	title string // the same at the beginning of a sentence
	most  int    // in an account
	quota string // what IAM calls that limit
	room  int    // for inline policies, in characters
	of    func(*T) parts
}

// parts are what the records of all types have in common, and where it is.
type parts struct {
	id, name string
	arn      arn.ARN
	inline   *map[string]string
	attached *[]string
	tags     map[string]string
	boundary string
}

func usersIn(t *store.Table[resource.User]) keeper[resource.User] {
	return keeper[resource.User]{
		table: t, kind: resource.KindUser, title: "User", most: maxUsers, quota: "UsersPerAccount", room: maxUserPolicies,
		of: func(u *resource.User) parts {
			return parts{u.ID, u.Name, u.ARN(), &u.Inline, &u.Attached, u.Tags, u.Boundary}
		},
	}
}

func rolesIn(t *store.Table[resource.Role]) keeper[resource.Role] {
	return keeper[resource.Role]{
		table: t, kind: resource.KindRole, title: "Role", most: maxRoles, quota: "RolesPerAccount", room: maxRolePolicies,
		of: func(r *resource.Role) parts {
			return parts{r.ID, r.Name, r.ARN(), &r.Inline, &r.Attached, r.Tags, r.Boundary}
		},
	}
}

func groupsIn(t *store.Table[resource.Group]) keeper[resource.Group] {
	return keeper[resource.Group]{
		table: t, kind: resource.KindGroup, title: "Group", most: maxGroups, quota: "GroupsPerAccount", room: maxGroupPolicies,
		of: func(g *resource.Group) parts {
			return parts{g.ID, g.Name, g.ARN(), &g.Inline, &g.Attached, nil, ""}
		},
	}
}

// create stores something new, if its name is free, there is room for it, and more allows it.
func (k keeper[T]) create(ctx context.Context, c awsapi.Caller, value T, more func() error) error {
	p := k.of(&value)
	if err := c.May(p.arn, nil); err != nil {
		return err
	}
	guarded := k.table.Under(records.IAMGuard(c.Account))
	_, err := guarded.Create(ctx, records.IAMKey(c.Account, p.id), value, func() error {
		if err := k.free(ctx, c, p.name, ""); err != nil {
			return err
		}
		if k.table.Count(resource.IAMScope(c.Account)) >= k.most {
			return exceeded(k.quota, k.most)
		}
		return more()
	})
	return err
}

// free returns fault.Exists when something else than the given ID has a name, in any case of letters.
func (k keeper[T]) free(ctx context.Context, c awsapi.Caller, name, id string) error {
	r, err := k.table.Find(ctx, "name", records.IAMName(c.Account, name))
	switch {
	case fault.Is(err, fault.NotFound), err == nil && r.Key.ID == id:
		return nil
	case err != nil:
		return err
	}
	return fault.New(fault.Exists, "%s with name %s already exists.", k.title, name)
}

// find returns what has a name, if the caller may do to it what it asks for.
func (k keeper[T]) find(ctx context.Context, c awsapi.Caller, name string) (store.Record[T], error) {
	r, err := k.table.Find(ctx, "name", records.IAMName(c.Account, name))
	if fault.Is(err, fault.NotFound) {
		return r, noEntity(k.kind, name)
	}
	if err != nil {
		return r, err
	}
	p := k.of(&r.Value)
	return r, c.May(p.arn, p.tags)
}

// update changes what has a name.
func (k keeper[T]) update(ctx context.Context, c awsapi.Caller, name string, change func(*T) error) (T, error) {
	return k.rewrite(ctx, c, name, k.table.Update, change)
}

// updateUnder is update for a change that depends on other records.
func (k keeper[T]) updateUnder(ctx context.Context, c awsapi.Caller, name string, change func(*T) error) (T, error) {
	return k.rewrite(ctx, c, name, k.table.Under(records.IAMGuard(c.Account)).Update, change)
}

func (k keeper[T]) rewrite(
	ctx context.Context, c awsapi.Caller, name string,
	write func(context.Context, store.Key, func(T) (T, error)) (store.Record[T], error), change func(*T) error,
) (T, error) {
	r, err := k.find(ctx, c, name)
	if err != nil {
		return r.Value, err
	}
	var refused error
	r, err = write(ctx, r.Key, func(v T) (T, error) {
		p := k.of(&v)
		if refused = c.May(p.arn, p.tags); refused == nil {
			refused = change(&v)
		}
		return v, refused
	})
	return r.Value, k.outcome(err, refused, name)
}

// remove deletes what has a name and keeps nothing. check may read other records.
func (k keeper[T]) remove(ctx context.Context, c awsapi.Caller, name string, check func(T) error) (T, error) {
	r, err := k.find(ctx, c, name)
	if err != nil {
		return r.Value, err
	}
	var refused error
	r, err = k.table.Under(records.IAMGuard(c.Account)).Delete(ctx, r.Key, func(v T) error {
		p := k.of(&v)
		refused = c.May(p.arn, p.tags)
		switch {
		case refused != nil:
		case len(*p.inline)+len(*p.attached) > 0:
			refused = inUse()
		default:
			refused = check(v)
		}
		return refused
	})
	return r.Value, k.outcome(err, refused, name)
}

// outcome returns the error of a write. One that the record itself was missing for, as somebody has just deleted it, names it
// as the caller did.
func (k keeper[T]) outcome(err, refused error, name string) error {
	if refused == nil && fault.Is(err, fault.NotFound) {
		return noEntity(k.kind, name)
	}
	return err
}

// inUse is the error of what cannot be deleted yet (spec errata.md A3).
func inUse() error {
	return fault.New(fault.InUse, "Cannot delete entity, must remove referenced objects first.")
}

// all returns everything below a path, by name.
func (k keeper[T]) all(ctx context.Context, c awsapi.Caller, prefix *string) ([]T, error) {
	return everything(ctx, k.table, store.Query{Scope: resource.IAMScope(c.Account)}, func(v *T) (string, bool) {
		p := k.of(v)
		return strings.ToLower(p.name), below(p.arn, prefix)
	})
}

// place orders what lists show.
func (k keeper[T]) place(v T) string { return strings.ToLower(k.of(&v).name) }

// below reports whether the path in an ARN begins with what a request asks for.
func below(a arn.ARN, prefix *string) bool {
	return prefix == nil || strings.HasPrefix("/"+a.ID, *prefix)
}

// everything returns all records of a query that are wanted, sorted by what wanted returns. The quotas of IAM bound their
// number, so sorting them for each page costs a few milliseconds at most.
func everything[T any](ctx context.Context, t *store.Table[T], q store.Query, wanted func(*T) (string, bool)) ([]T, error) {
	type named struct {
		by    string
		value T
	}
	var found []named
	q.Limit = 1000
	for more := true; more; {
		p, err := t.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range p.Records {
			r := &p.Records[i]
			if by, ok := wanted(&r.Value); ok {
				found = append(found, named{by, r.Value})
			}
			q.After = r.Key.ID
		}
		more = p.More
	}
	slices.SortFunc(found, func(a, b named) int { return strings.Compare(a.by, b.by) })
	out := make([]T, len(found))
	for i := range found {
		out[i] = found[i].value
	}
	return out, nil
}
