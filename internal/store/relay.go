package store

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Relay hands the events that wait in the facts to deliver, in order for each record, and takes them out of their
// record when deliver has returned nil, until ctx ends. An event may be delivered more than once, under the same ID.
func (s *Store) Relay(ctx context.Context, deliver func(context.Context, []Event) error) error {
	b := s.facts
	wait := retryFirst
	for {
		err := b.relayAll(ctx, deliver)
		if ctx.Err() != nil {
			return ctx.Err() //nolint:wrapcheck // the caller's own
		}
		retry := (<-chan time.Time)(nil)
		if err != nil {
			s.log.Warn("events wait", "error", err)
			retry = time.After(wait)
			wait = min(2*wait, retryLongest)
		} else {
			wait = retryFirst
		}
		select {
		case <-b.work:
		case <-retry:
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // the caller's own
		}
	}
}

// relayAll goes once through all records with waiting events.
func (b *bucket) relayAll(ctx context.Context, deliver func(context.Context, []Event) error) error {
	b.mu.RLock()
	all := maps.Clone(b.outgoing)
	b.mu.RUnlock()
	var failed error
	for subject, events := range all {
		err := deliver(ctx, events)
		if err == nil {
			err = b.sent(ctx, subject, events)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// sent takes delivered events out of a record. When the record has changed meanwhile it looks again: the events are
// carried on from put to put.
func (b *bucket) sent(ctx context.Context, subject string, events []Event) error {
	leave, err := b.turns.enter(ctx, subject)
	if err != nil {
		return err
	}
	defer leave()
	for range maxAttempts {
		err := b.drop(ctx, subject, events)
		if !errors.Is(err, errMismatch) {
			return err
		}
	}
	return errMismatch
}

func (b *bucket) drop(ctx context.Context, subject string, events []Event) error {
	last, err := b.engine().ask(ctx, b.cfg.Name, lookup{LastFor: subject})
	if err != nil || last == nil || len(last.Data) == 0 {
		return err
	}
	e, err := open[json.RawMessage](subject, last.Data)
	if err != nil {
		return err
	}
	before := len(e.Events)
	e.Events = slices.DeleteFunc(e.Events, func(waiting Event) bool {
		return slices.ContainsFunc(events, func(done Event) bool { return done.ID == waiting.ID })
	})
	if len(e.Events) == before {
		b.await(ctx, last.Sequence)
		return nil
	}
	data, err := seal(subject, e)
	if err != nil {
		return err
	}
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}
	revision := strconv.FormatUint(last.Sequence, 10)
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, revision)
	m.Header.Set(headerBase, revision)
	if e.Gone {
		markGone(m, len(e.Events) > 0)
	}
	sequence, err := b.engine().publish(ctx, m)
	if err != nil {
		return err
	}
	b.await(ctx, sequence)
	return nil
}
