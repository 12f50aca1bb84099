package store

import (
	"context"
	"time"
)

// Log is an append-only history of one kind of thing: for every resource a series of sessions, for every session a
// series of entries. Nothing of it is held in memory.
type Log[T any] struct{}

// Entry is one appended value.
type Entry[T any] struct {
	Key      Key
	Session  string
	Value    T
	Time     time.Time // when it was appended
	Sequence uint64    // grows with every append to the log
}

// OpenLog opens the log of this name, one lower-case word, and checks what it holds.
func OpenLog[T any](ctx context.Context, s *Store, name string) (*Log[T], error) { return nil, nil }

// Append adds an entry to a session of a resource. On one replica it may be lost with the machine's power, not with
// the process.
func (l *Log[T]) Append(ctx context.Context, key Key, session string, value T) error { return nil }

// Last returns the newest entry of a session; fault.NotFound when it has none.
func (l *Log[T]) Last(ctx context.Context, key Key, session string) (Entry[T], error) {
	return Entry[T]{}, nil
}

// ListNewestFirst returns up to limit entries below the sequence before (0: from the newest), newest first. With
// session "" it returns the newest entry of each session of the resource.
func (l *Log[T]) ListNewestFirst(ctx context.Context, key Key, session string, before uint64, limit int) ([]Entry[T], error) {
	return nil, nil
}
