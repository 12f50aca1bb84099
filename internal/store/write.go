package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rivus-live/rivus/internal/fault"
)

// maxAttempts bounds how often a write is tried again because another process was faster. Writers in this process
// wait for their turn instead.
const maxAttempts = 100

// Create stores a new record; fault.Conflict when the key is taken.
func (t *Table[T]) Create(ctx context.Context, key Key, value T) (Record[T], error) {
	return t.create(ctx, key, value, nil)
}

func (t *Table[T]) create(ctx context.Context, key Key, value T, events []Event) (Record[T], error) {
	return t.write(ctx, key, false, func(e *entry[T]) (draft[T], error) {
		if e != nil && !e.gone {
			return draft[T]{}, fault.New(fault.Conflict, "the %s %s exists already", t.def.Name, key.ID)
		}
		return draft[T]{value: value, events: events}, nil
	})
}

// Update changes a record: change gets a copy of the present value and returns the next one. When another writer was
// faster, change is called again with the newer value, so it must have no side effects; concurrent callers all
// succeed, in some order. An error of change is returned as it is. A missing record is fault.NotFound.
func (t *Table[T]) Update(ctx context.Context, key Key, change func(old T) (T, error)) (Record[T], error) {
	return t.update(ctx, key, change, nil)
}

func (t *Table[T]) update(ctx context.Context, key Key, change func(old T) (T, error), events []Event) (Record[T], error) {
	return t.write(ctx, key, true, t.changed(key, change, events))
}

// changed decides on an update.
func (t *Table[T]) changed(key Key, change func(old T) (T, error), events []Event) func(*entry[T]) (draft[T], error) {
	return func(e *entry[T]) (draft[T], error) {
		if e == nil || e.gone {
			return draft[T]{}, t.notFound(key)
		}
		old, err := clone(e.Value)
		if err != nil {
			return draft[T]{}, fmt.Errorf("store: copy %s %s: %w", t.def.Name, key.ID, err)
		}
		next, err := change(old)
		return draft[T]{value: next, events: events, rest: e.rest}, err
	}
}

// Put stores value if the record's revision is still expected (0: the record must not exist); fault.Fenced otherwise.
func (t *Table[T]) Put(ctx context.Context, key Key, value T, expected uint64) (Record[T], error) {
	return t.put(ctx, key, draft[T]{value: value}, expected)
}

// PutTTL is Put for a record of a Presence table that disappears when it is not written again within ttl, which is
// rounded up to whole seconds. A plain Put of the same key makes the record stay.
func (t *Table[T]) PutTTL(ctx context.Context, key Key, value T, expected uint64, ttl time.Duration) (Record[T], error) {
	if t.def.Class != Presence {
		return Record[T]{}, fmt.Errorf("store: table %s holds facts, and facts do not expire", t.def.Name)
	}
	return t.put(ctx, key, draft[T]{value: value, ttl: ttl}, expected)
}

func (t *Table[T]) put(ctx context.Context, key Key, d draft[T], expected uint64) (Record[T], error) {
	first := true
	return t.write(ctx, key, expected > 0, func(e *entry[T]) (draft[T], error) {
		at := uint64(0)
		if e != nil && !e.gone {
			at = e.Revision
		}
		if at != expected && (at > expected || !first) {
			return d, fault.New(fault.Fenced, "the %s %s has been changed by another writer", t.def.Name, key.ID)
		}
		first = false
		if at != expected { // the index is behind what the caller has seen: let it catch up
			return d, errBehind
		}
		return d, nil
	})
}

// Delete removes a record and returns its last value. check, which may be nil, decides on the very value that is
// removed; its error is returned as it is. A missing record is fault.NotFound.
func (t *Table[T]) Delete(ctx context.Context, key Key, check func(T) error) (Record[T], error) {
	return t.remove(ctx, key, check, nil)
}

func (t *Table[T]) remove(ctx context.Context, key Key, check func(T) error, events []Event) (Record[T], error) {
	var last Record[T]
	_, err := t.write(ctx, key, true, t.removed(key, check, events, &last))
	return last, err
}

// removed decides on a deletion, and notes what is deleted.
func (t *Table[T]) removed(key Key, check func(T) error, events []Event, last *Record[T]) func(*entry[T]) (draft[T], error) {
	return func(e *entry[T]) (draft[T], error) {
		if e == nil || e.gone {
			return draft[T]{}, t.notFound(key)
		}
		*last = e.Record
		if check != nil {
			if err := check(e.Value); err != nil {
				return draft[T]{}, err
			}
		}
		return draft[T]{gone: true, events: events}, nil
	}
}

// draft is what a write wants to store.
type draft[T any] struct {
	value  T
	gone   bool
	events []Event
	ttl    time.Duration
	rest   *rest // of the value before, to be carried on

	beside func(stamp) (*nats.Msg, error) // what must be stored with it; nil for nothing
}

// Reasons to look again and repeat.
var (
	errMismatch = errors.New("another writer was faster")
	errBehind   = errors.New("the index is behind")
)

// lookTimeout bounds the look at a record whose write was not answered. The caller may have gone by then.
const lookTimeout = 2 * time.Second

// write is the one way into the engine: decide says what to store, given the present entry, and is asked again when
// that entry was not the newest any more. expects tells that there should be an entry, and so to ask for one that the
// index does not have; else the engine refuses the write when there is one after all.
//
// Every write has a stamp, which stays in the record over the next ones. So a write whose answer was lost is found in the
// record, and one that may still be on its way can be repeated: the engine takes one of the two.
func (t *Table[T]) write(
	ctx context.Context, key Key, expects bool, decide func(*entry[T]) (draft[T], error),
) (Record[T], error) {
	subject := t.subject(key)
	leave, err := t.b.turns.enter(ctx, subject)
	if err != nil {
		return Record[T]{}, err
	}
	defer leave()
	e := t.index.get(key)
	if e == nil && expects {
		e, err = t.newest(ctx, key)
	}
	mark, repeated := newStamp(), false
	for range maxAttempts {
		if err != nil {
			return Record[T]{}, err
		}
		if err := t.understood(e); err != nil {
			return Record[T]{}, err
		}
		var d draft[T]
		if d, err = decide(e); err == nil {
			var r Record[T]
			if r, err = t.publish(ctx, key, e, d, mark); err == nil {
				return r, nil
			}
		}
		failed, unsure := err, isUnsure(err)
		if !unsure && !errors.Is(err, errMismatch) && !errors.Is(err, errBehind) {
			return Record[T]{}, err
		}
		if e, err = t.look(ctx, key); err == nil && e != nil && e.Puts.has(mark) {
			return e.recordOf(mark, d.value), nil
		}
		if unsure && (err != nil || repeated || ctx.Err() != nil) {
			return Record[T]{}, failed
		}
		repeated = repeated || unsure
	}
	return Record[T]{}, fault.New(fault.Unavailable, "the %s %s is changed too often by others", t.def.Name, key.ID)
}

// look is newest also for a caller that has gone.
func (t *Table[T]) look(ctx context.Context, key Key) (*entry[T], error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	return t.newest(ctx, key)
}

// recordOf returns what a write that was found afterwards has stored. When another writer came on top of it, its revision
// is not known any more: it is 0, with which no further write can succeed by mistake.
func (e *entry[T]) recordOf(mark stamp, value T) Record[T] {
	if e.Puts.last(mark) {
		return e.Record
	}
	return Record[T]{Key: e.Key, Value: value}
}

// publish stores a draft on top of e and waits until the index has it.
func (t *Table[T]) publish(ctx context.Context, key Key, e *entry[T], d draft[T], mark stamp) (Record[T], error) {
	m, err := t.message(key, e, d, mark)
	if err != nil {
		return Record[T]{}, err
	}
	if d.gone {
		markGone(m, e != nil && len(e.Events) > 0 || len(d.events) > 0)
	}
	if d.ttl > 0 {
		seconds := (d.ttl + time.Second - 1) / time.Second
		m.Header.Set(jetstream.MsgTTLHeader, strconv.FormatInt(int64(seconds), 10))
	}
	revision, err := t.send(ctx, m, d, mark)
	if err != nil {
		return Record[T]{}, err
	}
	t.b.await(ctx, revision)
	return Record[T]{Key: key, Value: d.value, Revision: revision}, nil
}

// send stores a message, and what must be stored with it: behind it, so that who has read that has read the message too.
func (t *Table[T]) send(ctx context.Context, m *nats.Msg, d draft[T], mark stamp) (uint64, error) {
	if d.beside == nil {
		return t.b.engine().publish(ctx, m)
	}
	beside, err := d.beside(mark)
	if err != nil {
		return 0, err
	}
	return t.b.engine().publishBoth(ctx, m, beside)
}

// seal encodes a draft.
func (t *Table[T]) seal(subject string, past history, d draft[T]) ([]byte, error) {
	if d.rest == nil {
		return seal(subject, envelope[T]{history: past, Gone: d.gone, Version: t.def.version(), Value: d.value})
	}
	value, err := json.Marshal(d.value)
	if err == nil {
		value, err = d.rest.in(value)
	}
	if err != nil {
		return nil, fmt.Errorf("store: encode %s: %w", subject, err)
	}
	return seal(subject, envelope[json.RawMessage]{history: past, Version: t.def.version(), Value: value})
}

// understood checks that what is about to be written over is of no later version than this one.
func (t *Table[T]) understood(e *entry[T]) error {
	if e == nil || e.gone || e.version <= t.def.version() {
		return nil
	}
	return fault.New(fault.Unavailable, "the %s %s was written by a later version of the server", t.def.Name, e.Key.ID)
}

// goneTTL is how long the engine keeps a deletion that has told everything. By then the ledger, which is not fsynced with
// every write, has long been on the disk and knows of it.
const goneTTL = 24 * time.Hour

// markGone makes a message a deletion. While events wait in it, it must stay.
func markGone(m *nats.Msg, waiting bool) {
	m.Header.Set(headerOperation, operationDelete)
	if !waiting {
		m.Header.Set(jetstream.MsgTTLHeader, strconv.Itoa(int(goneTTL/time.Second)))
	}
}

func clone[T any](v T) (T, error) {
	var out T
	data, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	return out, err //nolint:wrapcheck // the caller says what it copies
}
