package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rivus-live/rivus/internal/fault"
)

// A rule that spans several records (what is in use cannot be deleted, no two of these are alike, there are at most so many) is
// kept by a guard: a record that every write which the rule is about changes as well, in one atomic batch, each of the two on
// condition that it is as it was read. So of two writers, on whatever nodes, one is first, and the other looks again at what
// the first has written.

// guard is the value of a guard's record: all that counts is its revision.
type guard struct{}

func guardDefinition() Definition[guard] { return Definition[guard]{Name: "guard", Class: Facts} }

// Guarded is a table of facts as it is written under a guard. A batch costs a few milliseconds more than a put.
type Guarded[T any] struct {
	table  *Table[T]
	guards *Table[guard]
	key    Key
}

// Under returns the table under the guard of a key. Writers whose rules depend on each other's records name the same guard.
func (t *Table[T]) Under(guard Key) *Guarded[T] { return &Guarded[T]{t, t.guards, guard} }

// Create is Table.Create of a record that a rule allows. The rule reads what it depends on from the tables, which hold
// everything that others have written under the guard; it may be asked again.
func (g *Guarded[T]) Create(ctx context.Context, key Key, value T, rule func() error) (Record[T], error) {
	return g.write(ctx, key, false, func(e *entry[T]) (draft[T], error) {
		if e != nil && !e.gone {
			return draft[T]{}, fault.New(fault.Conflict, "the %s %s exists already", g.table.def.Name, key.ID)
		}
		return draft[T]{value: value}, rule()
	})
}

// Update is Table.Update under the guard: change may read other records.
func (g *Guarded[T]) Update(ctx context.Context, key Key, change func(old T) (T, error)) (Record[T], error) {
	return g.write(ctx, key, true, g.table.changed(key, change, nil))
}

// Delete is Table.Delete under the guard: check may read other records.
func (g *Guarded[T]) Delete(ctx context.Context, key Key, check func(T) error) (Record[T], error) {
	var last Record[T]
	_, err := g.write(ctx, key, true, g.table.removed(key, check, nil, &last))
	return last, err
}

func (g *Guarded[T]) write(
	ctx context.Context, key Key, expects bool, decide func(*entry[T]) (draft[T], error),
) (Record[T], error) {
	if g.guards == nil {
		return Record[T]{}, fmt.Errorf("store: table %s is not of facts, and rules span facts only", g.table.def.Name)
	}
	leave, err := g.table.b.turns.enter(ctx, g.guards.subject(g.key))
	if err != nil {
		return Record[T]{}, err
	}
	defer leave()
	return g.table.write(ctx, key, expects, func(e *entry[T]) (draft[T], error) {
		now, err := g.guards.newest(ctx, g.key) // all that was written under it before is in the tables then
		if err != nil {
			return draft[T]{}, err
		}
		d, err := decide(e)
		d.beside = func(mark stamp) (*nats.Msg, error) { return g.guards.message(g.key, now, draft[guard]{}, mark) }
		return d, err
	})
}

// Headers of an atomic batch, of which all messages are stored or none.
const (
	headerBatch    = "Nats-Batch-Id"
	headerPlace    = "Nats-Batch-Sequence"
	headerComplete = "Nats-Batch-Commit"
)

// publishBoth sends two messages of one stream as an atomic batch, which stores them one behind the other, and returns the
// sequence of the first. Errors are those of publish, for both together.
func (g engine) publishBoth(ctx context.Context, first, second *nats.Msg) (uint64, error) {
	id := rand.Text()
	for i, m := range []*nats.Msg{first, second} {
		m.Header.Set(headerBatch, id)
		m.Header.Set(headerPlace, strconv.Itoa(i+1))
	}
	second.Header.Set(headerComplete, "1")
	if _, err := g.publish(ctx, first); err != nil {
		return 0, err
	}
	last, err := g.publish(ctx, second)
	if err != nil {
		return 0, err
	}
	return last - 1, nil
}

// staged tells whether an answer is that to a message of a batch which is not complete yet.
func staged(m *nats.Msg, answer []byte) bool {
	return m.Header.Get(headerBatch) != "" && m.Header.Get(headerComplete) == "" && len(answer) == 0
}

// Codes of batches that the engine does not have whole: of their messages none is stored.
const (
	codeBatchIncomplete = jetstream.ErrorCode(10176)
	codeBatchesInFlight = jetstream.ErrorCode(10210)
)

// message makes the message that stores a draft on top of e.
func (t *Table[T]) message(key Key, e *entry[T], d draft[T], mark stamp) (*nats.Msg, error) {
	var past history
	var expected uint64
	if e != nil {
		past, expected = e.history, e.Revision
	}
	subject := t.subject(key)
	data, err := t.seal(subject, past.with(key, mark, d.events), d)
	if err != nil {
		return nil, err
	}
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(expected, 10))
	return m, nil
}
