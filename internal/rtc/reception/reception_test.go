package reception

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

const ms = time.Millisecond

// nasty are sequence numbers around which 16-bit arithmetic goes wrong.
func nasty() []uint16 {
	var all []uint16
	for _, around := range []uint16{0, 1 << 14, 1 << 15, 3 << 14} {
		for d := -3; d <= 3; d++ {
			all = append(all, around+uint16(d))
		}
	}
	return all
}

// asked returns the numbers that AppendNack asks for.
func asked(t *testing.T, s *Stream, now time.Duration) []uint16 {
	t.Helper()
	prefix := []byte("before")
	b := s.AppendNack(prefix, 11, now)
	if string(b[:len(prefix)]) != "before" {
		t.Fatal("it changed what it was to append to")
	}
	if b = b[len(prefix):]; len(b) == 0 {
		return nil
	}
	var nack rtcp.TransportLayerNack
	unmarshal(t, b, &nack)
	if nack.SenderSSRC != 11 || nack.MediaSSRC != s.ssrc {
		t.Fatalf("NACK from %d about %d", nack.SenderSSRC, nack.MediaSSRC)
	}
	var seqs []uint16
	for _, pair := range nack.Nacks {
		seqs = append(seqs, pair.PacketList()...)
	}
	if len(seqs) == 0 || len(seqs) > maxAskedOnce {
		t.Fatalf("a NACK of %d numbers", len(seqs))
	}
	return seqs
}

func reports(t *testing.T, now time.Duration, streams ...*Stream) []rtcp.ReceptionReport {
	t.Helper()
	var report rtcp.ReceiverReport
	unmarshal(t, AppendReceiverReport(nil, 11, now, streams), &report)
	if report.SSRC != 11 {
		t.Fatalf("report from %d", report.SSRC)
	}
	return report.Reports
}

// message is a decoded feedback message.
type message struct {
	base      uint16
	count     uint8
	reference uint32
	statuses  []status
}

// status is one packet's; its time counts from the reference time 0.
type status struct {
	received bool
	at       time.Duration
}

// told appends a message and decodes it with another's decoder; nil when there is nothing to tell.
func told(t *testing.T, f *Feedback, limit int) *message {
	t.Helper()
	prefix := []byte("before")
	b := f.Append(prefix, 11, 12, limit)
	if string(b[:len(prefix)]) != "before" {
		t.Fatal("it changed what it was to append to")
	}
	if b = b[len(prefix):]; len(b) == 0 {
		return nil
	}
	if len(b) > limit {
		t.Fatalf("%d bytes, over the limit of %d", len(b), limit)
	}
	var cc rtcp.TransportLayerCC
	unmarshal(t, b, &cc)
	if cc.SenderSSRC != 11 || cc.MediaSSRC != 12 {
		t.Fatalf("feedback from %d about %d", cc.SenderSSRC, cc.MediaSSRC)
	}
	return expand(t, b, &cc)
}

// expand goes through chunks and deltas, and holds them against the length of the packet.
func expand(t *testing.T, b []byte, cc *rtcp.TransportLayerCC) *message {
	t.Helper()
	var symbols []uint16
	for _, chunk := range cc.PacketChunks {
		if len(symbols) >= int(cc.PacketStatusCount) {
			t.Fatalf("a chunk more than %d statuses need", cc.PacketStatusCount)
		}
		switch c := chunk.(type) {
		case *rtcp.RunLengthChunk:
			if c.RunLength == 0 {
				t.Fatal("a run of none")
			}
			for range c.RunLength {
				symbols = append(symbols, c.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			symbols = append(symbols, c.SymbolList...)
		}
	}
	m := &message{base: cc.BaseSequenceNumber, count: cc.FbPktCount, reference: cc.ReferenceTime}
	at := time.Duration(cc.ReferenceTime) * 64 * ms
	size, deltas := messageHeader+2*len(cc.PacketChunks), cc.RecvDeltas
	for _, symbol := range symbols[:cc.PacketStatusCount] {
		if symbol != rtcp.TypeTCCPacketNotReceived {
			at += time.Duration(deltas[0].Delta) * time.Microsecond
			deltas = deltas[1:]
			size += int(symbol) // a small one has one byte, a large one two
		}
		m.statuses = append(m.statuses, status{received: symbol != rtcp.TypeTCCPacketNotReceived, at: at})
	}
	for _, symbol := range symbols[cc.PacketStatusCount:] {
		if symbol != 0 {
			t.Fatal("a vector goes on after the last status")
		}
	}
	padding := 0
	if cc.Header.Padding {
		padding = int(b[len(b)-1])
	}
	if len(deltas) != 0 || size+padding != len(b) || padding > 3 {
		t.Fatalf("%d bytes and %d of padding in a packet of %d; %d deltas too many", size, padding, len(b), len(deltas))
	}
	return m
}

func unmarshal(t *testing.T, b []byte, p rtcp.Packet) {
	t.Helper()
	if len(b) < 4 || len(b)%4 != 0 || int(binary.BigEndian.Uint16(b[2:]))+1 != len(b)/4 {
		t.Fatalf("%d bytes, of which the header % x says otherwise", len(b), b[:min(4, len(b))])
	}
	if err := p.Unmarshal(b); err != nil {
		t.Fatalf("%v in % x", err, b)
	}
}
