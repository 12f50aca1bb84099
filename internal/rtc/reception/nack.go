package reception

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// When a missing number is asked for. Packets that were only reordered come within a few others or within milliseconds;
// a retransmission takes a round trip; and after a second, by then asked for six times, nobody waits for it any more.
const (
	overtakers  = 3
	patience    = 10 * time.Millisecond
	firstRepeat = 60 * time.Millisecond // then half as much again each time
	maxAge      = time.Second

	maxHoles     = 256
	maxAskedOnce = 64 // numbers of one message
)

// hole is a number that is missing.
type hole struct {
	seq   uint64
	since time.Duration
	due   time.Duration // to be asked for then,
	ripe  uint64        // or when so many have been newest, if it was not yet
	wait  time.Duration // for the answer to the next request
}

// holes are the numbers that are missing, in their order.
type holes struct {
	list      []hole
	overtaken uint64 // how often there was a newest packet

	// No number is to be asked for before either.
	due  time.Duration
	ripe uint64
}

func (h *holes) reset() { h.list = h.list[:0] }

// open notes that the numbers from first up to, not including, end are missing, because end has arrived. If there are
// too many, the oldest are given up.
func (h *holes) open(first, end uint64, now time.Duration) {
	n := int(min(end-first, maxHoles))
	if over := len(h.list) + n - maxHoles; over > 0 {
		h.list = append(h.list[:0], h.list[over:]...)
	}
	due, ripe := now+patience, h.overtaken+overtakers-1
	h.due, h.ripe = min(h.due, due), min(h.ripe, ripe)
	for seq := end - uint64(n); seq < end; seq++ {
		h.list = append(h.list, hole{seq: seq, since: now, due: due, ripe: ripe, wait: firstRepeat})
	}
}

// fill notes that seq has arrived.
func (h *holes) fill(seq uint64) {
	if len(h.list) == 0 {
		return
	}
	i, found := slices.BinarySearchFunc(h.list, seq, func(m hole, seq uint64) int { return cmp.Compare(m.seq, seq) })
	if found {
		h.list = append(h.list[:i], h.list[i+1:]...)
	}
}

// AppendNack appends one generic NACK (RFC 4585, section 6.2.1) for the numbers that are to be asked for now, at most
// 64; nothing if there is none. It is meant to be called with every packet, and costs two comparisons when no number is
// missing or due.
func (s *Stream) AppendNack(b []byte, sender uint32, now time.Duration) []byte {
	h := &s.holes
	if len(h.list) == 0 || now < h.due && h.overtaken < h.ripe {
		return b
	}
	return s.ask(b, sender, now)
}

// ask appends the NACK, forgets the holes that are past asking for, and finds out when the next is due.
func (s *Stream) ask(b []byte, sender uint32, now time.Duration) []byte {
	h, n := &s.holes, nack{start: len(b)}
	kept := h.list[:0]
	h.due, h.ripe = math.MaxInt64, math.MaxUint64
	for _, m := range h.list {
		if now-m.since > maxAge || s.numbers.high-m.seq >= window {
			continue
		}
		if n.count < maxAskedOnce && (now >= m.due || h.overtaken >= m.ripe) {
			b = n.add(b, m.seq)
			m.due, m.ripe = now+m.wait, math.MaxUint64
			m.wait += m.wait / 2
		}
		h.due, h.ripe = min(h.due, m.due), min(h.ripe, m.ripe)
		kept = append(kept, m)
	}
	h.list = kept
	if n.count == 0 {
		return b
	}
	binary.BigEndian.PutUint32(b[n.start+4:], sender)
	binary.BigEndian.PutUint32(b[n.start+8:], s.ssrc)
	finish(b, n.start, formatNack, rtcpTransportFeedback)
	return b
}

// nack collects the numbers of one message, which begins at start.
type nack struct {
	start int
	count int
	first uint64 // number of the last pair; the 16 after it have bits there
}

// add appends seq, which is above those before it.
func (n *nack) add(b []byte, seq uint64) []byte {
	if n.count == 0 {
		b = append(b, make([]byte, feedbackHeader)...)
	}
	n.count++
	if behind := seq - n.first; n.count > 1 && behind <= 16 {
		bits := b[len(b)-2:]
		binary.BigEndian.PutUint16(bits, binary.BigEndian.Uint16(bits)|1<<(behind-1))
		return b
	}
	n.first = seq
	return append(b, byte(seq>>8), byte(seq), 0, 0)
}
