package bwe

import (
	"math/rand/v2"
	"testing"
	"time"
)

// server is participants that one server sends to, each behind a link of its own. While it is starved, it gets a little
// time now and then, between which nothing leaves.
type server struct {
	*Host
	t       *testing.T
	worlds  []*world
	starved func(now time.Duration) bool
	rnd     *rand.Rand
	until   time.Duration // it stands still, or runs, until
	stands  bool
}

func newServer(t *testing.T, seed uint64, participants, publishers int, rates [MaxLayers]int) *server {
	t.Helper()
	s := &server{Host: &Host{}, t: t, rnd: rand.New(rand.NewPCG(seed, 7)), starved: func(time.Duration) bool { return false }}
	for i := range participants {
		s.join(uint64(i)+1000*seed, publishers, rates)
	}
	return s
}

func (s *server) join(seed uint64, publishers int, rates [MaxLayers]int) *world {
	s.t.Helper()
	w := newWorldOn(s.t, s.Host, seed, publishers, rates, func(time.Duration) int { return 100_000_000 })
	w.link.limit = 1_000_000 // what a server has not sent for a while comes at once, and nothing of it is lost
	w.link.resumes = func(now time.Duration) time.Duration {
		if s.stands {
			return s.until
		}
		return now
	}
	s.worlds = append(s.worlds, w)
	return w
}

// run runs all participants together.
func (s *server) run(until time.Duration) {
	for now := s.worlds[0].now; now < until; now += time.Millisecond {
		if now >= s.until {
			s.stands = !s.stands && s.starved(now)
			length := 10 + s.rnd.IntN(30)
			if s.stands {
				length = 40 + s.rnd.IntN(260)
			}
			s.until = now + time.Duration(length)*time.Millisecond
		}
		for _, w := range s.worlds {
			w.run(now + time.Millisecond)
		}
	}
}

// between reports whether a server is starved then.
func between(from, to time.Duration) func(time.Duration) bool {
	return func(now time.Duration) bool { return now >= from && now < to }
}

// only is a publisher of one layer, as encoders are.
func only(rate int) [MaxLayers]int { return [MaxLayers]int{rate} }

// TestAStarvedServerKeepsItsPictures: delays that rise everywhere, and no loss, take nothing away.
func TestAStarvedServerKeepsItsPictures(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		s := newServer(t, seed, 10, 1, only(2_500_000))
		s.starved = between(5*time.Second, 20*time.Second)
		s.run(5 * time.Second)
		for _, w := range s.worlds {
			w.padding = 0
		}
		s.run(30 * time.Second)
		for i, w := range s.worlds {
			if n := w.changes(5*time.Second, 30*time.Second); n > 0 || w.layers()[1] != 1 {
				t.Errorf("seed %d, participant %d: %d changes, %+v", seed, i, n, w.state)
			}
			if w.padding > 0 {
				t.Errorf("seed %d, participant %d: %d bytes of padding", seed, i, w.padding)
			}
		}
	}
}

// TestAStarvedServerKeepsItsLayers is the same with simulcast, where overuse before the host delay is detected may cost a step.
func TestAStarvedServerKeepsItsLayers(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		s := newServer(t, seed, 8, 4, web())
		s.starved = between(20*time.Second, 35*time.Second)
		s.run(20 * time.Second)
		for _, w := range s.worlds {
			w.wantLayers("before", 3, 4, 4)
		}
		for s.worlds[0].now < 35*time.Second {
			s.run(s.worlds[0].now + time.Second)
			for i, w := range s.worlds {
				if l := w.layers(); l[0]+l[1] > 0 {
					t.Errorf("seed %d, participant %d at %v: layers %v, %+v", seed, i, w.now, l, w.state)
				}
			}
		}
		s.run(60 * time.Second)
		for _, w := range s.worlds {
			w.wantLayers("afterwards", 3, 3, 4)
		}
	}
}

// TestANarrowLinkOfManyIsNarrow: one link that becomes narrow is no matter of the server, whatever it is like for the others.
func TestANarrowLinkOfManyIsNarrow(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		s := newServer(t, seed, 6, 4, web())
		w := s.worlds[2]
		w.link.capacity, w.link.limit = narrowing, 60_000
		s.run(39 * time.Second)
		w.wantNoAudioLost(21*time.Second, 39*time.Second)
		w.wantAudioDelay(23*time.Second, 39*time.Second, 250*time.Millisecond)
		if l := w.layers(); l[3] > 0 {
			t.Errorf("seed %d: layers %v on 1 Mbit/s", seed, l)
		}
		for i, other := range s.worlds {
			if i != 2 {
				other.wantChanges("the others", 15*time.Second, 39*time.Second, 0)
			}
		}
	}
}

// TestLossIsNeverTheServers: what is lost tells of a link, even while the server is starved.
func TestLossIsNeverTheServers(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		s := newServer(t, seed, 6, 1, only(2_500_000))
		s.starved = between(5*time.Second, 30*time.Second)
		w := s.worlds[1]
		w.link.capacity = func(now time.Duration) int {
			if now > 10*time.Second {
				return 500_000
			}
			return 100_000_000
		}
		s.run(10 * time.Second)
		w.wantLayers("wide", 1, 1, 1)
		w.link.limit = 60_000
		s.run(16 * time.Second)
		w.wantLayers("narrow", 0, 1, 1)
	}
}

// TestJoinersNeedNoPadding: who joins gets the picture at once, however much it is, and keeps it.
func TestJoinersNeedNoPadding(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{500_000, 2_500_000, 3_400_000, 6_000_000} {
		s := newServer(t, uint64(rate), 1, 1, only(rate))
		for i := range uint64(20) {
			s.run(s.worlds[0].now + 40*time.Millisecond)
			w := newWorldOn(t, s.Host, i, 1, only(rate), func(time.Duration) int { return 100_000_000 })
			w.link.limit = 1_000_000
			w.run(10 * time.Second)
			if n := w.changes(0, 10*time.Second); n != 1 || w.padding > 0 || w.layers()[1] != 1 {
				t.Errorf("%d bit/s, joiner %d: %d changes, %d bytes of padding, %+v", rate, i, n, w.padding, w.state)
			}
		}
	}
}

// TestHost: most of at least quorum have a delay, and a packet that left late is remembered for a while.
func TestHost(t *testing.T) {
	t.Parallel()
	h, reports := &Host{}, make([]hostReport, 6)
	for i, want := range []bool{false, false, false, true, true, true} {
		h.updateReport(&reports[i], hostReport{member: true, delayed: i != 3 && i != 5})
		if h.mostDelayed() != want {
			t.Errorf("%d members: %v", i+1, !want)
		}
	}
	h.updateReport(&reports[0], hostReport{member: true})
	if h.mostDelayed() {
		t.Error("half of them are most")
	}
	for i := range reports {
		h.updateReport(&reports[i], hostReport{})
	}
	if h.members.Load() != 0 || h.delayed.Load() != 0 {
		t.Errorf("%d, %d after all have gone", h.members.Load(), h.delayed.Load())
	}
	for at := time.Duration(0); at < 10*time.Second; at += 10 * time.Millisecond {
		h.AddDeparture(at, lateDeparture-1)
		if at%(200*time.Millisecond) == 0 {
			h.AddDeparture(at, lateDeparture)
		}
		if h.overloaded(at) {
			t.Fatalf("busy at %v, and one of 20 is late", at)
		}
	}
	last := 10 * time.Second
	for ; !h.overloaded(last) && last < 12*time.Second; last += 10 * time.Millisecond {
		h.AddDeparture(last, lateDeparture)
	}
	if last -= 10 * time.Millisecond; last > 11*time.Second || !h.overloaded(last+hostHoldTime-1) || h.overloaded(last+hostHoldTime) {
		t.Errorf("busy at %v for another time than it should be", last)
	}
	var none *Host
	none.updateReport(&hostReport{}, hostReport{member: true})
	none.AddDeparture(0, time.Hour)
	if none.overloaded(0) || none.mostDelayed() {
		t.Error("nobody is busy")
	}
}
