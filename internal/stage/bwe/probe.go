package bwe

import "time"

// minProbeDelivery is the share of the rate sent that must arrive, as fast, for a probe to pass.
const minProbeDelivery = 0.92

// feedbackInterval is how far apart feedback messages usually are.
const feedbackInterval = 100 * time.Millisecond

// probeCluster is one probe cluster: it measures what arrives of all packets sent while it runs, padding and
// media alike. A link that is too narrow spreads them out: arrival times, on our clock, rise by more than 1 for each second of sending time. A line fitted
// through them is not misled by jitter, as the first and last arrival would be, and how far they are from the line tells
// how much of its slope is jitter.
type probeCluster struct {
	request     Probe // Rate 0: none runs
	began, ends time.Duration
	sent        int // bytes
	arrived     int
	fit         line
	failed      bool
	void        bool
	last        ProbeResult
}

func (b *probeCluster) running() bool { return b.request.Rate > 0 }

func (b *probeCluster) sending(now time.Duration) bool {
	return b.running() && !b.failed && now < b.ends
}

func (b *probeCluster) startCluster(now time.Duration, p Probe) {
	*b = probeCluster{request: p, began: now, ends: now + p.Length, last: b.last}
}

// failCluster ends a probe cluster that meets overuse or loss, so that its padding stops.
func (b *probeCluster) failCluster() { b.failed = true }

// cancelCluster ends a probe cluster without a result: delay is the host's.
func (b *probeCluster) cancelCluster() {
	if b.running() {
		b.failed, b.void = true, true
	}
}

// addResult counts a packet that was sent during the probe; base is its path's least delay.
func (b *probeCluster) addResult(r *Result, base time.Duration) {
	if !b.running() || r.Sent < b.began || r.Sent >= b.ends {
		return
	}
	if !r.Late {
		b.sent += r.Size
	}
	if !r.Lost {
		b.arrived += r.Size
		b.fit.addPoint((r.Sent - b.began).Seconds(), (r.Received - base - b.began).Seconds())
	}
}

// endCluster sets the result of a probe cluster once the feedback for its last packets is due, and reports whether it did.
func (b *probeCluster) endCluster(now, lag time.Duration) bool {
	wait := min(lag+reordering+feedbackInterval, time.Second)
	if !b.running() || !b.failed && now < b.ends+wait {
		return false
	}
	rate := func(bytes int) float64 { return float64(bytes*8) / b.request.Length.Seconds() }
	arrived := rate(b.arrived) / max(1, b.fit.slope()-2*b.fit.standardError())
	b.last = ProbeResult{ID: b.request.ID, Rate: int(arrived)}
	b.last.Void = b.void
	b.last.Passed = !b.failed && b.sent > 0 && arrived >= minProbeDelivery*rate(b.sent)
	b.request = Probe{}
	return true
}
