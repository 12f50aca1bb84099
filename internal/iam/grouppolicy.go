package iam

import (
	"context"

	"github.com/rivus-live/rivus/internal/awsapi"
)

// PutGroupPolicy gives a group a policy of its own, or another in the place of one.
func (s *Service) PutGroupPolicy(ctx context.Context, c awsapi.Caller, in *PutGroupPolicyRequest) (*PutGroupPolicyResponse, error) {
	return nil, s.groups.putInline(ctx, c, in.GroupName, in.PolicyName, in.PolicyDocument)
}

// GetGroupPolicy returns a policy of a group's own.
func (s *Service) GetGroupPolicy(ctx context.Context, c awsapi.Caller, in *GetGroupPolicyRequest) (*GetGroupPolicyResponse, error) {
	name, document, err := s.groups.getInline(ctx, c, in.GroupName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &GetGroupPolicyResponse{GroupName: name, PolicyName: in.PolicyName, PolicyDocument: encoded(document)}, nil
}

// ListGroupPolicies returns a page of the names of a group's own policies.
func (s *Service) ListGroupPolicies(
	ctx context.Context, c awsapi.Caller, in *ListGroupPoliciesRequest,
) (*ListGroupPoliciesResponse, error) {
	pages := s.pages(c, "ListGroupPolicies", &in.GroupName)
	p, err := s.groups.listInline(ctx, c, pages, in.GroupName, request{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return &ListGroupPoliciesResponse{PolicyNames: p.items, IsTruncated: new(p.truncated()), Marker: p.next}, nil
}

// DeleteGroupPolicy takes a policy of its own away from a group.
func (s *Service) DeleteGroupPolicy(
	ctx context.Context, c awsapi.Caller, in *DeleteGroupPolicyRequest,
) (*DeleteGroupPolicyResponse, error) {
	return nil, s.groups.deleteInline(ctx, c, in.GroupName, in.PolicyName)
}

// AttachGroupPolicy attaches a managed policy to a group.
func (s *Service) AttachGroupPolicy(
	ctx context.Context, c awsapi.Caller, in *AttachGroupPolicyRequest,
) (*AttachGroupPolicyResponse, error) {
	return nil, attach(ctx, s, s.groups, c, in.GroupName, in.PolicyArn)
}

// DetachGroupPolicy takes a managed policy off a group.
func (s *Service) DetachGroupPolicy(
	ctx context.Context, c awsapi.Caller, in *DetachGroupPolicyRequest,
) (*DetachGroupPolicyResponse, error) {
	return nil, detach(ctx, s.groups, c, in.GroupName, in.PolicyArn)
}

// ListAttachedGroupPolicies returns a page of the managed policies that are attached to a group, by name.
func (s *Service) ListAttachedGroupPolicies(
	ctx context.Context, c awsapi.Caller, in *ListAttachedGroupPoliciesRequest,
) (*ListAttachedGroupPoliciesResponse, error) {
	pages := s.pages(c, "ListAttachedGroupPolicies", &in.GroupName, in.PathPrefix)
	p, err := listAttached(ctx, s.groups, c, pages, in.GroupName, in.PathPrefix, request{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return &ListAttachedGroupPoliciesResponse{
		AttachedPolicies: mapped(p.items, wireAttached), IsTruncated: new(p.truncated()), Marker: p.next,
	}, nil
}
