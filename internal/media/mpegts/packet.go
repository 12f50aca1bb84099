package mpegts

import "slices"

const (
	packetSize  = 188
	packetHead  = 4
	payloadSize = packetSize - packetHead
	clockField  = 8 // an adaptation field with its length, flags and a clock reference
)

// counter is the 4-bit continuity counter of one PID.
type counter byte

// next returns the value for the next packet with payload.
func (c *counter) next() byte {
	v := byte(*c) & 0x0F
	*c++
	return v
}

// packets describes the transport packets that carry one PES packet.
type packets struct {
	pid     uint16
	counter *counter

	clock        bool  // the first packet has a clock reference …
	reference    int64 // … with this base, and the extension 0
	randomAccess bool  // and says that decoding may begin here; only together with clock
}

// packetBytes returns the size of the packets around a PES packet of size bytes, whose first one has an adaptation
// field of that many bytes.
func packetBytes(field, size int) int {
	return (field + size + payloadSize - 1) / payloadSize * packetSize
}

// append appends the packets around a PES packet of size bytes, which fill appends to a slice with that much room.
//
// The PES packet is first written where it ends, at the end of the packets, and then moved to its places from the front
// on. Since packets only ever add bytes, no move overwrites what is still to be moved; so there is no scratch buffer.
func (p *packets) append(dst []byte, size int, fill func([]byte) []byte) []byte {
	field := 0
	if p.clock {
		field = clockField
	}
	total := packetBytes(field, size)
	start := len(dst)
	dst = slices.Grow(dst, total)[:start+total]
	out := dst[start:]
	pes := out[total-size:]
	fill(pes[:0:size])

	first := true
	for len(pes) > 0 {
		room := payloadSize - field
		n := min(room, len(pes))
		copy(out[packetSize-n:packetSize], pes[:n])
		p.header(out[:packetSize-n], first, field)
		out, pes = out[packetSize:], pes[n:]
		first, field = false, 0
	}
	return dst
}

// header fills the front of a packet: the header, and an adaptation field if there is something to say or to stuff.
func (p *packets) header(b []byte, first bool, field int) {
	b[0], b[1], b[2], b[3] = 0x47, byte(p.pid>>8), byte(p.pid), 0x10|p.counter.next()
	if first {
		b[1] |= 0x40 // payload unit start
	}
	af := b[packetHead:]
	if len(af) == 0 {
		return
	}
	b[3] |= 0x20
	af[0] = byte(len(af) - 1)
	if len(af) == 1 {
		return
	}
	af[1] = 0
	stuffing := af[2:]
	if field > 0 {
		af[1] = 0x10
		if p.randomAccess {
			af[1] |= 0x40
		}
		putClock(af[2:], p.reference)
		stuffing = af[clockField:]
	}
	for i := range stuffing {
		stuffing[i] = 0xFF
	}
}

// putClock writes a program clock reference with the low 33 bits of base.
func putClock(b []byte, base int64) {
	b[0], b[1], b[2], b[3] = byte(base>>25), byte(base>>17), byte(base>>9), byte(base>>1)
	b[4], b[5] = byte(base<<7)|0x7E, 0
}
