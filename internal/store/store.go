// Package store keeps the records of Rivus in typed tables on the state engine.
//
// There are three storage classes. Facts survive everything: a write is on the disk before it returns. Presence lives
// in memory and tells who runs what now. History is append-only and read newest first. Facts and presence are held in
// an ordered index in memory, which follows the engine; a write returns when its own revision is in the index, so a
// caller always reads its own writes. When the engine does not answer, reads go on and writes fail with
// fault.Unavailable within a bounded time.
//
// One record is one aggregate and one put is one transaction. Values handed out are shared with the index: treat maps
// and slices inside them as read-only. Only the function given to Update gets a copy of its own.
//
// Imports: arn, fault, natsd, resource.
package store

import (
	"context"
	"log/slog"

	"github.com/rivus-live/rivus/internal/natsd"
)

// Options configure a store.
type Options struct {
	Logger   *slog.Logger // nil discards
	Replicas int          // copies of every record in a cluster; 0 means 1
}

// Store is the open state of one process.
type Store struct{}

// Open opens the buckets, makes those that do not exist and checks every record in them. Damage is an error that names
// the lost or broken records, unless the connection accepts data loss.
func Open(ctx context.Context, conn *natsd.Conn, opt Options) (*Store, error) { return nil, nil }

// Close stops following the engine and returns when the last goroutine has ended. It does not close the connection.
func (s *Store) Close() {}

// Secret returns a random secret of size bytes that is made once under this name and kept with the facts.
func (s *Store) Secret(ctx context.Context, name string, size int) ([]byte, error) { return nil, nil }
