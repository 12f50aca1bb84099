package bwe

import "time"

// passing is the share of the rate sent that must arrive, as fast, for a probe to pass.
const passing = 0.92

// feedbackInterval is how far apart feedback messages usually are.
const feedbackInterval = 100 * time.Millisecond

// probe measures what arrives of all packets sent while it runs, padding and media alike. A link that is too narrow
// spreads them out: arrival times, on our clock, rise by more than 1 for each second of sending time. A line fitted
// through them is not misled by jitter, as the first and last arrival would be, and how far they are from the line tells
// how much of its slope is jitter.
type probe struct {
	now         Probe // Rate 0: none runs
	began, ends time.Duration
	sent        int // bytes
	arrived     int
	fit         line
	failed      bool
	void        bool
	last        ProbeResult
}

func (b *probe) running() bool { return b.now.Rate > 0 }

func (b *probe) sending(now time.Duration) bool { return b.running() && !b.failed && now < b.ends }

func (b *probe) start(now time.Duration, p Probe) {
	*b = probe{now: p, began: now, ends: now + p.Length, last: b.last}
}

// fail ends a probe that meets congestion, so that its padding stops.
func (b *probe) fail() { b.failed = true }

// cancel calls a probe off: the server has no time for it.
func (b *probe) cancel() {
	if b.running() {
		b.failed, b.void = true, true
	}
}

// result counts a packet that was sent during the probe; base is its path's least delay.
func (b *probe) result(r *Result, base time.Duration) {
	if !b.running() || r.Sent < b.began || r.Sent >= b.ends {
		return
	}
	if !r.Late {
		b.sent += r.Size
	}
	if !r.Lost {
		b.arrived += r.Size
		b.fit.add((r.Sent - b.began).Seconds(), (r.Received - base - b.began).Seconds())
	}
}

// end judges a probe when the feedback for its last packets must have come, and reports whether it did so now.
func (b *probe) end(now, lag time.Duration) bool {
	wait := min(lag+reordering+feedbackInterval, time.Second)
	if !b.running() || !b.failed && now < b.ends+wait {
		return false
	}
	rate := func(bytes int) float64 { return float64(bytes*8) / b.now.Length.Seconds() }
	arrived := rate(b.arrived) / max(1, b.fit.slope()-2*b.fit.doubt())
	b.last = ProbeResult{ID: b.now.ID, Rate: int(arrived)}
	b.last.Void = b.void
	b.last.Passed = !b.failed && b.sent > 0 && arrived >= passing*rate(b.sent)
	b.now = Probe{}
	return true
}
