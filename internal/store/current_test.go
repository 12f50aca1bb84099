package store

import (
	"testing"
	"time"
)

// TestFactsAsOf: the engine says that the facts are current for as long as it is there, and not before it is back.
func TestFactsAsOf(t *testing.T) {
	t.Parallel()
	out := &outside{dir: t.TempDir()}
	out.start(t)
	defer func() { out.stop() }()
	began := time.Now()
	s := openExternal(t, out.url())
	if at := s.FactsAsOf(); at.Before(began) || at.After(time.Now()) {
		t.Fatalf("opened after %v and current as of %v", began, at)
	}
	for range 2 { // nothing changes, and the engine is heard of
		now := time.Now()
		eventually(t, "the engine says that all is current", func() bool { return s.FactsAsOf().After(now) })
	}
	out.stop()
	gone := time.Now()
	if s.Check(t.Context()) == nil || s.FactsAsOf().After(gone) {
		t.Errorf("current as of %v without an engine", s.FactsAsOf())
	}
	out.start(t)
	eventually(t, "the engine is back", func() bool { return s.FactsAsOf().After(gone) })
}

// TestChanges: a table counts its changes before the write that makes one returns, and those of no other.
func TestChanges(t *testing.T) {
	t.Parallel()
	_, s := start(t, t.TempDir())
	facts, other, ctx, ok := things(t, s, Facts), things(t, s, Presence), t.Context(), must[Record[thing]](t)
	before := facts.Changes()
	counted := func(what string, want bool) {
		t.Helper()
		if now := facts.Changes(); (now != before) != want {
			t.Errorf("%s: %d changes, and %d before", what, now, before)
		}
		before = facts.Changes()
	}
	ok(other.Create(ctx, keyOf("a"), thing{}))
	counted("another table", false)
	ok(facts.Create(ctx, keyOf("a"), thing{}))
	counted("created", true)
	ok(facts.Update(ctx, keyOf("a"), func(old thing) (thing, error) { old.Count++; return old, nil }))
	counted("changed", true)
	ok(facts.Delete(ctx, keyOf("a"), nil))
	counted("deleted", true)
}
