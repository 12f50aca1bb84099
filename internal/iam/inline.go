package iam

import (
	"context"
	"maps"
	"slices"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/policy"
)

// putInline gives something a policy of its own, or another in the place of one.
func (k keeper[T]) putInline(ctx context.Context, c awsapi.Caller, name, policyName, document string) error {
	if err := checkDocument(document, policy.Identity); err != nil {
		return err
	}
	_, err := k.update(ctx, c, name, func(v *T) (err error) {
		p := k.of(v)
		*p.inline, err = withInline(*p.inline, policyName, document, k.room, k.kind+" "+p.name)
		return err
	})
	return err
}

// getInline returns a policy of something, with the name of whose it is as it is spelt there.
func (k keeper[T]) getInline(ctx context.Context, c awsapi.Caller, name, policyName string) (whose, document string, err error) {
	r, err := k.find(ctx, c, name)
	if err != nil {
		return "", "", err
	}
	p := k.of(&r.Value)
	document, ok := (*p.inline)[policyName]
	if !ok {
		return "", "", k.noInline(policyName)
	}
	return p.name, document, nil
}

func (k keeper[T]) noInline(policyName string) error {
	return fault.New(fault.NotFound, "The %s policy with name %s cannot be found.", k.kind, policyName)
}

// listInline returns a page of the names of something's policies.
func (k keeper[T]) listInline(ctx context.Context, c awsapi.Caller, pages awsapi.Pages, name string, q request) (paged[string], error) {
	r, err := k.find(ctx, c, name)
	if err != nil {
		return paged[string]{}, err
	}
	names := slices.Sorted(maps.Keys(*k.of(&r.Value).inline))
	return page(pages, q, names, func(n string) string { return n })
}

// deleteInline takes a policy away.
func (k keeper[T]) deleteInline(ctx context.Context, c awsapi.Caller, name, policyName string) error {
	_, err := k.update(ctx, c, name, func(v *T) error {
		inline := *k.of(v).inline
		if _, ok := inline[policyName]; !ok {
			return k.noInline(policyName)
		}
		delete(inline, policyName)
		return nil
	})
	return err
}
