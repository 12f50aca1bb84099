package iam

import (
	"context"
	"strings"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// CreateGroup makes a group without users and policies.
func (s *Service) CreateGroup(ctx context.Context, c awsapi.Caller, in *CreateGroupRequest) (*CreateGroupResponse, error) {
	g := resource.Group{
		Account: c.Account, ID: newID(groupPrefix), Path: pathOf(in.Path), Name: in.GroupName, CreatedAt: s.now(),
	}
	if err := s.groups.create(ctx, c, g, func() error { return nil }); err != nil {
		return nil, err
	}
	return &CreateGroupResponse{Group: new(wireGroup(g))}, nil
}

// GetGroup returns a group and a page of its users by name.
func (s *Service) GetGroup(ctx context.Context, c awsapi.Caller, in *GetGroupRequest) (*GetGroupResponse, error) {
	g, err := s.groups.find(ctx, c, in.GroupName)
	if err != nil {
		return nil, err
	}
	users, err := everything(ctx, s.opts.Records.Users, store.Query{Scope: g.Key.Scope, Index: "group", Value: g.Value.ID}, byUserName)
	if err != nil {
		return nil, err
	}
	p, err := page(s.pages(c, "GetGroup", &g.Value.ID), request{in.Marker, in.MaxItems}, users, s.users.place)
	if err != nil {
		return nil, err
	}
	return &GetGroupResponse{
		Group: new(wireGroup(g.Value)), Users: mapped(p.items, summaryUser), IsTruncated: new(p.truncated()), Marker: p.next,
	}, nil
}

func byUserName(u *resource.User) (string, bool) { return strings.ToLower(u.Name), true }

// UpdateGroup changes the name or the path of a group.
func (s *Service) UpdateGroup(ctx context.Context, c awsapi.Caller, in *UpdateGroupRequest) (*UpdateGroupResponse, error) {
	_, err := s.groups.updateUnder(ctx, c, in.GroupName, func(g *resource.Group) error {
		if in.NewPath != nil {
			g.Path = *in.NewPath
		}
		if in.NewGroupName != nil {
			g.Name = *in.NewGroupName
		}
		if err := c.May(g.ARN(), nil); err != nil {
			return err
		}
		return s.groups.free(ctx, c, g.Name, g.ID)
	})
	return nil, err
}

// ListGroups returns a page of groups by name.
func (s *Service) ListGroups(ctx context.Context, c awsapi.Caller, in *ListGroupsRequest) (*ListGroupsResponse, error) {
	all, err := s.groups.all(ctx, c, in.PathPrefix)
	if err != nil {
		return nil, err
	}
	p, err := page(s.pages(c, "ListGroups", in.PathPrefix), request{in.Marker, in.MaxItems}, all, s.groups.place)
	if err != nil {
		return nil, err
	}
	return &ListGroupsResponse{Groups: mapped(p.items, wireGroup), IsTruncated: new(p.truncated()), Marker: p.next}, nil
}

// ListGroupsForUser returns a page of the groups that a user is in, by name.
func (s *Service) ListGroupsForUser(
	ctx context.Context, c awsapi.Caller, in *ListGroupsForUserRequest,
) (*ListGroupsForUserResponse, error) {
	u, err := s.users.find(ctx, c, in.UserName)
	if err != nil {
		return nil, err
	}
	groups, err := s.groupsOf(ctx, u.Value)
	if err != nil {
		return nil, err
	}
	p, err := page(s.pages(c, "ListGroupsForUser", &u.Value.ID), request{in.Marker, in.MaxItems}, groups, s.groups.place)
	if err != nil {
		return nil, err
	}
	return &ListGroupsForUserResponse{Groups: mapped(p.items, wireGroup), IsTruncated: new(p.truncated()), Marker: p.next}, nil
}

// DeleteGroup deletes a group that nobody is in and that has no policies any more.
func (s *Service) DeleteGroup(ctx context.Context, c awsapi.Caller, in *DeleteGroupRequest) (*DeleteGroupResponse, error) {
	_, err := s.groups.remove(ctx, c, in.GroupName, func(g resource.Group) error {
		_, err := s.opts.Records.Users.Find(ctx, "group", g.ID)
		switch {
		case err == nil:
			return inUse()
		case fault.Is(err, fault.NotFound):
			return nil
		}
		return err
	})
	return nil, err
}
