package bwe

import "time"

// passing is the share of the rate sent that must arrive, as fast, for a probe to pass.
const passing = 0.92

// probe measures what arrives of all packets sent while it runs, padding and media alike.
type probe struct {
	now          Probe // Rate 0: none runs
	began, ends  time.Duration
	sent         int // bytes
	arrived      int
	first, until time.Duration // arrivals on our clock, that is less the path's least delay
	failed       bool
	last         ProbeResult
}

func (b *probe) running() bool { return b.now.Rate > 0 }

func (b *probe) sending(now time.Duration) bool { return b.running() && !b.failed && now < b.ends }

func (b *probe) start(now time.Duration, p Probe) {
	*b = probe{now: p, began: now, ends: now + p.Length, last: b.last}
}

// fail ends a probe that meets congestion, so that its padding stops.
func (b *probe) fail() { b.failed = true }

// result counts a packet that was sent during the probe; base is its path's least delay.
func (b *probe) result(r *Result, base time.Duration) {
	if !b.running() || r.Sent < b.began || r.Sent >= b.ends {
		return
	}
	b.sent += r.Size
	if r.Lost {
		return
	}
	at := r.Received - base
	if b.arrived == 0 {
		b.first, b.until = at, at
	}
	b.first, b.until = min(b.first, at), max(b.until, at)
	b.arrived += r.Size
}

// end judges a probe when the feedback for its last packets must have come, and reports whether it did so now.
func (b *probe) end(now, lag time.Duration) bool {
	wait := min(max(lag+lag/2, 100*time.Millisecond), time.Second)
	if !b.running() || !b.failed && now < b.ends+wait {
		return false
	}
	b.last = ProbeResult{ID: b.now.ID}
	if took := max(b.until-b.first, b.now.Length); took > 0 {
		b.last.Rate = int(float64(b.arrived*8) / took.Seconds())
		sent := float64(b.sent*8) / b.now.Length.Seconds()
		b.last.Passed = !b.failed && b.sent > 0 && float64(b.last.Rate) >= passing*sent
	}
	b.now = Probe{}
	return true
}
