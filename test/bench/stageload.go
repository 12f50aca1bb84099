package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rivus-live/rivus/test/bench/peer"
)

// stageJob brings members on to stages.
type stageJob struct {
	Members []member
	Loss    float64       // share of the packets that receivers lose on purpose
	Gap     time.Duration // from the beginning of one subscription to the next; 0: as soon as one before is there
}

// member is one participant: its ticket, and what it does.
type member struct {
	Ticket  ticket
	Program *peer.Program // nil: it does not publish
	Watch   []string      // ids of the participants that it receives
}

// ticket lets somebody on to a stage.
type ticket struct {
	ID      string
	Token   string
	URL     string // of the WHIP endpoint, or of the LiveKit server
	Stage   string // its ARN
	LiveKit bool
}

// Commands of a stage load besides marks. Each answers with a figure of all its receivers together.
const (
	stateCommand = "state" // stageState
	beginCommand = "begin" // opens a window
	endCommand   = "end"   // stageWindow
	lostCommand  = "lost"  // peer.Lost, of the window
)

// joinsAtOnce bounds the members that connect at a time, and joinPatience how long one may take.
const (
	joinsAtOnce  = 8
	joinPatience = 20 * time.Second
	tickInterval = 50 * time.Millisecond
)

// stageState is how far the members are.
type stageState struct {
	Publishing int
	Sounds     int // streams of which media comes
	Pictures   int // streams of which a whole keyframe has come
	Failed     int
	Failure    string
	Profile    string // of SRTP
	Lacks      string // what keeps a receiver from its first keyframe
}

// stageWindow is what came to receivers, and what publishers sent.
type stageWindow struct {
	Received  peer.Window
	Sent      peer.Counts
	Overflows int64 // datagrams that came and were not read in time
}

// stageLoad is members in one process.
type stageLoad struct {
	job      stageJob
	identity *peer.Identity

	mu         sync.Mutex
	publishers []*peer.Peer
	receivers  []*peer.Peer
	sessions   map[string]session // by ticket
	failed     int
	failure    string
	overflows  int64 // when the window began
}

// session is a member's stay.
type session interface {
	publish(ctx context.Context) (*peer.Peer, error)
	watch(ctx context.Context) ([]*peer.Peer, error)
	leave()
}

func newStageLoad(j stageJob) (*stageLoad, error) {
	identity, err := peer.NewIdentity()
	return &stageLoad{job: j, identity: identity, sessions: map[string]session{}}, err
}

// run lets all members publish, then watch, and keeps them until ctx ends.
func (l *stageLoad) run(ctx context.Context) error {
	var all, senders errgroup.Group
	all.Go(func() error { return l.tick(ctx) })
	l.each(ctx, func(m member) error { return l.enter(ctx, m) }, 0)
	l.each(ctx, func(m member) error { return l.publish(ctx, m, &senders) }, 0)
	l.each(ctx, func(m member) error { return l.watch(ctx, m) }, l.job.Gap)
	err := all.Wait()
	_ = senders.Wait() // always nil
	l.close()
	return err
}

// each does something for all members, a few at a time, or one after each gap whatever the others do. It counts failures.
func (l *stageLoad) each(ctx context.Context, do func(member) error, gap time.Duration) {
	var joins errgroup.Group
	if gap == 0 {
		joins.SetLimit(joinsAtOnce)
	}
	next := time.Now()
	for _, m := range l.job.Members {
		if wait(ctx, time.Until(next)) != nil {
			break
		}
		next = next.Add(gap)
		joins.Go(func() error {
			if err := do(m); err != nil {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.failed++
				l.failure = err.Error()
			}
			return nil
		})
	}
	_ = joins.Wait() // always nil
}

// enter opens the member's session.
func (l *stageLoad) enter(ctx context.Context, m member) error {
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	s, err := l.session(ctx, m)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[m.Ticket.ID] = s
	return nil
}

// session opens a session in whatever the member's server speaks.
func (l *stageLoad) session(ctx context.Context, m member) (session, error) {
	if m.Ticket.LiveKit {
		return l.enterLiveKit(ctx, m)
	}
	return &whipSession{load: l, member: m}, nil
}

func (l *stageLoad) of(m member) session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sessions[m.Ticket.ID]
}

func (l *stageLoad) publish(ctx context.Context, m member, senders *errgroup.Group) error {
	s := l.of(m)
	if m.Program == nil || s == nil {
		return nil
	}
	joining, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	p, err := s.publish(joining)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.publishers = append(l.publishers, p)
	senders.Go(func() error { return p.Run(ctx) })
	return nil
}

func (l *stageLoad) watch(ctx context.Context, m member) error {
	s := l.of(m)
	if len(m.Watch) == 0 || s == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	peers, err := s.watch(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.receivers = append(l.receivers, peers...)
	return err
}

func (l *stageLoad) newPublisher(m member) *peer.Peer {
	return peer.New(peer.Options{Identity: l.identity, Program: m.Program})
}

func (l *stageLoad) newReceiver() *peer.Peer {
	return peer.New(peer.Options{Identity: l.identity, Loss: l.job.Loss})
}

// tick gives peers time when nothing comes that would.
func (l *stageLoad) tick(ctx context.Context) error {
	t := time.NewTicker(tickInterval)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			for _, p := range l.all() {
				p.Tick(now)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (l *stageLoad) all() []*peer.Peer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(slices.Clone(l.publishers), l.receivers...)
}

func (l *stageLoad) close() {
	for _, p := range l.all() {
		p.Close()
	}
	for _, s := range l.sessions {
		s.leave()
	}
}

// mark answers a command.
func (l *stageLoad) mark(command string) any {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch command {
	case stateCommand:
		return l.state()
	case beginCommand:
		for _, p := range append(slices.Clone(l.publishers), l.receivers...) {
			p.Begin()
		}
		l.overflows = overflows(l.ports()...)
		return true
	case endCommand:
		return l.end()
	case lostCommand:
		var sum peer.Lost
		for _, p := range l.receivers {
			sum.Add(p.Lost())
		}
		return sum
	}
	return fmt.Sprintf("%q is no command", command)
}

func (l *stageLoad) state() stageState {
	s := stageState{Publishing: len(l.publishers), Failed: l.failed, Failure: l.failure}
	for _, p := range l.receivers {
		x := p.State()
		s.Sounds += x.Sounds
		s.Pictures += x.Pictures
		s.Profile = x.Profile
		if x.Lacks != "" {
			s.Lacks = x.Lacks
		}
	}
	return s
}

func (l *stageLoad) end() stageWindow {
	var sum stageWindow
	for _, p := range l.receivers {
		w := p.End()
		sum.add(&w)
	}
	for _, p := range l.publishers {
		sum.Sent.Add(p.End().Counts)
	}
	sum.Overflows = overflows(l.ports()...) - l.overflows
	return sum
}

// ports returns those of the receivers.
func (l *stageLoad) ports() []uint16 {
	var ports []uint16
	for _, p := range l.receivers {
		ports = append(ports, p.Port())
	}
	return ports
}

// add adds what came to one receiver.
func (s *stageWindow) add(w *peer.Window) {
	s.Received.Add(w.Counts)
	s.Received.Delay.Merge(&w.Delay)
	s.Received.Lag.Merge(&w.Lag)
	for layer, n := range w.Layers {
		s.Received.Layers[layer] += n
	}
}
