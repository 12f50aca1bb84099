package stage

import (
	"encoding/binary"
	"time"

	"github.com/rivus-live/rivus/internal/stage/forward"
)

// sets are the H.264 parameter sets of a layer whose encoder leaves them to its offer, as an aggregation packet (RFC 6184,
// section 5.7.1). Who joins later gets them in front of every IDR picture that has none.
type sets struct {
	packet []byte // with room for the header; nil: there are none
}

const setsHeader = 12 // bytes of an RTP header

func newSets(units [][]byte) sets {
	const stapA, important = 24, 3 << 5
	if len(units) == 0 {
		return sets{}
	}
	b := append(make([]byte, setsHeader), important|stapA)
	for _, u := range units {
		b = binary.BigEndian.AppendUint16(b, uint16(len(u)))
		b = append(b, u...)
	}
	return sets{packet: b}
}

// before returns the packet that goes in front of b, with its number, time and SSRC.
func (s *sets) before(b []byte) []byte {
	copy(s.packet, b[:setsHeader])
	s.packet[0], s.packet[1] = 2<<6, b[1]&0x7f
	return s.packet
}

// complete puts the offer's parameter sets in front of a bare IDR picture. Those in the stream itself, which are newer, are
// the end of them.
func (l *layer) complete(b []byte, p *forward.Packet, now time.Duration) {
	if l.sets.packet == nil {
		return
	}
	if p.Keyframe() {
		l.sets.packet = nil
		return
	}
	if !p.Bare() {
		return
	}
	it := item{layer: int8(l.Index)}
	packet := l.sets.before(b)
	if !forward.Parse(packet, l.Codec, &l.Extensions, &it.packet) {
		return
	}
	if !l.track.pub.fits(l, packet[it.packet.Start:it.packet.End]) {
		l.refused = true
		return
	}
	seq, ok := l.ring.Insert(packet, now, noteOf(&it.packet))
	if !ok {
		return
	}
	it.packet.Seq, it.packet.Arrived = seq, now
	l.track.offer(it)
	l.keyframes.due(now, true)
}
