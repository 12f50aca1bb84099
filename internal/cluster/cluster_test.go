package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/store"
)

type show struct {
	Health string `json:"health"`
}

func showDefinition() store.Definition[show] {
	return store.Definition[show]{Name: "show", Class: store.Presence, Indexes: []store.Index[show]{
		{Name: "health", Values: func(s show) []string { return []string{s.Health} }},
	}}
}

func keyOf(id string) store.Key {
	return store.Key{Scope: arn.Scope{Region: "eu-west-1", Account: "000000000000"}, ID: id}
}

// world is one engine with a store, on which several nodes can run.
type world struct {
	conn  *natsd.Conn
	store *store.Store
}

func newWorld(t *testing.T) world {
	t.Helper()
	return newWorldOn(t, natsd.Options{Dir: t.TempDir()})
}

func newWorldOn(t *testing.T, opt natsd.Options) world {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	opt.Logger = log
	conn, err := natsd.Start(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	s, err := store.Open(t.Context(), conn, store.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return world{conn, s}
}

// join starts a node. stop ends its renewing without giving up the lease, like a crash.
func (w world) join(t *testing.T, id string) (n *Node, crash func()) {
	t.Helper()
	n, err := Join(t.Context(), Options{
		Store: w.store, Conn: w.conn, NodeID: id, Addresses: map[string]string{"http": id + ":80"},
		LeaseTTL: time.Second, Renew: 100 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = n.Run(ctx) })
	var once sync.Once
	crash = func() { once.Do(func() { cancel(); wg.Wait() }) }
	t.Cleanup(func() { crash(); n.Close() })
	return n, crash
}

func (w world) claims(t *testing.T, n *Node) *Claims[show] {
	t.Helper()
	c, err := OpenClaims(t.Context(), w.store, n, showDefinition())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Fatalf("got error %v, want kind %v", err, kind)
	}
}

func TestLeaseIsRenewedAndExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _ := w.join(t, "a")
	b, crash := w.join(t, "b")
	alive := func() bool {
		ok, err := a.Alive(t.Context(), "b", b.Incarnation())
		return ok && err == nil
	}
	until := time.Now().Add(3 * time.Second) // three times the lease: renewing must keep the TTL and the record
	eventually(t, "three lease times", func() bool {
		if !alive() {
			t.Fatal("a living node lost its lease")
		}
		return time.Now().After(until)
	})
	if got, err := a.Addresses(t.Context(), "b"); err != nil || got["http"] != "b:80" {
		t.Fatalf("addresses %v, %v", got, err)
	}
	crash()
	eventually(t, "the lease expires", func() bool { return !alive() })
}

func TestSecondProcessOfANode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, err := Join(t.Context(), Options{Store: w.store, Conn: w.conn, NodeID: "a", LeaseTTL: time.Second, Renew: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, _ := w.join(t, "a")
	wantKind(t, first.Run(t.Context()), fault.Fenced)
	if ok, err := second.Alive(t.Context(), "a", first.Incarnation()); ok || err != nil {
		t.Fatalf("the first process counts as alive: %v, %v", ok, err)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	a, crash := w.join(t, "a")
	b, _ := w.join(t, "b")
	ca, cb := w.claims(t, a), w.claims(t, b)
	h, err := ca.Take(ctx, keyOf("x"), show{"good"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = cb.Take(ctx, keyOf("x"), show{"mine"})
	wantKind(t, err, fault.Conflict)
	if err := h.Put(ctx, show{"bad"}); err != nil {
		t.Fatal(err)
	}
	if v, ok, err := cb.Get(ctx, keyOf("x")); !ok || err != nil || v.Health != "bad" {
		t.Fatalf("got %v %v %v", v, ok, err)
	}
	for value, want := range map[string]int{"good": 0, "bad": 1} {
		p, err := cb.List(ctx, store.Query{Scope: keyOf("").Scope, Index: "health", Value: value})
		if err != nil || len(p.Records) != want {
			t.Fatalf("%s: %v, %v", value, p, err)
		}
	}

	crash()
	var taken *Hold[show]
	eventually(t, "the dead node's claim can be taken", func() bool {
		taken, err = cb.Take(ctx, keyOf("x"), show{"mine"})
		return err == nil
	})
	if taken.Epoch() <= h.Epoch() {
		t.Fatalf("epoch %d after %d", taken.Epoch(), h.Epoch())
	}
	wantKind(t, h.Put(ctx, show{"zombie"}), fault.Fenced)
	select {
	case <-h.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("the old owner was not told")
	}
	if err := taken.Release(ctx, show{"done"}); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := ca.Get(ctx, keyOf("x")); ok || err != nil {
		t.Fatalf("a released claim is shown: %v, %v", ok, err)
	}
	if p, err := cb.List(ctx, store.Query{Scope: keyOf("").Scope}); err != nil || len(p.Records) != 0 {
		t.Fatalf("a released claim is listed: %v, %v", p, err)
	}
	again, err := cb.Take(ctx, keyOf("x"), show{"new"})
	if err != nil || again.Epoch() != taken.Epoch()+1 {
		t.Fatalf("epoch %d after %d, %v", again.Epoch(), taken.Epoch(), err)
	}
	select {
	case <-again.Lost():
		t.Fatal("a fresh hold counts as lost")
	default:
	}
}

func TestLostIsToldWithoutAWrite(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	first, crash := w.join(t, "a")
	h, err := w.claims(t, first).Take(ctx, keyOf("x"), show{})
	if err != nil {
		t.Fatal(err)
	}
	crash()
	second, _ := w.join(t, "a") // a restart under the same name takes over without waiting
	claims := w.claims(t, second)
	left, err := claims.Orphans(ctx)
	if err != nil || len(left) != 1 || left[0].Key != keyOf("x") {
		t.Fatalf("orphans %v, %v", left, err)
	}
	taken, err := claims.Take(ctx, left[0].Key, left[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	if err := taken.Release(ctx, show{}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-h.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("the old owner was not told")
	}
	if left, err = claims.Orphans(ctx); len(left) != 0 || err != nil {
		t.Fatalf("orphans left: %v, %v", left, err)
	}
}

func TestOneTakerWins(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	a, _ := w.join(t, "a")
	b, _ := w.join(t, "b")
	sides := []*Claims[show]{w.claims(t, a), w.claims(t, b)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 16 {
		wg.Go(func() {
			_, err := sides[i%2].Take(ctx, keyOf("x"), show{})
			if err == nil {
				mu.Lock()
				won++
				mu.Unlock()
			} else if !fault.Is(err, fault.Conflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Fatalf("%d takers won", won)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	a, _ := w.join(t, "a")
	b, _ := w.join(t, "b")
	var out int
	wantKind(t, b.Request(ctx, "test.double", 21, &out), fault.Unavailable)
	stop, err := a.Serve("test.double", func(_ context.Context, data []byte) (any, error) {
		var n int
		if err := json.Unmarshal(data, &n); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "not a number")
		}
		if n == 0 {
			return nil, errors.New("a secret of the node")
		}
		return 2 * n, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Request(ctx, "test.double", 21, &out); err != nil || out != 42 {
		t.Fatalf("got %d, %v", out, err)
	}
	err = b.Request(ctx, "test.double", "x", &out)
	wantKind(t, err, fault.Invalid)
	if fault.Message(err) != "not a number" {
		t.Errorf("message %q", fault.Message(err))
	}
	err = b.Request(ctx, "test.double", 0, &out)
	wantKind(t, err, fault.Internal)
	if fault.Message(err) != "" {
		t.Errorf("an internal error travelled: %v", err)
	}
	stop()
	wantKind(t, b.Request(ctx, "test.double", 21, nil), fault.Unavailable)
}

// TestVersionsOfCommands: kinds of faults travel by name, one that this version does not know is an internal fault with its
// text, and a command or an answer of a later version is not guessed at.
func TestVersionsOfCommands(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	a, _ := w.join(t, "a")
	nc := w.conn.NATS()
	answer := func(header nats.Header) {
		sub, err := nc.Subscribe("test.later", func(m *nats.Msg) {
			_ = m.RespondMsg(&nats.Msg{Subject: m.Reply, Header: header, Data: []byte("the text")})
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := sub.AutoUnsubscribe(1); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	for name, kind := range map[string]fault.Kind{"not live": fault.NotLive, "conflict": fault.Conflict, "made up": fault.Internal} {
		answer(nats.Header{headerFault: {name}})
		err := a.Request(ctx, "test.later", 1, nil)
		wantKind(t, err, kind)
		if fault.Message(err) != "the text" {
			t.Errorf("%s: message %q", name, fault.Message(err))
		}
	}
	answer(nats.Header{headerVersion: {"2"}})
	wantKind(t, a.Request(ctx, "test.later", 1, nil), fault.Unavailable)

	stop, err := a.Serve("test.now", func(context.Context, []byte) (any, error) { return 1, nil })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for version, want := range map[string]string{"": "", "1": "", "2": "unavailable"} {
		m := &nats.Msg{Subject: "test.now", Header: nats.Header{}}
		if version != "" {
			m.Header.Set(headerVersion, version)
		}
		got, err := nc.RequestMsgWithContext(ctx, m)
		if err != nil || got.Header.Get(headerFault) != want || got.Header.Get(headerVersion) != "1" {
			t.Errorf("version %q: %v, %v", version, got, err)
		}
	}
}
