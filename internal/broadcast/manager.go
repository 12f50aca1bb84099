// Package broadcast runs the streams of channels: from a publisher's request to the end of its session.
//
// A Manager decides who may publish, claims the channel for this node, moves the stream through its states, tells the
// world about it (presence, the open session, events, history), and writes the frames of its publishers to the packager.
// It knows publishers as sources of package ingest and no protocol. It answers the commands of the API for the channels it
// runs, and knows their presentations for the origin.
//
// Concurrency: the goroutine that calls Publish reads the source and packages; every broadcast has one goroutine that
// owns its state and one that writes its records, both run by Manager.Run. Records follow media and never hold it up:
// while the state engine does not answer, streams go on and their records wait.
//
// Imports: arn, cluster, fault, hls, ingest, media, media/h264, media/timeline, records, resource, store.
package broadcast

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/store"
)

// Options configures a Manager. Records and Node are required.
type Options struct {
	Records records.Channels
	Node    *cluster.Node

	MaxStreams    int                         // at a time in one account and region on this node; 0: no limit
	AllowInsecure bool                        // publishers without encryption also for channels that ask for it
	Viewers       func(streamID string) int64 // playback sessions now; nil: none are counted
	Clock         func() time.Time            // nil means time.Now
	Logger        *slog.Logger                // nil discards
}

// Manager runs the broadcasts of one node. It is an ingest.Sink, and safe for use from many goroutines.
type Manager struct {
	opt      Options
	guesses  guesses
	counters counters
	started  time.Time
	starts   chan start    // broadcasts for Run to own
	closed   chan struct{} // Run has returned or is about to

	mu       sync.Mutex
	draining bool
	slots    map[store.Key]*slot      // at most one stream a channel
	past     map[store.Key]*broadcast // ended, and still to be seen
}

// slot is a channel's place for one stream, taken before it is known whether there will be one.
type slot struct {
	key       store.Key
	decided   chan struct{} // closed when broadcast is set or the slot is free again
	free      chan struct{} // closed when the slot is free again
	broadcast *broadcast    // nil if there will be none; immutable once decided
}

// start is a new broadcast on its way to Run.
type start struct {
	slot      *slot
	broadcast *broadcast
	stopServe func() // ends its commands
}

var _ ingest.Sink = (*Manager)(nil)

// NewManager returns a manager that publishes once Run has been called.
func NewManager(o Options) *Manager {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Manager{
		opt:     o,
		started: o.Clock(),
		starts:  make(chan start),
		closed:  make(chan struct{}),
		slots:   make(map[store.Key]*slot),
		past:    make(map[store.Key]*broadcast),
	}
}

// Run owns the broadcasts until ctx is done, ends them and returns after the last one. Call it once. What nodes that are gone
// left open is for Reap.
func (m *Manager) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	defer close(m.closed)
	for {
		select {
		case s := <-m.starts:
			group.Go(func() { m.own(ctx, s) })
		case <-ctx.Done():
			return nil
		}
	}
}

// Drain refuses new publishers, ends all streams, so that players get their end, and returns when all sessions are
// closed or ctx is done. Presentations stay up until Run's context ends.
func (m *Manager) Drain(ctx context.Context) error {
	m.mu.Lock()
	m.draining = true
	m.mu.Unlock()
	for _, b := range m.running() {
		b.post(func() { b.stop(Shutdown) })
	}
	for _, b := range m.running() {
		select {
		case <-b.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Presentation returns what viewers of a channel are served: its stream, from the moment that the key was accepted (the
// snapshots of its renditions tell whether there is something to play yet), or one that has ended less than a
// playlist's length ago and has no playable successor.
func (m *Manager) Presentation(sc arn.Scope, channelID string) (*hls.Presentation, bool) {
	key := store.Key{Scope: sc, ID: channelID}
	now, past := m.lookup(key)
	switch {
	case now != nil && (past == nil || now.ready()):
		return now.presentation, true
	case past != nil:
		return past.presentation, true
	}
	return nil, false
}

func (m *Manager) lookup(key store.Key) (now, past *broadcast) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.slots[key]; s != nil {
		now = s.broadcast
	}
	return now, m.past[key]
}

// running returns the broadcasts whose sessions are open.
func (m *Manager) running() []*broadcast {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]*broadcast, 0, len(m.slots))
	for _, s := range m.slots {
		if s.broadcast != nil {
			list = append(list, s.broadcast)
		}
	}
	return list
}

// count returns how many streams of a scope run or are about to begin.
func (m *Manager) count(sc arn.Scope) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for key, s := range m.slots {
		if key.Scope == sc && (s.broadcast == nil || !s.broadcast.ending.Load()) {
			n++
		}
	}
	return n
}

// own runs a broadcast to its end, frees its slot for the next one, and keeps its presentation for a while.
func (m *Manager) own(ctx context.Context, s start) {
	b := s.broadcast
	b.live(ctx)
	s.stopServe()
	if before := m.retire(s.slot, b); before != nil {
		close(before.replaced)
	}
	timer := time.NewTimer(b.tail())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.replaced:
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.past[b.key] == b {
		delete(m.past, b.key)
	}
}

// retire frees the slot of an ended broadcast and returns the one that it replaces among the past ones.
func (m *Manager) retire(s *slot, b *broadcast) (before *broadcast) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b.ready() {
		before = m.past[b.key]
		m.past[b.key] = b
	}
	m.vacate(s)
	return before
}

// vacate frees a slot. The caller holds the lock.
func (m *Manager) vacate(s *slot) {
	delete(m.slots, s.key)
	close(s.free)
}

// reserve takes the slot of a channel, or returns the broadcast that has it. It waits while a stream is about to begin
// or to end there.
func (m *Manager) reserve(ctx context.Context, key store.Key) (*slot, *broadcast, error) {
	for {
		s, mine, err := m.take(key)
		if err != nil || mine {
			return s, nil, err
		}
		select {
		case <-s.decided:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		if s.broadcast != nil && !s.broadcast.ending.Load() {
			return nil, s.broadcast, nil
		}
		select {
		case <-s.free:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

var errDraining = Shutdown.refusal()

// take returns the slot of a channel and whether it is the caller's to decide.
func (m *Manager) take(key store.Key) (s *slot, mine bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.draining {
		return nil, false, errDraining
	}
	if s := m.slots[key]; s != nil {
		return s, false, nil
	}
	s = &slot{key: key, decided: make(chan struct{}), free: make(chan struct{})}
	m.slots[key] = s
	return s, true, nil
}

// decide makes the outcome of a reserved slot known: a broadcast, or nil, which frees it. It reports whether Drain has
// been called meanwhile, and may have missed the broadcast.
func (m *Manager) decide(s *slot, b *broadcast) (draining bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.broadcast = b
	close(s.decided)
	if b == nil {
		m.vacate(s)
	}
	return m.draining
}
