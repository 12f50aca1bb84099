package forward

import (
	"testing"
	"time"
)

func TestNothingIsAllocated(t *testing.T) {
	v, e := NewVideo(testStream(VP8)), encoders()[0]
	u := e.frame(t, 0, 1, true)[0]
	buf := make([]byte, Headroom+1500)
	var p Packet
	var out Out
	seq := u.packet.Seq
	if n := testing.AllocsPerRun(5000, func() {
		Parse(u.bytes, VP8, &publisherIDs, &p)
		p.Seq = seq
		seq++
		copy(buf[Headroom:], u.bytes)
		if v.Forward(0, &p, &out) != Send || len(out.Place(buf, Headroom)) == 0 {
			t.Fatal("not sent")
		}
		if _, ok := v.Translate(out.Seq); !ok || !v.Resend(out.Seq, &p, &out) {
			t.Fatal("not resent")
		}
		out.Place(buf, Headroom)
		v.Padding(200, &out)
	}); n != 0 {
		t.Fatalf("%v allocations a packet", n)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, c := range payloads() {
		if c.name != "vp8 key, 15-bit id, tl0, tid" && c.name != "h264 stap-a sps pps idr" && c.name != "opus" {
			continue
		}
		pkt := build(b, c.payload, nil)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var p Packet
			for range b.N {
				Parse(pkt, c.codec, &publisherIDs, &p)
			}
		})
	}
}

// BenchmarkForward is the cost of one packet for one subscriber, of the layer sent and of another.
func BenchmarkForward(b *testing.B) {
	e := encoders()[0]
	u := e.frame(b, time.Second, 1, true)[0]
	buf := make([]byte, Headroom+1500)
	copy(buf[Headroom:], u.bytes)
	b.Run("send", func(b *testing.B) {
		b.ReportAllocs()
		v, p := NewVideo(testStream(VP8)), u.packet
		var out Out
		for range b.N {
			p.Seq++
			v.Forward(0, &p, &out)
			out.Place(buf, Headroom)
		}
	})
	b.Run("inactive", func(b *testing.B) {
		b.ReportAllocs()
		v, p := NewVideo(testStream(VP8)), u.packet
		var out Out
		v.Forward(0, &p, &out)
		for range b.N {
			p.Seq++
			v.Forward(1, &p, &out)
		}
	})
	b.Run("translate", func(b *testing.B) {
		b.ReportAllocs()
		v, p := NewVideo(testStream(VP8)), u.packet
		var out Out
		for range 2000 {
			p.Seq++
			v.Forward(0, &p, &out)
		}
		for i := range b.N {
			v.Translate(out.Seq - uint16(i%window))
		}
	})
}
