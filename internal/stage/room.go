package stage

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/token"
	"github.com/rivus-live/rivus/internal/whip"
)

const (
	roomTick     = 100 * time.Millisecond
	ticksASecond = 10
)

// room is one stage on this node: its participants and all their connections. Its goroutine alone touches the fields
// below the line.
type room struct {
	manager  *Manager
	stage    arn.ARN
	log      *slog.Logger
	recorder *recorder
	inbox    chan func()
	over     chan struct{}  // closed when no connection is left and nobody can come any more
	recorded chan struct{}  // closed when the records are written, too
	group    sync.WaitGroup // everything that the room has started
	counts   struct{ participants, publications, subscriptions atomic.Int64 }

	// ---- the goroutine's
	participants map[string]*participant
	guests       int // of participants, those that are not Recorded
	hidden       int // of guests, those that are Hidden
	attached     map[*Attachment]struct{}
	observers    []*observation  // of this stage
	observed     *[]*observation // the manager's list that observers was taken from
	subscribers  int             // participants with a subscription
	opened       bool            // somebody has been here
	emptySince   time.Time
	changed      bool // sockets have not been told the state
	closing      bool
	ticks        int
	errors       errorLimit
}

// participant is somebody with at least one connection.
type participant struct {
	id           string
	claims       token.Claims
	joined       time.Time
	standing     Standing
	record       resource.Participant
	socket       *socket
	publication  *publication             // what others can subscribe to
	next         *publication             // that is about to take its place; nil while there is none to take the place of
	edition      whip.Edition             // the newest that any publication had
	subs         map[string]*subscription // by publisher, the newest
	down         *downlink
	muted        [kinds]bool
	lastSelected map[string]int32 // layer last told of, by publisher
}

// newRoom returns a room whose records are written after those of an earlier one of the stage; nil for none.
func newRoom(m *Manager, stage arn.ARN, earlier <-chan struct{}) *room {
	log := m.opt.Logger.With("stage_arn", stage.String())
	return &room{
		manager: m, stage: stage, log: log, recorder: newRecorder(m, stage, log, earlier),
		inbox: make(chan func()), over: make(chan struct{}), recorded: make(chan struct{}),
		participants: make(map[string]*participant), emptySince: m.opt.Clock(), errors: errorLimit{},
	}
}

// run owns the room until it has been empty for the grace time, or ctx is done. It returns when its records are written,
// which may take as long as the state engine does not answer; once ctx is done, finalPatience.
func (r *room) run(ctx context.Context) {
	defer r.manager.finished(r)
	recording, stopRecording := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecording()
	written := make(chan struct{})
	var recorder sync.WaitGroup
	defer recorder.Wait()
	recorder.Go(func() {
		defer close(written)
		r.manager.env.contain(func() { r.recorder.run(recording) }, func() { r.post(r.sendAway) })
	})
	r.serve(ctx)
	r.manager.forget(r)
	r.drainInbox()
	close(r.over)
	r.recorder.finish(r.manager.opt.Clock())
	select {
	case <-written:
		return
	case <-ctx.Done():
	}
	select {
	case <-written:
	case <-time.After(finalPatience):
		stopRecording()
	}
}

// serve does what the room is asked to, until nobody is left and nobody may come.
func (r *room) serve(ctx context.Context) {
	tick := time.NewTicker(roomTick)
	defer tick.Stop()
	done := ctx.Done()
	for !r.closing || len(r.participants) > 0 {
		select {
		case fn := <-r.inbox:
			r.attempt(fn)
		case <-tick.C:
			r.attempt(r.tick)
		case <-done:
			done = nil
			r.attempt(func() {
				r.closing = true
				r.kickAll(because(shutdown, ""))
			})
		}
	}
}

// drainInbox lets go of those who came too late.
func (r *room) drainInbox() {
	waited := make(chan struct{})
	var waiter sync.WaitGroup
	defer waiter.Wait()
	waiter.Go(func() {
		r.group.Wait()
		close(waited)
	})
	for {
		select {
		case fn := <-r.inbox:
			r.attempt(fn)
		case <-waited:
			return
		}
	}
}

// do runs fn on the room's goroutine; errGone when the room is closed.
func (r *room) do(ctx context.Context, fn func() error) error {
	reply := make(chan error, 1)
	select {
	case r.inbox <- func() {
		err := errDefect // unless fn says otherwise
		defer func() { reply <- err }()
		err = fn()
	}:
		return <-reply // the room runs fn at once, and fn does not block
	case <-r.over:
		return errGone
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the caller hung up
	}
}

// post runs fn on the room's goroutine, unless it has ended. Only goroutines of the room's group may call it.
func (r *room) post(fn func()) {
	select {
	case r.inbox <- fn:
	case <-r.over:
	}
}

// tick tells the sockets what has changed, lets the allocators look again, holds the limits, and ends an empty room.
func (r *room) tick() {
	r.ticks++
	for _, p := range r.participants {
		p.down.tick()
		r.tellSelected(p)
		if pub := p.publication; pub != nil && pub.simulcast() {
			pub.sort()
			r.changed = r.changed || pub.ranked.Load() != pub.shown
			pub.shown = pub.ranked.Load()
		}
	}
	for a := range r.attached {
		a.sub.down.tick()
	}
	if r.ticks%ticksASecond == 0 {
		r.tellLayers()
		r.enforce(r.manager.opt.Clock())
		clear(r.errors)
	}
	if r.changed {
		r.changed = false
		r.tellState()
	}
	if r.counted() == 0 && r.manager.opt.Clock().Sub(r.emptySince) >= r.manager.opt.Grace {
		r.closing = true
		r.kickAll(because(busy, "")) // who is left does not count
	}
}

// closeAll ends the connections of everybody.
func (r *room) closeAll(ctx context.Context, why reason) error {
	return r.do(ctx, func() error {
		r.closing = true
		r.kickAll(why)
		return nil
	})
}
