package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
)

// CreatePolicy makes a managed policy with its first version.
func (s *Service) CreatePolicy(ctx context.Context, c awsapi.Caller, in *CreatePolicyRequest) (*CreatePolicyResponse, error) {
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := checkManaged(in.PolicyDocument); err != nil {
		return nil, err
	}
	now := s.now()
	p := resource.ManagedPolicy{
		Account: c.Account, ID: newID(policyPrefix), Path: pathOf(in.Path), Name: in.PolicyName, Description: restjson.Value(in.Description),
		Versions: []resource.PolicyVersion{{Number: 1, Document: in.PolicyDocument, CreatedAt: now}}, Default: 1, Next: 2,
		Tags: tags, CreatedAt: now, UpdatedAt: now,
	}
	if err := c.May(p.ARN(), nil); err != nil {
		return nil, err
	}
	_, err = s.opts.Records.Policies.Under(records.IAMGuard(c.Account)).Create(ctx, records.IAMKey(c.Account, p.ID), p, func() error {
		return s.roomForPolicy(ctx, c, p.Name)
	})
	if err != nil {
		return nil, err
	}
	return &CreatePolicyResponse{Policy: wirePolicy(p, 0, 0)}, nil
}

// roomForPolicy returns the error of a name that is taken, in any case of letters, and of one policy too many.
func (s *Service) roomForPolicy(ctx context.Context, c awsapi.Caller, name string) error {
	_, err := s.opts.Records.Policies.Find(ctx, "name", records.IAMName(c.Account, name))
	switch {
	case err == nil:
		return fault.New(fault.Exists, "A policy called %s already exists. Duplicate names are not allowed.", name)
	case !fault.Is(err, fault.NotFound):
		return err
	case s.opts.Records.Policies.Count(resource.IAMScope(c.Account)) >= maxPolicies:
		return exceeded("PoliciesPerAccount", maxPolicies)
	}
	return nil
}

// policyOf returns the managed policy of an ARN, whoever's it is. Errors are fault.NotFound.
func (s *Service) policyOf(ctx context.Context, arn string) (store.Record[resource.ManagedPolicy], error) {
	if p, ok := resource.AWSManagedPolicy(arn); ok {
		return store.Record[resource.ManagedPolicy]{Value: p}, nil
	}
	return s.opts.Records.Policies.Find(ctx, "arn", arn)
}

// policy returns the managed policy of an ARN that a request names, if the caller may do to it what it asks for.
func (s *Service) policy(ctx context.Context, c awsapi.Caller, arn string) (store.Record[resource.ManagedPolicy], error) {
	account, path, name, err := parsePolicyARN(arn)
	if err != nil {
		return store.Record[resource.ManagedPolicy]{}, err
	}
	r, err := s.policyOf(ctx, arn)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return r, err
	}
	if err := c.May(resource.IAMARN(account, resource.KindPolicy, path, name), r.Value.Tags); err != nil {
		return r, err
	}
	if err != nil || account != c.Account && account != resource.AWSAccount {
		return r, noPolicy(arn)
	}
	return r, nil
}

// changePolicy changes one of the account's own policies.
func (s *Service) changePolicy(
	ctx context.Context, c awsapi.Caller, arn string, change func(*resource.ManagedPolicy) error,
) (resource.ManagedPolicy, error) {
	r, err := s.ownPolicy(ctx, c, arn)
	if err != nil {
		return r.Value, err
	}
	var refused error
	r, err = s.opts.Records.Policies.Update(ctx, r.Key, func(p resource.ManagedPolicy) (resource.ManagedPolicy, error) {
		if refused = c.May(p.ARN(), p.Tags); refused == nil {
			refused = change(&p)
		}
		return p, refused
	})
	if refused == nil && fault.Is(err, fault.NotFound) {
		err = noPolicy(arn)
	}
	return r.Value, err
}

// ownPolicy is policy for one that can be changed.
func (s *Service) ownPolicy(ctx context.Context, c awsapi.Caller, arn string) (store.Record[resource.ManagedPolicy], error) {
	r, err := s.policy(ctx, c, arn)
	if err == nil && r.Value.Account == resource.AWSAccount {
		err = fault.New(fault.Denied, "Policy %s is one of AWS's own and cannot be changed", arn)
	}
	return r, err
}

// GetPolicy returns a managed policy without its document.
func (s *Service) GetPolicy(ctx context.Context, c awsapi.Caller, in *GetPolicyRequest) (*GetPolicyResponse, error) {
	r, err := s.policy(ctx, c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	u, err := s.usageOf(ctx, c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return &GetPolicyResponse{Policy: wirePolicy(r.Value, u.attached(), u.bounding())}, nil
}

// Values of ListPoliciesRequest.Scope and of PolicyUsageFilter.
const (
	scopeAWS      = "AWS"
	scopeLocal    = "Local"
	usageBoundary = "PermissionsBoundary"
	usagePolicy   = "PermissionsPolicy"
)

// listed is a managed policy with its use.
type listed struct {
	resource.ManagedPolicy
	attached, bounding int
}

// place orders policies by name, and those of the account before AWS's.
func (p listed) place() string {
	if p.Account == resource.AWSAccount {
		return strings.ToLower(p.Name) + "/" + resource.AWSAccount
	}
	return strings.ToLower(p.Name)
}

// ListPolicies returns a page of managed policies by name, without their tags.
func (s *Service) ListPolicies(ctx context.Context, c awsapi.Caller, in *ListPoliciesRequest) (*ListPoliciesResponse, error) {
	all, err := s.listedPolicies(ctx, c, in)
	if err != nil {
		return nil, err
	}
	filter := []*string{in.Scope, in.PathPrefix, in.PolicyUsageFilter}
	if in.OnlyAttached != nil && *in.OnlyAttached {
		filter = append(filter, new("attached"))
	}
	p, err := page(s.pages(c, "ListPolicies", filter...), request{in.Marker, in.MaxItems}, all, listed.place)
	if err != nil {
		return nil, err
	}
	wire := mapped(p.items, func(l listed) Policy {
		l.Tags = nil
		return *wirePolicy(l.ManagedPolicy, l.attached, l.bounding)
	})
	return &ListPoliciesResponse{Policies: wire, IsTruncated: new(p.truncated()), Marker: p.next}, nil
}

// listedPolicies returns the policies that a request asks for, in order.
func (s *Service) listedPolicies(ctx context.Context, c awsapi.Caller, in *ListPoliciesRequest) ([]listed, error) {
	var all []resource.ManagedPolicy
	if restjson.Value(in.Scope) != scopeLocal {
		all = resource.AWSManagedPolicies()
	}
	if restjson.Value(in.Scope) != scopeAWS {
		own, err := everything(ctx, s.opts.Records.Policies, store.Query{Scope: resource.IAMScope(c.Account)},
			func(p *resource.ManagedPolicy) (string, bool) { return p.Name, true })
		if err != nil {
			return nil, err
		}
		all = append(all, own...)
	}
	counts, err := s.counts(ctx, c)
	if err != nil {
		return nil, err
	}
	var found []listed
	for _, p := range all {
		n := counts[p.ARN().String()]
		l := listed{p, n.attached, n.bounding}
		if strings.HasPrefix(p.Path, restjson.Value(in.PathPrefix)) && wantedUse(in, l) {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b listed) int { return strings.Compare(a.place(), b.place()) })
	return found, nil
}

// wantedUse reports whether a policy is used as a request asks for.
func wantedUse(in *ListPoliciesRequest, l listed) bool {
	switch restjson.Value(in.PolicyUsageFilter) {
	case usageBoundary:
		return l.bounding > 0
	case usagePolicy:
		return l.attached > 0
	}
	return in.OnlyAttached == nil || !*in.OnlyAttached || l.attached > 0
}

// DeletePolicy deletes a managed policy that is attached to nothing and has no version but the default.
func (s *Service) DeletePolicy(ctx context.Context, c awsapi.Caller, in *DeletePolicyRequest) (*DeletePolicyResponse, error) {
	r, err := s.ownPolicy(ctx, c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	var refused error
	_, err = s.opts.Records.Policies.Under(records.IAMGuard(c.Account)).Delete(ctx, r.Key, func(p resource.ManagedPolicy) error {
		refused = s.deletable(ctx, c, p)
		return refused
	})
	if refused == nil && fault.Is(err, fault.NotFound) {
		err = noPolicy(in.PolicyArn)
	}
	return nil, err
}

func (s *Service) deletable(ctx context.Context, c awsapi.Caller, p resource.ManagedPolicy) error {
	if err := c.May(p.ARN(), p.Tags); err != nil {
		return err
	}
	u, err := s.usageOf(ctx, c, p.ARN().String())
	switch {
	case err != nil:
		return err
	case u.attached()+u.bounding() > 0:
		return fault.New(fault.InUse, "Cannot delete a policy attached to entities.")
	case len(p.Versions) > 1:
		return fault.New(fault.InUse, "This policy has more than one version. Before you delete a policy, you must delete "+
			"the policy's versions. The default version is deleted with the policy.")
	}
	return nil
}

// TagPolicy adds tags to a managed policy.
func (s *Service) TagPolicy(ctx context.Context, c awsapi.Caller, in *TagPolicyRequest) (*TagPolicyResponse, error) {
	more, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	_, err = s.changePolicy(ctx, c, in.PolicyArn, func(p *resource.ManagedPolicy) (err error) {
		p.Tags, err = tagging.TaggedFold(p.Tags, more)
		return err
	})
	return nil, err
}

// UntagPolicy removes tags from a managed policy. Keys that it does not have are ignored.
func (s *Service) UntagPolicy(ctx context.Context, c awsapi.Caller, in *UntagPolicyRequest) (*UntagPolicyResponse, error) {
	_, err := s.changePolicy(ctx, c, in.PolicyArn, func(p *resource.ManagedPolicy) error {
		p.Tags = tagging.UntaggedFold(p.Tags, in.TagKeys)
		return nil
	})
	return nil, err
}

// ListPolicyTags returns a page of the tags of a managed policy by key.
func (s *Service) ListPolicyTags(ctx context.Context, c awsapi.Caller, in *ListPolicyTagsRequest) (*ListPolicyTagsResponse, error) {
	r, err := s.policy(ctx, c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	p, err := page(s.pages(c, "ListPolicyTags", &in.PolicyArn), request{in.Marker, in.MaxItems}, wireTags(r.Value.Tags), tagPlace)
	if err != nil {
		return nil, err
	}
	return &ListPolicyTagsResponse{Tags: p.items, IsTruncated: new(p.truncated()), Marker: p.next}, nil
}
