package bwe

import "time"

// Constants for telling the path's own delay from queueing delay.
const (
	reducedInFlight = 0.70 // of the peak in flight
	persistentDelay = 0.80 // of the peak excess
	settleMargin    = 200 * time.Millisecond
)

// pathDelayDetector tells the propagation delay of a path that became longer from a queue that we fill. A queue becomes shorter
// when less is in flight; a delay that does not, though nothing is lost, is the path's.
type pathDelayDetector struct {
	since                    time.Duration // of the delay
	peakExcess               float64       // the longest, in seconds
	peakInFlight             int           // the most that was in flight
	estimateBefore           float64       // before
	periodPeak, previousPeak int           // most in flight, of this period and the one before
	periodStart              time.Duration // when this period began
}

// addInFlight adds the bytes in flight lately. lag is how long it takes for them to show in the delay.
func (s *pathDelayDetector) addInFlight(now, lag time.Duration, flight int) {
	if now-s.periodStart > lag {
		s.previousPeak, s.periodPeak, s.periodStart = s.periodPeak, 0, now
	}
	s.periodPeak = max(s.periodPeak, flight)
}

// clearDelay starts anew: there is no queueing delay.
func (s *pathDelayDetector) clearDelay(now time.Duration, estimate float64) {
	s.since, s.peakExcess, s.peakInFlight, s.estimateBefore = now, 0, max(s.periodPeak, s.previousPeak), estimate
}

// isPathDelay takes the present excess delay, in seconds, and reports whether it is the path's own.
func (s *pathDelayDetector) isPathDelay(excess float64) bool {
	most := max(s.periodPeak, s.previousPeak)
	s.peakExcess, s.peakInFlight = max(s.peakExcess, excess), max(s.peakInFlight, most)
	return float64(most) < reducedInFlight*float64(s.peakInFlight) && excess > persistentDelay*s.peakExcess
}
