package bwe

import (
	"sync"
	"sync/atomic"
	"time"
)

// Constants for telling host delay from link delay.
const (
	minHostEstimators = 4                      // fewer may be behind one link
	hostHoldTime      = 2 * time.Second        // of estimates after the last host delay
	hostReportLife    = 500 * time.Millisecond // of a report that there is a queue: estimators do not report at once
	decreaseMemory    = 5 * time.Second        // within which a decrease is undone when host delay is detected
	hostReportWait    = 120 * time.Millisecond // for reports of the other estimators: a feedback message of each
	lateDeparture     = 50 * time.Millisecond  // from the arrival of a packet to its departure
	departureSpan     = time.Second            // in which departures are counted
	maxLateShare      = 0.10                   // of the departures, of a server that keeps up
)

// Host detects delay that the downlinks of one server share: that of its processor, and often that of the receivers. Either one short of time
// delays packets as a narrow link does, but those of most participants at once, and loses none. While that is so, estimates
// hold, and what the delay has cost is given back; loss counts as ever. Any goroutine may use it. The zero value is ready;
// nil is a host of one downlink.
type Host struct {
	members, delayed atomic.Int64 // estimators with feedback, and those of them that see a queue

	mu                         sync.Mutex
	spanStart                  time.Duration // of the span that is being counted
	departures, lateDepartures int           // departures in it
	overloadedAt               atomic.Int64  // the end of the last span with too many late ones; 0: there was none
}

// AddDeparture counts a packet that leaves now, after it waited in the server for so long. Once a frame is enough.
func (h *Host) AddDeparture(now, waited time.Duration) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.departures++
	if waited >= lateDeparture {
		h.lateDepartures++
	}
	if now-h.spanStart < departureSpan {
		return
	}
	if float64(h.lateDepartures) > maxLateShare*float64(h.departures) {
		h.overloadedAt.Store(max(1, int64(now)))
	}
	h.spanStart, h.departures, h.lateDepartures = now, 0, 0
}

// overloaded reports whether many packets left late within hostHoldTime: no probes then.
func (h *Host) overloaded(now time.Duration) bool {
	if h == nil {
		return false
	}
	at := h.overloadedAt.Load()
	return at > 0 && now-time.Duration(at) < hostHoldTime
}

// hasEnoughEstimators reports whether there are enough downlinks to tell host delay from link delay.
func (h *Host) hasEnoughEstimators() bool { return h != nil && h.members.Load() >= minHostEstimators }

// mostDelayed reports whether most downlinks see a queue.
func (h *Host) mostDelayed() bool {
	return h.hasEnoughEstimators() && 2*h.delayed.Load() > h.members.Load()
}

// hostReport is an estimator's entry in the counters of its host.
type hostReport struct{ member, delayed bool }

// updateReport replaces an estimator's report.
func (h *Host) updateReport(v *hostReport, next hostReport) {
	if h == nil || *v == next {
		return
	}
	count := func(of *atomic.Int64, was, is bool) {
		switch {
		case is && !was:
			of.Add(1)
		case was && !is:
			of.Add(-1)
		}
	}
	count(&h.members, v.member, next.member)
	count(&h.delayed, v.delayed, next.delayed)
	*v = next
}
