package stage

import (
	"slices"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/stage/bwe"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// subscription sends one participant's publication to another participant.
type subscription struct {
	id        uint64
	publisher string
	pub       *publication
	sink      Sink
	down      *downlink
	path      *bwe.Path // guarded by down; nil when the subscriber sends no transport-wide feedback
	outlets   [kinds]*outlet
	told      bool          // the start was recorded; the room's
	gone      func()        // called when it is over; may be nil
	stop      chan struct{} // closed to end it
	stopOnce  sync.Once
	live      chan struct{} // closed when the outlets are attached
	over      chan struct{} // closed when run has returned
}

func newSubscription(id uint64, publisher string, pub *publication, gone func()) *subscription {
	return &subscription{
		id: id, publisher: publisher, pub: pub, gone: gone,
		stop: make(chan struct{}), live: make(chan struct{}), over: make(chan struct{}),
	}
}

// run feeds the sink once it is connected, until it ends, the publication ends or stop is closed.
func (s *subscription) run(started func()) {
	defer close(s.over)
	defer s.finish()
	select {
	case <-s.sink.Connected():
	case <-s.sink.Ended():
		return
	case <-s.pub.over:
		return
	case <-s.stop:
		return
	}
	defer s.leave()
	if !s.enter() {
		return
	}
	started()
	select {
	case <-s.sink.Ended():
	case <-s.pub.source.Ended():
	case <-s.pub.over:
	case <-s.stop:
	}
}

// end makes run return.
func (s *subscription) end() { s.stopOnce.Do(func() { close(s.stop) }) }

func (s *subscription) finish() {
	s.sink.Close()
	if s.gone != nil {
		s.gone()
	}
}

// enter attaches the outlets.
func (s *subscription) enter() bool {
	var streams [kinds]forward.Stream
	for k := range kinds {
		stream, ok := s.sink.Stream(k)
		if !ok || s.pub.tracks[k] == nil {
			continue
		}
		streams[k] = stream
		o := &outlet{kind: k, sink: s.sink}
		o.pin.Store(forward.None)
		o.applied.pin = forward.None
		o.current.Store(forward.None)
		if k == Audio {
			o.audio = forward.NewAudio(stream)
		} else {
			o.video = forward.NewVideo(stream)
		}
		s.outlets[k] = o
	}
	s.down.number(s, streams)
	for k, o := range s.outlets {
		if o != nil && !s.pub.tracks[k].attach(o) {
			return false
		}
	}
	s.down.add(s)
	close(s.live)
	return true
}

// leave takes everything back.
func (s *subscription) leave() {
	s.down.remove(s)
	for k, o := range s.outlets {
		if o != nil && o.writer != nil {
			s.pub.tracks[k].detach(o)
		}
	}
}

// outlet returns an attached outlet, nil when there is none of this kind yet.
func (s *subscription) outlet(k Kind) *outlet {
	select {
	case <-s.live:
		return s.outlets[k]
	default:
		return nil
	}
}

// Lost implements Feedback: the writer answers from the ring.
func (s *subscription) Lost(k Kind, seqs []uint16) {
	if o := s.outlet(k); o != nil {
		list := slices.Clone(seqs[:min(len(seqs), resendsAtOnce)])
		o.writer.post(func() { o.writer.resend(o, list) })
	}
}

// KeyframeWanted implements Feedback.
func (s *subscription) KeyframeWanted() {
	if o := s.outlet(Video); o != nil {
		if l := o.current.Load(); l != forward.None {
			s.pub.tracks[Video].want(int(l))
		}
	}
}

// Arrivals implements Feedback.
func (s *subscription) Arrivals(base uint16, arrivals []bwe.Arrival) {
	s.down.arrivals(s, base, arrivals)
}

// choose says which layer is sent when bandwidth allows; forward.None leaves it to bandwidth alone.
func (s *subscription) choose(layer int) {
	if o := s.outlet(Video); o != nil {
		o.pin.Store(int32(layer))
		o.writer.nudge()
	}
}

// pause stops and resumes a track.
func (s *subscription) pause(k Kind, paused bool) {
	o := s.outlet(k)
	if o == nil {
		return
	}
	o.paused.Store(paused)
	if o.audio != nil {
		o.writer.post(func() { o.audio.Pause(paused) })
		return
	}
	o.writer.nudge()
}

// aim is called by the allocator with the layer that bandwidth allows.
func (o *outlet) aim(layer int) {
	if o.target.Swap(int32(layer)) != int32(layer) {
		o.writer.nudge()
	}
}

// age is how long ago an instant of the publication's clock was.
func age(now, then time.Duration) time.Duration { return max(0, now-then) }
