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

func keyOf(a arn.ARN) store.Key { return store.Key{Scope: a.Scope, ID: a.ID} }

func notLive(channel arn.ARN) error {
	return fault.New(fault.NotLive, "Channel: %s is not currently online", channel)
}

// channel returns the caller's channel with the given ARN, if the caller may do to it what it asks for.
func (s *Service) channel(ctx context.Context, c awsapi.Caller, text string) (resource.Channel, error) {
	a, err := c.Own(text)
	if err != nil {
		return resource.Channel{}, err
	}
	rec, err := s.opts.Channels.Get(ctx, keyOf(a))
	if err != nil {
		return resource.Channel{}, c.Missing(a, awsapi.Naming(err, text))
	}
	return rec.Value, c.May(a, rec.Value.Tags)
}

// keyed returns the channel that has the caller's stream key with the given ARN, and the key, if the caller may do to the
// key what it asks for.
func (s *Service) keyed(ctx context.Context, c awsapi.Caller, text string) (resource.Channel, resource.StreamKey, error) {
	a, err := c.Own(text)
	if err != nil {
		return resource.Channel{}, resource.StreamKey{}, err
	}
	ch, i, err := findKey(ctx, s.opts.Channels, a)
	if err != nil {
		return resource.Channel{}, resource.StreamKey{}, c.Missing(a, awsapi.Naming(err, text))
	}
	return ch, ch.StreamKeys[i], c.May(a, ch.StreamKeys[i].Tags)
}

// findKey returns the channel that has a stream key, and where among its keys that is.
func findKey(ctx context.Context, channels *store.Table[resource.Channel], key arn.ARN) (resource.Channel, int, error) {
	rec, err := channels.Find(ctx, "streamKey", key.ID)
	if err != nil {
		return resource.Channel{}, 0, err
	}
	i := indexOf(rec.Value, key.ID)
	if i < 0 || rec.Key.Scope != key.Scope {
		return resource.Channel{}, 0, awsapi.NotFound(key.String())
	}
	return rec.Value, i, nil
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
		failed = append(failed, BatchError{Arn: &text, Code: &code, Message: new(fault.Message(err))})
	}
	return failed, nil
}
