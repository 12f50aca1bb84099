package broadcast

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// node is a manager on a real state engine.
type node struct {
	*Manager
	remote *Remote
	store  *store.Store
	crash  func() // has it renew its lease no more, and reap nothing; all else runs on
	leave  func() // ends Run and gives the lease up, once
	stop   func() // ends all nodes and everything below, once
}

func scope() arn.Scope { return arn.Scope{Region: "us-west-2", Account: "111122223333"} }

// newNode starts a node on the data in dir; the test's end stops it.
func newNode(t *testing.T, dir string, change func(*Options)) *node {
	t.Helper()
	return newNodeOn(t, natsd.Options{Dir: dir}, change)
}

// newNodeOn is newNode with a state engine of the test's choice.
func newNodeOn(t *testing.T, engine natsd.Options, change func(*Options)) *node {
	t.Helper()
	return newWorld(t, engine).join(t, cluster.Options{NodeID: "one"}, change)
}

// world is a state engine on which nodes run.
type world struct {
	conn  *natsd.Conn
	store *store.Store
	nodes []*node
}

// newWorld starts an engine; it ends with the first node that stops in good order.
func newWorld(t *testing.T, engine natsd.Options) *world {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	engine.Logger = log
	conn, err := natsd.Start(t.Context(), engine)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), conn, store.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	return &world{conn: conn, store: st}
}

// join starts a node.
func (w *world) join(t *testing.T, member cluster.Options, change func(*Options)) *node {
	t.Helper()
	ctx, log := t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil))
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	member.Store, member.Conn, member.Logger = w.store, w.conn, log
	me, err := cluster.Join(ctx, member)
	check(err)
	o := Options{Node: me, Logger: log}
	o.Records, err = records.OpenChannels(ctx, w.store, me)
	check(err)
	if change != nil {
		change(&o)
	}
	n := &node{Manager: NewManager(o), store: w.store}
	n.remote = &Remote{Node: me, Claims: o.Records.Streams, Manager: n.Manager}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	renewing, crash := context.WithCancel(running)
	var run, renew sync.WaitGroup
	part := func(name string, do func() error) func() {
		return func() {
			if err := do(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	run.Go(part("run", func() error { return n.Run(running) }))
	run.Go(part("reaper", func() error { return me.Reap(renewing, n.Reap) }))
	renew.Go(part("node", func() error { return me.Run(renewing) }))
	n.crash = func() { crash(); renew.Wait() }
	w.nodes = append(w.nodes, n)
	n.leave = sync.OnceFunc(func() {
		cancel()
		run.Wait()
		renew.Wait()
		me.Close()
	})
	n.stop = sync.OnceFunc(func() {
		for _, other := range w.nodes {
			other.leave()
		}
		w.store.Close()
		w.conn.Close()
	})
	t.Cleanup(n.stop)
	return n
}

// channel makes a channel with a stream key and returns both.
func (n *node) channel(t *testing.T, change func(*resource.Channel)) (store.Key, string) {
	t.Helper()
	key := store.Key{Scope: scope(), ID: arn.NewID()}
	sk := resource.StreamKey{ID: arn.NewID(), Secret: arn.Random(30)}
	ch := resource.Channel{
		ARN: arn.Channel(key.Scope, key.ID), Name: "demo", LatencyMode: resource.LatencyLow, Type: resource.TypeBasic,
		ContainerFormat: resource.ContainerFMP4, SRTPassphrase: "secret", InsecureIngest: true,
		StreamKeys: []resource.StreamKey{sk},
	}
	if change != nil {
		change(&ch)
	}
	if _, err := n.opt.Records.Channels.Create(t.Context(), key, ch); err != nil {
		t.Fatal(err)
	}
	return key, sk.Value(key.Region)
}

// publisher is a publish in progress.
type publisher struct {
	*fakeSource
	done chan error
}

func (n *node) publish(t *testing.T, key, query string) *publisher {
	t.Helper()
	p := &publisher{fakeSource: newFakeSource(), done: make(chan error, 1)}
	r := ingest.Request{Key: key, Remote: "192.0.2.1", Software: "test"}
	if v, ok := strings.CutPrefix(query, "priority="); ok {
		r.Priority = ingest.ParsePriority(v)
	}
	go func() {
		err := n.Manager.Publish(t.Context(), r, p)
		p.Close(&ingest.Refusal{})
		p.done <- err
	}()
	return p
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (n *node) waitLive(t *testing.T, key store.Key) resource.Stream {
	t.Helper()
	var s resource.Stream
	eventually(t, "live", func() bool {
		var ok bool
		var err error
		s, ok, err = n.opt.Records.Streams.Get(t.Context(), key)
		return err == nil && ok && s.State == resource.Live
	})
	return s
}

func (n *node) waitGone(t *testing.T, key store.Key) {
	t.Helper()
	eventually(t, "claim released", func() bool {
		_, ok, err := n.opt.Records.Streams.Get(t.Context(), key)
		return err == nil && !ok
	})
}

// events collects the names of the events of a channel, in order.
func (n *node) events(t *testing.T, ch store.Key) func() []string {
	t.Helper()
	var mu sync.Mutex
	var names []string
	seen := map[string]bool{}
	ctx, cancel := context.WithCancel(t.Context())
	var relay sync.WaitGroup
	relay.Go(func() {
		_ = n.store.Relay(ctx, func(_ context.Context, events []store.Event) error {
			mu.Lock()
			defer mu.Unlock()
			for _, e := range events {
				var d detail
				if err := json.Unmarshal(e.Detail, &d); err != nil {
					return err
				}
				if !seen[e.ID] && e.Resources[0] == arn.Channel(ch.Scope, ch.ID).String() {
					seen[e.ID] = true
					names = append(names, d.EventName)
				}
			}
			return nil
		})
	})
	t.Cleanup(func() { cancel(); relay.Wait() })
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(names)
	}
}
