package iam

import (
	"context"

	"github.com/rivus-live/rivus/internal/awsapi"
)

// PutRolePolicy gives a role a policy of its own, or another in the place of one.
func (s *Service) PutRolePolicy(ctx context.Context, c awsapi.Caller, in *PutRolePolicyRequest) (*PutRolePolicyResponse, error) {
	return nil, s.roles.putInline(ctx, c, in.RoleName, in.PolicyName, in.PolicyDocument)
}

// GetRolePolicy returns a policy of a role's own.
func (s *Service) GetRolePolicy(ctx context.Context, c awsapi.Caller, in *GetRolePolicyRequest) (*GetRolePolicyResponse, error) {
	name, document, err := s.roles.getInline(ctx, c, in.RoleName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &GetRolePolicyResponse{RoleName: name, PolicyName: in.PolicyName, PolicyDocument: encoded(document)}, nil
}

// ListRolePolicies returns a page of the names of a role's own policies.
func (s *Service) ListRolePolicies(
	ctx context.Context, c awsapi.Caller, in *ListRolePoliciesRequest,
) (*ListRolePoliciesResponse, error) {
	pages := s.pages(c, "ListRolePolicies", &in.RoleName)
	p, err := s.roles.listInline(ctx, c, pages, in.RoleName, request{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return &ListRolePoliciesResponse{PolicyNames: p.items, IsTruncated: new(p.truncated()), Marker: p.next}, nil
}

// DeleteRolePolicy takes a policy of its own away from a role.
func (s *Service) DeleteRolePolicy(
	ctx context.Context, c awsapi.Caller, in *DeleteRolePolicyRequest,
) (*DeleteRolePolicyResponse, error) {
	return nil, s.roles.deleteInline(ctx, c, in.RoleName, in.PolicyName)
}

// AttachRolePolicy attaches a managed policy to a role.
func (s *Service) AttachRolePolicy(
	ctx context.Context, c awsapi.Caller, in *AttachRolePolicyRequest,
) (*AttachRolePolicyResponse, error) {
	return nil, attach(ctx, s, s.roles, c, in.RoleName, in.PolicyArn)
}

// DetachRolePolicy takes a managed policy off a role.
func (s *Service) DetachRolePolicy(
	ctx context.Context, c awsapi.Caller, in *DetachRolePolicyRequest,
) (*DetachRolePolicyResponse, error) {
	return nil, detach(ctx, s.roles, c, in.RoleName, in.PolicyArn)
}

// ListAttachedRolePolicies returns a page of the managed policies that are attached to a role, by name.
func (s *Service) ListAttachedRolePolicies(
	ctx context.Context, c awsapi.Caller, in *ListAttachedRolePoliciesRequest,
) (*ListAttachedRolePoliciesResponse, error) {
	pages := s.pages(c, "ListAttachedRolePolicies", &in.RoleName, in.PathPrefix)
	p, err := listAttached(ctx, s.roles, c, pages, in.RoleName, in.PathPrefix, request{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return &ListAttachedRolePoliciesResponse{
		AttachedPolicies: mapped(p.items, wireAttached), IsTruncated: new(p.truncated()), Marker: p.next,
	}, nil
}
