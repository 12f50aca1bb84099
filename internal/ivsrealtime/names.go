package ivsrealtime

import (
	"context"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// get returns the caller's resource with the given ARN, whose type the model has checked.
func get[T any](ctx context.Context, c awsapi.Caller, t *store.Table[T], text string) (T, error) {
	a, err := c.Own(text)
	if err != nil {
		var none T
		return none, err
	}
	r, err := t.Get(ctx, keyOf(a))
	return r.Value, awsapi.Naming(err, text)
}

// stage returns the caller's stage with the given ARN.
func (s *Service) stage(ctx context.Context, c awsapi.Caller, text string) (resource.Stage, error) {
	return get(ctx, c, s.opts.Records.Stages, text)
}

func keyOf(a arn.ARN) store.Key { return store.Key{Scope: a.Scope, ID: a.ID} }
