package bwe

import (
	"sync/atomic"
	"time"
)

// pathHistory is the number of packets a path remembers: more than a second at 8.5 Mbit/s.
const pathHistory = 1024

// Result is what feedback says of one sent packet.
type Result struct {
	Seq      uint16
	Size     int           // bytes on the wire
	Sent     time.Duration // our clock
	Received time.Duration // the receiver's clock, any origin; meaningless when Lost
	Lost     bool
	Late     bool // arrived after it was reported lost
}

// Arrival is one packet status of a transport-wide feedback message.
type Arrival struct {
	Received bool
	At       time.Duration // the receiver's clock
}

// Path is the send side of one transport of the participant: transport-wide sequence numbers and a history of sent packets.
type Path struct {
	nextSeq         uint16
	oldestInFlight  uint16 // number of the first packet in flight
	flight          *Flight
	sent            [pathHistory]sentPacket
	unansweredSince atomic.Int64 // when the first packet left after the newest feedback, 0 for none: the estimator reads it
}

// sentPacket is the history entry of one packet, 16 bytes: every packet that leaves writes one, to memory that nobody has touched for seconds.
type sentPacket struct {
	at   time.Duration
	size uint16
	seq  uint16
	fate packetFate
}

type packetFate uint8

const (
	unknown packetFate = iota // no such packet
	outstanding
	lost
	received
)

// newPath returns a path whose first packet has number 0.
func newPath(f *Flight) *Path { return &Path{flight: f} }

// removeInFlight removes all packets before the number to from the bytes in flight: acknowledged, or given up.
func (p *Path) removeInFlight(to uint16) {
	var bytes int64
	for ; p.oldestInFlight != to; p.oldestInFlight++ {
		bytes += int64(p.sent[p.oldestInFlight%pathHistory].size)
	}
	p.flight.bytes.Add(-bytes)
}

// expireInFlight removes packets sent before an instant from the bytes in flight: their feedback is lost, or the path is dead.
func (p *Path) expireInFlight(before time.Duration) {
	to := p.oldestInFlight
	for to != p.nextSeq && p.sent[to%pathHistory].at < before {
		to++
	}
	p.removeInFlight(to)
}

// AddInFlight adds packets that leave now, of so many bytes in all, to the bytes in flight. NumberPacket numbers each.
func (p *Path) AddInFlight(now time.Duration, size int) { p.flight.addSent(now, size) }

// NumberPacket records that a packet of size bytes, those of a datagram at most, leaves now and returns its transport-wide sequence
// number.
func (p *Path) NumberPacket(now time.Duration, size int) uint16 {
	seq := p.nextSeq
	p.nextSeq++
	if p.nextSeq-p.oldestInFlight > pathHistory {
		p.removeInFlight(p.oldestInFlight + 1)
	}
	p.sent[seq%pathHistory] = sentPacket{at: now, size: uint16(size), seq: seq, fate: outstanding}
	if p.unansweredSince.Load() == 0 {
		p.unansweredSince.Store(max(1, int64(now)))
	}
	return seq
}

// MatchFeedback turns one feedback message, whose first status is for sequence number base, into results appended to dst.
// Packets unknown, too old or already known to have arrived are left out; a loss is reported once, and corrected when the packet arrives Late.
func (p *Path) MatchFeedback(dst []Result, base uint16, arrivals []Arrival) []Result {
	p.unansweredSince.Store(0)
	if end := base + uint16(len(arrivals)); end-p.oldestInFlight <= p.nextSeq-p.oldestInFlight { // not an old one
		p.removeInFlight(end)
	}
	for i, a := range arrivals {
		seq := base + uint16(i)
		r := &p.sent[seq%pathHistory]
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
