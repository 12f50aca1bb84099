package broadcast

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/resource"
)

// counters are written by ingest loops and read by Stats.
type counters struct {
	bytes, frames, drops, rebases atomic.Int64
	foreignVideo, foreignAudio    atomic.Int64
	sessions, refused, takeovers  atomic.Int64
	unfit, dateSteps, panics      atomic.Int64
	reaped, reapedClaims          atomic.Int64
	latency                       histogram
}

// latencyBounds are the upper bounds of the buckets of Stats.PartLatency.
var latencyBounds = [...]time.Duration{ //nolint:gochecknoglobals // a constant table
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond,
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 100 * time.Millisecond,
}

// histogram counts durations in the buckets of latencyBounds and one more.
type histogram struct {
	buckets [len(latencyBounds) + 1]atomic.Int64
	sum     atomic.Int64 // nanoseconds
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < len(latencyBounds) && d > latencyBounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.sum.Add(int64(d))
}

// Latency is a histogram of durations.
type Latency struct {
	Bounds []time.Duration // upper bounds of the buckets, inclusive
	Counts []int64         // one more than Bounds: the last counts what is above all of them
	Sum    time.Duration
}

// Stats is what a Manager has seen since it was made.
type Stats struct {
	Streams      map[resource.StreamState]int // running now, by state
	Sessions     int64                        // begun
	Refused      int64                        // publish requests refused
	Unfit        int64                        // publishers ended for what they sent
	Takeovers    int64
	Bytes        int64 // of media messages
	Frames       int64 // packaged
	Drops        int64 // messages that were damaged or did not fit
	ForeignVideo int64 // messages dropped for their codec
	ForeignAudio int64
	Rebases      int64   // timestamp jumps taken out
	DateSteps    int64   // dates of playlists that were put right at a discontinuity
	Reaped       int64   // sessions ended here whose node was gone
	ReapedClaims int64   // and claims without a session
	Panics       int64   // each of which ended a broadcast
	PartLatency  Latency // from the arrival of the frame that completes a part (segment, without low latency) to its playlist
}

// Stats returns the present figures.
func (m *Manager) Stats() Stats {
	c := &m.counters
	s := Stats{
		Streams:  map[resource.StreamState]int{},
		Sessions: c.sessions.Load(), Refused: c.refused.Load(), Takeovers: c.takeovers.Load(),
		Unfit: c.unfit.Load(), ForeignVideo: c.foreignVideo.Load(), ForeignAudio: c.foreignAudio.Load(),
		Bytes: c.bytes.Load(), Frames: c.frames.Load(), Drops: c.drops.Load(), Rebases: c.rebases.Load(),
		DateSteps: c.dateSteps.Load(), Reaped: c.reaped.Load(), ReapedClaims: c.reapedClaims.Load(), Panics: c.panics.Load(),
		PartLatency: Latency{Bounds: slices.Clone(latencyBounds[:]), Sum: time.Duration(c.latency.sum.Load())},
	}
	for i := range c.latency.buckets {
		s.PartLatency.Counts = append(s.PartLatency.Counts, c.latency.buckets[i].Load())
	}
	for _, b := range m.running() {
		if state := b.State(); state != resource.Ended {
			s.Streams[state]++
		}
	}
	return s
}
