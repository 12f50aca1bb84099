package bwe

import (
	"slices"
	"testing"
	"time"
)

// Sent lets one packet leave.
func (p *Path) Sent(now time.Duration, size int) uint16 {
	p.AddInFlight(now, size)
	return p.NumberPacket(now, size)
}

func TestMatch(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, first := range []uint16{0, 1, 32766, 32767, 32768, 65533, 65534, 65535} {
		p := newPath(&Flight{})
		p.nextSeq = first
		for i := range 6 {
			if seq := p.Sent(time.Duration(i)*ms, 100+i); seq != first+uint16(i) {
				t.Fatalf("packet %d has number %d", i, seq)
			}
		}
		at := func(i int) Arrival { return Arrival{true, time.Duration(50+i) * ms} }
		got := p.MatchFeedback(nil, first, []Arrival{at(0), {}, at(2)})
		want := []Result{
			{Seq: first, Size: 100, Sent: 0, Received: 50 * ms},
			{Seq: first + 1, Size: 101, Sent: ms, Lost: true},
			{Seq: first + 2, Size: 102, Sent: 2 * ms, Received: 52 * ms},
		}
		if !slices.Equal(got, want) {
			t.Fatalf("from %d: %+v, want %+v", first, got, want)
		}
		// Again: what arrived is known, a loss is told once, and taken back when it was mere lateness.
		if got := p.MatchFeedback(nil, first, []Arrival{at(0), {}, {}}); len(got) != 0 {
			t.Fatalf("from %d, repeated: %+v", first, got)
		}
		got = p.MatchFeedback(nil, first+1, []Arrival{at(1)})
		if len(got) != 1 || !got[0].Late || got[0].Lost || got[0].Received != 51*ms {
			t.Fatalf("from %d, late: %+v", first, got)
		}
		if got := p.MatchFeedback(nil, first+6, []Arrival{at(6), {}}); len(got) != 0 {
			t.Fatalf("from %d, never sent: %+v", first, got)
		}
		if got := p.MatchFeedback(nil, first-3, []Arrival{at(0), at(0), at(0)}); len(got) != 0 {
			t.Fatalf("from %d, before the first: %+v", first, got)
		}
	}
}

func TestMatchForgetsOldPackets(t *testing.T) {
	t.Parallel()
	p := newPath(&Flight{})
	for i := range pathHistory + 10 {
		p.Sent(time.Duration(i), 100)
	}
	if got := p.MatchFeedback(nil, 0, make([]Arrival, 20)); len(got) != 10 || got[0].Seq != 10 {
		t.Fatalf("%+v", got)
	}
}

// FuzzMatch: whatever a receiver reports, a packet arrives at most once and is lost at most once before.
func FuzzMatch(f *testing.F) {
	f.Add(uint16(65530), []byte{0, 5, 1, 1, 0, 1, 1, 2, 3, 1, 1, 1})
	f.Add(uint16(0), []byte{255, 255, 1})
	f.Fuzz(func(t *testing.T, first uint16, script []byte) {
		p, seen := newPath(&Flight{}), map[uint16]packetFate{}
		p.nextSeq = first
		for range 200 {
			p.Sent(0, 100)
		}
		for len(script) >= 2 {
			base, n := first+uint16(script[0]), int(script[1])%50
			script = script[2:]
			arrivals := make([]Arrival, 0, n)
			for _, b := range script[:min(n, len(script))] {
				arrivals = append(arrivals, Arrival{Received: b&1 != 0})
			}
			script = script[len(arrivals):]
			for _, r := range p.MatchFeedback(nil, base, arrivals) {
				if r.Seq-first >= 200 || seen[r.Seq] == received || r.Lost && seen[r.Seq] == lost || r.Late != (seen[r.Seq] == lost) {
					t.Fatalf("%+v after %v", r, seen[r.Seq])
				}
				seen[r.Seq] = received
				if r.Lost {
					seen[r.Seq] = lost
				}
			}
		}
	})
}
