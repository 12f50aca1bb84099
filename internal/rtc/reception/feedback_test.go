package reception

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

type received struct {
	seq uint16
	at  time.Duration
}

// every returns n packets from seq on, gap apart.
func every(seq uint16, n int, at, gap time.Duration) (all []received) {
	for i := range n {
		all = append(all, received{seq + uint16(i), at + time.Duration(i)*gap})
	}
	return all
}

// TestFeedbackOnTheWire holds whole messages against bytes that were worked out by hand from the draft.
func TestFeedbackOnTheWire(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		packets []received
		want    string // after the SSRCs
	}{
		{"one packet", []received{{0x1234, 65 * ms}}, "1234 0001 000001 00 2001 04 01"},
		{"a run", every(1, 9, 0, 2*ms), "0001 0009 000000 00 2009 000808080808080808 01"},
		{"a long run", every(1, 20, 0, 0), "0001 0014 000000 00 2014 00000000000000000000 00000000000000000000 0002"},
		{"one hole: two bits", []received{{1, 0}, {3, 0}}, "0001 0003 000000 00 d100 0000"},
		{
			"many holes: one bit",
			[]received{{1, 0}, {3, 0}, {5, 0}, {7, 0}, {9, 0}, {11, 0}, {13, 0}, {14, 0}},
			"0001 000e 000000 00 aaab 0000000000000000 0002",
		},
		{"a large hole", []received{{1, 0}, {100, 0}}, "0001 0064 000000 00 a000 0055 2001 0000"},
		{"late by long", []received{{1, 0}, {2, 64 * ms}}, "0001 0002 000000 00 d800 00 0100 000003"},
		{"overtaken", []received{{2, 1 * ms}, {1, 2 * ms}}, "0001 0002 000000 00 d800 08 fffc 000003"},
		{"large ones: a run", every(1, 8, 0, 100*ms), "0001 0008 000000 00 daaa 4001 00 0190 0190 0190 0190 0190 0190 0190 01"},
		{"across the wrap", every(65535, 3, 0, 0), "ffff 0003 000000 00 2003 000000 000003"},
		{"reference before the wrap", []received{{1, (1<<24 - 1) * 64 * ms}}, "0001 0001 ffffff 00 2001 00 01"},
		{"reference after the wrap", []received{{1, (1<<24 + 2) * 64 * ms}}, "0001 0001 000002 00 2001 00 01"},
	} {
		var f Feedback
		for _, p := range test.packets {
			f.Packet(p.seq, p.at)
		}
		want, err := hex.DecodeString(strings.ReplaceAll(test.want, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Append(nil, 11, 12, 1200); !bytes.Equal(got[feedbackHeader:], want) {
			t.Errorf("%s:\n got % x\nwant % x", test.name, got[feedbackHeader:], want)
		}
	}
}

func TestFeedbackGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	for _, start := range nasty() {
		var f Feedback
		if m := told(t, &f, 1200); m != nil {
			t.Fatalf("told %+v of nothing", m)
		}
		for i := range uint16(300) {
			f.Packet(start+10*i, time.Duration(i)*ms)
			f.Packet(start+10*i+1, time.Duration(i)*ms)
			if f.Waiting() != 2 {
				t.Fatalf("%d wait", f.Waiting())
			}
			m := told(t, &f, 1200)
			want := start + 10*i - 8
			if i == 0 {
				want = start
			}
			if m.base != want || m.count != uint8(i) || m.base+uint16(len(m.statuses)) != start+10*i+2 || f.Waiting() != 0 {
				t.Fatalf("from %d, message %d: %+v", start, i, m)
			}
			if m = told(t, &f, 1200); m != nil {
				t.Fatalf("told twice: %+v", m)
			}
		}
	}
}

func TestFeedbackGoesBackForLatePackets(t *testing.T) {
	t.Parallel()
	const r, l = true, false
	for _, test := range []struct {
		name     string
		late     []received // after 0 to 9 and 12 to 99 were told, 10 ms apart
		base     uint16
		statuses []bool // of the next message; nil for none
	}{
		{"one", []received{{11, time.Second}}, 11, []bool{r}},
		{"both", []received{{11, time.Second}, {10, time.Second}}, 10, []bool{r, r}},
		{"with news far above", []received{{11, time.Second}, {100, time.Second}}, 11, []bool{r}},
		{"a duplicate", []received{{12, time.Second}}, 0, nil},
		{"before the first", []received{{65535, time.Second}}, 65535, []bool{r}},
		{"late by a thousand numbers", []received{{1010, time.Second}, {10, time.Second}, {11, time.Second}}, 100, append(make([]bool, 910), r)},
		{"late by more than half a second", []received{{101, 5 * time.Second}, {11, 5 * time.Second}}, 100, []bool{l, r}},
	} {
		var f Feedback
		for _, p := range append(every(0, 10, 0, 5*ms), every(12, 88, 50*ms, 5*ms)...) {
			f.Packet(p.seq, p.at)
		}
		told(t, &f, 1200)
		for _, p := range test.late {
			f.Packet(p.seq, p.at)
		}
		m := told(t, &f, 1200)
		if test.statuses == nil {
			if m != nil {
				t.Errorf("%s: %+v", test.name, m)
			}
			continue
		}
		var got []bool
		for _, s := range m.statuses {
			got = append(got, s.received)
		}
		if m.base != test.base || !slices.Equal(got, test.statuses) {
			t.Errorf("%s: from %d on %v, want %d %v", test.name, m.base, got, test.base, test.statuses)
		}
	}
}

// A late packet near the newest is told in one message with them, and those between are told again.
func TestFeedbackRepeatsWhatIsBetween(t *testing.T) {
	t.Parallel()
	var f Feedback
	for _, p := range append(every(0, 14, 0, ms), received{15, 15 * ms}) {
		f.Packet(p.seq, p.at)
	}
	told(t, &f, 1200)
	for _, p := range append([]received{{14, 16 * ms}}, every(16, 14, 17*ms, ms)...) {
		f.Packet(p.seq, p.at)
	}
	m := told(t, &f, 1200)
	if m.base != 14 || len(m.statuses) != 16 || m.statuses[0].at != 16*ms || m.statuses[1].at != 15*ms || f.Waiting() != 0 {
		t.Fatalf("%+v", m)
	}
}

func TestFeedbackIsCut(t *testing.T) {
	t.Parallel()
	t.Run("by the limit", func(t *testing.T) {
		t.Parallel()
		for limit := range 100 {
			var f Feedback
			for i := range uint16(1000) {
				f.Packet(i*i*i%4000/4+i, time.Duration(i)*37*ms)
			}
			n := f.Waiting()
			for f.Waiting() > 0 {
				m := told(t, &f, limit)
				if m == nil {
					break
				}
				if n -= 1; n < 0 {
					t.Fatalf("limit %d: messages without an end", limit)
				}
			}
			if (f.Waiting() == 0) != (limit >= minMessage) {
				t.Fatalf("limit %d: %d wait", limit, f.Waiting())
			}
		}
	})
	t.Run("by the reach of a delta", func(t *testing.T) {
		t.Parallel()
		var f Feedback
		f.Packet(1, 0)
		f.Packet(2, 8191750*time.Microsecond)
		f.Packet(4, 16383750*time.Microsecond)
		if m := told(t, &f, 1200); m.base != 1 || len(m.statuses) != 2 || f.Waiting() != 1 {
			t.Fatalf("%+v", m)
		}
		if m := told(t, &f, 1200); m.base != 3 || len(m.statuses) != 2 || m.statuses[1].at != 16383750*time.Microsecond {
			t.Fatalf("%+v", m)
		}
	})
	t.Run("by the number of statuses", func(t *testing.T) {
		t.Parallel()
		var f Feedback
		for i := range 20 {
			f.Packet(uint16(i*maxAhead), 0)
		}
		sum := 0
		for f.Waiting() > 0 {
			m := told(t, &f, 1200)
			if sum += len(m.statuses); len(m.statuses) > maxStatuses {
				t.Fatalf("%d statuses", len(m.statuses))
			}
		}
		if sum != 19*maxAhead+1 {
			t.Fatalf("%d statuses in all", sum)
		}
	})
}

func TestFeedbackOfANewNumbering(t *testing.T) {
	t.Parallel()
	for _, fresh := range []uint16{20000, 60000} {
		var f Feedback
		f.Packet(10, 0)
		f.Packet(fresh, 0)
		f.Packet(11, 0)
		if m := told(t, &f, 1200); m.base != 10 || len(m.statuses) != 2 {
			t.Fatalf("after one wild packet: %+v", m)
		}
		for _, seq := range []uint16{12, fresh, fresh + 1, fresh + 2} {
			f.Packet(seq, 0)
		}
		if m := told(t, &f, 1200); m.base != fresh+1 || len(m.statuses) != 2 || m.count != 1 {
			t.Fatalf("after a restart: %+v", m)
		}
	}
}

// Feedback that nobody fetches forgets the oldest, and takes no more memory whatever comes.
func TestFeedbackIsBounded(t *testing.T) {
	t.Parallel()
	var f Feedback
	for i := range uint16(5000) {
		f.Packet(i, time.Duration(i)*ms)
	}
	n := f.Waiting()
	m := told(t, &f, 10000)
	if n > maxArrived || n < maxArrived/2 || m.base != uint16(5000-n) || len(m.statuses) != n {
		t.Fatalf("%d wait; told %d from %d on", n, len(m.statuses), m.base)
	}
	random := rand.New(rand.NewPCG(5, 6))
	seq := uint16(0)
	for range 200000 {
		seq += uint16(random.IntN(3000) - 990)
		f.Packet(seq, 0)
		if f.Waiting() > maxArrived || cap(f.list)*24 > 64<<10 {
			t.Fatalf("%d wait in a list of %d", f.Waiting(), cap(f.list))
		}
	}
}
