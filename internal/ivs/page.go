package ivs

import (
	"context"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// get returns the caller's resource with the given ARN, whose type the model has checked, if the caller may do to it what it
// asks for. tags tells where in a record its tags are.
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
func tagsOfKeyPair(k resource.PlaybackKeyPair) map[string]string          { return k.Tags }
func tagsOfPolicy(p resource.PlaybackRestrictionPolicy) map[string]string { return p.Tags }

// listed returns the page of the caller's records of a table that a request asks for, by id, and the token of the next.
func listed[T, W any](
	ctx context.Context, c awsapi.Caller, pages awsapi.Pages, t *store.Table[T], token *string, size int, wire func(T) W,
) ([]W, *string, error) {
	after, err := pages.After(token)
	if err != nil {
		return nil, nil, err
	}
	found, err := t.List(ctx, store.Query{Scope: c.Scope, After: after, Limit: size})
	if err != nil {
		return nil, nil, err
	}
	out := make([]W, len(found.Records))
	for i, r := range found.Records {
		out[i], after = wire(r.Value), r.Key.ID
	}
	return out, pages.Next(found.More, after), nil
}
