package rtc

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// Header extensions of publisher.
const (
	idSequence = 3
	idRID      = 4
	idRepaired = 5
)

// publisher is an intake without a network: Opus as 111, VP8 as 96 with RTX as 97, and what it sends.
type publisher struct {
	*intake
	tb    testing.TB
	feeds []*collector
	told  []rtcp.Packet
	now   time.Duration
}

func newPublisher(tb testing.TB, rids ...string) *publisher {
	tb.Helper()
	p := &publisher{tb: tb, now: time.Hour}
	ids := map[string]uint8{uriTransportSeq: idSequence, uriRID: idRID, uriRepairedRID: idRepaired}
	o := &Offer{
		Audio: &Section{Kind: Audio, reduced: true, ids: ids, Extensions: Extensions{TransportSeq: idSequence}},
		Video: &Section{Kind: Video, reduced: true, ids: ids, RIDs: rids, Extensions: Extensions{TransportSeq: idSequence}},
	}
	p.intake = newIntake(o, [2]*accepted{
		{codec: &Codec{Name: "opus", PayloadType: 111, ClockRate: 48000}},
		{codec: &Codec{Name: "VP8", PayloadType: 96, RTXPayloadType: 97, ClockRate: 90000, Feedback: []string{"nack", "ccm fir"}}},
	}, p.hear)
	p.open(func(l *Layer) Feed {
		c := newCollector(l)
		p.feeds = append(p.feeds, c)
		return c
	})
	return p
}

func (p *publisher) hear(b []byte) {
	list, err := rtcp.Unmarshal(b)
	if err != nil {
		p.tb.Errorf("we sent % x: %v", b, err)
	}
	p.told = append(p.told, list...)
}

// packet sends one; options change it.
func (p *publisher) packet(ssrc uint32, pt uint8, seq uint16, options ...func(*rtp.Packet)) {
	p.tb.Helper()
	pkt := &rtp.Packet{
		Header:  rtp.Header{Version: 2, SSRC: ssrc, PayloadType: pt, SequenceNumber: seq, Timestamp: uint32(seq) * 3000},
		Payload: []byte{0x10, byte(seq), 2, 3},
	}
	for _, o := range options {
		o(pkt)
	}
	b, err := pkt.Marshal()
	if err != nil {
		p.tb.Fatal(err)
	}
	p.media(b, p.now)
}

func with(id uint8, value ...byte) func(*rtp.Packet) {
	return func(p *rtp.Packet) { _ = p.SetExtension(id, value) }
}

// nameOf names a layer.
func nameOf(l *Layer) string { return l.Kind.String() + " " + l.RID }

// got returns the packets of a feed.
func got(tb testing.TB, c *collector) (list []rtp.Packet) {
	tb.Helper()
	for len(c.packets) > 0 {
		var p rtp.Packet
		if err := p.Unmarshal(<-c.packets); err != nil {
			tb.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

// TestLayersOfStreams: a stream finds its layer by what its first packets say, and keeps it.
func TestLayersOfStreams(t *testing.T) {
	t.Parallel()
	p := newPublisher(t, "low", "hi")
	p.packet(1, 111, 1)
	p.packet(2, 96, 1) // does not say
	p.packet(3, 96, 1, with(idRID, 'h', 'i'))
	p.packet(3, 96, 2) // need not say any more
	p.packet(4, 96, 1, with(idRID, 'm', 'i', 'd'))
	p.packet(5, 96, 1, with(idRID, 'l', 'o', 'w'))
	p.packet(6, 96, 1, with(idRID, 'l', 'o', 'w')) // its place is taken
	p.packet(7, 98, 1)                             // not negotiated
	p.packet(1, 96, 2)                             // another kind under the same number
	var names []string
	for _, f := range p.feeds {
		names = append(names, nameOf(f.layer))
	}
	if want := []string{"audio ", "video hi", "video low"}; !slices.Equal(names, want) {
		t.Fatalf("layers %q", names)
	}
	for i, want := range []int{1, 2, 1} {
		if n := len(got(t, p.feeds[i])); n != want {
			t.Errorf("%s has %d packets", names[i], n)
		}
	}
	p.now += 2 * abandoned
	p.packet(6, 96, 2, with(idRID, 'l', 'o', 'w'))
	if list := got(t, p.feeds[2]); len(list) != 2 || len(p.feeds) != 3 || p.feeds[2].layer.ssrc.Load() != 6 {
		t.Errorf("a stream that takes another's place: %v", list)
	}
	p.packet(5, 96, 3) // is back, and late
	if len(got(t, p.feeds[2])) != 0 {
		t.Error("two streams in one layer")
	}
	for ssrc := range uint32(100) {
		p.now += 2 * abandoned
		p.packet(1000+ssrc, 96, 2, with(idRID, 'l', 'o', 'w'))
		p.packet(2000+ssrc, 97, 2, with(idRepaired, 'h', 'i'))
	}
	if n := len(p.streams); n > maxStreams || len(p.layers) != 3 {
		t.Errorf("%d streams", n)
	}
}

// TestAnotherStream: an encoder that begins anew with another SSRC keeps its layer, with its first packet when the one before
// is silent, else with the second in sequence; nothing of it is lost, and two that want one place do not share it.
func TestAnotherStream(t *testing.T) {
	t.Parallel()
	const step = 5 * time.Millisecond
	type sent struct {
		ssrc uint32
		seq  uint16
	}
	for name, c := range map[string]struct {
		pause      time.Duration // before the new stream
		then, want []sent
	}{
		"at once":           {0, []sent{{2, 1}, {2, 2}, {2, 3}}, []sent{{2, 1}, {2, 2}, {2, 3}}},
		"after a pause":     {pause, []sent{{2, 1}}, []sent{{2, 1}}},
		"one stray":         {0, []sent{{2, 1}, {1, 12}, {1, 13}}, []sent{{1, 12}, {1, 13}}},
		"not in sequence":   {0, []sent{{2, 1}, {2, 9}, {1, 12}, {2, 10}}, []sent{{1, 12}, {2, 9}, {2, 10}}},
		"the old one late":  {0, []sent{{2, 1}, {2, 2}, {1, 12}, {1, 13}, {1, 14}, {2, 3}}, []sent{{2, 1}, {2, 2}, {2, 3}}},
		"two at once":       {0, []sent{{2, 1}, {1, 12}, {2, 2}, {1, 13}, {2, 3}, {1, 14}}, []sent{{1, 12}, {2, 1}, {2, 2}, {2, 3}}},
		"three, one by one": {0, []sent{{2, 1}, {2, 2}, {3, 7}, {3, 8}, {2, 3}}, []sent{{2, 1}, {2, 2}, {3, 7}, {3, 8}}},
	} {
		p := newPublisher(t)
		p.packet(1, 96, 11)
		got(t, p.feeds[0])
		p.now += c.pause
		for _, s := range c.then {
			p.now += step
			p.packet(s.ssrc, 96, s.seq)
		}
		var came []sent
		for _, pkt := range got(t, p.feeds[0]) {
			came = append(came, sent{pkt.SSRC, pkt.SequenceNumber})
		}
		if !slices.Equal(came, c.want) {
			t.Errorf("%s: %v, want %v", name, came, c.want)
		}
	}
}

// TestRetransmissionIsUndone: what comes again is what it was, extensions and all; padding is nothing.
func TestRetransmissionIsUndone(t *testing.T) {
	t.Parallel()
	for _, rids := range [][]string{nil, {"low", "hi"}} {
		p := newPublisher(t, rids...)
		name := func(id uint8) func(*rtp.Packet) {
			if rids == nil {
				return func(*rtp.Packet) {}
			}
			return with(id, 'h', 'i')
		}
		again := func(p *rtp.Packet) {
			p.Payload = append([]byte{0, 9}, 0x10, 9, 8, 7)
			p.Marker = true
		}
		p.packet(20, 97, 1, name(idRepaired), again) // of a layer that has not begun
		p.packet(10, 96, 8, name(idRID))
		p.packet(10, 96, 10)
		p.packet(20, 97, 2, name(idRepaired), with(idSequence, 1, 2), again)
		p.packet(20, 97, 3, func(p *rtp.Packet) { p.Padding, p.Payload, p.PaddingSize = true, nil, 200 })
		p.packet(20, 97, 4, func(p *rtp.Packet) { p.Padding, p.Payload, p.PaddingSize = true, []byte{0, 9, 0x10}, 5 })
		list := got(t, p.feeds[0])
		if len(list) != 4 {
			t.Fatalf("%d packets", len(list))
		}
		h := list[2].Header
		if h.SequenceNumber != 9 || h.PayloadType != 96 || h.SSRC != 10 || !h.Marker || !bytes.Equal(list[2].Payload, []byte{0x10, 9, 8, 7}) {
			t.Errorf("%v", list[2])
		}
		if !bytes.Equal(h.GetExtension(idSequence), []byte{1, 2}) {
			t.Errorf("extensions %v", h.GetExtensionIDs())
		}
		if last := list[3]; last.SequenceNumber != 9 || len(last.Payload) != 1 || last.PaddingSize != 5 {
			t.Errorf("%v", last)
		}
	}
}

// TestWhatAPublisherIsTold: what is missing at once, arrivals twenty times a second, a report every second, and requests
// for keyframes that can be told apart.
func TestWhatAPublisherIsTold(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	p.packet(1, 96, 100, with(idSequence, 0, 0))
	p.told = nil
	for i := range 200 {
		p.now += 10 * time.Millisecond
		if seq := uint16(101 + i); seq != 150 {
			p.packet(1, 96, seq, with(idSequence, 0, byte(i+1)))
		}
	}
	var feedback, reports, missing int
	for _, m := range p.told {
		switch m := m.(type) {
		case *rtcp.TransportLayerCC:
			feedback++
			if m.MediaSSRC != 1 {
				t.Errorf("feedback about %d, which is no stream of the publisher", m.MediaSSRC)
			}
		case *rtcp.ReceiverReport:
			reports++
			if len(m.Reports) != 1 || m.Reports[0].SSRC != 1 {
				t.Errorf("%v", m)
			}
		case *rtcp.TransportLayerNack:
			if !slices.Equal(m.Nacks[0].PacketList(), []uint16{150}) || m.MediaSSRC != 1 {
				t.Errorf("%v", m)
			}
			missing++
		default:
			t.Errorf("%v", m)
		}
	}
	if feedback < 38 || feedback > 42 || reports < 1 || reports > 3 || missing < 2 || missing > 10 {
		t.Errorf("%d times feedback, %d reports, %d requests", feedback, reports, missing)
	}
	p.told = nil
	for range 2 {
		p.feeds[0].layer.RequestKeyframe()
	}
	first, second := p.told[0].(*rtcp.FullIntraRequest), p.told[1].(*rtcp.FullIntraRequest)
	if first.FIR[0].SSRC != 1 || first.FIR[0].SequenceNumber == second.FIR[0].SequenceNumber {
		t.Errorf("%v, %v", first, second)
	}
	p.reduced, p.told = false, nil
	p.feeds[0].layer.RequestKeyframe()
	if _, ok := p.told[0].(*rtcp.ReceiverReport); !ok || len(p.told) != 2 {
		t.Errorf("not a compound: %v", p.told)
	}
	p.told = nil
	p.packet(1, 96, 400, with(idSequence, 1, 100)) // an end nobody follows
	p.now += 100 * time.Millisecond
	p.beat(p.now)
	if len(p.told) == 0 {
		t.Error("nothing is told when nothing comes")
	}
}

func TestReportsFindTheirLayer(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	p.packet(1, 111, 1)
	p.packet(2, 96, 1)
	b, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.SourceDescription{}, &rtcp.SenderReport{SSRC: 2, NTPTime: 77, RTPTime: 88}, &rtcp.SenderReport{SSRC: 3}, &rtcp.Goodbye{Sources: []uint32{2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.control(b, p.now)
	if len(p.feeds[0].reports) != 0 || len(p.feeds[1].reports) != 1 || <-p.feeds[1].reports != (SenderReport{NTP: 77, RTP: 88}) {
		t.Error("the report is lost")
	}
}

// discard is a feed.
type discard struct{}

func (discard) Packet([]byte)       {}
func (discard) Report(SenderReport) {}

// streamOf returns packets of a video stream, with transport-wide numbers.
func streamOf(tb testing.TB, n int) [][]byte {
	tb.Helper()
	list := make([][]byte, n)
	for i := range list {
		pkt := &rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 1, PayloadType: 96, SequenceNumber: uint16(i)}, Payload: make([]byte, 1000)}
		with(idSequence, byte(i>>8), byte(i))(pkt)
		var err error
		if list[i], err = pkt.Marshal(); err != nil {
			tb.Fatal(err)
		}
	}
	return list
}

func TestIntakeAllocatesNothing(t *testing.T) {
	p := newPublisher(t)
	p.send = func([]byte) {}
	p.open(func(*Layer) Feed { return discard{} })
	list, next := streamOf(t, 20_000), 0
	step := func() {
		p.now += 3 * time.Millisecond
		if next%500 != 0 { // a loss
			p.media(list[next], p.now)
		}
		next++
	}
	for range 10_000 {
		step()
	}
	if allocs := testing.AllocsPerRun(9_000, step); allocs != 0 {
		t.Errorf("%v allocations a packet", allocs)
	}
}

// BenchmarkIntake is one packet from decryption to the feed, with all that the publisher is told.
func BenchmarkIntake(b *testing.B) {
	p := newPublisher(b)
	p.send = func([]byte) {}
	p.open(func(*Layer) Feed { return discard{} })
	list := streamOf(b, 1<<16)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		p.now += 3 * time.Millisecond
		p.media(list[n%len(list)], p.now)
	}
}

// FuzzIntake: whatever an authentic publisher sends, a layer gets nothing but packets of its own, what we send is RTCP,
// and what we remember is bounded. The input is media and RTCP by turns, each behind its length.
func FuzzIntake(f *testing.F) {
	var seed []byte
	for i, b := range streamOf(f, 8) {
		if i%4 == 0 {
			b[1] = 97
		}
		seed = append(append(binary.BigEndian.AppendUint16(seed, uint16(30)), b[:30]...), 0, 4, 0x80, 200, 0, 0)
	}
	f.Add(seed, true)
	f.Fuzz(func(t *testing.T, b []byte, simulcast bool) {
		var rids []string
		if simulcast {
			rids = []string{"low", "hi"}
		}
		p := newPublisher(t, rids...)
		for n := 0; len(b) > 2; n++ {
			size := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
			p.now += time.Duration(size) * time.Millisecond
			if n%2 == 0 {
				p.media(bytes.Clone(b[2:2+size]), p.now)
			} else {
				p.control(b[2:2+size], p.now)
			}
			b = b[2+size:]
		}
		p.beat(p.now + time.Minute)
		if len(p.streams) > maxStreams || len(p.layers) > 3 {
			t.Fatalf("%d streams, %d layers", len(p.streams), len(p.layers))
		}
		for _, c := range p.feeds {
			for len(c.packets) > 0 {
				if b := <-c.packets; len(b) < rtpHeader || b[1]&0x7f != c.layer.Codec.PayloadType {
					t.Fatalf("%s got % x", nameOf(c.layer), b)
				}
			}
		}
	})
}
