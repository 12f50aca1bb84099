package iam

import (
	"context"

	"github.com/rivus-live/rivus/internal/awsapi"
)

// PutUserPolicy gives a user a policy of its own, or another in the place of one.
func (s *Service) PutUserPolicy(ctx context.Context, c awsapi.Caller, in *PutUserPolicyRequest) (*PutUserPolicyResponse, error) {
	return nil, s.users.putInline(ctx, c, in.UserName, in.PolicyName, in.PolicyDocument)
}

// GetUserPolicy returns a policy of a user's own.
func (s *Service) GetUserPolicy(ctx context.Context, c awsapi.Caller, in *GetUserPolicyRequest) (*GetUserPolicyResponse, error) {
	name, document, err := s.users.getInline(ctx, c, in.UserName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &GetUserPolicyResponse{UserName: name, PolicyName: in.PolicyName, PolicyDocument: encoded(document)}, nil
}

// ListUserPolicies returns a page of the names of a user's own policies.
func (s *Service) ListUserPolicies(
	ctx context.Context, c awsapi.Caller, in *ListUserPoliciesRequest,
) (*ListUserPoliciesResponse, error) {
	pages := s.pages(c, "ListUserPolicies", &in.UserName)
	p, err := s.users.listInline(ctx, c, pages, in.UserName, request{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return &ListUserPoliciesResponse{PolicyNames: p.items, IsTruncated: new(p.truncated()), Marker: p.next}, nil
}

// DeleteUserPolicy takes a policy of its own away from a user.
func (s *Service) DeleteUserPolicy(
	ctx context.Context, c awsapi.Caller, in *DeleteUserPolicyRequest,
) (*DeleteUserPolicyResponse, error) {
	return nil, s.users.deleteInline(ctx, c, in.UserName, in.PolicyName)
}

// AttachUserPolicy attaches a managed policy to a user.
func (s *Service) AttachUserPolicy(
	ctx context.Context, c awsapi.Caller, in *AttachUserPolicyRequest,
) (*AttachUserPolicyResponse, error) {
	return nil, attach(ctx, s, s.users, c, in.UserName, in.PolicyArn)
}

// DetachUserPolicy takes a managed policy off a user.
func (s *Service) DetachUserPolicy(
	ctx context.Context, c awsapi.Caller, in *DetachUserPolicyRequest,
) (*DetachUserPolicyResponse, error) {
	return nil, detach(ctx, s.users, c, in.UserName, in.PolicyArn)
}

// ListAttachedUserPolicies returns a page of the managed policies that are attached to a user, by name.
func (s *Service) ListAttachedUserPolicies(
	ctx context.Context, c awsapi.Caller, in *ListAttachedUserPoliciesRequest,
) (*ListAttachedUserPoliciesResponse, error) {
	pages := s.pages(c, "ListAttachedUserPolicies", &in.UserName, in.PathPrefix)
	p, err := listAttached(ctx, s.users, c, pages, in.UserName, in.PathPrefix, request{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return &ListAttachedUserPoliciesResponse{
		AttachedPolicies: mapped(p.items, wireAttached), IsTruncated: new(p.truncated()), Marker: p.next,
	}, nil
}
