package bwe

import (
	"testing"
	"time"
)

// steady feeds a new estimator for a while with packets of a rate that all arrive 30 ms later, a message each 100 ms.
func steady(e *Estimator, p *Path, length time.Duration, rate int) (now time.Duration) {
	const every = 100 * time.Millisecond
	size := rate / 8 / 100
	for now = 0; now < length; now += every {
		base, arrivals := p.nextSeq, []Arrival(nil)
		for i := range time.Duration(10) {
			at := now + i*every/10
			p.Sent(at, size)
			arrivals = append(arrivals, Arrival{true, at + 30*time.Millisecond + time.Hour})
		}
		e.Feedback(now+every+30*time.Millisecond, p, p.MatchFeedback(nil, base, arrivals))
	}
	return now + 30*time.Millisecond
}

func TestAnApplicationLimitedSenderGainsNothing(t *testing.T) {
	t.Parallel()
	e := NewEstimator(Options{})
	now := steady(e, newPath(&Flight{}), time.Minute, 500_000)
	s := e.State(now)
	if s.Estimate != 3_000_000 || s.Congested || s.Loss != 0 {
		t.Errorf("%+v", s)
	}
	if s.Acknowledged < 450_000 || s.Acknowledged > 600_000 {
		t.Errorf("throughput %d of 500,000", s.Acknowledged)
	}
}

func TestUseIsEvidence(t *testing.T) {
	t.Parallel()
	e := NewEstimator(Options{Start: 1_000_000, Max: 2_100_000})
	p := newPath(&Flight{})
	now := steady(e, p, 20*time.Second, 2_000_000)
	if s := e.State(now); s.Estimate < 1_900_000 || s.Estimate > 2_100_000 {
		t.Errorf("estimate %d while 2,000,000 arrive", s.Estimate)
	}
}

// TestWhatArrivesIsCarried has a sender that must send more than an estimate that was wrong.
func TestWhatArrivesIsCarried(t *testing.T) {
	t.Parallel()
	e := NewEstimator(Options{Start: 50_000})
	now := steady(e, newPath(&Flight{}), 3*time.Second, 1_000_000)
	if s := e.State(now); s.Estimate < 600_000 || s.Estimate > 1_200_000 {
		t.Errorf("estimate %d while 1,000,000 arrive", s.Estimate)
	}
}

func TestSilenceHalves(t *testing.T) {
	t.Parallel()
	e, p := NewEstimator(Options{Min: 100_000}), newPath(&Flight{})
	now := steady(e, p, 2*time.Second, 1_000_000)
	for range 100 { // muted: nothing sent, nothing heard
		now += 100 * time.Millisecond
		if s := e.State(now); s.Estimate != 3_000_000 {
			t.Fatalf("%v: %+v", now, s)
		}
	}
	for range 15 {
		p.Sent(now, 1000)
		now += 100 * time.Millisecond
		e.State(now)
	}
	if s := e.State(now); s.Estimate != 1_500_000 || !s.Congested {
		t.Fatalf("after 1.5 s: %+v", s)
	}
	for range 200 {
		p.Sent(now, 1000)
		now += 100 * time.Millisecond
		e.State(now)
	}
	if s := e.State(now); s.Estimate != 100_000 {
		t.Fatalf("after 20 s: %+v", s)
	}
	e.Remove(p)
	if len(e.paths) != 0 {
		t.Fatal("the path is kept")
	}
}

func TestAReceiverThatNeverAnswersHasNoFeedback(t *testing.T) {
	t.Parallel()
	e, p := NewEstimator(Options{}), newPath(&Flight{})
	for now := time.Duration(0); now < 10*time.Second; now += 100 * time.Millisecond {
		p.Sent(now, 1000)
		if s := e.State(now); s.Estimate != 3_000_000 || s.Congested || s.NoFeedback != (now >= noFeedbackTime) {
			t.Fatalf("%v: %+v", now, s)
		}
	}
}

func TestNonsenseFromTheReceiver(t *testing.T) {
	t.Parallel()
	e, p := NewEstimator(Options{}), newPath(&Flight{})
	now := time.Duration(0)
	for i := range 2000 {
		base := p.Sent(now, 1200)
		at := time.Duration(i%7-3) * 1000 * time.Hour
		e.Feedback(now, p, p.MatchFeedback(nil, base, []Arrival{{true, at}}))
		now += 10 * time.Millisecond
		if s := e.State(now); s.Estimate < 30_000 || s.Estimate > 50_000_000 {
			t.Fatalf("%+v", s)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	e, p := NewEstimator(Options{}), newPath(&Flight{})
	a, demands := NewAllocator(), make([]Demand, 24)
	for i := range demands {
		demands[i] = Demand{ID: uint64(i), Audio: i%2 == 0, Rates: web(), Limit: 2}
	}
	arrivals, results := make([]Arrival, 10), make([]Result, 0, 10)
	now := time.Duration(0)
	if n := testing.AllocsPerRun(1000, func() {
		base := p.nextSeq
		for i := range arrivals {
			p.Sent(now, 1200)
			arrivals[i] = Arrival{true, now + 30*time.Millisecond}
		}
		now += 100 * time.Millisecond
		results = p.MatchFeedback(results[:0], base, arrivals)
		e.Feedback(now, p, results)
		if plan := a.Allocate(now, e.State(now), demands); plan.Probe.Rate > 0 {
			e.Probe(now, plan.Probe)
		}
	}); n != 0 {
		t.Fatalf("%v allocations a feedback message", n)
	}
}

func BenchmarkSent(b *testing.B) {
	b.ReportAllocs()
	p := newPath(&Flight{})
	for i := range b.N {
		p.Sent(time.Duration(i), 1200)
	}
}

// BenchmarkFeedback is one message about 20 packets: match, estimate and allocate for 11 publishers.
func BenchmarkFeedback(b *testing.B) {
	b.ReportAllocs()
	e, p, a := NewEstimator(Options{}), newPath(&Flight{}), NewAllocator()
	demands := make([]Demand, 22)
	for i := range demands {
		demands[i] = Demand{ID: uint64(i), Audio: i%2 == 0, Rates: web(), Limit: 2}
	}
	arrivals, results := make([]Arrival, 20), make([]Result, 0, 20)
	now := time.Duration(0)
	for range b.N {
		base := p.nextSeq
		for i := range arrivals {
			p.Sent(now, 1200)
			arrivals[i] = Arrival{true, now + 30*time.Millisecond}
		}
		now += 100 * time.Millisecond
		results = p.MatchFeedback(results[:0], base, arrivals)
		e.Feedback(now, p, results)
		a.Allocate(now, e.State(now), demands)
	}
}
