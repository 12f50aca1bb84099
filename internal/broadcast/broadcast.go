package broadcast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

const (
	viewerInterval = 3 * time.Second // between looks at the viewer count, and at the last frame
	signInterval   = 9 * time.Second // between two times of the last frame that go to the disk
	metadataInbox  = 32              // pieces of metadata that wait for a frame
	finalGrace     = 5 * time.Second // for the last writes when the server stops
	maxEvents      = 400             // waiting for the state engine; beyond it refused takeovers are not told
)

// feed is one publisher of a broadcast.
type feed struct {
	ingest.Source
	ingest.Request
	held     []ingest.Message // read before the takeover was decided
	accepted bool             // the publisher was told to send
}

// accept tells the publisher to send.
func (f *feed) accept() error {
	f.accepted = true
	if err := f.Accept(); err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	return nil
}

// next puts the next message into m, those that were held first.
func (f *feed) next(m *ingest.Message) error {
	if len(f.held) == 0 {
		return f.Read(m)
	}
	*m = f.held[0]
	f.held[0] = ingest.Message{} // the bytes belong to the packager now
	f.held = f.held[1:]
	return nil
}

// broadcast is one stream of a channel: from an accepted key to the end of its session.
//
// Two goroutines work on it. The publisher's own runs ingest and owns the intake, until it gives it back with leave.
// The owner runs live: it alone touches the fields below the line, takes commands as functions, and never blocks; what
// must be written goes to a third goroutine, so that a state engine that hangs delays records and never media.
type broadcast struct {
	key          store.Key
	channel      resource.Channel // without secrets
	presentation *hls.Presentation
	ledger       ledger
	clock        func() time.Time
	viewers      func(streamID string) int64
	log          *slog.Logger
	counters     *counters

	commands  chan func()
	metadata  chan string
	lastMedia atomic.Int64 // Unix nanoseconds
	stalled   atomic.Bool  // the owner wants to hear of the next media at once
	ending    atomic.Bool
	shown     atomic.Pointer[resource.Stream]
	ended     chan struct{} // closed when the last record is written: commands find nobody
	replaced  chan struct{} // closed when a later broadcast of the channel has ended too

	// ---- the owner's
	life      life
	stream    resource.Stream
	session   resource.Session
	settings  ingest.Settings
	current   *feed
	successor *offer
	reason    Reason          // set once the end is decided
	refused   *ingest.Refusal // with the reason Refused: why
	events    []store.Event   // not yet with the ledger
	dirty     bool            // the stream's record is behind
	described bool            // the session's record is behind
	final     bool            // the last record is due
	writing   bool            // the ledger is at work
	last      bool            // and what it writes is the last record
	closed    bool            // the last record is written, or there is none to write
}

// live owns the broadcast until its last record is written. After ctx is done it ends the session and gives the ledger
// a short while.
func (b *broadcast) live(ctx context.Context) {
	defer close(b.ended)
	writing, abort := context.WithCancel(context.WithoutCancel(ctx))
	records, written := make(chan record), make(chan error, 1)
	var writer sync.WaitGroup
	writer.Go(func() {
		for r := range records {
			written <- b.writeContained(writing, r)
		}
	})
	defer writer.Wait()
	defer close(records)
	defer abort()

	timer, audience := time.NewTimer(b.due()), time.NewTicker(viewerInterval)
	defer timer.Stop()
	defer audience.Stop()
	stop, lost := ctx.Done(), b.ledger.lost()
	for !b.closed {
		var out chan<- record
		var next record
		if b.behind() {
			out, next = records, b.record()
		}
		select {
		case fn := <-b.commands:
			b.attempt(fn)
		case out <- next:
			b.sent(next)
		case err := <-written:
			b.attempt(func() { b.wrote(err) })
		case <-timer.C:
			b.attempt(b.tick)
		case <-audience.C:
			b.attempt(b.count)
		case <-lost:
			lost = nil
			b.attempt(func() { b.stop(Fenced) })
		case <-stop:
			stop = nil
			b.attempt(func() { b.stop(Shutdown) })
			defer time.AfterFunc(finalGrace, abort).Stop()
		}
		timer.Reset(b.due())
	}
}

// attempt runs a step of the owner. A panic in it may leave the broadcast half changed, so it ends: the encoder is told, and
// the next one begins afresh. When the end itself panics nobody owns the broadcast any more, and its claim is given up as
// that of a process that has died.
func (b *broadcast) attempt(step func()) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		b.defect(v)
		if b.reason != 0 {
			b.closed = true
			return
		}
		b.stop(Defective)
	}()
	step()
}

// defect counts a panic and tells of it.
func (b *broadcast) defect(v any) {
	b.counters.panics.Add(1)
	b.log.Error("a panic ended the broadcast", "panic", v, "stack", string(debug.Stack()))
}

// due is how long nothing happens by itself.
func (b *broadcast) due() time.Duration {
	if b.reason != 0 {
		return time.Hour
	}
	return max(0, b.life.next(b.heard()).Sub(b.clock()))
}

// heard is when media last came.
func (b *broadcast) heard() time.Time { return time.Unix(0, b.lastMedia.Load()) }

func (b *broadcast) tick() {
	now := b.clock()
	if b.reason != 0 {
		return
	}
	if reason, over := b.life.expired(now, b.heard()); over {
		b.stop(reason)
		return
	}
	edges, changed, err := b.life.tick(now, b.heard())
	if err != nil {
		b.log.Error("broadcast took no step", "error", err)
	}
	if changed {
		b.moved(now, edges)
	}
}

// moved records where life is now, with the events that it caused.
func (b *broadcast) moved(now time.Time, edges []edge) {
	for _, e := range edges {
		code := ""
		if e == sessionEnded && b.refused != nil {
			code = endCode(b.refused.Kind, b.channel.Multitrack)
		}
		b.tell(e, code, now)
	}
	b.stream.State, b.stream.Health, b.stream.StartTime = b.life.state, b.life.health, b.life.started
	b.session.StartTime, b.session.EndTime = b.life.started, b.life.ended
	b.stalled.Store(b.life.state == resource.Stalled)
	b.show()
	b.log.Info("stream state", "state", b.life.state, "health", b.life.health)
}

// tell adds an event to the next record.
func (b *broadcast) tell(e edge, code string, now time.Time) {
	if e == takeoverFailed && len(b.events) >= maxEvents {
		return
	}
	b.add(newEvent(e, &b.channel, b.stream.StreamID, code, now))
}

func (b *broadcast) add(e store.Event) {
	b.events = append(b.events, e)
	b.described = true
}

// show publishes the stream's record: at once to this process, later through the ledger.
func (b *broadcast) show() {
	s := b.stream
	b.shown.Store(&s)
	b.dirty = true
}

// count keeps what the records say of the audience and of the last frame near the truth.
func (b *broadcast) count() {
	if at := b.heard(); b.reason == 0 && at.After(b.stream.LastFrame) {
		b.stream.LastFrame = at
		b.show()
		if at.Sub(b.session.LastFrame) >= signInterval {
			b.session.LastFrame, b.described = at, true
		}
	}
	if b.viewers == nil {
		return
	}
	if n := b.viewers(b.stream.StreamID); n != b.stream.ViewerCount {
		b.stream.ViewerCount = n
		b.show()
	}
}

// playable is told by the publisher when viewers can get segments.
func (b *broadcast) playable() {
	now := b.clock()
	edges, err := b.life.playable(now)
	if err != nil {
		return // ended meanwhile
	}
	b.moved(now, edges)
}

// describe is told by the publisher when its settings are known or change.
func (b *broadcast) describe(s ingest.Settings) {
	b.settings = s
	fillSession(&b.session, &s, b.current.Software)
	b.described = true
}

// stop decides that the session ends. The publisher's goroutine finds its connection closed and leaves.
func (b *broadcast) stop(reason Reason) {
	if b.reason != 0 {
		return
	}
	b.reason = reason
	b.ending.Store(true)
	b.current.Close(reason.refusal())
	b.decline(errEnding)
}

// left is told when the publisher's goroutine is done with the intake.
func (b *broadcast) left(in *intake, err error) {
	if b.reason == 0 && b.successor != nil {
		b.succeed(in)
		return
	}
	now := b.clock()
	if b.reason == 0 {
		b.reason = reasonOf(err)
		b.refuseMedia(err, now)
	}
	b.ending.Store(true)
	in.packager.End()
	in.ring.Close()
	edges, lifeErr := b.life.end(now)
	if lifeErr != nil {
		b.log.Error("broadcast ended twice", "error", lifeErr)
	}
	b.session.EndReason = b.reason.String()
	if b.refused != nil {
		b.session.EndReason += ": " + b.refused.Text
	}
	b.stream.ViewerCount = 0
	b.moved(now, edges)
	if b.reason == Fenced {
		b.closed = true // the record is another's
		return
	}
	b.final = true
}

// refuseMedia tells the operator and the world when a publisher ends for what it sent.
func (b *broadcast) refuseMedia(err error, now time.Time) {
	r, refused := refusedMedia(err)
	if !refused {
		return
	}
	b.refused = r
	b.counters.unfit.Add(1)
	b.log.Warn("publisher refused for its media", "reason", r.Text, "encoder", b.session.Encoder, "remote", b.current.Remote)
	if endCode(r.Kind, b.channel.Multitrack) == "" { // else the event of the session's end says it
		b.add(newFailure(&b.channel, b.stream.StreamID, r.Text, now))
	}
}

// reasonOf tells why a publisher's loop ended by itself.
func reasonOf(err error) Reason {
	if _, refused := refusedMedia(err); refused {
		return Refused
	}
	switch {
	case errors.Is(err, io.EOF):
		return EncoderClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Silence
	}
	return ConnectionLost
}

// ask runs fn on the owner's goroutine and returns its error; fault.NotLive when the broadcast has ended.
func (b *broadcast) ask(ctx context.Context, fn func() error) error {
	reply := make(chan error, 1)
	select {
	case b.commands <- func() { reply <- fn() }:
		return <-reply // the owner runs fn at once, and fn does not block
	case <-b.ended:
		return notLive()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call runs fn on the owner's goroutine, unless the broadcast has ended, and waits for it.
func (b *broadcast) call(fn func()) {
	done := make(chan struct{})
	select {
	case b.commands <- func() { defer close(done); fn() }:
		<-done
	case <-b.ended:
	}
}

// post runs fn on the owner's goroutine, unless the broadcast has ended.
func (b *broadcast) post(fn func()) {
	select {
	case b.commands <- fn:
	case <-b.ended:
	}
}

// State returns where the stream is in its life. Safe for use from any goroutine.
func (b *broadcast) State() resource.StreamState { return b.shown.Load().State }

func notLive() error { return fault.New(fault.NotLive, "Channel is not currently broadcasting") }
