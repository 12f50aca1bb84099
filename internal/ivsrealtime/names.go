package ivsrealtime

import (
	"context"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// get returns the caller's resource with the given ARN, whose type the model has checked, if the caller may do to it what
// it asks for. tags tells where in a record its tags are.
func get[T any](ctx context.Context, c awsapi.Caller, t *store.Table[T], text string, tags func(T) map[string]string) (T, error) {
	var none T
	a, err := c.Own(text)
	if err != nil {
		return none, err
	}
	r, err := t.Get(ctx, keyOf(a))
	if err != nil {
		return none, c.Missing(a, awsapi.Naming(err, text))
	}
	return r.Value, c.May(a, tags(r.Value))
}

// Where in the records the tags are.
func tagsOfStage(st resource.Stage) map[string]string                  { return st.Tags }
func tagsOfKey(k resource.PublicKey) map[string]string                 { return k.Tags }
func tagsOfStorage(sc resource.StorageConfiguration) map[string]string { return sc.Tags }

// stage returns the caller's stage with the given ARN.
func (s *Service) stage(ctx context.Context, c awsapi.Caller, text string) (resource.Stage, error) {
	return get(ctx, c, s.opts.Records.Stages, text, tagsOfStage)
}

func keyOf(a arn.ARN) store.Key { return store.Key{Scope: a.Scope, ID: a.ID} }
