package store

import (
	"context"
	"errors"
	"fmt"
)

// EventTable is a table of facts whose writes tell events. Only facts can: the relay reads nothing else, and an event in
// the engine's memory would end with it.
type EventTable[T any] struct{ *Table[T] }

// OpenEventTable is OpenTable for a table whose writes tell events; it fails for one that does not hold facts.
func OpenEventTable[T any](ctx context.Context, s *Store, def Definition[T]) (*EventTable[T], error) {
	if def.Class != Facts {
		return nil, fmt.Errorf("store: table %s tells events and holds no facts: nothing would deliver them", def.Name)
	}
	t, err := OpenTable(ctx, s, def)
	if err != nil {
		return nil, err
	}
	return &EventTable[T]{t}, nil
}

// Create is Table.Create with the events that it causes.
func (t *EventTable[T]) Create(ctx context.Context, key Key, value T, events ...Event) (Record[T], error) {
	if err := named(events); err != nil {
		return Record[T]{}, err
	}
	return t.create(ctx, key, value, events)
}

// Update is Table.Update with the events that it causes.
func (t *EventTable[T]) Update(ctx context.Context, key Key, change func(old T) (T, error), events ...Event) (Record[T], error) {
	if err := named(events); err != nil {
		return Record[T]{}, err
	}
	return t.update(ctx, key, change, events)
}

// Delete is Table.Delete with the events that it causes.
func (t *EventTable[T]) Delete(ctx context.Context, key Key, check func(T) error, events ...Event) (Record[T], error) {
	if err := named(events); err != nil {
		return Record[T]{}, err
	}
	return t.remove(ctx, key, check, events)
}

// named checks that events can be told from each other, and from themselves told twice.
func named(events []Event) error {
	for _, e := range events {
		if e.ID == "" || e.Time.IsZero() {
			return errors.New("store: an event has no ID or no time: whoever sees it happen gives it both")
		}
	}
	return nil
}
