package ivsrealtime

import (
	"context"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/store"
)

// defaultLimit is the page size of the lists when the caller names none (spec ivs-realtime.md 1.4).
const defaultLimit = 50

// listed returns the page of the caller's records of a table that a request asks for, by id, and the token of the next.
func listed[T, W any](
	ctx context.Context, c awsapi.Caller, pages awsapi.Pages, t *store.Table[T], token *string, size int,
	wire func(T) (W, error),
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
		if out[i], err = wire(r.Value); err != nil {
			return nil, nil, err
		}
		after = r.Key.ID
	}
	return out, pages.Next(found.More, after), nil
}
