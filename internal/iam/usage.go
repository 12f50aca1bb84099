package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// usage is who uses a managed policy, by name.
type usage struct {
	users, boundUsers []resource.User
	roles, boundRoles []resource.Role
	groups            []resource.Group
}

func (u usage) attached() int { return len(u.users) + len(u.roles) + len(u.groups) }
func (u usage) bounding() int { return len(u.boundUsers) + len(u.boundRoles) }

// usageOf returns who uses a managed policy.
func (s *Service) usageOf(ctx context.Context, c awsapi.Caller, arn string) (u usage, err error) {
	attached := store.Query{Scope: resource.IAMScope(c.Account), Index: "attached", Value: arn}
	bounding := attached
	bounding.Index = "boundary"
	if u.users, err = everything(ctx, s.opts.Records.Users, attached, byUserName); err != nil {
		return u, err
	}
	if u.boundUsers, err = everything(ctx, s.opts.Records.Users, bounding, byUserName); err != nil {
		return u, err
	}
	if u.roles, err = everything(ctx, s.opts.Records.Roles, attached, byRoleName); err != nil {
		return u, err
	}
	if u.boundRoles, err = everything(ctx, s.opts.Records.Roles, bounding, byRoleName); err != nil {
		return u, err
	}
	u.groups, err = everything(ctx, s.opts.Records.Groups, attached, byGroupName)
	return u, err
}

func byRoleName(r *resource.Role) (string, bool)   { return strings.ToLower(r.Name), true }
func byGroupName(g *resource.Group) (string, bool) { return strings.ToLower(g.Name), true }

// count is how often a managed policy is used.
type count struct{ attached, bounding int }

// counts returns how often each managed policy is used, by ARN: in one walk over all who may use one.
func (s *Service) counts(ctx context.Context, c awsapi.Caller) (map[string]count, error) {
	all := map[string]count{}
	tally := func(attached []string, boundary string) {
		for _, arn := range attached {
			n := all[arn]
			n.attached++
			all[arn] = n
		}
		if boundary != "" {
			n := all[boundary]
			n.bounding++
			all[boundary] = n
		}
	}
	scope := store.Query{Scope: resource.IAMScope(c.Account)}
	_, err1 := everything(ctx, s.opts.Records.Users, scope, func(u *resource.User) (string, bool) {
		tally(u.Attached, u.Boundary)
		return "", false
	})
	_, err2 := everything(ctx, s.opts.Records.Roles, scope, func(r *resource.Role) (string, bool) {
		tally(r.Attached, r.Boundary)
		return "", false
	})
	_, err3 := everything(ctx, s.opts.Records.Groups, scope, func(g *resource.Group) (string, bool) {
		tally(g.Attached, "")
		return "", false
	})
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// entity is somebody who uses a managed policy.
type entity struct {
	place string // type and name
	path  string
	group *PolicyGroup
	user  *PolicyUser
	role  *PolicyRole
}

// Values of ListEntitiesForPolicyRequest.EntityFilter.
const (
	entityUser  = "User"
	entityRole  = "Role"
	entityGroup = "Group"
)

// ListEntitiesForPolicy returns a page of those who use a managed policy: groups, then roles, then users, by name.
func (s *Service) ListEntitiesForPolicy(
	ctx context.Context, c awsapi.Caller, in *ListEntitiesForPolicyRequest,
) (*ListEntitiesForPolicyResponse, error) {
	if _, err := s.policy(ctx, c, in.PolicyArn); err != nil {
		return nil, err
	}
	u, err := s.usageOf(ctx, c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	var found []entity
	for _, e := range u.entities(restjson.Value(in.PolicyUsageFilter)) {
		kind, _, _ := strings.Cut(e.place, "/")
		if f := restjson.Value(in.EntityFilter); (f == "" || f == kind) && strings.HasPrefix(e.path, restjson.Value(in.PathPrefix)) {
			found = append(found, e)
		}
	}
	filter := []*string{&in.PolicyArn, in.EntityFilter, in.PathPrefix, in.PolicyUsageFilter}
	p, err := page(s.pages(c, "ListEntitiesForPolicy", filter...), request{in.Marker, in.MaxItems}, found,
		func(e entity) string { return e.place })
	if err != nil {
		return nil, err
	}
	out := &ListEntitiesForPolicyResponse{
		PolicyGroups: []PolicyGroup{}, PolicyUsers: []PolicyUser{}, PolicyRoles: []PolicyRole{},
		IsTruncated: new(p.truncated()), Marker: p.next,
	}
	for _, e := range p.items {
		switch {
		case e.group != nil:
			out.PolicyGroups = append(out.PolicyGroups, *e.group)
		case e.role != nil:
			out.PolicyRoles = append(out.PolicyRoles, *e.role)
		default:
			out.PolicyUsers = append(out.PolicyUsers, *e.user)
		}
	}
	return out, nil
}

// used returns those who have a policy in a way, or in any: by name, each once.
func used[T any](use string, attached, bounding []T, by func(*T) (string, bool)) []T {
	switch use {
	case usagePolicy:
		return attached
	case usageBoundary:
		return bounding
	}
	compare := func(a, b T) int {
		x, _ := by(&a)
		y, _ := by(&b)
		return strings.Compare(x, y)
	}
	both := slices.Concat(attached, bounding)
	slices.SortFunc(both, compare)
	return slices.CompactFunc(both, func(a, b T) bool { return compare(a, b) == 0 })
}

// entities returns those who use a policy in a way, or in any: in the order of their places, each once.
func (u usage) entities(use string) []entity {
	var list []entity
	if use != usageBoundary {
		for _, g := range u.groups {
			list = append(list, entity{
				place: entityGroup + "/" + strings.ToLower(g.Name), path: g.Path, group: &PolicyGroup{GroupName: &g.Name, GroupId: &g.ID},
			})
		}
	}
	for _, r := range used(use, u.roles, u.boundRoles, byRoleName) {
		list = append(list, entity{
			place: entityRole + "/" + strings.ToLower(r.Name), path: r.Path, role: &PolicyRole{RoleName: &r.Name, RoleId: &r.ID},
		})
	}
	for _, v := range used(use, u.users, u.boundUsers, byUserName) {
		list = append(list, entity{
			place: entityUser + "/" + strings.ToLower(v.Name), path: v.Path, user: &PolicyUser{UserName: &v.Name, UserId: &v.ID},
		})
	}
	return list
}
