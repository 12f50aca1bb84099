package rtc

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/rtc/reception"
)

const (
	// maxStreams bounds the streams of a connection that are told apart.
	maxStreams = 32
	// Some encoders begin anew with another SSRC. It takes the place of the one before with its first packet when that has
	// been silent for a pause, else with the second in sequence (RFC 3550, A.1). So that two streams that want one place do
	// not change it with every frame, the one before comes back only when the other is abandoned.
	pause     = 100 * time.Millisecond
	abandoned = time.Second
)

// intake sorts what a publisher sends into layers, undoes retransmission, and tells the publisher what has come. It
// knows no network and no clock; in steady state it allocates nothing.
type intake struct {
	sections [2]section
	reduced  bool // RTCP may leave out the report (RFC 5506)
	ssrc     uint32
	send     func(rtcp []byte)

	mu       sync.Mutex // guards what follows, and the layers' parts
	begin    func(*Layer) Feed
	streams  []stream
	layers   []*Layer
	states   []*reception.Stream // of the layers
	arrivals reception.Feedback
	source   uint32        // SSRC of the last of the arrivals
	told     time.Duration // when of the arrivals
	reported time.Duration // when a receiver report was sent
	scratch  []byte        // a compound packet without the report
	report   []byte
}

// section is what is needed to recognize the packets of a media section.
type section struct {
	codec              *Codec // nil: the section was rejected
	rids               []string
	sequence           uint8 // ids of header extensions, 0: none
	rid, repairedRID   uint8
	answersGenericNack bool
}

// stream is one SSRC.
type stream struct {
	ssrc    uint32
	layer   *Layer
	repairs bool // it retransmits packets of the layer (RFC 4588)
}

// received is what a Layer is to the intake.
type received struct {
	intake *intake
	ssrc   atomic.Uint32
	fir    atomic.Uint32 // how many were sent
	feed   Feed          // nil: nobody wants it
	state  *reception.Stream
	last   time.Duration // when a packet came
	former uint32        // SSRC of the stream before; 0: there was none
	rival  rival
}

// rival is the first packet of a stream that may take the place of a layer's.
type rival struct {
	ssrc   uint32 // 0: there is none
	next   uint16 // number that proves it
	packet []byte
}

func newIntake(o *Offer, sections [2]*accepted, send func([]byte)) *intake {
	in := &intake{ssrc: random(), send: send, reduced: true}
	for k, offered := range [2]*Section{o.Audio, o.Video} {
		if offered == nil || sections[k] == nil {
			continue
		}
		in.reduced = in.reduced && offered.reduced
		in.sections[k] = section{
			codec: sections[k].codec, rids: offered.RIDs, sequence: offered.Extensions.TransportSeq,
			rid: offered.ids[uriRID], repairedRID: offered.ids[uriRepairedRID],
			answersGenericNack: slices.Contains(sections[k].codec.Feedback, "nack") && slices.Contains(feedbacks[Kind(k)], "nack"),
		}
	}
	return in
}

// open begins or ends the handing on.
func (in *intake) open(begin func(*Layer) Feed) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.begin = begin
}

// media takes an RTP packet. It destroys b.
func (in *intake) media(b []byte, now time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.begin == nil || len(b) < rtpHeader {
		return
	}
	kind, repairs, ok := in.payload(b[1] & 0x7f)
	if !ok {
		return
	}
	var h header
	if !h.read(b, &in.sections[kind]) {
		return
	}
	if h.numbered {
		in.source = h.ssrc
		in.arrivals.Packet(h.sequence, now)
	}
	l := in.layer(&h, kind, repairs, now, b)
	if l == nil {
		return
	}
	if !repairs {
		l.deliver(b, now)
	} else if b = h.restore(b, l); b != nil {
		l.state.Repaired(binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:]))
		l.hand(b)
	}
	in.tell(now, l.state)
}

// deliver takes a packet of the layer's own stream.
func (l *Layer) deliver(b []byte, now time.Duration) {
	l.last = now
	l.state.Packet(binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:]), now)
	l.hand(b)
}

func (l *Layer) hand(b []byte) {
	if l.feed != nil {
		l.feed.Packet(b)
	}
}

// payload returns what a payload type was negotiated for.
func (in *intake) payload(pt uint8) (k Kind, repairs, ok bool) {
	for k := range in.sections {
		if c := in.sections[k].codec; c != nil && (pt == c.PayloadType || pt == c.RTXPayloadType && pt != 0) {
			return Kind(k), pt != c.PayloadType, true
		}
	}
	return 0, false, false
}

// layer finds the layer of a packet, by its SSRC or, of a stream that is new, by what the packet says of itself.
func (in *intake) layer(h *header, k Kind, repairs bool, now time.Duration, b []byte) *Layer {
	for i := range in.streams {
		if s := &in.streams[i]; s.ssrc == h.ssrc {
			if s.layer.Kind != k || s.repairs != repairs {
				return nil
			}
			return s.layer
		}
	}
	sec, rid := &in.sections[k], ""
	if len(sec.rids) > 0 {
		i := slices.Index(sec.rids, string(h.rid(repairs)))
		if i < 0 {
			return nil
		}
		rid = sec.rids[i]
	}
	i := slices.IndexFunc(in.layers, func(l *Layer) bool { return l.Kind == k && l.RID == rid })
	switch {
	case len(in.streams) == maxStreams, repairs && i < 0:
		return nil
	case repairs:
		in.streams = append(in.streams, stream{ssrc: h.ssrc, layer: in.layers[i], repairs: true})
		return in.layers[i]
	case i < 0:
		return in.add(h.ssrc, k, rid)
	}
	return in.challenge(i, h, now, b)
}

// challenge lets another stream take a layer's place, with what was held back of it, or holds back its packet.
func (in *intake) challenge(i int, h *header, now time.Duration, b []byte) *Layer {
	l := in.layers[i]
	r, silent := &l.rival, now-l.last
	switch {
	case h.start >= h.end, h.ssrc == l.former && silent < abandoned: // padding proves nothing
		return nil
	case r.ssrc == h.ssrc && r.next == h.seq:
	case silent >= pause:
		r.packet = r.packet[:0]
	default:
		r.ssrc, r.next = h.ssrc, h.seq+1
		r.packet = append(r.packet[:0], b...)
		return nil
	}
	in.replace(i, h.ssrc)
	if len(r.packet) > 0 {
		l.deliver(r.packet, now)
	}
	r.ssrc = 0
	return l
}

// add makes a new layer.
func (in *intake) add(ssrc uint32, k Kind, rid string) *Layer {
	sec := &in.sections[k]
	l := &Layer{Kind: k, Codec: *sec.codec, RID: rid}
	l.received.intake = in
	l.ssrc.Store(ssrc)
	l.state = reception.NewStream(ssrc, l.Codec.ClockRate, sec.answersGenericNack)
	in.layers, in.states = append(in.layers, l), append(in.states, l.state)
	in.streams = append(in.streams, stream{ssrc: ssrc, layer: l})
	l.feed = in.begin(l)
	return l
}

// replace gives a layer another stream. Its retransmission will be recognized anew.
func (in *intake) replace(i int, ssrc uint32) {
	l := in.layers[i]
	l.former = l.ssrc.Load()
	in.streams = slices.DeleteFunc(in.streams, func(s stream) bool { return s.layer == l })
	in.streams = append(in.streams, stream{ssrc: ssrc, layer: l})
	l.ssrc.Store(ssrc)
	l.state = reception.NewStream(ssrc, l.Codec.ClockRate, in.sections[l.Kind].answersGenericNack)
	in.states[i] = l.state
}
