package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rivus-live/rivus/internal/fault"
)

// TestDeletedRecordsLeaveNothing: who creates and deletes for months must not pay for what is gone, neither in memory
// nor on disk nor at start.
func TestDeletedRecordsLeaveNothing(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	conn, s := start(t, dir)
	table, ok := things(t, s, Facts), must[Record[thing]](t)
	remembered := func(s *Store, table *Table[thing]) (int, int) {
		s.facts.mu.RLock()
		defer s.facts.mu.RUnlock()
		table.index.mu.RLock()
		defer table.index.mu.RUnlock()
		return len(s.facts.subjects), len(table.index.byKey)
	}
	ok(table.Create(ctx, keyOf("stays"), thing{}))
	subjects, keys := remembered(s, table)
	for i := range 50 {
		key := keyOf(fmt.Sprint(i))
		ok(table.Create(ctx, key, thing{Count: i}))
		ok(table.Delete(ctx, key, nil))
	}
	if a, b := remembered(s, table); a != subjects || b != keys {
		t.Errorf("%d subjects and %d keys are remembered, %d and %d were before", a, b, subjects, keys)
	}
	stream, err := conn.JetStream().Stream(ctx, s.facts.cfg.Name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		m, err := stream.GetLastMsgForSubject(ctx, table.subject(keyOf(fmt.Sprint(i))))
		if err != nil || m.Header.Get(jetstream.MsgTTLHeader) == "" {
			t.Fatalf("what is left of a deletion stays for ever: %v %v", m, err)
		}
	}
	// A key can be used again, before its deletion has been forgotten and after.
	ok(table.Create(ctx, keyOf("1"), thing{Count: 100}))
	for i := 2; i < 50; i++ {
		if err := stream.Purge(ctx, jetstream.WithPurgeSubject(table.subject(keyOf(fmt.Sprint(i))))); err != nil {
			t.Fatal(err)
		}
	}
	_, err = table.Get(ctx, keyOf("2"))
	wantKind(t, err, fault.NotFound)
	ok(table.Create(ctx, keyOf("2"), thing{Count: 200}))
	_, err = table.Put(ctx, keyOf("2"), thing{}, 0)
	wantKind(t, err, fault.Fenced)
	s.Close()
	conn.Close()

	_, s = start(t, dir)
	table = things(t, s, Facts)
	if a, b := remembered(s, table); a != subjects+2 || b != keys+2 {
		t.Errorf("after a start %d subjects and %d keys are remembered, want %d and %d", a, b, subjects+2, keys+2)
	}
	for id, want := range map[string]int{"stays": 0, "1": 100, "2": 200} {
		if r := ok(table.Get(ctx, keyOf(id))); r.Value.Count != want {
			t.Errorf("%s: %+v", id, r)
		}
	}
}

// TestForgottenDeletionStays: when the engine has forgotten a deletion and is killed, it finds the state before it in its
// files and takes it for the newest. That is neither damage nor a record.
func TestForgottenDeletionStays(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	conn, s := start(t, dir)
	table, ok := things(t, s, Facts), must[Record[thing]](t)
	ok(table.Create(ctx, keyOf("gone"), thing{}))
	subject := table.subject(keyOf("gone"))
	m := deletion(subject)
	m.Header.Set(jetstream.MsgTTLHeader, "1")
	revision := must[uint64](t)(s.facts.engine().publish(ctx, m))
	s.facts.await(ctx, revision)
	ok(table.Create(ctx, keyOf("stays"), thing{}))
	stream, err := conn.JetStream().Stream(ctx, s.facts.cfg.Name)
	if err != nil {
		t.Fatal(err)
	}
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for err == nil {
		<-look.C
		_, err = stream.GetMsg(ctx, revision)
	}
	if !errors.Is(err, jetstream.ErrMsgNotFound) {
		t.Fatal(err)
	}
	dir = snapshot(t, dir)
	for range 2 {
		conn, s := start(t, dir)
		table = things(t, s, Facts)
		if _, err := table.Get(ctx, keyOf("gone")); !fault.Is(err, fault.NotFound) || len(table.All()) != 1 {
			t.Errorf("%v, %d records", err, len(table.All()))
		}
		s.Close()
		conn.Close()
	}
}

// TestDeletionKeepsItsEvents: what a deletion told must reach the outbox before the deletion is forgotten.
func TestDeletionKeepsItsEvents(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	conn, s := start(t, dir)
	table, ok := eventThings(t, s), must[Record[thing]](t)
	ok(table.Create(ctx, keyOf("a"), thing{}))
	ok(table.Delete(ctx, keyOf("a"), nil, eventOf("gone")))
	stream, err := conn.JetStream().Stream(ctx, s.facts.cfg.Name)
	if err != nil {
		t.Fatal(err)
	}
	ttl := func() string {
		m, err := stream.GetLastMsgForSubject(ctx, table.subject(keyOf("a")))
		if err != nil {
			t.Fatal(err)
		}
		return m.Header.Get(jetstream.MsgTTLHeader)
	}
	if got := ttl(); got != "" {
		t.Errorf("a deletion with an event that waits is forgotten after %s", got)
	}
	s.Close()
	conn.Close()
	conn, s = start(t, dir)
	things(t, s, Facts)
	if stream, err = conn.JetStream().Stream(ctx, s.facts.cfg.Name); err != nil {
		t.Fatal(err)
	}
	var told []Event
	err = s.facts.relayAll(ctx, func(_ context.Context, events []Event) error {
		told = append(told, events...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0].Type != "gone" {
		t.Fatalf("told %+v", told)
	}
	if ttl() == "" {
		t.Error("a deletion whose event was told stays for ever")
	}
}
