package bwe

import (
	"sync/atomic"
	"time"
)

// Constants of the congestion window and the pacer.
const (
	queueAllowance = 0.8                   // of the overuse threshold: our own queue must not signal overuse
	drainAllowance = 0.4                   // the same after a decrease, for the queue to become shorter
	pacerBurst     = 40 * time.Millisecond // of what the link carries may leave at once
	pacingFactor   = 1.5                   // times the estimate, or a probe's rate
	minInFlight    = 6000                  // bytes
)

// Flight is the congestion window (in-flight limit) and pacer budget of a participant: the bytes sent over all paths and not
// yet acknowledged, and how many may be. Everything that waits
// in the queue in front of the link is part of it, so that a limit on it limits that queue: a link that becomes narrow
// answers less, and video then waits with the sender, where audio overtakes it, and not in front of the link, where both
// are lost. It is the congestion window of SCReAM (RFC 8298, section 4.1.2) in idea. Any goroutine may ask.
type Flight struct {
	bytes      atomic.Int64
	limitBytes atomic.Int64 // 0: no limit
	rate       atomic.Int64 // bytes a second
	pacerEnds  atomic.Int64 // when the pacer has sent everything at that rate
	heldAt     atomic.Int64 // when video was last held back for what is in flight

	sent, peak int64 // bytes ever, and the most since the last takePeak; under the caller's lock
}

// Open reports whether more video may leave now, after staged bytes that are about to. Audio does not ask. It costs a few
// atomic loads.
func (f *Flight) Open(now time.Duration, staged int) bool {
	most := f.limitBytes.Load()
	if most == 0 {
		return true
	}
	if f.bytes.Load()+int64(staged) >= most {
		f.heldAt.Store(int64(now))
		return false
	}
	room := int64(pacerBurst) - max(0, f.pacerEnds.Load()-int64(now))
	return room > 0 && int64(staged)*int64(time.Second) < room*f.rate.Load()
}

// addSent adds a sent packet to the bytes in flight.
func (f *Flight) addSent(now time.Duration, size int) {
	bytes := f.bytes.Load() + int64(size)
	f.bytes.Store(bytes)
	f.peak = max(f.peak, bytes)
	f.sent += int64(size)
	if rate := f.rate.Load(); rate > 0 {
		f.pacerEnds.Store(max(f.pacerEnds.Load(), int64(now)) + int64(size)*int64(time.Second)/rate)
	}
}

// takePeak returns the most bytes in flight since the last takePeak.
func (f *Flight) takePeak() int {
	peak := f.peak
	f.peak = f.bytes.Load()
	return int(peak)
}

// Bytes returns how much is on its way.
func (f *Flight) Bytes() int { return int(f.bytes.Load()) }
