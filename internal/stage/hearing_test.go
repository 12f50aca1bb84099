package stage

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/rivus-live/rivus/internal/rtc"
	"github.com/rivus-live/rivus/internal/stage/bwe"
)

// heard collects what a subscriber tells.
type heard struct {
	lost      []uint16
	keyframes int
	base      uint16
	arrivals  []bwe.Arrival
	messages  int
}

func (h *heard) Lost(_ Kind, seqs []uint16) { h.lost = append(h.lost, seqs...) }
func (h *heard) KeyframeWanted()            { h.keyframes++ }
func (h *heard) Arrivals(base uint16, list []bwe.Arrival) {
	h.messages++
	h.base, h.arrivals = base, slices.Clone(list)
}

// newHearing returns a hearing whose subscriber has a video with SSRC 0: one that is not connected.
func newHearing() (*hearing, *heard) {
	h, to := &hearing{}, &heard{}
	h.attach(&peerSink{senders: [kinds]*rtc.Sender{Video: {}}}, to)
	return h, to
}

func marshal(tb testing.TB, packets ...rtcp.Packet) []byte {
	tb.Helper()
	b, err := rtcp.Marshal(packets)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// feedbackMessage is transport-wide feedback with both forms of chunks and of deltas.
func feedbackMessage() *rtcp.TransportLayerCC {
	return &rtcp.TransportLayerCC{
		Header:             rtcp.Header{Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: 7},
		BaseSequenceNumber: 65534, PacketStatusCount: 11, ReferenceTime: 2,
		PacketChunks: []rtcp.PacketStatusChunk{
			&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 2},
			&rtcp.StatusVectorChunk{SymbolSize: rtcp.TypeTCCSymbolSizeTwoBit, SymbolList: []uint16{0, 2, 0, 0, 0, 0, 0}},
			&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 2},
		},
		RecvDeltas: []*rtcp.RecvDelta{
			{Type: 1, Delta: 1000}, {Type: 1, Delta: 250}, {Type: 2, Delta: -500}, {Type: 1, Delta: 0}, {Type: 1, Delta: 250},
		},
	}
}

func TestHearing(t *testing.T) {
	t.Parallel()
	h, to := newHearing()
	h.raw(marshal(t,
		&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 0}}},
		&rtcp.TransportLayerNack{Nacks: []rtcp.NackPair{{PacketID: 65535, LostPackets: 0b101}, {PacketID: 100}}},
		&rtcp.TransportLayerNack{MediaSSRC: 77, Nacks: []rtcp.NackPair{{PacketID: 5}}},
		&rtcp.PictureLossIndication{},
		&rtcp.FullIntraRequest{FIR: []rtcp.FIREntry{{}}},
	))
	if want := []uint16{65535, 0, 2, 100}; !slices.Equal(to.lost, want) || to.keyframes != 2 || to.messages != 0 {
		t.Errorf("%+v", to)
	}
	h.raw(marshal(t, feedbackMessage()))
	want := make([]bwe.Arrival, 11)
	for i, at := range map[int]time.Duration{0: 129_000, 1: 129_250, 3: 128_750, 9: 128_750, 10: 129_000} {
		want[i] = bwe.Arrival{Received: true, At: at * time.Microsecond}
	}
	if to.base != 65534 || !slices.Equal(to.arrivals, want) {
		t.Errorf("base %d, %+v", to.base, to.arrivals)
	}
}

// TestHearingIsBounded: a message that claims much is not believed, and one that names many packets is cut.
func TestHearingIsBounded(t *testing.T) {
	t.Parallel()
	h, to := newHearing()
	many := &rtcp.TransportLayerNack{}
	for i := range 20 {
		many.Nacks = append(many.Nacks, rtcp.NackPair{PacketID: uint16(i * 17), LostPackets: 0xffff})
	}
	if h.raw(marshal(t, many)); len(to.lost) != resendsAtOnce {
		t.Errorf("%d packets of one message", len(to.lost))
	}
	for name, b := range map[string][]byte{
		"no chunk":     transportCC(9),
		"empty run":    transportCC(9, 0x20, 0),
		"no deltas":    transportCC(9, 0x20, 9),
		"half a delta": transportCC(1, 0x40, 1, 0),
		"no statuses":  transportCC(0, 0x20, 9),
		"cut off":      transportCC(9, 0x00, 9)[:20],
	} {
		if h.raw(b); to.messages != 0 {
			t.Errorf("%s: taken", name)
			to.messages = 0
		}
	}
	if h.raw(transportCC(0xffff, bytes.Repeat([]byte{0x1f, 0xff}, 9)...)); len(to.arrivals) != maxStatuses {
		t.Errorf("%d statuses of a message that claims 65,535", len(to.arrivals))
	}
}

// transportCC makes feedback of count statuses, padded to whole words.
func transportCC(count uint16, chunksAndDeltas ...byte) []byte {
	b := []byte{2<<6 | formatTransportCC, rtcpTransportFeedback, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(count >> 8), byte(count), 0, 0, 0, 0}
	b = append(b, chunksAndDeltas...)
	if n := -len(b) & 3; n > 0 {
		b = append(b, make([]byte, n)...)
		b[0] |= 0x20
		b[len(b)-1] = byte(n)
	}
	b[3] = byte(len(b)/4 - 1)
	return b
}

func TestHearingAllocatesNothing(t *testing.T) {
	h, _ := newHearing()
	b := marshal(t, feedbackMessage(), &rtcp.TransportLayerNack{Nacks: []rtcp.NackPair{{PacketID: 1}}})
	h.feedback = ignored{}
	if n := testing.AllocsPerRun(100, func() { h.raw(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// ignored is Feedback that nobody listens to.
type ignored struct{}

func (ignored) Lost(Kind, []uint16)            {}
func (ignored) KeyframeWanted()                {}
func (ignored) Arrivals(uint16, []bwe.Arrival) {}

// FuzzHearing: whatever a subscriber sends, it is bounded in what it makes us do, and feedback that a stranger's parser
// takes says the same to both.
func FuzzHearing(f *testing.F) {
	f.Add(marshal(f, &rtcp.TransportLayerNack{Nacks: []rtcp.NackPair{{PacketID: 1, LostPackets: 0xffff}}}))
	f.Add(marshal(f, &rtcp.PictureLossIndication{}, &rtcp.FullIntraRequest{FIR: []rtcp.FIREntry{{}}}))
	f.Add(marshal(f, &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 2}}}))
	f.Add(marshal(f, feedbackMessage()))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, to := newHearing()
		h.raw(b)
		if len(to.arrivals) > maxStatuses {
			t.Fatalf("%d statuses", len(to.arrivals))
		}
		if words := len(b) / 4; len(to.lost) > words*17 || to.keyframes > words {
			t.Fatalf("%d packets and %d keyframes wanted by %d bytes", len(to.lost), to.keyframes, len(b))
		}
		var cc rtcp.TransportLayerCC
		if len(b) < 20 || len(b) != 4+4*(int(b[2])<<8|int(b[3])) || cc.Unmarshal(b) != nil || cc.PacketStatusCount > maxStatuses {
			return
		}
		if to.messages == 1 && (to.base != cc.BaseSequenceNumber || len(to.arrivals) != int(cc.PacketStatusCount)) {
			t.Fatalf("%d statuses from %d, not %d from %d", len(to.arrivals), to.base, cc.PacketStatusCount, cc.BaseSequenceNumber)
		}
	})
}

func BenchmarkHearing(b *testing.B) {
	h, _ := newHearing()
	h.feedback = ignored{}
	raw := marshal(b, feedbackMessage())
	b.ReportAllocs()
	for b.Loop() {
		h.raw(raw)
	}
}
