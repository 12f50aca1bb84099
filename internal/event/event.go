// Package event moves events from the aggregates they happened to into the outbox, and reads them there.
//
// An event is stored with the change that caused it, so neither can exist without the other. The relay copies it to
// the outbox, under its own ID, and then takes it out of its record. It is in the outbox exactly once, however often the
// change that caused it or the copying was tried, and in the order in which it happened to its resource.
//
// Imports: arn, natsd, store.
package event

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/store"
)

// outboxAge is how long the outbox keeps an event for sinks that are away: the longest that EventBridge retries.
const outboxAge = 24 * time.Hour

// Options configure a relay.
type Options struct {
	Store  *store.Store
	Logger *slog.Logger // nil discards
}

// Relay copies events from the aggregates to the outbox and then clears them there.
type Relay struct {
	store  *store.Store
	outbox *store.Log[store.Event]
}

// NewRelay opens the outbox.
func NewRelay(ctx context.Context, opt Options) (*Relay, error) {
	outbox, err := store.OpenLogAge[store.Event](ctx, opt.Store, store.EventLog, outboxAge)
	if err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return &Relay{store: opt.Store, outbox: outbox}, nil
}

// Run relays until ctx ends. One node of a cluster is enough: it relays for all.
func (r *Relay) Run(ctx context.Context) error {
	return r.store.Relay(ctx, func(ctx context.Context, events []store.Event) error {
		for _, e := range events {
			if err := r.outbox.AppendOnce(ctx, keyOf(e), e.Type, store.Once{ID: e.ID, Since: e.Time}, e); err != nil {
				return fmt.Errorf("event: copy %s to the outbox: %w", e.ID, err)
			}
		}
		return nil
	})
}

// Put puts events on the bus that happened to none of our resources, such as those of an application, under IDs that were made
// for this call. They are on the disk when it returns nil; after an error some may be.
func (r *Relay) Put(ctx context.Context, events ...store.Event) error {
	now := time.Now()
	for _, e := range events {
		if err := r.outbox.AppendOnce(ctx, keyOf(e), e.Type, store.Once{ID: e.ID, Since: now}, e); err != nil {
			return fmt.Errorf("event: put %s on the bus: %w", e.ID, err)
		}
	}
	return nil
}

// keyOf returns what an event happened to: the events of one resource follow each other, those of others go beside them.
func keyOf(e store.Event) store.Key {
	key := store.Key{Scope: e.Scope, ID: e.Source}
	if len(e.Resources) > 0 {
		key.ID = e.Resources[0]
	}
	return key
}

// Follow calls fn for every event in the outbox behind the cursor, oldest first, and then for every new one, until ctx
// ends or fn fails. The cursor is the Sequence of the last event that was dealt with, 0 for the beginning; who
// follows keeps it.
func (r *Relay) Follow(ctx context.Context, cursor uint64, fn func(store.Entry[store.Event]) error) error {
	return r.outbox.Follow(ctx, cursor, fn)
}
