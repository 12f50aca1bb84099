package stage

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/natsd/natsdtest"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// patiently repeats what fails for want of the engine or the claim.
func patiently(t *testing.T, do func() error) {
	t.Helper()
	for {
		err := do()
		if err == nil {
			return
		}
		if !fault.Is(err, fault.Unavailable) || t.Context().Err() != nil {
			t.Errorf("%v", err)
			return
		}
	}
}

// TestNoNodeEndsAnothersSession: nodes come to a stage and leave it, all at once, on an engine that loses and doubles answers.
// While a node holds a session, it is open and has the node among its holders; each session ends once.
func TestNoNodeEndsAnothersSession(t *testing.T) {
	t.Parallel()
	var st *store.Store
	var conn *natsd.Conn
	faults := &natsdtest.Faults{}
	e := newEnvWith(t, natsd.Options{Dir: t.TempDir(), Between: faults.Between}, nil, func(s *store.Store, c *natsd.Conn) { st, conn = s, c })
	var mu sync.Mutex
	sessions := map[string]bool{}
	var managers []*Manager
	for _, id := range []string{"a", "b", "c"} {
		m, _ := lone(t, e, st, conn, id)
		managers = append(managers, m)
	}
	visit := func(m *Manager) {
		r := newRecorder(m, e.stage, slog.New(slog.DiscardHandler), nil)
		r.ended = time.Now()
		patiently(t, func() error { return r.open(t.Context(), nil) })
		mu.Lock()
		sessions[r.session.SessionID] = true
		mu.Unlock()
		patiently(t, func() error {
			open, err := e.opt.Records.Sessions.GetNewest(t.Context(), keyOf(e.stage))
			if err == nil && (open.Value.SessionID != r.session.SessionID || !open.Value.EndTime.IsZero() ||
				!slices.Contains(open.Value.Holders, m.holder())) {
				t.Errorf("%+v is in session %s; the record is %+v", m.holder(), r.session.SessionID, open.Value)
			}
			return err
		})
		patiently(t, func() error { return r.close(t.Context()) })
	}
	for round := range 20 {
		if round%2 == 0 {
			faults.Inject([]natsdtest.Kind{natsdtest.Lost, natsdtest.Doubled, natsdtest.Dropped}[round/2%3], "rivus-facts.stagesession.", 1)
			faults.Inject(natsdtest.Lost, "rivus-presence.stageowner.", 1)
		}
		var nodes sync.WaitGroup
		for _, m := range managers {
			nodes.Go(func() { visit(m); visit(m) })
		}
		nodes.Wait()
	}
	if _, err := e.opt.Records.Sessions.GetNewest(t.Context(), keyOf(e.stage)); !fault.Is(err, fault.NotFound) {
		t.Errorf("a session is left: %v", err)
	}
	for id := range sessions {
		list, err := e.opt.Records.SessionHistory.ListNewestFirst(t.Context(), keyOf(e.stage), id, 0, 10)
		if err != nil || len(list) != 1 {
			t.Errorf("session %s has ended %d times, %v", id, len(list), err)
		}
	}
	t.Logf("%d sessions", len(sessions))
}

// TestZombieEndsNothing: a node that was taken for gone, and has lost the claim, cannot end the session that goes on without it.
func TestZombieEndsNothing(t *testing.T) {
	t.Parallel()
	var st *store.Store
	var conn *natsd.Conn
	e := newEnvWith(t, natsd.Options{Dir: t.TempDir()}, nil, func(s *store.Store, c *natsd.Conn) { st, conn = s, c })
	two, crash := lone(t, e, st, conn, "two")
	three, _ := lone(t, e, st, conn, "three")
	zombie := has(t, two, e.stage, "alice")
	guest := has(t, three, e.stage, "bob")
	if guest.session.SessionID != zombie.session.SessionID || zombie.owner == nil || guest.owner != nil {
		t.Fatalf("sessions %+v and %+v", zombie.session, guest.session)
	}
	crash()
	eventually(t, "two is off the session", func() bool {
		open, err := e.opt.Records.Sessions.Get(t.Context(), keyOf(e.stage))
		return err == nil && slices.Equal(open.Value.Holders, []resource.Holder{three.holder()})
	})
	zombie.ended = time.Now()
	if err := zombie.close(t.Context()); err != nil && !fault.Is(err, fault.Unavailable) {
		t.Errorf("the zombie's end: %v", err)
	}
	if now, people := e.presence(); now != guest.session.SessionID || people["bob"].State() != resource.ParticipantConnected {
		t.Errorf("session %q, %+v", now, people)
	}
	guest.ended = time.Now()
	patiently(t, func() error { return guest.close(t.Context()) })
	if ended := e.endedSession(t, e.stage); ended != guest.session.SessionID {
		t.Errorf("session %s has ended", ended)
	}
}

// TestTakenForGone: the others have ended the session of a node that lives. Who is connected to it gets another one.
func TestTakenForGone(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	e.connect(t, e.token("alice", nil)).wait(typeState, nil)
	e.wantHistory(t, "alice", "JOINED")
	first, _ := e.presence()
	ctx := context.Background()
	gone, err := e.opt.Records.Sessions.Delete(ctx, keyOf(e.stage), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.removePresence(ctx, gone.Value); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another session", func() bool {
		now, people := e.presence()
		return now != "" && now != first && people["alice"].State() == resource.ParticipantConnected
	})
	if gone.Value.SessionID != first {
		t.Errorf("session %s was first, not %s", gone.Value.SessionID, first)
	}
}
