package ivsrealtime

import (
	"context"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/store"
)

// defaultLimit is the page size of the lists when the caller names none (spec ivs-realtime.md 1.4).
const defaultLimit = 50

// paging makes and reads the page tokens of one kind of list: the caller's, of one operation, under one filter.
type paging struct {
	pager             *awsapi.Pager
	caller            awsapi.Caller
	operation, filter string
}

func (s *Service) paging(c awsapi.Caller, operation, filter string) paging {
	return paging{s.opts.Pager, c, operation, filter}
}

// after returns where the page of a request begins, "" for the first page. An empty token is no token.
func (p paging) after(token *string) (string, error) {
	if token == nil || *token == "" {
		return "", nil
	}
	return p.pager.Decode(p.caller.Scope, p.operation, p.filter, *token)
}

// next returns the token of the page that begins after the given place, nil when there is none.
func (p paging) next(more bool, place string) *string {
	if !more {
		return nil
	}
	return ptr(p.pager.Encode(p.caller.Scope, p.operation, p.filter, place))
}

// listed returns the page of the caller's records of a table that a request asks for, by id, and the token of the next.
func listed[T, W any](
	ctx context.Context, p paging, t *store.Table[T], token *string, limit int, wire func(T) (W, error),
) ([]W, *string, error) {
	after, err := p.after(token)
	if err != nil {
		return nil, nil, err
	}
	found, err := t.List(ctx, store.Query{Scope: p.caller.Scope, After: after, Limit: limit})
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
	return out, p.next(found.More, after), nil
}

// limit returns the page size of a request, whose range has been checked.
func limit(asked *int32, otherwise int) int {
	if asked == nil {
		return otherwise
	}
	return int(*asked)
}
