package stage

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/rtc/rtctest"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/token"
)

// stallable starts a state engine whose answers can be held up.
func stallable(t *testing.T) (natsd.Options, *rtctest.Relay) {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the engine does not start")
	}
	addr, _ := srv.Addr().(*net.TCPAddr)
	relay := rtctest.NewRelay(t, addr.String())
	return natsd.Options{ExternalURL: "nats://" + relay.Addr()}, relay
}

// TestEngineStalls: for ten seconds the state engine does not answer. Media runs on, people come and go, a stage ends,
// and all of it is in the records afterwards, once and in order.
func TestEngineStalls(t *testing.T) {
	t.Parallel()
	engine, relay := stallable(t)
	e := newEnvOn(t, engine, func(o *Options) { o.Grace = 300 * time.Millisecond })
	other := newStage(t, e.opt.Records.Stages)
	alice, _ := e.publish(t, rtctest.Options{})
	alice.Run(30, 2)
	e.wantHistory(t, "alice", "JOINED", "PUBLISH_STARTED")
	socket := e.connect(t, e.token("dave", nil))
	pong := make(chan struct{})
	var reader sync.WaitGroup
	defer reader.Wait()
	reader.Go(func() {
		for {
			g, err := socket.next()
			if err != nil {
				t.Errorf("the socket has ended: %v", err)
				return
			}
			if g.Type == typePong {
				close(pong)
				return
			}
		}
	})

	relay.Stall(true)
	bob, session := e.subscribe(t, "bob", rtctest.Options{})
	first := bob.Wait(t, "video", isFrame)
	elsewhere := rtctest.NewPublisher(t, rtctest.Options{})
	joined := e.join(t, "/rt/whip", e.token("carol", func(c *token.Claims) { c.StageARN = other }), elsewhere)
	rtctest.WaitClosed(t, "carol connects", elsewhere.Connected())
	e.request(t, http.MethodDelete, joined.url, joined.tok, "", "", nil)
	eventually(t, "carol's stage is over", func() bool { return e.Stats().Stages == 1 })
	bob.Wait(t, "ten seconds of video", func(g rtctest.Got) bool { return isFrame(g) && g.Frame >= first.Frame+300 })
	socket.say(typePing, nil)
	rtctest.WaitClosed(t, "PONG", pong)
	if s := e.Stats(); s != (Stats{Stages: 1, Participants: 3, Publications: 1, Subscriptions: 1}) {
		t.Errorf("after ten seconds: %+v", s)
	}
	e.request(t, http.MethodDelete, session.url, session.tok, "", "", nil)
	relay.Stall(false)

	e.wantHistory(t, "bob", "JOINED", "SUBSCRIBE_STARTED", "SUBSCRIBE_STOPPED", "LEFT")
	e.wantHistory(t, "alice", "JOINED", "PUBLISH_STARTED")
	ended := e.endedSession(t, other)
	want := []string{"JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT"}
	if got := e.historyOn(t, other, ended, "carol"); !slices.Equal(got, want) {
		t.Errorf("events of carol: %q", got)
	}
}

// endedSession waits for the end of a stage's session.
func (e *env) endedSession(t *testing.T, stage arn.ARN) (id string) {
	t.Helper()
	key := store.Key{Scope: stage.Scope, ID: stage.ID}
	eventually(t, "the session's end", func() bool {
		list, err := e.opt.Records.SessionHistory.ListNewestFirst(context.Background(), key, "", 0, 1)
		if err != nil || len(list) == 0 {
			return false
		}
		id = list[0].Value.SessionID
		return true
	})
	return id
}

// TestEarlierLifeIsOverFirst: who comes at once after a start begins a session of their own, and the one that the server
// left open ends.
func TestEarlierLifeIsOverFirst(t *testing.T) {
	t.Parallel()
	const left = "st-left00000000"
	e := newEnv(t, func(o *Options) {
		stage := resource.StageARN(arn.Scope{Region: "us-west-2", Account: "000000000000"}, o.Records.Stages.All()[0].Key.ID)
		_, err := o.Records.Sessions.Create(t.Context(), store.Key{Scope: stage.Scope, ID: stage.ID}, resource.StageSession{
			StageARN: stage, SessionID: left, StartTime: time.Now().Add(-time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	socket := e.connect(t, e.token("alice", nil))
	socket.wait(typeState, nil)
	eventually(t, "alice's session", func() bool { id, p := e.presence(); return id != "" && id != left && len(p) == 1 })
	if ended := e.endedSession(t, e.stage); ended != left {
		t.Errorf("session %s has ended", ended)
	}
}

// TestRecorderWaitsForItsTurn: nothing is written before the records of what was before are.
func TestRecorderWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	earlier := make(chan struct{})
	r := newRecorder(e.Manager, e.stage, slog.New(slog.DiscardHandler), earlier)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(context.Background())
	}()
	p := resource.Participant{StageARN: e.stage, ParticipantID: "alice", FirstJoinTime: time.Now()}
	r.participant(p, true)
	r.participant(p, false)
	r.event("", resource.ParticipantEvent{Name: resource.EventJoined, ParticipantID: "alice"})
	r.finish(time.Now())
	if id, _ := e.presence(); id != "" {
		t.Error("it did not wait")
	}
	close(earlier)
	rtctest.WaitClosed(t, "records", done)
	if got := e.history(t, e.endedSession(t, e.stage), "alice"); !slices.Equal(got, []string{"JOINED"}) {
		t.Errorf("events %q", got)
	}
}

// TestNextSessionFollows: who comes while the records of the session before are still being written gets in, and a session
// of their own.
func TestNextSessionFollows(t *testing.T) {
	t.Parallel()
	engine, relay := stallable(t)
	e := newEnvOn(t, engine, func(o *Options) { o.Grace = 200 * time.Millisecond })
	one := e.connect(t, e.token("alice", nil))
	one.wait(typeState, nil)
	e.wantHistory(t, "alice", "JOINED")
	first, _ := e.presence()
	relay.Stall(true)
	_ = one.CloseNow()
	eventually(t, "the stage is empty", func() bool { return e.Stats().Stages == 0 })
	two := e.connect(t, e.token("alice", nil))
	two.wait(typeState, nil)
	relay.Stall(false)
	eventually(t, "another session", func() bool { id, p := e.presence(); return id != "" && id != first && len(p) == 1 })
	if got := e.history(t, first, "alice"); !slices.Equal(got, []string{"JOINED", "LEFT"}) {
		t.Errorf("events of the first session: %q", got)
	}
	e.wantHistory(t, "alice", "JOINED")
}
