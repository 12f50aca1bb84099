package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
)

const defaultLimit = 100

// Table is a typed set of records. All methods may be called from any goroutine.
type Table[T any] struct {
	def   Definition[T]
	b     *bucket
	index *index[T]

	guards *Table[guard] // nil in a table that is not of facts
}

// OpenTable returns the table of a definition, filled and indexed. Opening the same definition again returns the same
// table.
func OpenTable[T any](_ context.Context, s *Store, def Definition[T]) (*Table[T], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprint(def.Class) + "/" + def.Name
	if old, ok := s.tables[name]; ok {
		t, ok := old.(*Table[T])
		if !ok {
			return nil, fmt.Errorf("store: table %s is already open as %T", def.Name, old)
		}
		return t, nil
	}
	t := &Table[T]{def: def, b: s.facts, index: newIndex(def), guards: s.guards}
	if def.Class == Presence {
		t.b, t.guards = s.presence, nil
	}
	if err := t.b.attach(def.Name, t.index); err != nil {
		return nil, fmt.Errorf("store: open table %s: %w", def.Name, err)
	}
	s.tables[name] = t
	return t, nil
}

// attach gives a table's index all records of the table so far and every later one. It fails on the first record
// that is not of the table's type, unless the operator accepts its loss.
func (b *bucket) attach(table string, to sink) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for subject, m := range b.raw[table] {
		_, key, err := parseSubject(strings.TrimPrefix(subject, b.prefix))
		if err == nil {
			_, err = to.apply(key, m)
		}
		if err == nil {
			continue
		}
		if err := judge(b.conn, b.log, []string{err.Error()}); err != nil {
			return err
		}
	}
	delete(b.raw, table)
	b.sinks[table] = to
	return nil
}

// Get returns a record. A miss in the index asks the engine once before it is fault.NotFound.
func (t *Table[T]) Get(ctx context.Context, key Key) (Record[T], error) {
	e, err := t.find(ctx, key)
	if err != nil {
		return Record[T]{}, err
	}
	if e == nil || e.gone {
		return Record[T]{}, t.notFound(key)
	}
	return e.Record, nil
}

// GetNewest is Get that asks the engine in any case. It is for who must know whose a record is now: after a change of
// the engine's leader the index may be behind, and for a while ahead of an engine whose memory is gone.
func (t *Table[T]) GetNewest(ctx context.Context, key Key) (Record[T], error) {
	e, err := t.newest(ctx, key)
	if err != nil {
		return Record[T]{}, err
	}
	if e == nil || e.gone {
		return Record[T]{}, t.notFound(key)
	}
	return e.Record, nil
}

// find returns the entry of a key, asking the engine when the index has none: another process may just have made it.
func (t *Table[T]) find(ctx context.Context, key Key) (*entry[T], error) {
	if e := t.index.get(key); e != nil {
		return e, nil
	}
	return t.newest(ctx, key)
}

// newest returns the entry of a key as new as the engine's, which for a deleted record is not in the index; nil when the
// engine has none.
func (t *Table[T]) newest(ctx context.Context, key Key) (*entry[T], error) {
	before := t.index.get(key)
	m, err := t.b.engine().ask(ctx, t.b.cfg.Name, lookup{LastFor: t.subject(key)})
	if err != nil || m == nil {
		return nil, err
	}
	if before == nil || before.Revision < m.Sequence {
		t.b.await(ctx, m.Sequence)
	}
	// An index that was ahead of the engine before it was asked holds what the engine has forgotten.
	forgotten := before != nil && before.Revision > m.Sequence
	if e := t.index.get(key); e != nil && e.Revision >= m.Sequence && !forgotten {
		return e, nil
	}
	if verify(m.Subject, m.Data) != nil {
		m.Data = nil // damaged is as good as gone
	}
	e, _ := entryOf[T](key, message{subject: m.Subject, revision: m.Sequence, data: m.Data})
	return e, nil
}

func (t *Table[T]) subject(key Key) string { return subjectOf(t.b.prefix, t.def.Name, key) }

func (t *Table[T]) notFound(key Key) error {
	return fault.New(fault.NotFound, "there is no %s %s", t.def.Name, key.ID)
}

// List returns one page. Its cost depends on the page, not on the table.
func (t *Table[T]) List(_ context.Context, q Query) (Page[T], error) {
	which := -1
	if q.Index != "" {
		if which = t.index.indexNamed(q.Index); which < 0 {
			return Page[T]{}, fmt.Errorf("store: table %s has no index %s", t.def.Name, q.Index)
		}
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	return t.index.page(which, q, limit), nil
}

// Count returns the number of records of a scope at once.
func (t *Table[T]) Count(scope arn.Scope) int { return t.index.count(scope) }

// All returns every record of every scope, in order. It is for starts and audits, not for requests.
func (t *Table[T]) All() []Record[T] { return t.index.all() }

// Find returns the first record in any scope whose index has value. It reads the index only; fault.NotFound.
func (t *Table[T]) Find(_ context.Context, index, value string) (Record[T], error) {
	which := t.index.indexNamed(index)
	if which < 0 {
		return Record[T]{}, fmt.Errorf("store: table %s has no index %s", t.def.Name, index)
	}
	if r, ok := t.index.first(which, value); ok {
		return r, nil
	}
	return Record[T]{}, fault.New(fault.NotFound, "there is no such %s", t.def.Name)
}

// Changes returns a number that grows with every change of the table, before the write that made it returns: what was made
// of records since it was read is still true while it is the same.
func (t *Table[T]) Changes() uint64 { return t.index.changes.Load() }

// Watch calls fn for every present record and then for every change, one call at a time, until ctx ends. Steps that
// follow each other quickly may be told as one.
func (t *Table[T]) Watch(ctx context.Context, fn func(Change[T])) { t.index.watch(ctx, fn) }
