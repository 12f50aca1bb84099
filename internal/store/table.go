package store

import (
	"context"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
)

// Table is a typed set of records. All methods may be called from any goroutine.
type Table[T any] struct{}

// OpenTable returns the table of a definition, filled and indexed. Opening the same definition again returns the same
// table.
func OpenTable[T any](ctx context.Context, s *Store, def Definition[T]) (*Table[T], error) {
	return nil, nil
}

// Get returns a record. A miss in the index asks the engine once before it is fault.NotFound.
func (t *Table[T]) Get(ctx context.Context, key Key) (Record[T], error) { return Record[T]{}, nil }

// Create stores a new record; fault.Conflict when the key is taken.
func (t *Table[T]) Create(ctx context.Context, key Key, value T, events ...Event) (Record[T], error) {
	return Record[T]{}, nil
}

// Update changes a record: change gets a copy of the present value and returns the next one. When another writer was
// faster, change is called again with the newer value, so it must have no side effects; concurrent callers all
// succeed, in some order. An error of change is returned as it is. A missing record is fault.NotFound.
func (t *Table[T]) Update(ctx context.Context, key Key, change func(old T) (T, error), events ...Event) (Record[T], error) {
	return Record[T]{}, nil
}

// Put stores value if the record's revision is still expected (0: the record must not exist); fault.Fenced otherwise.
func (t *Table[T]) Put(ctx context.Context, key Key, value T, expected uint64, events ...Event) (Record[T], error) {
	return Record[T]{}, nil
}

// PutTTL is Put for a record of a Presence table that disappears when it is not written again within ttl, which is
// rounded up to whole seconds. A plain Put of the same key makes the record stay.
func (t *Table[T]) PutTTL(ctx context.Context, key Key, value T, expected uint64, ttl time.Duration) (Record[T], error) {
	return Record[T]{}, nil
}

// Delete removes a record and returns its last value. check, which may be nil, decides on the very value that is
// removed; its error is returned as it is. A missing record is fault.NotFound.
func (t *Table[T]) Delete(ctx context.Context, key Key, check func(T) error, events ...Event) (Record[T], error) {
	return Record[T]{}, nil
}

// List returns one page. Its cost depends on the page, not on the table.
func (t *Table[T]) List(ctx context.Context, q Query) (Page[T], error) { return Page[T]{}, nil }

// Count returns the number of records of a scope at once.
func (t *Table[T]) Count(scope arn.Scope) int { return 0 }

// Find returns the first record in any scope whose index has value. It reads the index only; fault.NotFound.
func (t *Table[T]) Find(ctx context.Context, index, value string) (Record[T], error) {
	return Record[T]{}, nil
}

// Watch calls fn for every present record and then for every change, one call at a time, until ctx ends. Steps that
// follow each other quickly may be told as one.
func (t *Table[T]) Watch(ctx context.Context, fn func(Change[T])) {}
