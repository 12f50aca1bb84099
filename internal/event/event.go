// Package event moves events from the aggregates they happened to into the outbox.
//
// Imports: store.
package event

import (
	"context"
	"log/slog"

	"github.com/rivus-live/rivus/internal/store"
)

// Options configure a relay.
type Options struct {
	Store  *store.Store
	Logger *slog.Logger // nil discards
}

// Relay copies events from the aggregates to the outbox and then clears them there.
type Relay struct{}

// NewRelay opens the outbox.
func NewRelay(ctx context.Context, opt Options) (*Relay, error) { return nil, nil }

// Run relays until ctx ends.
func (r *Relay) Run(ctx context.Context) error { return nil }
