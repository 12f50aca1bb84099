package reception

import (
	"testing"
	"time"
)

// steady runs what a connection does in steady state: three packets in a hundred are lost and come as retransmissions,
// others are overtaken; feedback after every fifteenth, and a report every second.
type steady struct {
	stream   *Stream
	streams  []*Stream
	feedback Feedback
	seq      uint16
	now      time.Duration
	buf      []byte
}

func newSteady() *steady {
	s := &steady{stream: NewStream(7, 90000, true), buf: make([]byte, 0, 1500)}
	s.streams = []*Stream{s.stream}
	return s
}

func (s *steady) packets(n int) {
	for range n {
		s.seq++
		s.now += ms
		switch s.seq % 100 {
		case 10, 11, 50:
			continue
		case 60:
			s.packet(s.seq - 10)
			s.stream.Repaired(s.seq-49, 0)
			s.stream.Repaired(s.seq-50, 0)
		case 70:
			s.packet(s.seq + 1)
			s.packet(s.seq)
			continue
		}
		s.packet(s.seq)
	}
}

func (s *steady) packet(seq uint16) {
	s.stream.Packet(seq, uint32(s.now/ms)*90, s.now)
	s.feedback.Packet(seq, s.now)
	b := s.stream.AppendNack(s.buf, 1, s.now)
	if seq%15 == 0 {
		b = s.feedback.Append(b, 1, 7, 1200)
	}
	if seq%1000 == 0 {
		s.stream.SenderReport(uint64(seq), s.now)
		b = AppendReceiverReport(b, 1, s.now, s.streams)
	}
	s.buf = b[:0]
}

func TestSteadyStateAllocatesNothing(t *testing.T) { //nolint:paralleltest // allocations are counted
	s := newSteady()
	s.packets(5000)
	if n := testing.AllocsPerRun(20, func() { s.packets(3000) }); n > 0 {
		t.Errorf("%v allocations for 3,000 packets", n)
	}
	if n := testing.AllocsPerRun(20, func() { s.stream.Packet(s.seq+uint16(s.now), 0, s.now); s.now += 977 }); n > 0 {
		t.Errorf("%v allocations for a packet with a wild number", n)
	}
}

// BenchmarkStream takes packets without loss, each with the question whether any is to be asked for.
func BenchmarkStream(b *testing.B) {
	b.ReportAllocs()
	s, buf := NewStream(7, 90000, true), make([]byte, 0, 1500)
	now := time.Duration(0)
	for i := range b.N {
		now += ms
		s.Packet(uint16(i), uint32(i)*90, now)
		if buf = s.AppendNack(buf, 1, now); len(buf) > 0 {
			b.Fatal("a NACK")
		}
	}
}

// BenchmarkStreamWithLoss loses one packet in twenty, of which none comes again.
func BenchmarkStreamWithLoss(b *testing.B) {
	b.ReportAllocs()
	s, buf := NewStream(7, 90000, true), make([]byte, 0, 1500)
	now := time.Duration(0)
	for i := range b.N {
		if now += ms; i%20 == 7 {
			continue
		}
		s.Packet(uint16(i), uint32(i)*90, now)
		buf = s.AppendNack(buf, 1, now)[:0]
	}
}

// BenchmarkFeedback is the cost of one packet, with a message after every fifteenth.
func BenchmarkFeedback(b *testing.B) {
	b.ReportAllocs()
	var f Feedback
	buf, now := make([]byte, 0, 1500), time.Duration(0)
	for i := range b.N {
		now += 3 * ms
		f.Packet(uint16(i), now)
		if f.Waiting() == 15 {
			buf = f.Append(buf, 1, 2, 1200)[:0]
		}
	}
}

// BenchmarkReceiverReport is one report about four streams.
func BenchmarkReceiverReport(b *testing.B) {
	b.ReportAllocs()
	var streams []*Stream
	for i := range uint32(4) {
		s := NewStream(i, 90000, true)
		s.Packet(1, 0, 0)
		streams = append(streams, s)
	}
	buf := make([]byte, 0, 1500)
	for i := range b.N {
		buf = AppendReceiverReport(buf, 1, time.Duration(i)*ms, streams)[:0]
	}
}
