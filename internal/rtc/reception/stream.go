package reception

import "time"

// Bounds of one numbering (RFC 3550, A.1). A packet that is window behind the newest is too late for anything.
const (
	window     = 1024
	maxDropout = 3000
)

// Stream is what a receiver knows of one RTP stream. Use NewStream.
type Stream struct {
	ssrc        uint32
	retransmits bool

	numbers numbering
	have    [window / 64]uint64 // a bit for each number, by its remainder
	stamps  [window]uint32      // timestamps of those that have one
	holes   holes               // the numbers to be asked for
	counts  counts
	jitter  jitter
	heard   senderReport // the latest
}

// NewStream returns a Stream that has heard nothing yet. clockRate is that of its timestamps, in Hz. The numbers that
// are missing are asked for only if the sender retransmits on generic NACKs.
func NewStream(ssrc, clockRate uint32, retransmits bool) *Stream {
	s := &Stream{ssrc: ssrc, retransmits: retransmits, jitter: jitter{rate: int64(clockRate)}}
	if retransmits {
		s.holes.list = make([]hole, 0, maxHoles)
	}
	return s
}

// Packet notes a packet that arrived in the stream itself. A packet out of all proportion (RFC 3550, A.1) is ignored;
// with two in a row, the stream begins anew; so it does when two numbers in a row were used before, for another time. A
// duplicate changes nothing.
func (s *Stream) Packet(seq uint16, timestamp uint32, now time.Duration) {
	before := s.numbers.high
	ext, place := s.numbers.take(seq, maxDropout, window)
	if place == late && s.has(ext) && s.stamps[ext%window] != timestamp {
		ext, place = s.numbers.doubt(seq)
	}
	switch place {
	case strange:
		return
	case anew:
		s.have = [window / 64]uint64{}
		s.holes.reset()
		s.counts.reset(ext)
		s.jitter.reset()
	case newest:
		s.overtake(before, ext, now)
	case late:
		if s.has(ext) {
			return
		}
		s.holes.fill(ext)
		s.counts.base = min(s.counts.base, ext)
	}
	s.mark(ext, timestamp)
	s.counts.received++
	if place != late { // it may have been sent again
		s.jitter.packet(timestamp, now)
	}
}

// Repaired notes a packet that arrived as a retransmission in a stream of its own (RFC 4588): it is no longer missing.
// Reports count it as lost all the same, for so the sender learns what its path is like.
func (s *Stream) Repaired(seq uint16, timestamp uint32) {
	diff := int64(int16(seq - uint16(s.numbers.high)))
	if !s.numbers.started || diff > 0 || diff <= -window {
		return
	}
	ext := s.numbers.high - uint64(-diff)
	if s.has(ext) {
		return
	}
	s.mark(ext, timestamp)
	s.holes.fill(ext)
}

// SenderReport notes the NTP timestamp of a sender report that arrived now (RFC 3550, section 6.4.1).
func (s *Stream) SenderReport(ntp uint64, now time.Duration) {
	s.heard = senderReport{middle: uint32(ntp >> 16), at: now, known: true}
}

// overtake notes that the newest number went up from before to ext.
func (s *Stream) overtake(before, ext uint64, now time.Duration) {
	for seq := max(before+1, ext-window+1); seq < ext; seq++ {
		s.have[seq%window/64] &^= 1 << (seq % 64)
	}
	s.holes.overtaken++
	if s.retransmits && ext-before > 1 {
		s.holes.open(before+1, ext, now)
	}
}

func (s *Stream) has(ext uint64) bool { return s.have[ext%window/64]>>(ext%64)&1 != 0 }

func (s *Stream) mark(ext uint64, timestamp uint32) {
	s.have[ext%window/64] |= 1 << (ext % 64)
	s.stamps[ext%window] = timestamp
}
