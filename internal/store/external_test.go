package store

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
)

// outside is a NATS server that is not ours; it keeps its port and its files over a restart.
type outside struct {
	dir  string
	port int
	srv  *server.Server
}

func (o *outside) start(t *testing.T) {
	t.Helper()
	port := o.port
	if port == 0 {
		port = server.RANDOM_PORT
	}
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: o.dir, SyncAlways: true, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the outside server does not start")
	}
	o.srv = srv
	o.port = srv.Addr().(*net.TCPAddr).Port
}

func (o *outside) stop() {
	o.srv.Shutdown()
	o.srv.WaitForShutdown()
}

func (o *outside) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", o.port) }

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

func openExternal(t *testing.T, url string) *Store {
	t.Helper()
	conn, err := natsd.Start(t.Context(), natsd.Options{ExternalURL: url, Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	s, err := Open(t.Context(), conn, Options{Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestExternalServerStopsAndStarts(t *testing.T) {
	t.Parallel()
	out := &outside{dir: t.TempDir()}
	out.start(t)
	defer func() { out.stop() }()
	ctx, ok := t.Context(), must[Record[thing]](t)
	here, there := openExternal(t, out.url()), openExternal(t, out.url())
	facts, presence := things(t, here, Facts), things(t, here, Presence)
	ok(facts.Create(ctx, keyOf("a"), thing{Count: 1}))
	ok(presence.Create(ctx, keyOf("p"), thing{Count: 1}))

	var mu sync.Mutex
	seen := map[string]int{}
	watching, stopWatching := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stopWatching()
	wg.Go(func() {
		things(t, there, Facts).Watch(watching, func(c Change[thing]) {
			mu.Lock()
			defer mu.Unlock()
			seen[c.Key.ID] = c.New.Count
		})
	})

	if err := here.Check(ctx); err != nil {
		t.Errorf("with the server: %v", err)
	}
	out.stop()
	wantKind(t, here.Check(ctx), fault.Unavailable)
	if r := ok(facts.Get(ctx, keyOf("a"))); r.Value.Count != 1 {
		t.Fatalf("without the server the record is %+v", r)
	}
	began := time.Now()
	for range 3 {
		_, err := facts.Create(ctx, keyOf("b"), thing{})
		wantKind(t, err, fault.Unavailable)
		_, err = facts.Update(ctx, keyOf("a"), func(o thing) (thing, error) { return o, nil })
		wantKind(t, err, fault.Unavailable)
		_, err = facts.Get(ctx, keyOf("unknown"))
		wantKind(t, err, fault.Unavailable)
	}
	t.Logf("nine refusals took %v", time.Since(began))

	out.start(t)
	eventually(t, "writes work again", func() bool {
		_, err := facts.Update(ctx, keyOf("a"), func(o thing) (thing, error) { o.Count = 2; return o, nil })
		return err == nil
	})
	if err := here.Check(ctx); err != nil {
		t.Errorf("with the server back: %v", err)
	}
	eventually(t, "the other process hears of it", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return seen["a"] == 2
	})
	eventually(t, "presence begins anew", func() bool {
		_, err := presence.Create(ctx, keyOf("q"), thing{Count: 2})
		return err == nil || fault.Is(err, fault.Conflict)
	})
	eventually(t, "presence of before is forgotten", func() bool {
		_, err := presence.Get(ctx, keyOf("p"))
		return fault.Is(err, fault.NotFound)
	})
	eventually(t, "presence is shared again", func() bool {
		r, err := things(t, there, Presence).Get(ctx, keyOf("q"))
		return err == nil && r.Value.Count == 2
	})
}

func TestWritersInTwoProcesses(t *testing.T) {
	t.Parallel()
	out := &outside{dir: t.TempDir()}
	out.start(t)
	defer out.stop()
	stores := []*Store{openExternal(t, out.url()), openExternal(t, out.url())}
	must[Record[thing]](t)(things(t, stores[0], Facts).Create(t.Context(), keyOf("a"), thing{}))
	var wg sync.WaitGroup
	const writers, rounds = 16, 10
	for w := range writers {
		wg.Go(func() {
			table := things(t, stores[w%2], Facts)
			for range rounds {
				if _, err := table.Update(t.Context(), keyOf("a"), func(o thing) (thing, error) { o.Count++; return o, nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, s := range stores {
		table := things(t, s, Facts)
		eventually(t, "both see all writes", func() bool {
			return must[Record[thing]](t)(table.Get(t.Context(), keyOf("a"))).Value.Count == writers*rounds
		})
	}
	secrets := make([]string, 2)
	for i, s := range stores {
		wg.Go(func() {
			b, err := s.Secret(t.Context(), "pages", 16)
			if err != nil {
				t.Error(err)
			}
			secrets[i] = string(b)
		})
	}
	wg.Wait()
	if secrets[0] != secrets[1] {
		t.Error("two secrets under one name")
	}
}

func TestNoServerAtStart(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = natsd.Start(ctx, natsd.Options{ExternalURL: "nats://user:hidden@" + addr})
	wantKind(t, err, fault.Unavailable)
	t.Log(err)
}
