package forward

import "time"

// lateKeyframe is how many numbers behind its layer's newest packet a keyframe may still be a place to start.
const lateKeyframe = 64

// line is the one outgoing stream of a subscription, whatever layer feeds it.
type line struct {
	stream          Stream
	seq             sequence
	clocks          clocks
	newest          [MaxLayers]uint64 // highest number seen of each layer
	picture         uint16            // last VP8 picture id sent
	tl0             uint8             // last TL0PICIDX sent
	ended           bool              // the newest packet ended a frame
	packets, octets uint32
	rtxSeq          uint16
	answers         answers
	recent          uint64
	departed        *[window]uint16 // transport-wide numbers that packets left with; nil when they are not sent again themselves
}

func newLine(s Stream) line {
	l := line{stream: s, seq: sequence{out: 1 << 16}, clocks: clocks{rate: s.ClockRate, anchor: None}}
	if s.RTXSSRC == 0 && s.Repeats {
		l.departed = new([window]uint16)
	}
	return l
}

// resends reports whether packets can be sent again.
func (l *line) resends() bool { return l.stream.RTXSSRC != 0 || l.departed != nil }

// see follows the numbers of a layer and reports whether they began anew: the ring then skips more than an epoch.
func (l *line) see(layer int, p *Packet) (restarted bool) {
	before := l.newest[layer]
	l.newest[layer] = max(before, p.Seq)
	if before == 0 || p.Seq <= before+1<<16 {
		return false
	}
	l.clocks.forget(layer)
	return true
}

// begins reports whether p could be the first packet of a stretch: not sent before and not from long ago.
func (l *line) begins(layer int, p *Packet) bool {
	return p.Start < p.End && p.Seq >= l.seq.kept[layer] && p.Seq+lateKeyframe >= l.newest[layer]
}

// join makes a layer the one that feeds the stream, beginning with p.
func (l *line) join(layer int, p *Packet) {
	s := l.seq.begin(layer, p.Seq)
	if !l.clocks.started { // the first numbers are the source's own
		l.picture, l.tl0 = p.PictureID-1, p.TL0-1
	}
	s.timestamp = l.clocks.align(layer, p)
	s.picture = l.picture + 1 - p.PictureID
	s.tl0 = l.tl0 + 1 - p.TL0
}

// deliver sends p of the layer that feeds the stream, or one that fills a hole left by an earlier one.
func (l *line) deliver(layer int, p *Packet, out *Out) Verdict {
	var number uint64
	var s *span
	if fresh := p.Seq > l.seq.high && l.seq.newest().layer == layer; fresh {
		if p.Start == p.End {
			l.seq.skip(p.Seq)
			return Empty
		}
		number = l.seq.next(p.Seq)
		s = l.seq.newest()
		l.ended = p.Marker()
	} else if s = l.seq.find(layer, p.Seq); s == nil {
		return Late
	} else if number = s.out + p.Seq - s.src; l.seq.out-number >= window {
		return Late
	}
	if !l.seq.mark(number) {
		return Repeated
	}
	*out = Out{stream: &l.stream, packet: *p, Seq: uint16(number)}
	if l.departed != nil {
		out.departed = &l.departed[number%window]
	}
	l.rewrite(s, out)
	out.finish()
	l.count(p, out)
	return Send
}

// rewrite gives a packet the offsets of its span.
func (l *line) rewrite(s *span, out *Out) {
	p := &out.packet
	out.Timestamp = p.Timestamp + s.timestamp
	out.picture = (p.PictureID + s.picture) & 0x7fff
	out.tl0 = p.TL0 + s.tl0
}

// count follows what a sent packet moves on.
func (l *line) count(p *Packet, out *Out) {
	l.packets++
	l.octets += uint32(p.End - p.Start)
	l.answers.earn(out.Size)
	l.clocks.sent(out.Timestamp, p)
	if p.pictureAt != 0 {
		mask := uint16(0x7f)
		if p.flags&flagWideID != 0 {
			mask = 0x7fff
		}
		if ahead := (out.picture - l.picture) & mask; ahead <= mask/2 {
			l.picture = out.picture
		}
	}
	if p.tl0At != 0 && int8(out.tl0-l.tl0) > 0 {
		l.tl0 = out.tl0
	}
}

// translate finds the source packet of an outgoing number.
func (l *line) translate(seq uint16) (Ref, bool) {
	number, ok := l.seq.extend(seq)
	if !ok {
		return Ref{}, false
	}
	s := l.seq.source(number)
	if s == nil {
		return Ref{}, false
	}
	return Ref{Layer: s.layer, Seq: s.src + number - s.out}, true
}

// answer is translate for a NACK.
func (l *line) answer(seq uint16, now time.Duration) (Ref, bool) {
	ref, ok := l.translate(seq)
	number, _ := l.seq.extend(seq)
	if !ok || !l.resends() || !l.answers.allows(number, now) {
		return Ref{}, false
	}
	return ref, true
}

// resend makes the RTX packet for an outgoing number, or the packet itself once more.
//
// The latter has the SSRC and index, and so the nonce, of what was sent before (RFC 7714, section 8.1), which is safe only
// when it is that packet to the last bit. It is: the payload comes from the ring, which keeps the first packet of a number
// and no other; the offsets are those of its span, which do not change once it has one; the header extensions are functions
// of both, but for the transport-wide number. That one is what it left with, not a new one: for the receiver's feedback it
// is the first packet, late. Whoever encrypts checks all of this once more (transport.Stream).
func (l *line) resend(seq uint16, p *Packet, out *Out) bool {
	number, ok := l.seq.extend(seq)
	if !ok || !l.resends() {
		return false
	}
	s := l.seq.source(number)
	if s == nil || uint16(s.src+number-s.out) != uint16(p.Seq) {
		return false
	}
	if l.departed != nil {
		if !l.seq.was(number) {
			return false
		}
		*out = Out{stream: &l.stream, packet: *p, Seq: seq, repeat: true, TransportSeq: l.departed[number%window]}
	} else {
		*out = Out{stream: &l.stream, packet: *p, Seq: l.rtxSeq, rtx: true, osn: seq}
		l.rtxSeq++
	}
	l.rewrite(s, out)
	out.finish()
	return true
}

// probes is how far back packets are taken from to be sent again as padding.
const probes = 32

// again returns a packet sent lately, another one each time; none without an RTX stream, whose numbers are new.
func (l *line) again() (uint16, Ref, bool) {
	if l.stream.RTXSSRC == 0 {
		return 0, Ref{}, false
	}
	for range probes {
		l.recent++
		number := l.seq.out - l.recent%probes
		if !l.seq.was(number) {
			continue
		}
		if ref, ok := l.translate(uint16(number)); ok {
			return uint16(number), ref, true
		}
	}
	return 0, Ref{}, false
}

// pad makes a packet of padding. Without an RTX stream it takes a number of the media stream, after a frame's end; with
// one it needs no media before it, so that a link can be probed for the first picture.
func (l *line) pad(n int, out *Out) bool {
	if n < 1 || n > 255 {
		return false
	}
	*out = Out{stream: &l.stream, Timestamp: l.clocks.last, padding: uint8(n)}
	switch {
	case l.stream.RTXSSRC != 0:
		out.rtx, out.Seq = true, l.rtxSeq
		l.rtxSeq++
	case l.ended && l.seq.count > 0:
		l.seq.reserve(l.seq.out + 1)
		l.seq.mark(l.seq.out)
		out.Seq = uint16(l.seq.out)
		high := l.seq.high
		l.seq.begin(l.seq.newest().layer, high+1)
		l.packets++
	default:
		return false
	}
	out.finish()
	return true
}

// restart forgets the source.
func (l *line) restart() {
	l.seq.restart()
	l.newest = [MaxLayers]uint64{}
	for i := range l.clocks.layers {
		l.clocks.forget(i)
	}
	l.clocks.anchor = None
}

func (l *line) sourceReport(layer int, r SenderReport) {
	if layer < 0 || layer >= MaxLayers {
		return
	}
	l.clocks.layers[layer].report, l.clocks.layers[layer].known = r, true
}

func (l *line) report(now time.Duration, clock *SourceClock) (Report, bool) {
	if l.seq.count == 0 {
		return Report{}, false
	}
	s := l.seq.newest()
	timestamp, ok := l.clocks.now(now, clock, s.layer, s.timestamp)
	return Report{RTP: timestamp, Packets: l.packets, Octets: l.octets}, ok
}
