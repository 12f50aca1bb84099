package stage

import (
	"context"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/natsd"
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
	if err := NewManager(Options{Node: node, Records: e.opt.Records}).tidy(ctx); err != nil {
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
