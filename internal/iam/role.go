package iam

import (
	"context"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/tagging"
)

// defaultSession is how long sessions of a role may last when nobody says, in seconds.
const defaultSession = 3600

// CreateRole makes a role that its trust policy lets others assume, and that may do nothing yet.
func (s *Service) CreateRole(ctx context.Context, c awsapi.Caller, in *CreateRoleRequest) (*CreateRoleResponse, error) {
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := checkTrust(in.AssumeRolePolicyDocument); err != nil {
		return nil, err
	}
	r := resource.Role{
		Account: c.Account, ID: newID(rolePrefix), Path: pathOf(in.Path), Name: in.RoleName, Description: restjson.Value(in.Description),
		Trust: in.AssumeRolePolicyDocument, MaxSession: defaultSession, Boundary: restjson.Value(in.PermissionsBoundary), Tags: tags,
		CreatedAt: s.now(),
	}
	if in.MaxSessionDuration != nil {
		r.MaxSession = int(*in.MaxSessionDuration)
	}
	if err := s.roles.create(ctx, c, r, s.boundary(ctx, c, r.Boundary)); err != nil {
		return nil, err
	}
	return &CreateRoleResponse{Role: wireRole(r)}, nil
}

// GetRole returns a role, and when it was used last to within some minutes.
func (s *Service) GetRole(ctx context.Context, c awsapi.Caller, in *GetRoleRequest) (*GetRoleResponse, error) {
	r, err := s.roles.find(ctx, c, in.RoleName)
	if err != nil {
		return nil, err
	}
	use, ok, err := s.opts.Keys.LastUse(ctx, c.Account, r.Value.ID)
	if err != nil {
		return nil, err
	}
	w := wireRole(r.Value)
	w.RoleLastUsed = &RoleLastUsed{}
	if ok {
		w.RoleLastUsed = &RoleLastUsed{LastUsedDate: restjson.Time(use.At), Region: &use.Region}
	}
	return &GetRoleResponse{Role: w}, nil
}

// UpdateRole changes the description of a role and how long its sessions may last. Sessions that are under way keep their
// end.
func (s *Service) UpdateRole(ctx context.Context, c awsapi.Caller, in *UpdateRoleRequest) (*UpdateRoleResponse, error) {
	_, err := s.roles.update(ctx, c, in.RoleName, func(r *resource.Role) error {
		if in.Description != nil {
			r.Description = *in.Description
		}
		if in.MaxSessionDuration != nil {
			r.MaxSession = int(*in.MaxSessionDuration)
		}
		return nil
	})
	return nil, err
}

// UpdateRoleDescription changes the description of a role.
func (s *Service) UpdateRoleDescription(
	ctx context.Context, c awsapi.Caller, in *UpdateRoleDescriptionRequest,
) (*UpdateRoleDescriptionResponse, error) {
	r, err := s.roles.update(ctx, c, in.RoleName, func(r *resource.Role) error {
		r.Description = in.Description
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &UpdateRoleDescriptionResponse{Role: wireRole(r)}, nil
}

// UpdateAssumeRolePolicy changes who may assume a role. Sessions that are under way go on.
func (s *Service) UpdateAssumeRolePolicy(
	ctx context.Context, c awsapi.Caller, in *UpdateAssumeRolePolicyRequest,
) (*UpdateAssumeRolePolicyResponse, error) {
	if err := checkTrust(in.PolicyDocument); err != nil {
		return nil, err
	}
	_, err := s.roles.update(ctx, c, in.RoleName, func(r *resource.Role) error {
		r.Trust = in.PolicyDocument
		return nil
	})
	return nil, err
}

// ListRoles returns a page of roles by name, without their tags.
func (s *Service) ListRoles(ctx context.Context, c awsapi.Caller, in *ListRolesRequest) (*ListRolesResponse, error) {
	all, err := s.roles.all(ctx, c, in.PathPrefix)
	if err != nil {
		return nil, err
	}
	p, err := page(s.pages(c, "ListRoles", in.PathPrefix), request{in.Marker, in.MaxItems}, all, s.roles.place)
	if err != nil {
		return nil, err
	}
	return &ListRolesResponse{Roles: mapped(p.items, summaryRole), IsTruncated: new(p.truncated()), Marker: p.next}, nil
}

// DeleteRole deletes a role that has no policies any more. Its sessions end with it.
func (s *Service) DeleteRole(ctx context.Context, c awsapi.Caller, in *DeleteRoleRequest) (*DeleteRoleResponse, error) {
	r, err := s.roles.remove(ctx, c, in.RoleName, func(resource.Role) error { return nil })
	if err != nil {
		return nil, err
	}
	s.forget(ctx, c, r.ID)
	return nil, nil
}

// TagRole adds tags to a role, and overwrites those it has under the same keys in any case of letters.
func (s *Service) TagRole(ctx context.Context, c awsapi.Caller, in *TagRoleRequest) (*TagRoleResponse, error) {
	more, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	_, err = s.roles.update(ctx, c, in.RoleName, func(r *resource.Role) (err error) {
		r.Tags, err = tagging.TaggedFold(r.Tags, more)
		return err
	})
	return nil, err
}

// UntagRole removes tags from a role. Keys that it does not have are ignored.
func (s *Service) UntagRole(ctx context.Context, c awsapi.Caller, in *UntagRoleRequest) (*UntagRoleResponse, error) {
	_, err := s.roles.update(ctx, c, in.RoleName, func(r *resource.Role) error {
		r.Tags = tagging.UntaggedFold(r.Tags, in.TagKeys)
		return nil
	})
	return nil, err
}

// ListRoleTags returns a page of the tags of a role by key.
func (s *Service) ListRoleTags(ctx context.Context, c awsapi.Caller, in *ListRoleTagsRequest) (*ListRoleTagsResponse, error) {
	r, err := s.roles.find(ctx, c, in.RoleName)
	if err != nil {
		return nil, err
	}
	p, err := page(s.pages(c, "ListRoleTags", &r.Value.ID), request{in.Marker, in.MaxItems}, wireTags(r.Value.Tags), tagPlace)
	if err != nil {
		return nil, err
	}
	return &ListRoleTagsResponse{Tags: p.items, IsTruncated: new(p.truncated()), Marker: p.next}, nil
}
