package bwe

import (
	"sync"
	"sync/atomic"
	"time"
)

// When a delay is the server's own.
const (
	quorum   = 4                      // estimators, at least: fewer may be behind one link
	holds    = 2 * time.Second        // for how long a delay of the server's own is remembered
	lingers  = 500 * time.Millisecond // for how long an estimator says that it has seen a queue: all do not look at once
	spent    = 5 * time.Second        // after a decrease it is no longer the delay's that the others see now
	verdict  = 120 * time.Millisecond // for the others to tell of a delay that is theirs too: a feedback message of each
	lateTurn = 50 * time.Millisecond  // from the arrival of a packet to its departure
	turnSpan = time.Second            // in which departures are counted
	lateMost = 0.10                   // of the departures, of a server that keeps up
)

// Host is what the downlinks of one server share: its processor, and often that of the receivers. Either one short of time
// delays packets as a narrow link does, but those of most participants at once, and loses none. While that is so, estimates
// hold, and what the delay has cost is given back; loss counts as ever. Any goroutine may use it. The zero value is ready;
// nil is a host of one downlink.
type Host struct {
	members, delayed atomic.Int64 // estimators with feedback, and those of them that see a queue

	mu        sync.Mutex
	began     time.Duration // of the span that is being counted
	all, late int           // departures in it
	behind    atomic.Int64  // the end of the last span with too many late ones; 0: there was none
}

// Departed tells the host how long a packet that leaves now has waited in the server. Once a frame is enough.
func (h *Host) Departed(now, waited time.Duration) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all++
	if waited >= lateTurn {
		h.late++
	}
	if now-h.began < turnSpan {
		return
	}
	if float64(h.late) > lateMost*float64(h.all) {
		h.behind.Store(max(1, int64(now)))
	}
	h.began, h.all, h.late = now, 0, 0
}

// busy reports whether many packets left late just now: no time to send padding.
func (h *Host) busy(now time.Duration) bool {
	if h == nil {
		return false
	}
	at := h.behind.Load()
	return at > 0 && now-time.Duration(at) < holds
}

// many reports whether there are enough downlinks to tell the server's delay from a link's.
func (h *Host) many() bool { return h != nil && h.members.Load() >= quorum }

// delays reports whether most downlinks see a queue.
func (h *Host) delays() bool { return h.many() && 2*h.delayed.Load() > h.members.Load() }

// vote is what an estimator has told its host.
type vote struct{ member, delayed bool }

// tell replaces an estimator's vote.
func (h *Host) tell(v *vote, next vote) {
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
