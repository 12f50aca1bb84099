package forward

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// TestResendReplaysTheRewriting loses nothing on the way in and asks for everything sent, across switches and pauses.
func TestResendReplaysTheRewriting(t *testing.T) {
	t.Parallel()
	r := newRun(t)
	ring := map[Ref]unit{}
	keep := func(keys ...int) {
		r.now += tick
		for i, e := range r.layers {
			key := len(keys) > 0 && keys[0] == i
			for _, u := range e.frame(t, r.now, 2, key) {
				ring[Ref{i, u.packet.Seq}] = u
				r.feed(t, u)
			}
		}
	}
	keep(0)
	r.reports()
	for _, to := range []int{2, 1, 2, 0} {
		r.video.Select(to)
		keep()
		r.feed(t, r.layers[r.video.Current()].empty(t, r.now))
		keep(to)
		keep()
		r.video.Pause(true)
		keep()
		r.video.Pause(false)
		keep(to)
	}
	continuous(t, r.got)
	rtx := uint16(0)
	for i, want := range r.got {
		ref, ok := r.video.Translate(want.header.SequenceNumber)
		if !ok || ref != want.source {
			t.Fatalf("packet %d: %+v, %v; came from %+v", i, ref, ok, want.source)
		}
		u := ring[ref]
		var p Packet
		Parse(u.bytes, VP8, &publisherIDs, &p)
		var out Out
		if !r.video.Resend(want.header.SequenceNumber, &p, &out) || !out.Retransmission() {
			t.Fatalf("packet %d: no retransmission", i)
		}
		got := r.place(t, u, &out)
		if got.header.SSRC != 0xbbbb || got.header.PayloadType != 103 || got.header.SequenceNumber != rtx {
			t.Fatalf("packet %d: %+v", i, got.header)
		}
		rtx++
		if got.header.Timestamp != want.header.Timestamp || got.header.Marker != want.header.Marker {
			t.Fatalf("packet %d: %+v, sent as %+v", i, got.header, want.header)
		}
		if binary.BigEndian.Uint16(got.payload) != want.header.SequenceNumber || !bytes.Equal(got.payload[2:], want.payload) {
			t.Fatalf("packet %d: payload %x, sent %x", i, got.payload, want.payload)
		}
	}
}

// TestRepeatIsTheSamePacket: without RTX, what is sent again is what was sent, to the last bit, its transport-wide number
// included, whatever has happened to layers and clocks in between.
func TestRepeatIsTheSamePacket(t *testing.T) {
	t.Parallel()
	stream := testStream(VP8)
	stream.RTXSSRC, stream.Repeats = 0, true
	r := newRun(t)
	r.video = NewVideo(stream)
	type packet struct {
		unit unit
		seq  uint16
		wire []byte
	}
	var sent []packet
	number := uint16(65500)
	feed := func(keys ...int) {
		r.now += tick
		for i, e := range r.layers {
			for _, u := range e.frame(t, r.now, 2, slices.Contains(keys, i)) {
				var out Out
				if r.video.Forward(u.layer, &u.packet, &out) == Send {
					if out.Repeats() {
						t.Fatal("a first packet is no repetition")
					}
					number++
					sent = append(sent, packet{u, out.Seq, r.wire(u, &out, number)})
				}
			}
		}
	}
	feed(0)
	for _, to := range []int{2, 1, 3, 0} {
		r.reports()
		r.video.Select(to)
		feed(to)
		feed()
		r.video.Pause(true)
		feed()
		r.video.Pause(false)
		feed(to)
		r.video.Padding(20, &Out{})
	}
	for _, want := range sent {
		ref, ok := r.video.Answer(want.seq, r.now)
		if !ok || ref != (Ref{want.unit.layer, want.unit.packet.Seq}) {
			t.Fatalf("packet %d: %+v, %v", want.seq, ref, ok)
		}
		p := want.unit.packet
		var out Out
		if !r.video.Resend(want.seq, &p, &out) || !out.Repeats() || out.Retransmission() {
			t.Fatalf("packet %d: no repetition", want.seq)
		}
		if got := r.wire(want.unit, &out, out.TransportSeq); !bytes.Equal(got, want.wire) {
			t.Fatalf("packet %d: sent % x, again % x", want.seq, want.wire, got)
		}
	}
	if _, _, ok := r.video.Recent(); ok {
		t.Error("a repetition as padding would tell nothing about the link")
	}
}

// wire returns the bytes of a packet.
func (s *subscriber) wire(u unit, out *Out, transportSeq uint16) []byte {
	copy(s.buf[Headroom:], u.bytes)
	out.TransportSeq = transportSeq
	return bytes.Clone(out.Place(s.buf[:], Headroom))
}

func TestTranslateKnowsItsBounds(t *testing.T) {
	t.Parallel()
	e := encoders()[0]
	s := subscriber{video: NewVideo(testStream(VP8))}
	if _, ok := s.video.Translate(0); ok {
		t.Fatal("translates before anything was sent")
	}
	s.feed(t, e.frame(t, 0, 2000, true)...)
	last := s.got[len(s.got)-1].header.SequenceNumber
	for back, want := range map[int]bool{-1: false, 0: true, 1: true, window - 1: true, window: false, 3000: false} {
		if ref, ok := s.video.Translate(last - uint16(back)); ok != want || ok && uint16(ref.Seq) != uint16(e.seq-1-uint64(back)) {
			t.Errorf("%d back: %+v, %v", back, ref, ok)
		}
	}
	var out Out
	var wrong Packet
	if s.video.Resend(last, &wrong, &out) {
		t.Error("resends another packet than asked for")
	}
	plain := testStream(VP8)
	plain.RTXSSRC = 0
	s = subscriber{video: NewVideo(plain)}
	units := e.frame(t, 0, 1, true)
	s.feed(t, units...)
	if s.video.Resend(s.got[0].header.SequenceNumber, &units[0].packet, &out) {
		t.Error("resends, and nothing of the kind is negotiated")
	}
}

func TestRecentGivesPaddingThatHelps(t *testing.T) {
	t.Parallel()
	e := encoders()[0]
	s := subscriber{video: NewVideo(testStream(VP8))}
	if _, _, ok := s.video.Recent(); ok {
		t.Fatal("something recent before anything was sent")
	}
	s.feed(t, e.frame(t, 0, 50, true)...)
	seen := map[uint16]bool{}
	for range 30 {
		seq, ref, ok := s.video.Recent()
		if !ok || seen[seq] || uint16(ref.Seq)-seq != uint16(s.got[0].source.Seq)-s.got[0].header.SequenceNumber {
			t.Fatalf("%d, %+v, %v; given before: %v", seq, ref, ok, seen[seq])
		}
		seen[seq] = true
	}
}

func TestPadding(t *testing.T) {
	t.Parallel()
	e := encoders()[0]
	s := subscriber{video: NewVideo(testStream(VP8))}
	var out Out
	if !s.video.Padding(100, &out) || !out.Retransmission() {
		t.Fatal("no padding before the first packet")
	}
	if got := s.place(t, unit{}, &out); got.header.SSRC != 0xbbbb || got.header.SequenceNumber != 0 || got.header.PaddingSize != 100 {
		t.Fatalf("before the first packet: %+v", got.header)
	}
	s.feed(t, e.frame(t, 0, 2, true)...)
	for i, n := range []int{1, 2, 255} {
		if !s.video.Padding(n, &out) {
			t.Fatalf("%d bytes: refused", n)
		}
		got := s.place(t, unit{}, &out)
		h := got.header
		if h.SSRC != 0xbbbb || h.SequenceNumber != uint16(1+i) || !h.Padding || int(h.PaddingSize) != n || len(got.payload) != 0 || h.Timestamp != s.got[0].header.Timestamp {
			t.Fatalf("%d bytes: %+v, payload %x", n, h, got.payload)
		}
	}
	if s.video.Padding(0, &out) || s.video.Padding(256, &out) {
		t.Fatal("takes any size")
	}
}

func TestPaddingWithoutRTXTakesItsOwnNumbers(t *testing.T) {
	t.Parallel()
	plain := testStream(VP8)
	plain.RTXSSRC = 0
	e := encoders()[0]
	s := subscriber{video: NewVideo(plain)}
	units := e.frame(t, 0, 2, true)
	var out Out
	if s.video.Padding(10, &out) {
		t.Fatal("padding before the first packet")
	}
	s.feed(t, units[0])
	if s.video.Padding(10, &out) {
		t.Fatal("padding within a frame")
	}
	s.feed(t, units[1])
	for range 3 {
		if !s.video.Padding(10, &out) {
			t.Fatal("refused")
		}
		s.place(t, unit{}, &out)
		if want := s.got[len(s.got)-1].header.SequenceNumber + 1; out.Seq != want {
			t.Fatalf("number %d, want %d", out.Seq, want)
		}
		s.got = append(s.got, sentPacket{})
		s.got[len(s.got)-1].header.SequenceNumber = out.Seq
	}
	s.feed(t, e.frame(t, tick, 1, false)...)
	if a, b := s.got[len(s.got)-2].header.SequenceNumber, s.got[len(s.got)-1].header.SequenceNumber; b != a+1 {
		t.Fatalf("media goes on at %d after %d", b, a)
	}
}
