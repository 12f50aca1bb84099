package stage

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/stage/bwe"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// subscription sends what one participant publishes to another participant. It outlives a publication: when the
// publisher replaces its own by one with the same codecs, the subscription moves to the new one on the same connection.
type subscription struct {
	id        uint64
	publisher string
	pub       atomic.Pointer[publication] // to be fed from; the room stores, run follows
	sink      Sink
	down      *downlink
	path      *bwe.Path              // guarded by down; nil when the subscriber sends no transport-wide feedback
	rates     [forward.MaxLayers]int // of the video's layers by rank, when last known; guarded by down
	outlets   [kinds]*outlet         // one for each kind that the sink takes
	lacks     [kinds]bool            // kinds that the subscriber asked for in vain: its publisher had none
	gone      func()                 // called when it is over; may be nil
	moved     chan struct{}          // holds a token when pub is new
	stop      chan struct{}          // closed to end it
	stopOnce  sync.Once
	over      chan struct{} // closed when run has returned

	// ---- the room's
	older   *subscription // that goes on until this one is connected; nil for none
	told    bool          // the start was recorded, and the end was not
	pinned  string        // label of the layer that the subscriber wants, "" for any
	started time.Time     // when it was let in

	dismissed bool // it ends when it is connected
}

func newSubscription(id uint64, publisher string, pub *publication, sink Sink, takes [kinds]bool, gone func()) *subscription {
	s := &subscription{
		id: id, publisher: publisher, sink: sink, gone: gone,
		moved: make(chan struct{}, 1), stop: make(chan struct{}), over: make(chan struct{}),
	}
	s.pub.Store(pub)
	for k := range kinds {
		if takes[k] {
			s.outlets[k] = newOutlet(k, sink)
		}
	}
	return s
}

// run feeds the sink once it is connected, until it ends or stop is closed. The end of a publication is no end by
// itself: the room decides whether another takes its place.
func (s *subscription) run(started func()) {
	defer s.finish()
	select {
	case <-s.sink.Connected():
	case <-s.sink.Ended():
		return
	case <-s.stop:
		return
	}
	s.open()
	feed := s.pub.Load()
	s.attach(feed)
	defer func() {
		s.down.remove(s)
		s.detach(feed)
	}()
	s.down.add(s)
	started()
	for {
		select {
		case <-s.sink.Ended():
			return
		case <-s.stop:
			return
		case <-s.moved:
			if next := s.pub.Load(); next != feed {
				s.detach(feed)
				feed = next
				s.attach(feed)
			}
		}
	}
}

// follows reports whether the subscription can go on with another publication as it was negotiated, and would be
// negotiated alike today.
func (s *subscription) follows(next *publication) bool {
	formats := s.pub.Load().formats
	for k, f := range next.formats {
		if s.outlets[k] != nil && (f == nil || !f.plays(formats[k])) || s.lacks[k] && f != nil {
			return false
		}
	}
	return true
}

// end makes run return.
func (s *subscription) end() { s.stopOnce.Do(func() { close(s.stop) }) }

// move makes run feed the sink from another publication. Only the room calls it.
func (s *subscription) move(to *publication) {
	s.pub.Store(to)
	select {
	case s.moved <- struct{}{}:
	default:
	}
}

func (s *subscription) finish() {
	s.sink.Close()
	close(s.over)
	if s.gone != nil { // after over is closed: who looks then sees the end
		s.gone()
	}
}

// open gives the outlets their forwarders, once the connection tells what was negotiated.
func (s *subscription) open() {
	var streams [kinds]forward.Stream
	for k, o := range s.outlets {
		if o == nil {
			continue
		}
		stream, ok := s.sink.Stream(Kind(k))
		if !ok {
			continue
		}
		streams[k] = stream
		if Kind(k) == Audio {
			o.audio = forward.NewAudio(stream)
		} else {
			o.video = forward.NewVideo(stream)
		}
	}
	s.down.number(s, streams)
}

// attach lets a publication feed the outlets. One that is over feeds nothing.
func (s *subscription) attach(p *publication) {
	if o := s.outlets[Video]; o != nil {
		o.target.Store(int32(p.order().index(int(o.rank.Load()))))
	}
	for k, o := range s.outlets {
		if o != nil && p.tracks[k] != nil && (o.audio != nil || o.video != nil) {
			p.tracks[k].attach(o)
		}
	}
}

// detach takes the outlets back; nothing is sent when it has returned. What comes next has other numbers.
func (s *subscription) detach(p *publication) {
	for k, o := range s.outlets {
		if o != nil && o.writer.Load() != nil {
			p.tracks[k].detach(o)
			o.restart()
		}
	}
}

// Lost implements Feedback: the writer answers from the ring.
func (s *subscription) Lost(k Kind, seqs []uint16) {
	o := s.outlets[k]
	if o == nil || len(seqs) == 0 {
		return
	}
	w := o.writer.Load()
	if w == nil {
		return
	}
	list := slices.Clone(seqs[:min(len(seqs), resendsAtOnce)])
	s.down.counters.nacked.Add(uint64(len(list)))
	w.post(func() { w.resend(o, list) })
}

// KeyframeWanted implements Feedback.
func (s *subscription) KeyframeWanted() {
	o, t := s.outlets[Video], s.pub.Load().tracks[Video]
	if o == nil || t == nil {
		return
	}
	if l := o.current.Load(); l != forward.None {
		t.want(int(l))
	}
}

// Arrivals implements Feedback.
func (s *subscription) Arrivals(base uint16, arrivals []bwe.Arrival) {
	s.down.arrivals(s, base, arrivals)
}

// choose says which layer is sent when bandwidth allows; forward.None leaves it to bandwidth alone. It may come before
// the connection is established.
func (s *subscription) choose(layer int) {
	if o := s.outlets[Video]; o != nil {
		o.pin.Store(int32(layer))
		o.nudge()
	}
}

// pause stops and resumes a track. It may come before the connection is established.
func (s *subscription) pause(k Kind, paused bool) {
	if o := s.outlets[k]; o != nil {
		o.paused.Store(paused)
		o.nudge()
	}
}
