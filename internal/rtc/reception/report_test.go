package reception

import (
	"math"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestReportsCountWhatIsLost(t *testing.T) {
	t.Parallel()
	for _, start := range nasty() {
		s := NewStream(7, 90000, true)
		for d := range uint16(100) {
			if d%4 != 2 { // 25 are lost
				s.Packet(start+d, 0, 0)
			}
		}
		first := reports(t, 0, s)[0]
		if first.SSRC != 7 || first.FractionLost != 64 || first.TotalLost != 25 || first.LastSequenceNumber != uint32(start)+99 {
			t.Fatalf("from %d: %+v", start, first)
		}
		for d := range uint16(100) { // these all come, with the lost ones of before, and twice
			s.Packet(start+100+d, 0, 0)
			s.Packet(start+d, 0, 0)
			s.Packet(start+d, 0, 0)
		}
		if second := reports(t, 0, s)[0]; second.FractionLost != 0 || second.TotalLost != 0 {
			t.Fatalf("from %d: %+v", start, second)
		}
		if third := reports(t, 0, s)[0]; third.FractionLost != 0 || third.TotalLost != 0 {
			t.Fatalf("from %d: %+v with nothing new", start, third)
		}
	}
}

func TestReportsOfUnusualStreams(t *testing.T) {
	t.Parallel()
	t.Run("repaired is lost", func(t *testing.T) {
		t.Parallel()
		s := NewStream(7, 90000, true)
		s.Packet(1, 0, 0)
		s.Packet(3, 0, 0)
		s.Repaired(2, 0)
		if r := reports(t, 0, s)[0]; r.TotalLost != 1 || r.FractionLost != 256/3 {
			t.Fatalf("%+v", r)
		}
	})
	t.Run("overtaken at the start", func(t *testing.T) {
		t.Parallel()
		s := NewStream(7, 90000, true)
		for _, seq := range []uint16{0, 65534, 1, 65535} {
			s.Packet(seq, 0, 0)
		}
		if r := reports(t, 0, s)[0]; r.TotalLost != 0 || r.LastSequenceNumber != 1 {
			t.Fatalf("%+v", r)
		}
	})
	t.Run("restarted", func(t *testing.T) {
		t.Parallel()
		s := NewStream(7, 90000, true)
		for _, seq := range []uint16{1, 5, 40000, 40001, 40003} {
			s.Packet(seq, 0, 0)
		}
		if r := reports(t, 0, s)[0]; r.TotalLost != 1 || r.LastSequenceNumber != 40003 {
			t.Fatalf("%+v", r)
		}
	})
	t.Run("restarted a little behind", func(t *testing.T) {
		t.Parallel()
		s := NewStream(7, 90000, true)
		for seq := range uint16(1000) {
			s.Packet(seq, uint32(seq), 0)
		}
		for _, seq := range []uint16{600, 601, 601, 602} {
			s.Packet(seq, uint32(seq), 0) // repetitions
		}
		if r := reports(t, 0, s)[0]; r.LastSequenceNumber != 999 || r.TotalLost != 0 {
			t.Fatalf("repetitions are %+v", r)
		}
		for seq := range uint16(10) {
			s.Packet(600+seq, 2000, 0)
		}
		if r := reports(t, 0, s)[0]; r.LastSequenceNumber != 609 || r.TotalLost != 0 {
			t.Fatalf("%+v", r)
		}
	})
	t.Run("restarted after much", func(t *testing.T) {
		t.Parallel()
		s := NewStream(7, 90000, true)
		for seq := range uint16(2000) {
			s.Packet(seq, 0, 0)
		}
		for _, seq := range []uint16{30000, 30001, 30003, 30002, 29999} { // the first is ignored
			s.Packet(seq, 0, 0)
		}
		if r := reports(t, 0, s)[0]; r.TotalLost != 1 {
			t.Fatalf("%+v", r)
		}
	})
	t.Run("repaired long ago", func(t *testing.T) {
		t.Parallel()
		s := NewStream(7, 90000, true)
		for _, seq := range []uint16{5000, 5001, 5003, 5004} {
			s.Packet(seq, 0, 0)
		}
		s.Repaired(5002-window, 0)
		s.Packet(5002, 0, 0)
		if r := reports(t, 0, s)[0]; r.TotalLost != 0 {
			t.Fatalf("%+v", r)
		}
	})
	t.Run("nearly all lost", func(t *testing.T) {
		t.Parallel()
		s := NewStream(7, 90000, true)
		for seq := 0; seq < 5000*3000; seq += 3000 {
			s.Packet(uint16(seq), 0, 0)
		}
		if r := reports(t, 0, s)[0]; r.TotalLost != 1<<23-1 || r.FractionLost != 255 {
			t.Fatalf("%+v", r)
		}
	})
}

func TestJitter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		late func(i int) time.Duration // how late packet i comes
		want uint32
	}{
		{"even", func(int) time.Duration { return 0 }, 0},
		{"every second late by 4 ms", func(i int) time.Duration { return time.Duration(i%2) * 4 * ms }, 360},
		{"one pause of a minute", func(i int) time.Duration { return time.Duration(i/990) * time.Minute }, 0},
	} {
		s := NewStream(7, 90000, true)
		for i := range 1000 {
			s.Packet(uint16(i), uint32(i)*1800-900000, 100*time.Hour+time.Duration(i)*20*ms+test.late(i))
			if i > 0 {
				s.Packet(uint16(i-1), 12345, 0) // a duplicate does not count
			}
		}
		if r := reports(t, 0, s)[0]; r.Jitter+1 < test.want || r.Jitter > test.want {
			t.Errorf("%s: %d, want %d", test.name, r.Jitter, test.want)
		}
	}
}

func TestJitterIsThatOfOneNumberingInOrder(t *testing.T) {
	t.Parallel()
	s := NewStream(7, 90000, true)
	for _, seq := range []uint16{10, 12} {
		s.Packet(seq, uint32(seq)*1800, time.Duration(seq)*20*ms)
	}
	s.Packet(11, 11*1800, time.Second) // sent again, perhaps
	for _, seq := range []uint16{13, 14} {
		s.Packet(seq, uint32(seq)*1800, time.Duration(seq)*20*ms)
	}
	for _, seq := range []uint16{40000, 40001, 40002} {
		s.Packet(seq, uint32(seq)*1800+90000, time.Duration(seq)*20*ms)
	}
	if r := reports(t, 0, s)[0]; r.Jitter != 0 {
		t.Fatalf("%+v", r)
	}
}

func TestReportsRepeatTheSenderReport(t *testing.T) {
	t.Parallel()
	s := NewStream(7, 90000, true)
	s.Packet(1, 0, 0)
	if r := reports(t, time.Second, s)[0]; r.LastSenderReport != 0 || r.Delay != 0 {
		t.Fatalf("without a sender report: %+v", r)
	}
	s.SenderReport(0x0123456789abcdef, 2*time.Second)
	for after, want := range map[time.Duration]uint32{
		-ms: 0, 0: 0, 1500 * ms: 3 << 15, 15625 * time.Microsecond: 1 << 10, 100 * time.Hour: math.MaxUint32,
	} {
		if r := reports(t, 2*time.Second+after, s)[0]; r.LastSenderReport != 0x456789ab || r.Delay != want {
			t.Errorf("after %v: %+v, want %d", after, r, want)
		}
	}
}

func TestReportsHaveThirtyOneBlocks(t *testing.T) {
	t.Parallel()
	var streams []*Stream
	if r := reports(t, 0); len(r) != 0 {
		t.Fatalf("%d blocks about no stream", len(r))
	}
	for i := range 70 {
		s := NewStream(uint32(i), 48000, false)
		if i%2 == 1 {
			s.Packet(uint16(i), 0, 0)
		}
		streams = append(streams, s)
	}
	var got []uint32
	for _, r := range reports(t, 0, streams...) {
		got = append(got, r.SSRC)
	}
	if len(got) != 31 || got[0] != 1 || got[30] != 61 {
		t.Fatalf("blocks about %d", got)
	}
	if r := reports(t, 0, streams[0], streams[2]); len(r) != 0 {
		t.Fatalf("%d blocks about streams that have had no packet", len(r))
	}
	packets, err := rtcp.Unmarshal(append(AppendReceiverReport(nil, 1, 0, streams), AppendReceiverReport(nil, 1, 0, nil)...))
	if err != nil || len(packets) != 2 {
		t.Fatalf("%d packets of a compound, %v", len(packets), err)
	}
}
