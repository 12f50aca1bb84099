package bwe

import (
	"sync/atomic"
	"time"
)

// How much may be on its way.
const (
	slack       = 0.8                   // of the delay that is told from jitter: what we queue ourselves raises no alarm
	tight       = 0.4                   // the same after a decrease, for the queue to become shorter
	ahead       = 40 * time.Millisecond // of what the link carries may leave at once
	pacing      = 1.5                   // times the estimate, or a probe's rate
	leastFlight = 6000                  // bytes
)

// Flight is what is on its way to a participant, over all paths: sent, and not answered by feedback. Everything that waits
// in the queue in front of the link is part of it, so that a limit on it limits that queue: a link that becomes narrow
// answers less, and video then waits with the sender, where audio overtakes it, and not in front of the link, where both
// are lost. It is the congestion window of SCReAM (RFC 8298, section 4.1.2) in idea. Any goroutine may ask.
type Flight struct {
	bytes atomic.Int64
	most  atomic.Int64 // 0: no limit
	rate  atomic.Int64 // bytes a second
	busy  atomic.Int64 // when a link of that rate has sent everything
	shut  atomic.Int64 // when video was last held back for what is in flight

	sent, peak int64 // bytes ever, and the most since the estimator looked; under the caller's lock
}

// Open reports whether more video may leave now, after staged bytes that are about to. Audio does not ask. It costs a few
// atomic loads.
func (f *Flight) Open(now time.Duration, staged int) bool {
	most := f.most.Load()
	if most == 0 {
		return true
	}
	if f.bytes.Load()+int64(staged) >= most {
		f.shut.Store(int64(now))
		return false
	}
	room := int64(ahead) - max(0, f.busy.Load()-int64(now))
	return room > 0 && int64(staged)*int64(time.Second) < room*f.rate.Load()
}

// depart puts a packet into the flight.
func (f *Flight) depart(now time.Duration, size int) {
	bytes := f.bytes.Load() + int64(size)
	f.bytes.Store(bytes)
	f.peak = max(f.peak, bytes)
	f.sent += int64(size)
	if rate := f.rate.Load(); rate > 0 {
		f.busy.Store(max(f.busy.Load(), int64(now)) + int64(size)*int64(time.Second)/rate)
	}
}

// look returns the most that was in flight since the last look.
func (f *Flight) look() int {
	peak := f.peak
	f.peak = f.bytes.Load()
	return int(peak)
}

// Bytes returns how much is on its way.
func (f *Flight) Bytes() int { return int(f.bytes.Load()) }
