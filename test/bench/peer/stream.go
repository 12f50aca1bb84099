package peer

import (
	"errors"
	"net"
	"time"

	"github.com/pion/rtcp"
)

// stream is one incoming RTP stream.
type stream struct {
	ssrc    uint32
	video   bool
	twcc    uint8   // id of the transport-wide numbers
	nack    bool    // it may be asked for again
	repair  bool    // it is the retransmission of repairs
	repairs *stream // nil when it is not known of what
	source  *tally  // what came last

	begun    bool
	began    time.Time
	highest  int64 // extended sequence number
	packets  int64
	got      bitset
	missing  []missing
	report   uint32 // middle of the NTP time of the last sender report
	reportAt time.Time
	expected struct{ sequence, packets int64 } // at the last receiver report
	window   [2]int64                          // extended sequence numbers, see Peer.Begin

	keyframe struct {
		start, end int64 // extended sequence numbers; end is 0 until it is known
		timestamp  uint32
		complete   time.Time // arrival of the last packet of the first one
	}
	asked time.Time // for a keyframe
}

// missing is a packet that has not come.
type missing struct {
	seq   int64
	tries int
	asked time.Time
}

// tally is what came of one source, whatever stream brought it.
type tally struct {
	source  uint32
	highest int64
	got     bitset
	window  [2]int64
}

// newStream finds out what an unknown SSRC is; nil for nothing of ours. The caller holds the lock.
func (p *Peer) newStream(ssrc uint32, payloadType uint8) *stream {
	for i := range p.remote.sections {
		x := &p.remote.sections[i]
		switch {
		case x.codec == 0:
			continue
		case payloadType == x.codec:
			s := &stream{ssrc: ssrc, video: x.kind == "video", twcc: x.twcc, nack: x.nack, began: time.Now()}
			p.heard[ssrc] = s
			return s
		case payloadType == x.rtx:
			s := &stream{ssrc: ssrc, video: true, twcc: x.twcc, repair: true, repairs: p.repaired(ssrc)}
			if s.repairs != nil { // else its stream may still come
				p.heard[ssrc] = s
			}
			return s
		}
	}
	return nil
}

// repaired returns the stream that an SSRC retransmits: as the description says, else the only video there is.
func (p *Peer) repaired(ssrc uint32) *stream {
	for i := range p.remote.sections {
		if of, ok := p.remote.sections[i].repairs[ssrc]; ok {
			return p.heard[of]
		}
	}
	var only *stream
	for _, s := range p.heard {
		if !s.video || s.repair {
			continue
		}
		if only != nil {
			return nil
		}
		only = s
	}
	return only
}

func (p *Peer) tallyOf(source uint32) *tally {
	t := p.tally[source]
	if t == nil {
		t = &tally{source: source}
		p.tally[source] = t
	}
	return t
}

// unwrap extends a sequence number.
func (s *stream) unwrap(seq uint16) int64 {
	if !s.begun {
		s.begun = true
		s.highest = int64(seq) + 1<<16 - 1 // so that what was sent before has a number too
		s.got.base = s.highest + 1 - 1<<15
		s.expected.sequence = s.highest
		s.window = [2]int64{s.highest, s.highest}
	}
	return s.highest + int64(int16(seq-uint16(s.highest)))
}

// follow notes which packets are missing now that n has come.
func (s *stream) follow(n int64, again bool) {
	if n <= s.highest {
		for i := range s.missing {
			if s.missing[i].seq == n {
				s.missing = append(s.missing[:i], s.missing[i+1:]...)
				break
			}
		}
		return
	}
	if n-s.highest <= lostMemory && !again {
		for seq := s.highest + 1; seq < n; seq++ {
			s.missing = append(s.missing, missing{seq: seq})
		}
	}
	s.highest = n
}

// nacks returns what to ask for again now.
func (s *stream) nacks(now time.Time) []uint16 {
	var out []uint16
	kept := s.missing[:0]
	for _, m := range s.missing {
		if now.Sub(m.asked) >= nackInterval {
			if m.tries == nackTries {
				continue
			}
			m.tries, m.asked = m.tries+1, now
			out = append(out, uint16(m.seq))
		}
		kept = append(kept, m)
	}
	s.missing = kept
	return out
}

// reception returns the stream's block of a receiver report (RFC 3550, section 6.4.1).
func (s *stream) reception(now time.Time) rtcp.ReceptionReport {
	expected := s.highest - s.expected.sequence
	lost := expected - (s.packets - s.expected.packets)
	s.expected.sequence, s.expected.packets = s.highest, s.packets
	r := rtcp.ReceptionReport{SSRC: s.ssrc, LastSequenceNumber: uint32(s.highest - 1<<16)} // unwrap begins in the second cycle
	if lost > 0 && expected > 0 {
		r.FractionLost = uint8(min(255, lost*256/expected))
	}
	if s.report != 0 {
		r.LastSenderReport, r.Delay = s.report, uint32(now.Sub(s.reportAt).Seconds()*65536)
	}
	return r
}

// watchKeyframe notes when the first whole keyframe has come.
func (p *Peer) watchKeyframe(s *stream, n int64, payload []byte, at int64) {
	k := &s.keyframe
	if !s.video || !k.complete.IsZero() {
		return
	}
	if beginsKeyframe(payload) {
		k.start, k.end, k.timestamp = n, 0, p.header.Timestamp
	}
	if k.start == 0 || p.header.Timestamp != k.timestamp {
		return
	}
	if p.header.Marker {
		k.end = n
	}
	if k.end != 0 && s.got.missing(k.start-1, k.end) == 0 {
		k.complete = time.Unix(0, at)
	}
}

// bitset is a set of numbers from base on that only grows.
type bitset struct {
	base  int64
	words []uint64
}

// set adds a number and reports whether it is new.
func (b *bitset) set(n int64) bool {
	n -= b.base
	if n < 0 {
		return false
	}
	for int(n/64) >= len(b.words) {
		b.words = append(b.words, 0)
	}
	w, bit := &b.words[n/64], uint64(1)<<(n%64)
	fresh := *w&bit == 0
	*w |= bit
	return fresh
}

// missing counts the numbers in (from, to] that are not in the set.
func (b *bitset) missing(from, to int64) int64 {
	var n int64
	for i := from + 1 - b.base; i <= to-b.base; i++ {
		if i < 0 || int(i/64) >= len(b.words) || b.words[i/64]&(1<<(i%64)) == 0 {
			n++
		}
	}
	return n
}

// isClosed tells the end of a socket from its troubles.
func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }
