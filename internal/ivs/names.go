package ivs

import (
	"context"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// The types of resource in this package, as their ARNs name them.
const (
	typeChannel   = "channel"
	typeStreamKey = "stream-key"
)

// targets returns the resources that a request names by ARN. An ARN that does not parse names none: the handler says
// what is wrong with it. An empty type stands for whatever the ARN says.
func targets(kind string, tags map[string]string, arns ...string) []awsapi.Target {
	out := make([]awsapi.Target, 0, len(arns))
	for _, text := range arns {
		a, err := arn.Parse(text)
		if err != nil {
			continue
		}
		t := awsapi.Target{Type: kind, ARN: a, RequestTags: tags}
		if kind == "" {
			t.Type = a.Type
		}
		out = append(out, t)
	}
	return out
}

// own parses an ARN and checks that it is the caller's.
func own(c awsapi.Caller, text string) (arn.ARN, error) {
	a, err := arn.Parse(text)
	if err != nil {
		return arn.ARN{}, err
	}
	return a, c.Owns(awsapi.Target{ARN: a})
}

// ownOf is own for an ARN that must be of the given type.
func ownOf(c awsapi.Caller, kind, text string) (arn.ARN, error) {
	a, err := own(c, text)
	if err == nil && (a.Service != "ivs" || a.Type != kind) {
		return arn.ARN{}, fault.New(fault.Invalid, "%s is not the ARN of a %s", text, kind)
	}
	return a, err
}

func keyOf(a arn.ARN) store.Key { return store.Key{Scope: a.Scope, ID: a.ID} }

func notFound(text string) error { return fault.New(fault.NotFound, "Resource: %s not found", text) }

func notLive(channel arn.ARN) error {
	return fault.New(fault.NotLive, "Channel: %s is not currently online", channel)
}

// naming makes a not-found error tell which resource the caller asked for.
func naming(err error, text string) error {
	if fault.Is(err, fault.NotFound) {
		return notFound(text)
	}
	return err
}

// channel returns the caller's channel with the given ARN.
func (s *Service) channel(ctx context.Context, c awsapi.Caller, text string) (resource.Channel, error) {
	a, err := ownOf(c, typeChannel, text)
	if err != nil {
		return resource.Channel{}, err
	}
	rec, err := s.opts.Channels.Get(ctx, keyOf(a))
	if err != nil {
		return resource.Channel{}, naming(err, text)
	}
	return rec.Value, nil
}

// keyed returns the channel that has the caller's stream key with the given ARN, and the key.
func (s *Service) keyed(ctx context.Context, c awsapi.Caller, text string) (resource.Channel, resource.StreamKey, error) {
	a, err := ownOf(c, typeStreamKey, text)
	if err != nil {
		return resource.Channel{}, resource.StreamKey{}, err
	}
	rec, err := s.opts.Channels.Find(ctx, "streamKey", a.ID)
	if err != nil {
		return resource.Channel{}, resource.StreamKey{}, naming(err, text)
	}
	for _, k := range rec.Value.StreamKeys {
		if k.ID == a.ID && rec.Key.Scope == c.Scope {
			return rec.Value, k, nil
		}
	}
	return resource.Channel{}, resource.StreamKey{}, notFound(text)
}

// batch calls get for each distinct ARN in the order given. What keeps the caller from one resource becomes an entry of
// the answer's list of errors, with the status that a call for it alone would have; an engine that does not answer
// fails the whole request.
func batch(arns []string, get func(text string) error) ([]BatchError, error) {
	failed := []BatchError{}
	seen := make(map[string]bool, len(arns))
	for _, text := range arns {
		if seen[text] {
			continue
		}
		seen[text] = true
		err := get(text)
		code := ""
		switch fault.KindOf(err) {
		case fault.NotFound:
			code = "404"
		case fault.Denied:
			code = "403"
		default:
			if err != nil {
				return nil, err
			}
			continue
		}
		failed = append(failed, BatchError{Arn: &text, Code: &code, Message: ptr(fault.Message(err))})
	}
	return failed, nil
}
