// Package records is what a server stores: which tables and logs there are, what is in them under which key and index, who
// writes them, and in which order.
//
// Both planes read the same records and each writes its own, so all are opened here, once, and handed to both. The types of
// the values are in package resource; how a table keeps its promises is the business of package store.
//
// Imports: arn, cluster, resource, store.
package records

import (
	"context"
	"errors"
	"time"

	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/store"
)

// Records are all the records of a server.
type Records struct {
	Channels Channels
	Viewers  Viewers
	Stages   Stages
	Rules    Rules
	IAM      IAM
	Topics   Topics
}

// Options say how records are kept.
type Options struct {
	StageHistory time.Duration // how long what was on an ended stage session is kept
}

// Open opens the records for a node, and checks what they hold. Errors are those of store.OpenTable.
func Open(ctx context.Context, s *store.Store, node *cluster.Node, o Options) (r Records, err error) {
	return r, errors.Join(
		keep(&r.Channels)(OpenChannels(ctx, s, node)),
		keep(&r.Viewers)(OpenViewers(ctx, s)),
		keep(&r.Stages)(OpenStages(ctx, s, node, o.StageHistory)),
		keep(&r.Rules)(OpenRules(ctx, s)),
		keep(&r.IAM)(OpenIAM(ctx, s)),
		keep(&r.Topics)(OpenTopics(ctx, s)),
	)
}

// keep stores the result of an open call and passes its error on.
func keep[T any](to *T) func(T, error) error {
	return func(v T, err error) error {
		*to = v
		return err
	}
}
