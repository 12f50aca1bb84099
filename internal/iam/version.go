package iam

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

// CreatePolicyVersion gives a managed policy another version. It counts at once when it is to be the default.
func (s *Service) CreatePolicyVersion(
	ctx context.Context, c awsapi.Caller, in *CreatePolicyVersionRequest,
) (*CreatePolicyVersionResponse, error) {
	if err := checkManaged(in.PolicyDocument); err != nil {
		return nil, err
	}
	now := s.now()
	p, err := s.changePolicy(ctx, c, in.PolicyArn, func(p *resource.ManagedPolicy) error {
		if len(p.Versions) >= maxVersions {
			return fault.New(fault.Quota, "A managed policy can have up to %d versions. Before you create a new version, "+
				"you must delete an existing version.", maxVersions)
		}
		p.Versions = append(p.Versions, resource.PolicyVersion{Number: p.Next, Document: in.PolicyDocument, CreatedAt: now})
		if in.SetAsDefault != nil && *in.SetAsDefault {
			p.Default = p.Next
		}
		p.Next++
		p.UpdatedAt = now
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &CreatePolicyVersionResponse{PolicyVersion: new(wireVersion(p, p.Versions[len(p.Versions)-1]))}, nil
}

// version returns the place of a version that a request names.
func version(p *resource.ManagedPolicy, id string) (int, error) {
	number, err := strconv.Atoi(strings.TrimPrefix(id, "v"))
	if at := p.Version(number); err == nil && at >= 0 {
		return at, nil
	}
	return 0, fault.New(fault.NotFound, "Policy %s version %s does not exist or is not attachable.", p.ARN(), id)
}

// GetPolicyVersion returns a version of a managed policy with its document.
func (s *Service) GetPolicyVersion(
	ctx context.Context, c awsapi.Caller, in *GetPolicyVersionRequest,
) (*GetPolicyVersionResponse, error) {
	r, err := s.policy(ctx, c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	at, err := version(&r.Value, in.VersionId)
	if err != nil {
		return nil, err
	}
	v := r.Value.Versions[at]
	w := wireVersion(r.Value, v)
	w.Document = new(encoded(v.Document))
	return &GetPolicyVersionResponse{PolicyVersion: &w}, nil
}

// ListPolicyVersions returns a page of the versions of a managed policy, the newest first, without their documents.
func (s *Service) ListPolicyVersions(
	ctx context.Context, c awsapi.Caller, in *ListPolicyVersionsRequest,
) (*ListPolicyVersionsResponse, error) {
	r, err := s.policy(ctx, c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	versions := slices.Clone(r.Value.Versions)
	slices.Reverse(versions)
	p, err := page(s.pages(c, "ListPolicyVersions", &in.PolicyArn), request{in.Marker, in.MaxItems}, versions,
		func(v resource.PolicyVersion) string { return fmt.Sprintf("%010d", 1<<31-v.Number) })
	if err != nil {
		return nil, err
	}
	return &ListPolicyVersionsResponse{
		Versions:    mapped(p.items, func(v resource.PolicyVersion) PolicyVersion { return wireVersion(r.Value, v) }),
		IsTruncated: new(p.truncated()), Marker: p.next,
	}, nil
}

// DeletePolicyVersion deletes a version that is not the default.
func (s *Service) DeletePolicyVersion(
	ctx context.Context, c awsapi.Caller, in *DeletePolicyVersionRequest,
) (*DeletePolicyVersionResponse, error) {
	_, err := s.changePolicy(ctx, c, in.PolicyArn, func(p *resource.ManagedPolicy) error {
		at, err := version(p, in.VersionId)
		if err != nil {
			return err
		}
		if p.Versions[at].Number == p.Default {
			return fault.New(fault.InUse, "Cannot delete the default version of a policy.")
		}
		p.Versions = slices.Delete(p.Versions, at, at+1)
		return nil
	})
	return nil, err
}

// SetDefaultPolicyVersion chooses the version of a managed policy that is in effect.
func (s *Service) SetDefaultPolicyVersion(
	ctx context.Context, c awsapi.Caller, in *SetDefaultPolicyVersionRequest,
) (*SetDefaultPolicyVersionResponse, error) {
	_, err := s.changePolicy(ctx, c, in.PolicyArn, func(p *resource.ManagedPolicy) error {
		at, err := version(p, in.VersionId)
		if err == nil {
			p.Default = p.Versions[at].Number
		}
		return err
	})
	return nil, err
}
