package rtctest

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// trace is what came out of a pipe.
type trace struct {
	numbers []int
	at      []time.Duration
}

// run pushes packets of a size at a distance, tells before each what is to be changed, and takes out everything.
func run(p *pipe, packets, size int, every time.Duration, before func(i int, now time.Duration)) (t trace) {
	drain := func(until time.Duration) {
		for {
			at, ok := p.next()
			if !ok || at > until {
				return
			}
			for w, ok := p.pop(at); ok; w, ok = p.pop(at) {
				t.numbers = append(t.numbers, int(binary.BigEndian.Uint32(w.data)))
				t.at = append(t.at, at)
			}
		}
	}
	for i := range packets {
		now := time.Duration(i) * every
		drain(now)
		if before != nil {
			before(i, now)
		}
		b := make([]byte, size)
		binary.BigEndian.PutUint32(b, uint32(i))
		p.push(now, b, nil)
	}
	drain(math.MaxInt64)
	return t
}

func near(got, want, share float64) bool { return math.Abs(got-want) <= share*want }

func TestAPipeWithoutAShapeDeliversAtOnce(t *testing.T) {
	t.Parallel()
	got := run(newPipe(1, Shape{}), 100, 1000, ms, nil)
	for i := range 100 {
		if got.numbers[i] != i || got.at[i] != time.Duration(i)*ms {
			t.Fatalf("packet %d came %v after the start as number %d", i, got.at[i], got.numbers[i])
		}
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	got := run(newPipe(1, Shape{Delay: 40 * ms}), 100, 1000, ms, nil)
	for i := range 100 {
		if got.numbers[i] != i || got.at[i] != time.Duration(i+40)*ms {
			t.Fatalf("packet %d came %v after the start as number %d", i, got.at[i], got.numbers[i])
		}
	}
}

func TestRateAndQueue(t *testing.T) {
	t.Parallel()
	// 972 and 28 bytes at 800 kbit/s take 10 ms; they come every 5 ms. The queue holds 10 of them.
	p := newPipe(1, Shape{Rate: 800_000, Queue: 10_000})
	got := run(p, 1000, 972, 5*ms, nil)
	for i := 1; i < len(got.at); i++ {
		if d := got.at[i] - got.at[i-1]; d != 10*ms {
			t.Fatalf("packet %d left %v after the one before", i, d)
		}
	}
	c := p.counts
	if c.Packets != 1000 || c.Delivered+c.Overflown != 1000 || !near(float64(c.Delivered), 505, 0.02) || c.Lost != 0 || c.Bytes != 1000*c.Delivered {
		t.Errorf("%+v", c)
	}
	if c.Longest < 90*ms || c.Longest > 100*ms {
		t.Errorf("longest wait %v in a queue of 100 ms", c.Longest)
	}
	if !slices.IsSorted(got.numbers) {
		t.Error("out of order")
	}
}

func TestTheRateChangesForThoseThatWait(t *testing.T) {
	t.Parallel()
	p := newPipe(1, Shape{Rate: 8_000_000})
	got := run(p, 20, 972, 0, func(i int, now time.Duration) { // 1 ms each, until the last one comes
		if i == 19 {
			p.change(now, Shape{Rate: 800_000})
		}
	})
	if len(got.at) != 20 || got.at[0] != 10*ms || got.at[19] != 200*ms {
		t.Errorf("%v", got.at)
	}
}

func TestJitterKeepsTheOrderUnlessTold(t *testing.T) {
	t.Parallel()
	for _, reorder := range []bool{false, true} {
		got := run(newPipe(7, Shape{Delay: 10 * ms, Jitter: 100 * ms, Reorder: reorder}), 2000, 100, 10*ms, nil)
		if len(got.at) != 2000 || slices.IsSorted(got.numbers) == reorder {
			t.Errorf("reorder %v: %d packets, in order %v", reorder, len(got.at), slices.IsSorted(got.numbers))
		}
		least, most := time.Hour, time.Duration(0)
		for i, n := range got.numbers {
			d := got.at[i] - time.Duration(n)*10*ms
			least, most = min(least, d), max(most, d)
		}
		if least < 10*ms || most > 110*ms || most-least < 80*ms {
			t.Errorf("reorder %v: delays from %v to %v", reorder, least, most)
		}
	}
}

func TestLossIsWhatItSays(t *testing.T) {
	t.Parallel()
	p := newPipe(3, Shape{Loss: 0.05})
	run(p, 20_000, 100, ms, nil)
	if !near(float64(p.counts.Lost), 1000, 0.15) || p.counts.Lost+p.counts.Delivered != 20_000 {
		t.Errorf("%+v", p.counts)
	}
}

func TestBurstsAreAsLongAsTold(t *testing.T) {
	t.Parallel()
	p := newPipe(3, Shape{Bursts: Bursts{Begin: 0.01, End: 0.2}})
	got := run(p, 50_000, 100, ms, nil)
	bursts := 0
	for i := 1; i < len(got.numbers); i++ {
		if got.numbers[i] != got.numbers[i-1]+1 {
			bursts++
		}
	}
	// One in 21 packets falls into a bad time; such a time has 5.
	if !near(float64(p.counts.Lost), 50_000/21.0, 0.2) || !near(float64(p.counts.Lost)/float64(bursts), 5, 0.2) {
		t.Errorf("%d lost in %d bursts", p.counts.Lost, bursts)
	}
}

func TestASeedMakesTheSameLink(t *testing.T) {
	t.Parallel()
	shape := Shape{Rate: 1_000_000, Delay: 20 * ms, Jitter: 50 * ms, Reorder: true, Loss: 0.02, Bursts: Bursts{0.01, 0.3}}
	one, two := run(newPipe(5, shape), 3000, 300, 2*ms, nil), run(newPipe(5, shape), 3000, 300, 2*ms, nil)
	if !slices.Equal(one.numbers, two.numbers) || !slices.Equal(one.at, two.at) {
		t.Error("the same seed gave another trace")
	}
	if other := run(newPipe(6, shape), 3000, 300, 2*ms, nil); slices.Equal(one.numbers, other.numbers) {
		t.Error("another seed gave the same trace")
	}
}
