package ivsrealtime

import (
	"context"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// targets returns the resource that a request names by ARN. An ARN that does not parse names none: the handler says
// what is wrong with it. An empty type stands for whatever the ARN says.
func targets(kind string, tags map[string]string, text string) []awsapi.Target {
	a, err := arn.Parse(text)
	if err != nil {
		return nil
	}
	if kind == "" {
		kind = a.Type
	}
	return []awsapi.Target{{Type: kind, ARN: a, RequestTags: tags}}
}

// own parses an ARN and checks that it is the caller's.
func own(c awsapi.Caller, text string) (arn.ARN, error) {
	a, err := arn.Parse(text)
	if err != nil {
		return arn.ARN{}, err
	}
	return a, c.Owns(awsapi.Target{ARN: a})
}

// get returns the caller's resource with the given ARN, whose type the model has checked.
func get[T any](ctx context.Context, c awsapi.Caller, t *store.Table[T], text string) (T, error) {
	a, err := own(c, text)
	if err != nil {
		var none T
		return none, err
	}
	r, err := t.Get(ctx, keyOf(a))
	return r.Value, naming(err, text)
}

// stage returns the caller's stage with the given ARN.
func (s *Service) stage(ctx context.Context, c awsapi.Caller, text string) (resource.Stage, error) {
	return get(ctx, c, s.opts.Stages, text)
}

func keyOf(a arn.ARN) store.Key { return store.Key{Scope: a.Scope, ID: a.ID} }

func notFound(text string) error { return fault.New(fault.NotFound, "Resource: %s not found", text) }

// naming makes a not-found error tell which resource the caller asked for.
func naming(err error, text string) error {
	if fault.Is(err, fault.NotFound) {
		return notFound(text)
	}
	return err
}
