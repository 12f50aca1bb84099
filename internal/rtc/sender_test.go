package rtc

import (
	"testing"

	"github.com/pion/rtp"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

// lonely returns the video sender of a connected subscriber whose socket is gone, so that only our side is measured.
func lonely(tb testing.TB) (*Engine, *Sender, []byte) {
	tb.Helper()
	e := newTestEngine(tb)
	lossy := &rtctest.Lossy{}
	sub := rtctest.NewSubscriber(tb, rtctest.Options{Settings: lossy.Apply(tb)})
	o, err := ParseOffer(sub.Offer(tb))
	if err != nil {
		tb.Fatal(err)
	}
	out, err := e.Send(o, nil, first(o.Video), nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(out.Close)
	sub.Answer(tb, out.Answer())
	rtctest.WaitClosed(tb, "connected", out.Connected())
	s := out.Video()
	lossy.Vanish()
	p := rtp.Packet{Header: rtp.Header{Version: 2, SSRC: s.ssrc, PayloadType: s.Codec.PayloadType}, Payload: make([]byte, 1150)}
	if err := p.SetExtension(3, []byte{0, 0}); err != nil {
		tb.Fatal(err)
	}
	b, err := p.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	return e, s, b
}

func TestWriteAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	e, s, b := lonely(t)
	n := uint16(0)
	allocs := testing.AllocsPerRun(500, func() {
		batch := e.Batch()
		for range 5 {
			n++
			b[2], b[3] = byte(n>>8), byte(n)
			if err := s.Write(batch, b); err != nil {
				t.Fatal(err)
			}
		}
		batch.End()
	})
	if allocs >= 1 {
		t.Errorf("%v allocations for five packets", allocs)
	}
}

// BenchmarkWrite is one packet through SRTP, ICE, the mux and the socket, in bursts of five.
func BenchmarkWrite(bench *testing.B) {
	e, s, b := lonely(bench)
	bench.ReportAllocs()
	bench.ResetTimer()
	batch := e.Batch()
	for n := range bench.N {
		b[2], b[3] = byte(n>>8), byte(n)
		if err := s.Write(batch, b); err != nil {
			bench.Fatal(err)
		}
		if n%5 == 4 {
			batch.End()
			batch = e.Batch()
		}
	}
	bench.ReportMetric(float64(e.opt.Port.Stats().Packets)/float64(max(1, e.opt.Port.Stats().Calls)), "packets/call")
}
