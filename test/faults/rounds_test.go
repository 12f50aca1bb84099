package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivs"
)

const (
	allRounds   = 20
	shortRounds = 1
	channels    = 3
	// healing is how long everything may take to be as it was: a lease's life, 60 s for what is orphaned, and the engine.
	healing = 2 * time.Minute
)

// world is all processes of a run, and what is done with them.
type world struct {
	engine   *engine
	nodes    []*node
	writer   *writer
	records  *records
	channels []string   // ARNs
	streams  []*encoder // to them
	rand     *rand.Rand
}

// TestFaultsProcesses kills processes of one world, in one way after the other. Each has to leave it whole for the next.
func TestFaultsProcesses(t *testing.T) {
	rounds, seed := shortRounds, uint64(1)
	if os.Getenv("RIVUS_FAULTS") != "" {
		rounds, seed = allRounds, uint64(time.Now().UnixNano())
	}
	if text := os.Getenv("RIVUS_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("RIVUS_SEED=%d", seed)
	w := newWorld(t, rand.New(rand.NewPCG(seed, 0)))
	stop := w.stream(t)
	for i := range rounds {
		if !t.Run(fmt.Sprintf("round %d", i), w.round) {
			return
		}
	}
	if t.Run("servers of the engine restart in turn", w.restartEngine) && t.Run("orphans end", w.orphan) {
		stop()
		w.finish(t)
	}
}

// restartEngine restarts the servers of the engine one after the other, as an upgrade does, and does not wait until one has its
// copies again before it stops the next: what is in memory only may then be gone.
func (w *world) restartEngine(t *testing.T) {
	w.write(t, func() {
		for _, s := range w.engine.servers {
			s.kill()
			s.start()
		}
	})
	w.heal(t)
}

// stream makes the channels and lets all encoders stream until stop.
func (w *world) stream(t *testing.T) (stop func()) {
	t.Helper()
	w.makeChannels(t)
	ctx, cancel := context.WithCancel(t.Context())
	var encoders sync.WaitGroup
	for _, e := range w.streams {
		encoders.Go(func() { e.run(ctx) })
	}
	stop = func() { cancel(); encoders.Wait() }
	t.Cleanup(stop)
	w.heal(t)
	return stop
}

// finish looks at what is left when no encoder streams any more.
func (w *world) finish(t *testing.T) {
	t.Helper()
	w.eventually(t, "all streams end", w.offline)
	w.eventually(t, "every event is told once", w.told)
}

func newWorld(t *testing.T, random *rand.Rand) *world {
	t.Helper()
	w := &world{engine: startEngine(t), rand: random}
	for i := range 3 {
		w.nodes = append(w.nodes, startNode(t, fmt.Sprintf("node-%d", i), w.engine.urls))
	}
	w.writer = &writer{nodes: w.nodes, rand: rand.New(rand.NewPCG(random.Uint64(), 0)), known: map[string]record{}}
	w.eventually(t, "all nodes are ready", w.ready)
	w.records = openRecords(t, w.engine.urls)
	return w
}

func (w *world) makeChannels(t *testing.T) {
	t.Helper()
	for i := range channels {
		made, err := w.nodes[0].api().CreateChannel(t.Context(), &ivs.CreateChannelInput{Name: aws.String(fmt.Sprintf("live-%d", i))})
		if err != nil {
			t.Fatal(err)
		}
		w.channels = append(w.channels, *made.Channel.Arn)
		w.streams = append(w.streams, &encoder{key: *made.StreamKey.Value, nodes: append(w.nodes[i:len(w.nodes):len(w.nodes)], w.nodes[:i]...)})
	}
}

// round kills one or two processes while the API is written to, starts them again, and looks at what is left when all has
// healed.
func (w *world) round(t *testing.T) {
	began := time.Now()
	victims := w.victims()
	writes := w.write(t, func() {
		for _, p := range victims {
			p.kill()
		}
		if w.rand.IntN(2) == 0 { // those that are left go on without them, or do not have to
			w.progress(t, 5)
		}
		for _, p := range victims {
			p.start()
		}
	})
	w.heal(t)
	t.Logf("killed %s; %d writes acknowledged; healed after %.0f s", names(victims), writes, time.Since(began).Seconds())
}

// write does something while the API is written to, and returns when writes go on after it.
func (w *world) write(t *testing.T, during func()) (acknowledged int) {
	t.Helper()
	_, before := w.writer.snapshot()
	ctx, stop := context.WithCancel(t.Context())
	var writes sync.WaitGroup
	writes.Go(func() { w.writer.run(ctx) })
	defer writes.Wait()
	defer stop()
	w.progress(t, 10)
	during()
	w.progress(t, 10)
	_, after := w.writer.snapshot()
	return after - before
}

// orphan kills a node whose encoder does not come back, and neither does the node: another one ends the session.
func (w *world) orphan(t *testing.T) {
	e := w.streams[0]
	n := e.at.Load()
	if n == nil {
		t.Fatal("the encoder is between two nodes")
	}
	e.away.Store(true)
	n.kill()
	began := time.Now()
	w.eventually(t, "the session of the dead node is ended", func(ctx context.Context) error {
		open, err := w.records.open(ctx, w.channels[0])
		if err == nil && open != "" {
			err = fmt.Errorf("%s is open", open)
		}
		return err
	})
	t.Logf("the session was ended %.0f s after its node", time.Since(began).Seconds())
	e.away.Store(false)
	n.start()
	w.heal(t)
}

// victims chooses one server of the engine, or a node, or one of each: never more of the engine than it can lose.
func (w *world) victims() []*process {
	server, node := w.engine.servers[w.rand.IntN(len(w.engine.servers))], w.nodes[w.rand.IntN(len(w.nodes))].process
	return [][]*process{{server}, {node}, {server, node}}[w.rand.IntN(3)]
}

func names(list []*process) (out string) {
	for _, p := range list {
		out += p.name + " "
	}
	return out
}

// heal waits until everything is as it should be, and holds what was acknowledged against what is there.
func (w *world) heal(t *testing.T) {
	t.Helper()
	w.eventually(t, "all nodes are ready", w.ready)
	w.eventually(t, "the engine is whole", w.engine.whole)
	w.eventually(t, "all channels are live, and nothing is left of streams before", w.live)
	w.eventually(t, "every node has what was acknowledged", func(ctx context.Context) error {
		for _, n := range w.nodes {
			if err := w.writer.check(ctx, n); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *world) ready(ctx context.Context) error {
	for _, n := range w.nodes {
		if err := n.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// live returns nil when every node says of every channel that it is live, with the session that is open.
func (w *world) live(ctx context.Context) error {
	for i, arn := range w.channels {
		open, err := w.records.open(ctx, arn)
		if err != nil {
			return err
		}
		for _, n := range w.nodes {
			got, err := n.api().GetStream(ctx, &ivs.GetStreamInput{ChannelArn: &arn})
			if err != nil {
				return fmt.Errorf("%s, channel %d: %w (the encoder: %v)", n.name, i, err, w.streams[i].refusal.Load())
			}
			if open != *got.Stream.StreamId {
				return fmt.Errorf("%s: channel %d is live as %s, and the open session is %q", n.name, i, *got.Stream.StreamId, open)
			}
		}
	}
	return nil
}

// offline returns nil when no session is open any more.
func (w *world) offline(ctx context.Context) error {
	for i, arn := range w.channels {
		open, err := w.records.open(ctx, arn)
		if err != nil {
			return err
		}
		if open != "" {
			return fmt.Errorf("session %s of channel %d is open", open, i)
		}
	}
	return nil
}

// eventually polls until check is content, within the time that healing may take.
func (w *world) eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), healing)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %v: %v", what, healing, last)
		}
	}
}

// progress waits until so many more writes are acknowledged.
func (w *world) progress(t *testing.T, writes int) {
	t.Helper()
	_, before := w.writer.snapshot()
	w.eventually(t, "writes go on", func(context.Context) error {
		if _, acked := w.writer.snapshot(); acked < before+writes {
			return fmt.Errorf("%d of %d", acked-before, writes)
		}
		return nil
	})
}

// told returns nil when every session ended once, and the outbox has every event once.
func (w *world) told(ctx context.Context) error {
	told, err := w.records.told(ctx)
	if err != nil {
		return err
	}
	for what, n := range told {
		_, name, byName := strings.Cut(what, "/")
		if n != 1 && (!byName || slices.Contains(once, name)) {
			return fmt.Errorf("event %s was told %d times", what, n)
		}
	}
	for i, arn := range w.channels {
		ended, err := w.records.ended(ctx, arn)
		if err != nil {
			return err
		}
		if len(ended) == 0 {
			return fmt.Errorf("channel %d has no history", i)
		}
		for id, n := range ended {
			if n != 1 || told[id+"/Session Created"] == 0 || told[id+"/Session Ended"] == 0 {
				return fmt.Errorf("session %s is %d times in the history, its creation was told %d times and its end %d times", id, n, told[id+"/Session Created"], told[id+"/Session Ended"])
			}
		}
	}
	return nil
}
