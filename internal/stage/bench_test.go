package stage

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
	"github.com/rivus-live/rivus/internal/stage/bwe"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// nullSink counts and forgets.
type nullSink struct {
	n     int
	bytes int
	ended chan struct{}
}

func (s *nullSink) Connected() <-chan struct{} { return s.ended }
func (s *nullSink) Ended() <-chan struct{}     { return s.ended }
func (s *nullSink) Stream(Kind) (forward.Stream, bool) {
	return forward.Stream{}, false
}

func (s *nullSink) Send(_ Kind, _ Departure, pkt []byte) error {
	s.n++
	s.bytes += len(pkt)
	return nil
}
func (s *nullSink) Report(Kind, Departure, forward.Report) {}
func (s *nullSink) Close()                                 {}

// frameSource is a layer with a fixed supply of packets.
type frameSource struct{}

func (frameSource) Info() LayerInfo {
	return LayerInfo{Kind: Video, Codec: forward.H264, ClockRate: 90000}
}
func (frameSource) RequestKeyframe() {}

// bench is one writer with outlets, fed by hand.
type bench struct {
	track  *track
	layer  *layer
	writer *writer
	seq    uint16
	frame  uint32
	now    time.Duration
}

func newBench(tb testing.TB, subscribers int, numbered bool) *bench {
	tb.Helper()
	b := &bench{}
	env := environment{now: func() time.Duration { return b.now }, batch: func() Departure { return nil }, counters: &counters{}}
	pub := newPublication(env, nil, [kinds]*Format{Video: {}}, nil, nil)
	b.track = pub.tracks[Video]
	var ok bool
	if b.layer, ok = b.track.add(frameSource{}); !ok {
		tb.Fatal("no layer")
	}
	b.writer = newWriter(b.track)
	for i := range subscribers {
		stream := forward.Stream{
			Codec: forward.H264, ClockRate: 90000, SSRC: uint32(i + 1), PayloadType: 96, RTXSSRC: uint32(i + 1000), RTXPayloadType: 97,
		}
		o := newOutlet(Video, &nullSink{})
		o.rate.Store(100_000_000)
		if numbered {
			stream.Extensions.TransportSeq = 3
			path := bwe.NewEstimator(bwe.Options{}).NewPath()
			o.number = func(now time.Duration, list []parcel) {
				for i := range list {
					list[i].out.TransportSeq = path.NumberPacket(now, list[i].out.Size)
				}
			}
		}
		o.video = forward.NewVideo(stream)
		o.writer.Store(b.writer)
		b.writer.admit(o)
	}
	return b
}

// send puts one frame through the writer, the first one a keyframe.
func (b *bench) send(packets int, first []item) {
	items := first[:0]
	for _, p := range rtctest.Frame(webrtc.MimeTypeH264, b.frame == 0, 0, packets, b.frame, b.frame*3000) {
		p.SequenceNumber = b.seq
		b.seq++
		raw, err := p.Marshal()
		if err != nil {
			panic(err)
		}
		it := item{}
		forward.Parse(raw, forward.H264, &b.layer.Extensions, &it.packet)
		it.packet.Seq, _ = b.layer.ring.Put(raw, b.now, noteOf(&it.packet))
		it.packet.Arrived = b.now
		items = append(items, it)
	}
	b.frame++
	b.now += 33 * time.Millisecond
	for i := range items {
		b.writer.inbox.put(&items[i])
	}
	b.writer.turn()
}

func TestForwardingAllocatesNothing(t *testing.T) {
	b := newBench(t, 20, true)
	room := make([]item, 0, 10)
	b.send(5, room)
	raw := make([][]byte, 0, 16)
	for _, p := range rtctest.Frame(webrtc.MimeTypeH264, false, 0, 5, 1, 3000) {
		m, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, m)
	}
	if n := testing.AllocsPerRun(200, func() { b.again(raw) }); n != 0 {
		t.Errorf("%v allocations for a frame of 5 packets to 20 subscribers", n)
	}
	if n := b.writer.outlets[0].sink.(*nullSink).n; n < 1000 {
		t.Errorf("only %d packets came through", n)
	}
}

// again sends a frame that was marshalled before, with the next numbers.
func (b *bench) again(raw [][]byte) {
	for _, r := range raw {
		binary.BigEndian.PutUint16(r[2:], b.seq)
		binary.BigEndian.PutUint32(r[4:], b.frame*3000)
		b.seq++
		var it item
		forward.Parse(r, forward.H264, &b.layer.Extensions, &it.packet)
		it.packet.Seq, _ = b.layer.ring.Put(r, b.now, noteOf(&it.packet))
		it.packet.Arrived = b.now
		b.writer.inbox.put(&it)
	}
	b.frame++
	b.now += 33 * time.Millisecond
	b.writer.turn()
}

// BenchmarkForward is the cost of one packet to one subscriber, without encryption and sockets.
func BenchmarkForward(b *testing.B) {
	for _, numbered := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "transport-cc"}[numbered]
		b.Run(name, func(b *testing.B) {
			const subscribers = 20
			w := newBench(b, subscribers, numbered)
			w.send(5, make([]item, 0, 10))
			var raw [][]byte
			for _, p := range rtctest.Frame(webrtc.MimeTypeH264, false, 0, 5, 1, 3000) {
				m, err := p.Marshal()
				if err != nil {
					b.Fatal(err)
				}
				raw = append(raw, m)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += 5 * subscribers {
				w.again(raw)
			}
		})
	}
}

// BenchmarkSubscription is what a participant with one subscription takes in the stage, in bytes an operation: its part
// of the downlink, both forwarders and the path. The connection is rtc's.
func BenchmarkSubscription(b *testing.B) {
	env := testEnvironment()
	pub := newPublication(env, newFakeSource(), [kinds]*Format{Audio: {}, Video: {}}, nil, nil)
	b.ReportAllocs()
	for b.Loop() {
		s := newSubscription(1, "alice", pub, &negotiated{}, [kinds]bool{Audio: true, Video: true}, nil)
		s.down = newDownlink(env, &sync.WaitGroup{})
		s.open()
		s.down.add(s)
	}
}

// negotiated is a sink that takes audio and video with everything.
type negotiated struct{ nullSink }

func (*negotiated) Stream(k Kind) (forward.Stream, bool) {
	s := forward.Stream{Codec: forward.Opus, ClockRate: 48000, SSRC: 1, RTXSSRC: 2, Extensions: forward.Extensions{TransportSeq: 3}}
	if k == Video {
		s.Codec, s.ClockRate = forward.H264, 90000
	}
	return s, true
}
