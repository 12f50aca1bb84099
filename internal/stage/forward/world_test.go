package forward

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/rtp"
)

const rate = 90000

func testStream(codec Codec) Stream {
	return Stream{
		Codec: codec, ClockRate: rate, SSRC: 0xaaaa, PayloadType: 102, RTXSSRC: 0xbbbb, RTXPayloadType: 103,
		Extensions: Extensions{TransportSeq: 5, AudioLevel: 6, Orientation: 7, CaptureTime: 8},
	}
}

// encoder makes the packets of one layer: VP8, so that every kind of rewriting is in play.
type encoder struct {
	layer   int
	seq     uint64
	ts0     uint32 // RTP time of instant 0
	picture uint16
	tl0     uint8
}

// unit is one packet as the reader of a layer hands it on.
type unit struct {
	layer  int
	packet Packet
	bytes  []byte
}

// at is the RTP time of an instant.
func (e *encoder) at(now time.Duration) uint32 { return e.ts0 + ticks(now, rate) }

// report is a sender report made at an instant, 20 ms on its way, by a publisher whose wall clock started at 1,000 s.
func (e *encoder) report(now time.Duration) SenderReport {
	wall := now + 1000*time.Second
	ntp := uint64(wall/time.Second)<<32 | uint64(wall%time.Second)<<32/uint64(time.Second)
	return SenderReport{NTP: ntp, RTP: e.at(now), Arrived: now + 20*time.Millisecond}
}

// frame makes the packets of a picture taken at now.
func (e *encoder) frame(tb testing.TB, now time.Duration, packets int, key bool) []unit {
	tb.Helper()
	e.picture++
	e.tl0++
	units := make([]unit, 0, packets)
	for i := range packets {
		payload := []byte{0x80, 0xe0, byte(e.picture>>8) | 0x80, byte(e.picture), e.tl0, 0x00, 0x01, byte(e.seq), byte(e.layer)}
		if i == 0 {
			payload[0] |= 0x10
			if key {
				payload[6] = 0
			}
		}
		u := unit{layer: e.layer, bytes: build(tb, payload, func(p *rtp.Packet) {
			p.SequenceNumber, p.Timestamp, p.Marker = uint16(e.seq), e.at(now), i == packets-1
		})}
		if !Parse(u.bytes, VP8, &publisherIDs, &u.packet) {
			tb.Fatal("an encoder's packet is refused")
		}
		u.packet.Seq, u.packet.Arrived = e.seq, now+30*time.Millisecond
		e.seq++
		units = append(units, u)
	}
	return units
}

// empty makes a packet of padding only.
func (e *encoder) empty(tb testing.TB, now time.Duration) unit {
	tb.Helper()
	u := unit{layer: e.layer, bytes: build(tb, nil, func(p *rtp.Packet) {
		p.SequenceNumber, p.Timestamp = uint16(e.seq), e.at(now)
		p.Padding, p.PaddingSize = true, 20
	})}
	if !Parse(u.bytes, VP8, &publisherIDs, &u.packet) {
		tb.Fatal("padding is refused")
	}
	u.packet.Seq, u.packet.Arrived = e.seq, now
	e.seq++
	return u
}

func encoders() [MaxLayers]*encoder {
	return [MaxLayers]*encoder{
		{layer: 0, seq: 1<<16 + 65530, ts0: 0xffff0000, picture: 0x7ffe, tl0: 254},
		{layer: 1, seq: 1<<16 + 32766, ts0: 0x7fff0000, picture: 100, tl0: 3},
		{layer: 2, seq: 1<<16 + 12, ts0: 12345, picture: 0x3fff, tl0: 200},
		{layer: 3, seq: 1<<16 + 65500, ts0: 0x7ffffff0, picture: 0x7000, tl0: 90},
	}
}

// sentPacket is what a subscriber got.
type sentPacket struct {
	header  rtp.Header
	payload []byte
	source  Ref
}

func (s *sentPacket) picture() uint16 { return binary.BigEndian.Uint16(s.payload[2:]) & 0x7fff }
func (s *sentPacket) tl0() uint8      { return s.payload[4] }

// subscriber feeds a forwarder and reads what it writes with another RTP parser.
type subscriber struct {
	video *Video
	got   []sentPacket
	buf   [Headroom + 1500]byte
}

func (s *subscriber) feed(tb testing.TB, units ...unit) Verdict {
	tb.Helper()
	var verdict Verdict
	for _, u := range units {
		var out Out
		verdict = s.video.Forward(u.layer, &u.packet, &out)
		if verdict == Send {
			s.got = append(s.got, s.place(tb, u, &out))
		}
	}
	return verdict
}

func (s *subscriber) place(tb testing.TB, u unit, out *Out) sentPacket {
	tb.Helper()
	copy(s.buf[Headroom:], u.bytes)
	out.TransportSeq = 4242
	b := append([]byte(nil), out.Place(s.buf[:], Headroom)...)
	if len(b) != out.Size {
		tb.Fatalf("placed %d bytes, said %d", len(b), out.Size)
	}
	var p rtp.Packet
	if err := p.Unmarshal(b); err != nil {
		tb.Fatalf("output does not parse: %v", err)
	}
	if v := p.GetExtension(5); len(v) != 2 || binary.BigEndian.Uint16(v) != 4242 {
		tb.Fatalf("transport-wide number is %v", v)
	}
	return sentPacket{header: p.Header, payload: p.Payload, source: Ref{u.layer, u.packet.Seq}}
}

// continuous checks that what was sent looks like one encoder's work.
func continuous(t *testing.T, got []sentPacket) {
	t.Helper()
	for i := 1; i < len(got); i++ {
		a, b := &got[i-1], &got[i]
		if b.header.SequenceNumber != a.header.SequenceNumber+1 {
			t.Fatalf("packet %d: number %d after %d", i, b.header.SequenceNumber, a.header.SequenceNumber)
		}
		same := a.header.Timestamp == b.header.Timestamp
		if int32(b.header.Timestamp-a.header.Timestamp) < 0 {
			t.Fatalf("packet %d: timestamp goes back", i)
		}
		steps := uint16(1)
		if same {
			steps = 0
		}
		if (b.picture()-a.picture())&0x7fff != steps || uint16(b.tl0()-a.tl0()) != steps {
			t.Fatalf("packet %d: picture %d after %d, tl0 %d after %d, same frame %v", i, b.picture(), a.picture(), b.tl0(), a.tl0(), same)
		}
	}
}
