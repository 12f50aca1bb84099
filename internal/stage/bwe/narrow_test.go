package bwe

import (
	"fmt"
	"testing"
	"time"
)

// sudden is a world whose link has another capacity from a moment on that the test chooses.
type sudden struct {
	*world
	capacity int
}

func newSudden(t *testing.T, seed uint64, publishers int, rates [MaxLayers]int, capacity int) *sudden {
	t.Helper()
	s := &sudden{capacity: capacity}
	s.world = newWorld(t, seed, publishers, rates, func(time.Duration) int { return s.capacity })
	s.again = true
	return s
}

// probes runs until a probe begins, at most for a time, and then for after more.
func (s *sudden) probes(most, after time.Duration) {
	sent := s.probesSent
	for end := s.now + most; s.probesSent == sent && s.now < end; {
		s.run(s.now + time.Millisecond)
	}
	s.run(s.now + after)
}

// small is what tests with real clients publish, in few packets.
func small() [MaxLayers]int { return [MaxLayers]int{70_000, 210_000, 420_000} }

// TestALinkNarrowsWhileItIsProbed has a link become narrow at every phase of a probe. Its queue holds half a second or one
// of what it carries then, as those of access links do.
func TestALinkNarrowsWhileItIsProbed(t *testing.T) {
	t.Parallel()
	const seeds = seedsOfAll
	for _, publishers := range []int{1, 2, 4, 11} {
		for _, interval := range []time.Duration{50, 100, 250} {
			for _, queue := range []int{64_000, 125_000} {
				t.Run(fmt.Sprintf("%d publishers, feedback each %d ms, a queue of %d", publishers, interval, queue), func(t *testing.T) {
					t.Parallel()
					for seed := range uint64(seeds) {
						rates, fps := web(), 30
						if seed%2 == 1 {
							rates, fps = small(), 8
						}
						s := newSudden(t, seed, publishers, rates, 3_000_000)
						s.fps, s.interval, s.link.limit = fps, interval*time.Millisecond, queue
						s.run(4 * time.Second)
						s.probes(3*time.Second, time.Duration(seed)*400*time.Millisecond/seeds)
						at := s.now
						s.capacity = 1_000_000
						s.run(at + 8*time.Second)
						s.wantNoAudioLost(at+time.Second, s.now)
						s.wantChanges("becoming narrow", at, at+3*time.Second, 3*publishers+2)
						s.wantChanges("settled, narrow", at+3*time.Second, s.now, 2*publishers+4)
						if t.Failed() {
							t.Fatalf("seed %d", seed)
						}
					}
				})
			}
		}
	}
}
