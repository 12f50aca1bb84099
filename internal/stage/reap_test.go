package stage

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/natsd/natsdtest"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// TestStartLeavesSessionsOfOtherNodes: alice was on a stage, whose session is open for its grace time. Another node starts; she
// comes back and is in the same session. What an earlier life of the starting node left, it ends.
func TestStartLeavesSessionsOfOtherNodes(t *testing.T) {
	t.Parallel()
	var st *store.Store
	var conn *natsd.Conn
	e := newEnvWith(t, natsd.Options{Dir: t.TempDir()}, nil, func(s *store.Store, c *natsd.Conn) { st, conn = s, c })
	one := e.connect(t, e.token("alice", nil))
	one.wait(typeState, nil)
	e.wantHistory(t, "alice", "JOINED")
	first, _ := e.presence()
	_ = one.CloseNow()
	e.wantHistory(t, "alice", "JOINED", "LEFT")

	ctx := context.Background()
	node, err := cluster.Join(ctx, cluster.Options{Store: st, Conn: conn, NodeID: "two"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Close)
	left := newStage(t, e.opt.Records.Stages)
	key := store.Key{Scope: left.Scope, ID: left.ID}
	_, err = e.opt.Records.Sessions.Create(ctx, key, resource.StageSession{
		StageARN: left, SessionID: "st-left00000000", StartTime: time.Now(), Holders: []resource.Holder{{Node: "two", Incarnation: "earlier"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewManager(Options{Node: node, Records: recordsOf(t, e, st, node)}).Reap(ctx); err != nil {
		t.Fatal(err)
	}
	if ended := e.endedSession(t, left); ended != "st-left00000000" {
		t.Errorf("session %s has ended", ended)
	}
	open, err := e.opt.Records.Sessions.Get(ctx, store.Key{Scope: e.stage.Scope, ID: e.stage.ID})
	if err != nil || open.Value.SessionID != first {
		t.Fatalf("the open session is %+v, %v", open.Value, err)
	}
	again := e.connect(t, e.token("alice", nil))
	again.wait(typeState, nil)
	e.wantHistory(t, "alice", "JOINED", "LEFT", "JOINED")
	if now, _ := e.presence(); now != first {
		t.Errorf("alice is back in session %s, was in %s", now, first)
	}
}

// recordsOf are the records of an env as another node has them.
func recordsOf(t *testing.T, e *env, st *store.Store, node *cluster.Node) records.Stages {
	t.Helper()
	rec := e.opt.Records
	var err error
	if rec.Owners, err = cluster.OpenClaims(context.Background(), st, node, records.StageOwnerDefinition()); err != nil {
		t.Fatal(err)
	}
	return rec
}

// lone is a manager of another node on the records of an env, without media.
func lone(t *testing.T, e *env, st *store.Store, conn *natsd.Conn, id string) (m *Manager, crash func()) {
	t.Helper()
	node, err := cluster.Join(context.Background(), cluster.Options{
		Store: st, Conn: conn, NodeID: id, LeaseTTL: time.Second, Renew: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = node.Run(ctx) })
	crash = func() { cancel(); running.Wait() }
	t.Cleanup(func() { crash(); node.Close() })
	return NewManager(Options{Node: node, Records: recordsOf(t, e, st, node), Logger: slog.New(slog.DiscardHandler)}), crash
}

// has brings a participant onto a stage at a node, in the records.
func has(t *testing.T, m *Manager, stage arn.ARN, id string) *recorder {
	t.Helper()
	r := newRecorder(m, stage, slog.New(slog.DiscardHandler), nil)
	r.participant(resource.Participant{StageARN: stage, ParticipantID: id, FirstJoinTime: time.Now()}, true)
	r.event("", resource.ParticipantEvent{Name: resource.EventJoined, ParticipantID: id, Time: time.Now()})
	if _, err := r.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestStageOfADeadNodeIsEnded: whoever was connected to it has left, its session has ended, each of it is told once, whatever
// becomes of the engine's answers; and the session that a living node holds as well goes on.
func TestStageOfADeadNodeIsEnded(t *testing.T) {
	t.Parallel()
	for _, kind := range []natsdtest.Kind{natsdtest.Lost, natsdtest.Late, natsdtest.Doubled, natsdtest.Dropped} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			var st *store.Store
			var conn *natsd.Conn
			faults := &natsdtest.Faults{}
			e := newEnvWith(t, natsd.Options{Dir: t.TempDir(), Between: faults.Between}, func(o *Options) { o.Grace = time.Hour },
				func(s *store.Store, c *natsd.Conn) { st, conn = s, c })
			two, crash := lone(t, e, st, conn, "two")
			shared, own := e.stage, newStage(t, e.opt.Records.Stages)
			has(t, two, shared, "carol")
			left := has(t, two, own, "dave")
			four, _ := lone(t, e, st, conn, "four")
			session := has(t, four, shared, "alice").session.SessionID
			for _, writes := range []string{"rivus-facts.stagesession.", "rivus-presence.participant.", "rivus.log.stagesessions.", "rivus.log.participantevents."} {
				faults.Inject(kind, writes, 2)
			}
			crash()
			if ended := e.endedSession(t, own); ended != left.session.SessionID {
				t.Errorf("session %s has ended, want %s", ended, left.session.SessionID)
			}
			if got := e.historyOn(t, own, left.session.SessionID, "dave"); !slices.Equal(got, []string{"JOINED", "LEFT"}) {
				t.Errorf("events of dave: %q", got)
			}
			e.wantHistory(t, "carol", "JOINED", "LEFT")
			eventually(t, "two is off the session", func() bool {
				open, err := e.opt.Records.Sessions.Find(t.Context(), "stage", shared.ID)
				return err == nil && len(open.Value.Holders) == 1 && open.Value.Holders[0] == four.holder()
			})
			now, people := e.presence()
			if now != session || people["alice"].State() != resource.ParticipantConnected || people["carol"].State() != resource.ParticipantDisconnected {
				t.Errorf("session %s was %s; %+v", now, session, people)
			}
			list, err := e.opt.Records.SessionHistory.ListNewestFirst(t.Context(), store.Key{Scope: own.Scope, ID: own.ID}, left.session.SessionID, 0, 10)
			if err != nil || len(list) != 1 {
				t.Errorf("the session is %d times in the history, %v", len(list), err)
			}
		})
	}
}

// TestPresenceIsGoneToo: the engine that a node had in its process took the presence with it. The history tells who was there.
func TestPresenceIsGoneToo(t *testing.T) {
	t.Parallel()
	var st *store.Store
	var conn *natsd.Conn
	e := newEnvWith(t, natsd.Options{Dir: t.TempDir()}, nil, func(s *store.Store, c *natsd.Conn) { st, conn = s, c })
	two, crash := lone(t, e, st, conn, "two")
	r := has(t, two, e.stage, "alice")
	key := records.ParticipantKey(e.stage, r.session.SessionID, "alice")
	if _, err := e.opt.Records.Participants.Delete(t.Context(), key, nil); err != nil {
		t.Fatal(err)
	}
	crash()
	again, _ := lone(t, e, st, conn, "two")
	for range 2 {
		if _, err := again.Reap(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if ended := e.endedSession(t, e.stage); ended != r.session.SessionID {
		t.Errorf("session %s has ended", ended)
	}
	if got := e.history(t, r.session.SessionID, "alice"); !slices.Equal(got, []string{"JOINED", "LEFT"}) {
		t.Errorf("events %q", got)
	}
}
