package forward

import (
	"testing"
	"time"

	"github.com/pion/rtp"
)

// FuzzForward drives a forwarder with arbitrary packets and commands. Nothing panics, all output parses, no number is
// sent twice, retransmissions name what was sent, and in-order input of one layer never makes numbers go back.
func FuzzForward(f *testing.F) {
	for _, c := range payloads() {
		f.Add(c.payload, []byte{0, 1, 0x10, 0, 1, 0x20, 0x11, 5, 0x30, 0, 2, 0x40, 0, 0xff}, uint8(c.codec), uint16(65530))
	}
	f.Add([]byte{0x90, 0xe0, 0x81, 2, 7, 0x40, 0x10}, []byte{0, 1, 0x12, 1, 0, 1, 0x50, 2, 0x60, 1, 0x70, 9, 0x08, 200, 0, 255}, uint8(VP8), uint16(32767))
	f.Fuzz(func(t *testing.T, payload, script []byte, codec uint8, start uint16) {
		f := newFuzzed(t, payload, Codec(codec%6), start)
		for i := 0; i+1 < len(script); i += 2 {
			f.step(script[i], script[i+1])
		}
	})
}

type fuzzed struct {
	t       *testing.T
	codec   Codec
	payload []byte
	video   *Video
	seq     [MaxLayers]uint64
	used    map[uint64]bool // by stream and extended number
	high    uint64
	rtx     uint16
	now     time.Duration
	buf     [Headroom + 1500]byte
}

func newFuzzed(t *testing.T, payload []byte, codec Codec, start uint16) *fuzzed {
	t.Helper()
	f := &fuzzed{t: t, codec: codec, payload: payload[:min(len(payload), 1200)], video: NewVideo(testStream(codec)), used: map[uint64]bool{}}
	for i := range f.seq {
		f.seq[i] = 1<<16 + uint64(start) + uint64(i)*32767
	}
	f.video.line.seq.out = 1<<16 + uint64(start)
	f.high = f.video.line.seq.out
	return f
}

// step reads a command from the high half of op, a layer from its low bits, and an argument.
func (f *fuzzed) step(op, arg byte) {
	layer := int(op & 3)
	f.now += time.Duration(arg) * time.Millisecond
	switch op >> 4 {
	case 1:
		f.video.Select(layer - 1)
	case 2:
		f.video.Pin(layer - 1)
	case 3:
		f.video.Pause(arg&1 != 0)
	case 4:
		f.video.Cut()
	case 5:
		f.video.SourceReport(layer, SenderReport{NTP: uint64(arg) << 30, RTP: uint32(arg) << 20, Arrived: f.now})
	case 6:
		var out Out
		if f.video.Padding(int(arg), &out) {
			f.place(nil, &out)
		}
	case 7:
		f.resend(uint16(f.high) - uint16(arg))
	default:
		if layer < MaxLayers {
			f.packet(layer, int(int8(arg)))
		}
	}
}

// packet feeds a packet some numbers on from the layer's last one.
func (f *fuzzed) packet(layer, step int) {
	seq := f.seq[layer] + uint64(step)
	if step > 0 {
		f.seq[layer] = seq
	}
	b := f.source(seq)
	var p Packet
	if !Parse(b, f.codec, &publisherIDs, &p) {
		f.t.Fatal("refused")
	}
	p.Seq, p.Arrived = seq, f.now
	if len(f.payload) > 0 && step%3 == 0 {
		p.flags |= flagKeyframe
	}
	var out Out
	if f.video.Forward(layer, &p, &out) != Send {
		return
	}
	f.place(b, &out)
	if ref, ok := f.video.Translate(out.Seq); !ok || ref != (Ref{layer, seq}) {
		f.t.Fatalf("packet %d of layer %d is translated to %+v, %v", seq, layer, ref, ok)
	}
}

func (f *fuzzed) source(seq uint64) []byte {
	return build(f.t, f.payload, func(p *rtp.Packet) {
		p.SequenceNumber, p.Timestamp, p.Marker = uint16(seq), uint32(seq)*3000, seq%4 == 0
	})
}

func (f *fuzzed) resend(seq uint16) {
	ref, ok := f.video.Translate(seq)
	if !ok {
		return
	}
	b := f.source(ref.Seq)
	var p Packet
	Parse(b, f.codec, &publisherIDs, &p)
	var out Out
	if !f.video.Resend(seq, &p, &out) {
		f.t.Fatalf("%d is translated but not resent", seq)
	}
	f.place(b, &out)
}

// place checks what goes out.
func (f *fuzzed) place(b []byte, out *Out) {
	copy(f.buf[Headroom:], b)
	var p rtp.Packet
	if err := p.Unmarshal(out.Place(f.buf[:], Headroom)); err != nil {
		f.t.Fatalf("output does not parse: %v", err)
	}
	if p.SSRC == 0xbbbb {
		if p.SequenceNumber != f.rtx {
			f.t.Fatalf("rtx number %d, want %d", p.SequenceNumber, f.rtx)
		}
		f.rtx++
		return
	}
	ext := f.high + uint64(int64(int16(p.SequenceNumber-uint16(f.high))))
	if f.used[ext] {
		f.t.Fatalf("number %d is sent twice", ext)
	}
	f.used[ext] = true
	f.high = max(f.high, ext)
}
