package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
)

// CreateUser makes a user without keys and policies.
func (s *Service) CreateUser(ctx context.Context, c awsapi.Caller, in *CreateUserRequest) (*CreateUserResponse, error) {
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	u := resource.User{
		Account: c.Account, ID: newID(userPrefix), Path: pathOf(in.Path), Name: in.UserName,
		Boundary: restjson.Value(in.PermissionsBoundary), Tags: tags, CreatedAt: s.now(),
	}
	if err := s.users.create(ctx, c, u, s.boundary(ctx, c, u.Boundary)); err != nil {
		return nil, err
	}
	return &CreateUserResponse{User: wireUser(u)}, nil
}

// boundary returns the rule that a permissions boundary is a policy that exists.
func (s *Service) boundary(ctx context.Context, c awsapi.Caller, arn string) func() error {
	return func() error {
		if arn == "" {
			return nil
		}
		return s.attachable(ctx, c, arn)
	}
}

// GetUser returns a user: the caller, when the request names none.
func (s *Service) GetUser(ctx context.Context, c awsapi.Caller, in *GetUserRequest) (*GetUserResponse, error) {
	if p := c.Principal; in.UserName == nil && p.Kind == awsapi.PrincipalRoot {
		self := arn.ARN{Service: "iam", Scope: arn.Scope{Account: p.Account}, ID: "root"}
		return &GetUserResponse{User: &User{Path: "/", UserId: p.Account, Arn: p.ARN()}}, c.May(self, nil)
	}
	name, err := userName(c, in.UserName)
	if err != nil {
		return nil, err
	}
	r, err := s.users.find(ctx, c, name)
	if err != nil {
		return nil, err
	}
	return &GetUserResponse{User: wireUser(r.Value)}, nil
}

// UpdateUser changes the name or the path of a user. What policies say about the old ARN is not about the new one.
func (s *Service) UpdateUser(ctx context.Context, c awsapi.Caller, in *UpdateUserRequest) (*UpdateUserResponse, error) {
	_, err := s.users.updateUnder(ctx, c, in.UserName, func(u *resource.User) error {
		if in.NewPath != nil {
			u.Path = *in.NewPath
		}
		if in.NewUserName != nil {
			u.Name = *in.NewUserName
		}
		if err := c.May(u.ARN(), u.Tags); err != nil {
			return err
		}
		return s.users.free(ctx, c, u.Name, u.ID)
	})
	return nil, err
}

// ListUsers returns a page of users by name, without their tags.
func (s *Service) ListUsers(ctx context.Context, c awsapi.Caller, in *ListUsersRequest) (*ListUsersResponse, error) {
	all, err := s.users.all(ctx, c, in.PathPrefix)
	if err != nil {
		return nil, err
	}
	p, err := page(s.pages(c, "ListUsers", in.PathPrefix), request{in.Marker, in.MaxItems}, all, s.users.place)
	if err != nil {
		return nil, err
	}
	return &ListUsersResponse{Users: mapped(p.items, summaryUser), IsTruncated: new(p.truncated()), Marker: p.next}, nil
}

// DeleteUser deletes a user who has nothing any more. Sessions of the user end with it.
func (s *Service) DeleteUser(ctx context.Context, c awsapi.Caller, in *DeleteUserRequest) (*DeleteUserResponse, error) {
	_, err := s.users.remove(ctx, c, in.UserName, func(u resource.User) error {
		if len(u.Keys)+len(u.Groups) > 0 {
			return inUse()
		}
		return nil
	})
	return nil, err
}

// TagUser adds tags to a user, and overwrites those it has under the same keys in any case of letters.
func (s *Service) TagUser(ctx context.Context, c awsapi.Caller, in *TagUserRequest) (*TagUserResponse, error) {
	more, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	_, err = s.users.update(ctx, c, in.UserName, func(u *resource.User) (err error) {
		u.Tags, err = tagging.TaggedFold(u.Tags, more)
		return err
	})
	return nil, err
}

// UntagUser removes tags from a user. Keys that it does not have are ignored.
func (s *Service) UntagUser(ctx context.Context, c awsapi.Caller, in *UntagUserRequest) (*UntagUserResponse, error) {
	_, err := s.users.update(ctx, c, in.UserName, func(u *resource.User) error {
		u.Tags = tagging.UntaggedFold(u.Tags, in.TagKeys)
		return nil
	})
	return nil, err
}

// ListUserTags returns a page of the tags of a user by key.
func (s *Service) ListUserTags(ctx context.Context, c awsapi.Caller, in *ListUserTagsRequest) (*ListUserTagsResponse, error) {
	r, err := s.users.find(ctx, c, in.UserName)
	if err != nil {
		return nil, err
	}
	p, err := page(s.pages(c, "ListUserTags", &in.UserName), request{in.Marker, in.MaxItems}, wireTags(r.Value.Tags), tagPlace)
	if err != nil {
		return nil, err
	}
	return &ListUserTagsResponse{Tags: p.items, IsTruncated: new(p.truncated()), Marker: p.next}, nil
}

// AddUserToGroup puts a user into a group. One who is in it already stays so.
func (s *Service) AddUserToGroup(ctx context.Context, c awsapi.Caller, in *AddUserToGroupRequest) (*AddUserToGroupResponse, error) {
	return nil, s.regroup(ctx, c, in.GroupName, in.UserName, func(u *resource.User, group string) error {
		switch {
		case slices.Contains(u.Groups, group):
			return nil
		case len(u.Groups) >= maxMemberships:
			return exceeded("GroupsPerUser", maxMemberships)
		}
		u.Groups = append(u.Groups, group)
		return nil
	})
}

// RemoveUserFromGroup takes a user out of a group.
func (s *Service) RemoveUserFromGroup(
	ctx context.Context, c awsapi.Caller, in *RemoveUserFromGroupRequest,
) (*RemoveUserFromGroupResponse, error) {
	return nil, s.regroup(ctx, c, in.GroupName, in.UserName, func(u *resource.User, group string) error {
		at := slices.Index(u.Groups, group)
		if at < 0 {
			return fault.New(fault.NotFound, "The user with name %s is not in the group.", u.Name)
		}
		u.Groups = slices.Delete(u.Groups, at, at+1)
		return nil
	})
}

// regroup changes the groups of a user. Policies allow it about the group, and it is written with the user, under the guard
// of the account: the group is looked for again there.
func (s *Service) regroup(ctx context.Context, c awsapi.Caller, group, user string, change func(u *resource.User, group string) error) error {
	if _, err := s.groups.find(ctx, c, group); err != nil {
		return err
	}
	r, err := s.opts.Records.Users.Find(ctx, "name", records.IAMName(c.Account, user))
	if err != nil {
		return s.users.outcome(err, nil, user)
	}
	var refused error
	_, err = s.opts.Records.Users.Under(records.IAMGuard(c.Account)).Update(ctx, r.Key, func(u resource.User) (resource.User, error) {
		var g store.Record[resource.Group]
		if g, refused = s.groups.find(ctx, c, group); refused == nil {
			refused = change(&u, g.Value.ID)
		}
		return u, refused
	})
	return s.users.outcome(err, refused, user)
}

// groupsOf returns the groups that a user is in, by name.
func (s *Service) groupsOf(ctx context.Context, u resource.User) ([]resource.Group, error) {
	groups := make([]resource.Group, 0, len(u.Groups))
	for _, id := range u.Groups {
		g, err := s.opts.Records.Groups.Get(ctx, records.IAMKey(u.Account, id))
		if err != nil {
			return nil, err
		}
		groups = append(groups, g.Value)
	}
	slices.SortFunc(groups, func(a, b resource.Group) int { return strings.Compare(s.groups.place(a), s.groups.place(b)) })
	return groups, nil
}
