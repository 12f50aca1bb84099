package bwe

import (
	"sync/atomic"
	"time"
)

// history is the number of packets a path remembers: more than a second at 8.5 Mbit/s.
const history = 1024

// Result is the fate of one packet we sent.
type Result struct {
	Seq      uint16
	Size     int           // bytes on the wire
	Sent     time.Duration // our clock
	Received time.Duration // the receiver's clock, any origin; meaningless when Lost
	Lost     bool
	Late     bool // arrived after it was told lost
}

// Arrival is one packet status of a transport-wide feedback message.
type Arrival struct {
	Received bool
	At       time.Duration // the receiver's clock
}

// Path is one transport of the participant.
type Path struct {
	next    uint16
	oldest  uint16 // number of the first packet in flight
	flight  *Flight
	sent    [history]record
	waiting atomic.Int64 // when the first packet left after the newest feedback, 0 for none: the estimator reads it
}

// record is 16 bytes: every packet that leaves writes one, to memory that nobody has touched for seconds.
type record struct {
	at   time.Duration
	size uint16
	seq  uint16
	fate fate
}

type fate uint8

const (
	unknown fate = iota // no such packet
	outstanding
	lost
	received
)

// newPath returns a path whose first packet has number 0.
func newPath(f *Flight) *Path { return &Path{flight: f} }

// land takes what is answered, and what never will be, out of the flight: all packets before the number to.
func (p *Path) land(to uint16) {
	var bytes int64
	for ; p.oldest != to; p.oldest++ {
		bytes += int64(p.sent[p.oldest%history].size)
	}
	p.flight.bytes.Add(-bytes)
}

// expire takes packets that were sent before an instant out of the flight: their feedback is lost, or the path is dead.
func (p *Path) expire(before time.Duration) {
	to := p.oldest
	for to != p.next && p.sent[to%history].at < before {
		to++
	}
	p.land(to)
}

// Leave notes that packets leave now, of so many bytes in all. Number gives each its number.
func (p *Path) Leave(now time.Duration, size int) { p.flight.depart(now, size) }

// Number notes that a packet of size bytes, those of a datagram at most, leaves now and returns its transport-wide sequence
// number.
func (p *Path) Number(now time.Duration, size int) uint16 {
	seq := p.next
	p.next++
	if p.next-p.oldest > history {
		p.land(p.oldest + 1)
	}
	p.sent[seq%history] = record{at: now, size: uint16(size), seq: seq, fate: outstanding}
	if p.waiting.Load() == 0 {
		p.waiting.Store(max(1, int64(now)))
	}
	return seq
}

// Match turns one feedback message, whose first status is for sequence number base, into results appended to dst.
// Packets unknown, too old or already known to have arrived are left out; a loss is told once, and may be taken back.
func (p *Path) Match(dst []Result, base uint16, arrivals []Arrival) []Result {
	p.waiting.Store(0)
	if end := base + uint16(len(arrivals)); end-p.oldest <= p.next-p.oldest { // not an old one
		p.land(end)
	}
	for i, a := range arrivals {
		seq := base + uint16(i)
		r := &p.sent[seq%history]
		if r.seq != seq || r.fate == unknown || r.fate == received || r.fate == lost && !a.Received {
			continue
		}
		late := r.fate == lost
		r.fate = lost
		if a.Received {
			r.fate = received
		}
		dst = append(dst, Result{Seq: seq, Size: int(r.size), Sent: r.at, Received: a.At, Lost: !a.Received, Late: late})
	}
	return dst
}
