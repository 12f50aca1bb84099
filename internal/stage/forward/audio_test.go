package forward

import (
	"testing"
	"time"

	"github.com/pion/rtp"
)

// voice makes Opus packets of 20 ms from number i of a stream.
func voice(t *testing.T, i int) (Packet, []byte) {
	t.Helper()
	b := build(t, []byte{0xfc, byte(i)}, func(p *rtp.Packet) {
		p.SequenceNumber, p.Timestamp = uint16(65500+i), uint32(i*960)
		_ = p.SetExtension(1, []byte{0x80 | byte(i&0x7f)})
		_ = p.SetExtension(4, []byte{byte(i)})
		_ = p.SetExtension(9, []byte("0"))
	})
	var p Packet
	if !Parse(b, Opus, &publisherIDs, &p) {
		t.Fatal("refused")
	}
	p.Seq, p.Arrived = uint64(1<<16+65500+i), time.Duration(i)*20*time.Millisecond
	return p, b
}

func TestAudio(t *testing.T) {
	t.Parallel()
	s := testStream(Opus)
	s.ClockRate, s.MID, s.Extensions.MID = 48000, "audio-1", 9
	a := NewAudio(s)
	var last rtp.Header
	sent := uint16(0)
	for i := range 300 {
		a.Pause(i >= 100 && i < 150)
		p, b := voice(t, i)
		var out Out
		verdict := a.Forward(&p, &out)
		if i >= 100 && i < 150 {
			if verdict != Paused {
				t.Fatalf("packet %d: %v", i, verdict)
			}
			continue
		}
		if verdict != Send {
			t.Fatalf("packet %d: %v", i, verdict)
		}
		if again := a.Forward(&p, &Out{}); again != Repeated {
			t.Fatalf("packet %d again: %v", i, again)
		}
		buf := make([]byte, Headroom+len(b))
		copy(buf[Headroom:], b)
		out.TransportSeq = uint16(i)
		var h rtp.Packet
		if err := h.Unmarshal(out.Place(buf, Headroom)); err != nil {
			t.Fatal(err)
		}
		if sent > 0 && h.SequenceNumber != last.SequenceNumber+1 || h.Timestamp != uint32(i*960) {
			t.Fatalf("packet %d: number %d after %d, timestamp %d", i, h.SequenceNumber, last.SequenceNumber, h.Timestamp)
		}
		if h.SSRC != 0xaaaa || h.PayloadType != 102 || len(h.Payload) != 2 || h.Payload[1] != byte(i) {
			t.Fatalf("packet %d: %+v", i, h)
		}
		if v := h.GetExtension(6); len(v) != 1 || v[0] != 0x80|byte(i&0x7f) {
			t.Fatalf("packet %d: level %v", i, v)
		}
		if v := h.GetExtension(7); len(v) != 1 || v[0] != byte(i) {
			t.Fatalf("packet %d: orientation %v", i, v)
		}
		if string(h.GetExtension(9)) != "audio-1" {
			t.Fatalf("packet %d: mid %q", i, h.GetExtension(9))
		}
		last = h.Header
		sent++
	}
}

func TestAudioOfAnotherPublisher(t *testing.T) {
	t.Parallel()
	s := testStream(Opus)
	s.ClockRate = 48000
	a := NewAudio(s)
	var out Out
	for i := range 10 {
		p, _ := voice(t, i)
		a.Forward(&p, &out)
	}
	seq, timestamp := out.Seq, out.Timestamp
	a.Restart()
	p, _ := voice(t, 0)
	p.Timestamp, p.Arrived = 1<<31, 10*20*time.Millisecond
	if v := a.Forward(&p, &out); v != Send || out.Seq != seq+1 || out.Timestamp-timestamp != 960 {
		t.Fatalf("%v, number %d after %d, timestamp %d after %d", v, out.Seq, seq, out.Timestamp, timestamp)
	}
}

func TestAudioOvertakenAtAResume(t *testing.T) {
	t.Parallel()
	a := NewAudio(testStream(Opus))
	send := func(i int) Verdict {
		p, _ := voice(t, i)
		return a.Forward(&p, &Out{})
	}
	send(1)
	if v := send(0); v != Late {
		t.Fatalf("before the first: %v", v)
	}
	send(5)
	a.Pause(true)
	a.Pause(false)
	if v := send(4); v != Late {
		t.Fatalf("from before the pause: %v", v)
	}
	if v := send(6); v != Send {
		t.Fatalf("after it: %v", v)
	}
}
