package peer

import (
	"fmt"
	"time"
)

// State is how far a receiver has come.
type State struct {
	Sounds, Pictures int // streams of which media came; for video a whole keyframe
	Profile          string
	Lacks            string // what keeps a video stream from its first keyframe, "" when nothing does
}

// State returns how far the peer has come.
func (p *Peer) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := State{Profile: p.profile, Lacks: "no video stream"}
	for _, x := range p.heard {
		switch {
		case x.repair:
		case !x.video:
			s.Sounds++
		case x.keyframe.complete.IsZero():
			s.Lacks = fmt.Sprintf("%d video packets, %d of them asked for again, %d repairs, %d padding, %d broken", x.packets, p.count.Asked, p.count.Repairs, p.count.Padding, p.count.Broken)
		default:
			s.Pictures++
			s.Lacks = ""
		}
	}
	return s
}

// Firsts returns when the first media packet arrived and when the first keyframe was whole; zero for not yet.
func (p *Peer) Firsts() (packet, keyframe time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.heard {
		if at := x.keyframe.complete; !at.IsZero() && (keyframe.IsZero() || at.Before(keyframe)) {
			keyframe = at
		}
	}
	return p.first, keyframe
}

// Port returns the UDP port of the peer, 0 before Connect.
func (p *Peer) Port() uint16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.port
}

// Begin opens a window: what came before it does not count.
func (p *Peer) Begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count, p.delay, p.lag = Counts{}, Histogram{}, Histogram{}
	for _, s := range p.heard {
		s.window = [2]int64{s.highest, s.highest}
	}
	for _, t := range p.tally {
		t.window = [2]int64{t.highest, t.highest}
	}
}

// Window is what came between Begin and End.
type Window struct {
	Counts
	Delay  Histogram // from the publisher's write to the arrival, of packets that were not retransmitted
	Lag    Histogram // from the arrival to the reader: how late this process is
	Layers [4]int64  // video streams by the layer that came last, counted from 1; at 0 those of which nothing came
}

// End closes the window, for what is lost too: that is asked for later, when retransmissions have had their time.
func (p *Peer) End() Window {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := Window{Counts: p.count, Delay: p.delay, Lag: p.lag}
	for _, s := range p.heard {
		s.window[1] = s.highest
		switch {
		case !s.video || s.repair:
		case s.source == nil || s.window[0] == s.window[1]:
			w.Layers[0]++
		default:
			w.Layers[s.source.source&3]++
		}
	}
	for _, t := range p.tally {
		t.window[1] = t.highest
	}
	return w
}

// Lost is what never came of a window.
type Lost struct {
	Sound, Video int64 // numbers of RTP streams
	Stamps       int64 // numbers of publishers' video streams, in which a change of layer leaves gaps
}

// Add adds others.
func (l *Lost) Add(o Lost) {
	l.Sound += o.Sound
	l.Video += o.Video
	l.Stamps += o.Stamps
}

// Lost returns what never came of the window that End has closed.
func (p *Peer) Lost() Lost {
	p.mu.Lock()
	defer p.mu.Unlock()
	var l Lost
	for _, s := range p.heard {
		switch n := s.got.missing(s.window[0], s.window[1]); {
		case s.repair:
		case s.video:
			l.Video += n
		default:
			l.Sound += n
		}
	}
	for _, t := range p.tally {
		if t.source&0xff != 0 {
			l.Stamps += t.got.missing(t.window[0], t.window[1])
		}
	}
	return l
}
