package reception

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestMissingIsAskedForWhenThreeHaveOvertaken(t *testing.T) {
	t.Parallel()
	for _, start := range nasty() {
		s := NewStream(7, 90000, true)
		var got []uint16
		for _, d := range []uint16{0, 1, 3, 4} { // 2 is missing
			s.Packet(start+d, 0, 0)
			got = append(got, asked(t, s, 0)...)
		}
		if len(got) > 0 {
			t.Fatalf("from %d: asked for %d too early", start, got)
		}
		s.Packet(start+5, 0, 0)
		if got = asked(t, s, 0); !slices.Equal(got, []uint16{start + 2}) {
			t.Fatalf("from %d: asked for %d", start, got)
		}
		if got = asked(t, s, 0); got != nil {
			t.Fatalf("from %d: asked again at once for %d", start, got)
		}
	}
}

func TestMissingIsAskedForAgainAndThenGivenUp(t *testing.T) {
	t.Parallel()
	s := NewStream(7, 90000, true)
	s.Packet(1, 0, 0)
	s.Packet(3, 0, 0)
	var at []time.Duration
	for now := time.Duration(0); now < 5*time.Second; now += ms {
		if got := asked(t, s, now); got != nil {
			if !slices.Equal(got, []uint16{2}) {
				t.Fatalf("asked for %d", got)
			}
			at = append(at, now)
		}
	}
	want := []time.Duration{10 * ms, 70 * ms, 160 * ms, 295 * ms, 498 * ms, 802 * ms}
	if !slices.Equal(at, want) {
		t.Fatalf("asked at %v, want %v", at, want)
	}
	if len(s.holes.list) > 0 {
		t.Fatal("it is still missing")
	}
}

func TestEachHoleHasItsOwnTime(t *testing.T) {
	t.Parallel()
	s := NewStream(7, 90000, true)
	s.Packet(1, 0, 0)
	s.Packet(3, 0, 0)
	s.Packet(5, 0, 9*ms)
	for _, step := range []struct {
		at   time.Duration
		want []uint16
	}{{9 * ms, nil}, {10 * ms, []uint16{2}}, {18 * ms, nil}, {19 * ms, []uint16{4}}, {70 * ms, []uint16{2}}, {80 * ms, []uint16{4}}} {
		if got := asked(t, s, step.at); !slices.Equal(got, step.want) {
			t.Errorf("at %v asked for %d, want %d", step.at, got, step.want)
		}
	}
}

func TestWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	numbers := func(first, end uint16) (all []uint16) {
		for seq := first; seq != end; seq++ {
			all = append(all, seq)
		}
		return all
	}
	for _, test := range []struct {
		name     string
		packets  []uint16
		repaired []uint16
		want     []uint16 // by calls 20 ms later
	}{
		{name: "nothing missing", packets: []uint16{65534, 65535, 0, 1}},
		{name: "across the wrap", packets: []uint16{65533, 2}, want: []uint16{65534, 65535, 0, 1}},
		{name: "two gaps far apart", packets: []uint16{10, 12, 40, 42}, want: append(append([]uint16{11}, numbers(13, 40)...), 41)},
		{name: "came late", packets: []uint16{10, 13, 11}, want: []uint16{12}},
		{name: "came as a retransmission", packets: []uint16{10, 13}, repaired: []uint16{12}, want: []uint16{11}},
		{name: "retransmission of nothing missing", packets: []uint16{10, 13}, repaired: []uint16{10, 14, 60000}, want: []uint16{11, 12}},
		{name: "duplicates", packets: []uint16{10, 10, 12, 12, 10, 12}, want: []uint16{11}},
		{name: "before the first", packets: []uint16{10, 8, 11}},
		{name: "one wild packet", packets: []uint16{10, 20000, 12}, want: []uint16{11}},
		{name: "two wild packets, not in a row", packets: []uint16{10, 20000, 11, 20001, 13}, want: []uint16{12}},
		{name: "a jump", packets: []uint16{10, 3011, 3013}},
		{name: "restarted", packets: []uint16{10, 12, 30000, 30001, 30003}, want: []uint16{30002}},
		{name: "restarted below", packets: []uint16{30000, 30002, 10, 11, 13}, want: []uint16{12}},
		{name: "more than are remembered", packets: []uint16{10, 510}, want: numbers(254, 510)},
		{name: "more than are remembered, in two gaps", packets: []uint16{10, 110, 350}, want: append(numbers(93, 110), numbers(111, 350)...)},
	} {
		s := NewStream(7, 90000, true)
		for _, seq := range test.packets {
			s.Packet(seq, 0, 0)
		}
		for _, seq := range test.repaired {
			s.Repaired(seq, 0)
		}
		var got []uint16
		for range 5 {
			got = append(got, asked(t, s, 20*ms)...)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: asked for %d, want %d", test.name, got, test.want)
		}
	}
}

func TestOldHolesAreForgotten(t *testing.T) {
	t.Parallel()
	s := NewStream(7, 90000, true)
	s.Packet(0, 0, 0)
	for seq := uint16(2); seq < window+1; seq++ {
		s.Packet(seq, 0, 0)
	}
	if got := asked(t, s, 0); !slices.Equal(got, []uint16{1}) {
		t.Fatalf("asked for %d", got)
	}
	s.Packet(window+1, 0, 0)
	if got := asked(t, s, 500*ms); got != nil {
		t.Fatalf("asked for %d, a window behind", got)
	}
	s.Packet(window+3, 0, 500*ms)
	if got := asked(t, s, 1501*ms); got != nil {
		t.Fatalf("asked for %d, a second late", got)
	}
}

func TestSenderWithoutRetransmissionIsNotAsked(t *testing.T) {
	t.Parallel()
	s := NewStream(7, 90000, false)
	for seq := uint16(0); seq < 100; seq += 2 {
		s.Packet(seq, 0, time.Duration(seq)*ms)
		if got := asked(t, s, time.Duration(seq)*ms); got != nil {
			t.Fatalf("asked for %d", got)
		}
	}
	if r := reports(t, 0, s); r[0].TotalLost != 49 {
		t.Fatalf("reported %d lost", r[0].TotalLost)
	}
}

func TestReorderingIsNotLoss(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	s := NewStream(7, 90000, true)
	line := make([]uint16, 0, 12000)
	for seq := range uint16(12000) {
		line = append(line, seq+60000)
	}
	for i := 1; i < len(line)-2; i++ {
		if random.IntN(4) == 0 { // this one comes two places later
			line[i], line[i+1], line[i+2] = line[i+1], line[i+2], line[i]
			i += 2
		}
	}
	for i, seq := range line {
		now := time.Duration(i) * ms
		s.Packet(seq, 0, now)
		if got := asked(t, s, now); got != nil {
			t.Fatalf("packet %d: asked for %d", i, got)
		}
	}
	if r := reports(t, 0, s); r[0].TotalLost != 0 || len(s.holes.list) != 0 {
		t.Fatalf("%d lost, %d missing", r[0].TotalLost, len(s.holes.list))
	}
}

// TestLossIsRepaired loses one packet in twenty, and as many requests and retransmissions, on a path of 50 ms.
func TestLossIsRepaired(t *testing.T) {
	t.Parallel()
	const packets, roundTrip = 20000, 50 * ms
	random := rand.New(rand.NewPCG(3, 4))
	lost := func() bool { return random.IntN(20) == 0 }
	s := NewStream(7, 90000, true)
	missing := map[uint16]time.Duration{} // since the next packet was there
	repairs := map[time.Duration][]uint16{}
	requests, dropped := 0, 0
	for now := time.Duration(0); now < packets*ms+2*time.Second; now += ms {
		if seq := uint16(now / ms); now < packets*ms {
			if now > 0 && now < (packets-1)*ms && lost() {
				missing[seq] = now
				dropped++
			} else {
				s.Packet(seq, 0, now)
			}
		}
		for _, seq := range repairs[now] {
			s.Repaired(seq, 0)
			delete(missing, seq)
		}
		for _, seq := range asked(t, s, now) {
			since, ok := missing[seq]
			if !ok {
				t.Fatalf("%v: asked for %d, which is there", now, seq)
			}
			if now-since > time.Second {
				t.Fatalf("%v: asked for %d after %v", now, seq, now-since)
			}
			requests++
			if request, answer := lost(), lost(); !request && !answer {
				repairs[now+roundTrip] = append(repairs[now+roundTrip], seq)
			}
		}
		for seq, since := range missing {
			if now-since > 600*ms {
				t.Fatalf("%d is missing since %v at %v", seq, since, now)
			}
		}
	}
	if len(missing) > 0 || requests < dropped || requests > dropped*5/4 {
		t.Fatalf("%d requests for %d packets, %d still missing", requests, dropped, len(missing))
	}
}
