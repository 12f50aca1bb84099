package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

// attach attaches a managed policy to something. One that is attached already stays so.
func attach[T any](ctx context.Context, s *Service, k keeper[T], c awsapi.Caller, name, arn string) error {
	if _, _, _, err := parsePolicyARN(arn); err != nil {
		return err
	}
	_, err := k.updateUnder(ctx, c, name, func(v *T) error {
		if err := s.attachable(ctx, c, arn); err != nil {
			return err
		}
		attached := k.of(v).attached
		switch {
		case slices.Contains(*attached, arn):
			return nil
		case len(*attached) >= maxAttached:
			return exceeded("PoliciesPer"+k.title, maxAttached)
		}
		*attached = append(*attached, arn)
		return nil
	})
	return err
}

// attachable returns the error of a policy that does not exist for the caller.
func (s *Service) attachable(ctx context.Context, c awsapi.Caller, arn string) error {
	account, _, _, err := parsePolicyARN(arn)
	if err != nil {
		return err
	}
	if account == c.Account || account == resource.AWSAccount {
		if _, err = s.policyOf(ctx, arn); !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return fault.New(fault.NotFound, "Policy %s does not exist or is not attachable.", arn)
}

// detach takes a managed policy off something. It is under the guard so that a deletion of the policy on another node,
// which comes next, knows of it.
func detach[T any](ctx context.Context, k keeper[T], c awsapi.Caller, name, arn string) error {
	if _, _, _, err := parsePolicyARN(arn); err != nil {
		return err
	}
	_, err := k.updateUnder(ctx, c, name, func(v *T) error {
		attached := k.of(v).attached
		at := slices.Index(*attached, arn)
		if at < 0 {
			return noPolicy(arn)
		}
		*attached = slices.Delete(*attached, at, at+1)
		return nil
	})
	return err
}

// attachedPolicy is a managed policy as it is attached to something.
type attachedPolicy struct{ name, arn string }

// place orders attached policies: by name, and own ones before those that are built in.
func (p attachedPolicy) place() string {
	if strings.HasPrefix(p.arn, "arn:aws:iam::"+resource.AWSAccount+":") {
		return p.name + "/" + resource.AWSAccount
	}
	return p.name
}

// listAttached returns a page of what is attached to something, with the paths that begin as asked for.
func listAttached[T any](
	ctx context.Context, k keeper[T], c awsapi.Caller, pages awsapi.Pages, name string, prefix *string, q request,
) (paged[attachedPolicy], error) {
	r, err := k.find(ctx, c, name)
	if err != nil {
		return paged[attachedPolicy]{}, err
	}
	var list []attachedPolicy
	for _, arn := range *k.of(&r.Value).attached {
		_, path, policyName, err := parsePolicyARN(arn)
		if err == nil && (prefix == nil || strings.HasPrefix(path, *prefix)) {
			list = append(list, attachedPolicy{policyName, arn})
		}
	}
	slices.SortFunc(list, func(a, b attachedPolicy) int { return strings.Compare(a.place(), b.place()) })
	return page(pages, q, list, attachedPolicy.place)
}
