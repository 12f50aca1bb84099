// Package stage runs stages: participants who exchange audio and video in real time. It is the SFU.
//
// A Manager holds the stages of one node. A stage has one goroutine that owns its participants and takes commands as
// functions; what a participant sends is a publication, what it receives of another one is a subscription. Neither
// knows WebRTC: a publication takes what a Source has, a subscription fills a Sink (source.go); peers.go makes both of
// connections. The journey of a packet: the source hands it to its layer (layer.Packet), which parses it, copies it into
// its ring and puts its number into the inboxes of the track's writers (inbox.go), who wake once a frame. A writer copies
// the frame out once, asks each subscriber's forward state what to do with it, and sends subscriber by subscriber
// (writer.burst). Nobody waits for anybody: a writer that is behind goes on at the next keyframe, and what a slow link could
// not swallow is held back (pacer.go, bwe.Flight).
// Bandwidth belongs to a participant (downlink.go), not to a connection. Quotas are in limits.go.
//
// Participants join over HTTP (the Manager is a whip.Joiner) and over the events socket, whose protocol is in
// docs/stage-protocol.md. A participant has at most one connection of a role (socket, publication, subscription to X):
// a newer one takes the place of an older one. It is connected while it has any. Records of sessions and participants
// follow (records.go); while the state engine does not answer they wait, and media runs on.
//
// Parts of the server that are no participants take part as well: Attach feeds a Sink of theirs with a publication (a
// recorder, a relay), Inject publishes a Source of theirs (an encoder's stream, a relay), Observe tells them who comes and
// goes. Unless they say so, quotas, records and the roster know nothing of them.
//
// Commands of the API reach the node that holds a participant through Remote.
//
// Imports: arn, cluster, fault, media/h264, records, resource, rtc, stage/bwe, stage/forward, stage/packetring, store,
// strangers, token, whip, wsock.
package stage

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/rtc"
	"github.com/rivus-live/rivus/internal/stage/bwe"
	"github.com/rivus-live/rivus/internal/whip"
)

// DefaultGrace is how long a session stays open without anybody connected (spec ivs-realtime.md 10.1).
const DefaultGrace = 2 * time.Minute

// Options configures a Manager. Engine, Verifier, Node and Records are required.
type Options struct {
	Engine   *rtc.Engine
	Verifier whip.Verifier // of tokens on the events socket
	Node     *cluster.Node
	Records  records.Stages

	Codecs []string      // video codecs that publishers may use, as rtc names them; nil: all
	Grace  time.Duration // 0: DefaultGrace
	Limits Limits
	Clock  func() time.Time
	Logger *slog.Logger
}

// Manager runs the stages of one node. It is safe for use from many goroutines.
type Manager struct {
	opt      Options
	env      environment
	begin    time.Time
	starts   chan *room
	closed   chan struct{} // Run has returned or is about to
	sockets  sync.WaitGroup
	refusing chan struct{} // holds an entry for each refused client that is being told why
	counters counters
	host     bwe.Host
	census   census

	observers atomic.Pointer[[]*observation] // replaced whole, under mu

	mu        sync.Mutex
	draining  bool
	rooms     map[arn.ARN]*room
	finishing map[arn.ARN]<-chan struct{} // rooms that are over and whose records are still being written

	subscriptions, events atomic.Uint64 // number them
}

var _ whip.Joiner = (*Manager)(nil)

// NewManager returns a manager that lets participants in once Run has been called.
func NewManager(o Options) *Manager {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	m := &Manager{
		opt: o, begin: o.Clock(), starts: make(chan *room), closed: make(chan struct{}),
		rooms: make(map[arn.ARN]*room), finishing: make(map[arn.ARN]<-chan struct{}), refusing: make(chan struct{}, maxRefusals),
	}
	m.env = environment{
		now: m.now, batch: func() Departure { return nil }, counters: &m.counters, host: &m.host, defect: m.defect,
		pixels: o.Limits.Pixels, download: o.Limits.DownloadBitrate,
	}
	if o.Engine != nil {
		m.env.batch = func() Departure { return o.Engine.Batch() }
	}
	return m
}

// now is the clock of all rings, reports and estimates of this node.
func (m *Manager) now() time.Duration { return m.opt.Clock().Sub(m.begin) }

// Run owns the stages until ctx is done. It returns after the last goroutine. Call it once. What nodes that are gone left open
// is for Reap.
func (m *Manager) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer m.sockets.Wait()
	defer group.Wait()
	defer close(m.closed)
	stop, err := m.serve()
	if err != nil {
		return err
	}
	defer stop()
	group.Go(func() { m.opt.Records.Sessions.Watch(ctx, contained(m.env, m.sessionChanged)) })
	group.Go(func() { m.opt.Records.Disconnected.Watch(ctx, contained(m.env, m.burnt)) })
	group.Go(func() { m.opt.Records.Stages.Watch(ctx, contained(m.env, m.deleted)) })
	for {
		select {
		case r := <-m.starts:
			group.Go(func() { m.env.contain(func() { r.run(ctx) }, func() {}) })
		case <-ctx.Done():
			return nil
		}
	}
}

// Drain tells all participants that the server stops, ends their connections and returns when that is done or ctx is
// over. Nobody can join afterwards.
func (m *Manager) Drain(ctx context.Context) error {
	m.mu.Lock()
	m.draining = true
	list := make([]*room, 0, len(m.rooms))
	for _, r := range m.rooms {
		list = append(list, r)
	}
	m.mu.Unlock()
	for _, r := range list {
		if err := r.closeAll(ctx, because(shutdown, "")); err != nil && !errors.Is(err, errGone) {
			return err
		}
	}
	for _, r := range list { // all have been told: they end side by side
		select {
		case <-r.over:
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // the caller's
		}
	}
	return nil
}

var (
	errGone     = errors.New("stage: the room is closed")
	errShutdown = &whip.Refusal{Status: 503, Message: "the server stops", RetryAfter: time.Second}
)

// room returns the stage's room, a new one when there is none and create is set; nil without.
func (m *Manager) room(ctx context.Context, stage arn.ARN, create bool) (*room, error) {
	m.mu.Lock()
	r := m.rooms[stage]
	fresh := r == nil && create
	if m.draining && create {
		m.mu.Unlock()
		return nil, errShutdown
	}
	if fresh {
		r = newRoom(m, stage, m.finishing[stage])
		m.rooms[stage] = r
	}
	m.mu.Unlock()
	if !fresh {
		return r, nil
	}
	select {
	case m.starts <- r:
		return r, nil
	case <-m.closed:
	case <-ctx.Done():
	}
	m.abandon(r)
	if err := ctx.Err(); err != nil {
		return nil, err //nolint:wrapcheck // the caller hung up
	}
	return nil, errShutdown
}

// abandon takes a room out of the list that was never run.
func (m *Manager) abandon(r *room) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rooms, r.stage)
	close(r.over)
}

// forget takes a room out of the list: who comes now gets a new one, whose records follow those of this one.
func (m *Manager) forget(r *room) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rooms, r.stage)
	m.finishing[r.stage] = r.recorded
}

// finished is called when the records of a room are written.
func (m *Manager) finished(r *room) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.finishing[r.stage] == r.recorded {
		delete(m.finishing, r.stage)
	}
	close(r.recorded)
}

// in runs fn on the goroutine of the stage's room, which it makes if need be and create is set.
func (m *Manager) in(ctx context.Context, stage arn.ARN, create bool, fn func(r *room) error) (*room, error) {
	for {
		r, err := m.room(ctx, stage, create)
		if err != nil || r == nil {
			return r, err
		}
		if err = r.do(ctx, func() error { return fn(r) }); !errors.Is(err, errGone) {
			return r, err
		}
		select { // it ended between the two
		case <-r.over:
		case <-ctx.Done():
			return nil, ctx.Err() //nolint:wrapcheck // the caller hung up
		}
	}
}

// Stats are figures of a Manager at one moment.
type Stats struct {
	Stages, Participants, Publications, Subscriptions int

	ReapedSessions, ReapedParticipants int64 // ended here, since the start, because their nodes were gone
}

// Stats returns the figures.
func (m *Manager) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Stats{
		Stages:         len(m.rooms),
		ReapedSessions: m.counters.reapedSessions.Load(), ReapedParticipants: m.counters.reapedParticipants.Load(),
	}
	for _, r := range m.rooms {
		s.Participants += int(r.counts.participants.Load())
		s.Publications += int(r.counts.publications.Load())
		s.Subscriptions += int(r.counts.subscriptions.Load())
	}
	return s
}
