package bwe

import "time"

// When a delay is none of ours.
const (
	lessFlight = 0.70 // of what was in flight
	sameDelay  = 0.80 // of the longest delay
	settling   = 200 * time.Millisecond
)

// suspicion is about a delay: that a queue of ours makes it. A queue becomes shorter when less is in flight; a delay that
// does not, though nothing is lost, belongs to the path.
type suspicion struct {
	since    time.Duration // of the delay
	excess   float64       // the longest, in seconds
	flight   int           // the most that was in flight
	estimate float64       // before
	now, old int           // most in flight, of this period and the one before
	turned   time.Duration // when this period began
}

// look takes what was in flight lately, in bytes. lag is how long it takes for that to show in the delay.
func (s *suspicion) look(now, lag time.Duration, flight int) {
	if now-s.turned > lag {
		s.old, s.now, s.turned = s.now, 0, now
	}
	s.now = max(s.now, flight)
}

// clear says that there is no delay.
func (s *suspicion) clear(now time.Duration, estimate float64) {
	s.since, s.excess, s.flight, s.estimate = now, 0, max(s.now, s.old), estimate
}

// unfounded takes the present delay, in seconds, and reports whether it is none of ours.
func (s *suspicion) unfounded(excess float64) bool {
	most := max(s.now, s.old)
	s.excess, s.flight = max(s.excess, excess), max(s.flight, most)
	return float64(most) < lessFlight*float64(s.flight) && excess > sameDelay*s.excess
}
