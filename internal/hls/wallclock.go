package hls

import (
	"math"
	"time"
)

// wallclock maps the timeline to the time of day for EXT-X-PROGRAM-DATE-TIME. It follows the earliest arrival: no frame
// can come before it was made, so of all distances between arrival and timeline the least tells most.
//
//   - A frame that is late was held back on its way. That moves nothing, however late it is.
//   - When all frames that came in wallclockPatience were later than the dates say, the dates are behind: an encoder's clock
//     is slow, or it has paused and its timeline has no room for the time between.
//   - When frames come earlier than the dates say, the dates are ahead, and no viewer should see a date that is still to
//     come: the network held the first frames back, or an encoder's clock is fast.
//
// What is off by no more than wallclockSlack is put right by steps from segment to segment that are too small to matter,
// within seconds. More than that takes one step, which only a discontinuity may hide; while a burst lasts, during which
// every frame is earlier than the one before, that step waits, because one must do.
type wallclock struct {
	started bool
	offset  int64 // nanoseconds: date minus timeline
	told    bool  // a date has been asked for
	asked   int64 // timeline of the last date, ticks

	newest   int64 // arrival of the newest frame, Unix nanoseconds
	late     int64 // arrival of the first of those that are late without a break; 0: the newest is not
	since    int64 // arrival that began the present observation
	now, old int64 // least offset in the present and in the last observation

	burst int64 // arrival of the newest frame that was clearly earlier than all before it
	mark  int64 // and its offset
}

const (
	wallclockPatience = int64(30 * time.Second)
	wallclockSpan     = wallclockPatience / 2 // length of an observation
	wallclockSlack    = int64(300 * time.Millisecond)
	wallclockSlew     = 100                           // forward, one in 100 of the time that passes
	wallclockBack     = int64(200 * time.Millisecond) // backward, so much a segment

	// A burst is over when no frame has beaten those before it by burstStep for burstOver.
	burstStep = int64(50 * time.Millisecond)
	burstOver = int64(500 * time.Millisecond)
)

// arrived notes when a frame came. at is its place on the timeline.
func (w *wallclock) arrived(at time.Duration, when time.Time) {
	w.newest = when.UnixNano()
	seen := w.newest - int64(at)
	if !w.started {
		*w = wallclock{started: true, offset: seen, newest: w.newest, since: w.newest, now: seen, old: math.MaxInt64, mark: seen}
	}
	if seen <= w.offset {
		w.late = 0
	} else if w.late == 0 {
		w.late = w.newest
	}
	if seen <= w.mark-burstStep {
		w.mark, w.burst = seen, w.newest
	}
	if w.newest-w.since > wallclockSpan {
		w.since, w.old, w.now = w.newest, w.now, seen
	}
	w.now = min(w.now, seen)
}

// off returns by how much the dates must move, in nanoseconds: what is late counts only when everything is for long.
func (w *wallclock) off() int64 {
	d := min(w.now, w.old) - w.offset
	if d > 0 && (w.late == 0 || w.newest-w.late < wallclockPatience) {
		return 0
	}
	return d
}

// date returns the date of a place on the timeline in ticks of 1/90000 s, rounded to the millisecond that playlists
// tell. It is asked in order, once a segment.
func (w *wallclock) date(ticks int64) time.Time {
	at := nanos(ticks)
	switch d := w.off(); {
	case !w.told:
		w.offset, w.told = w.now, true // nobody has seen a date yet
	case d > 0 && d <= wallclockSlack:
		w.offset += min(d, max(at-nanos(w.asked), 0)/wallclockSlew)
	case d < 0 && -d <= wallclockSlack:
		w.offset -= min(-d, wallclockBack)
	}
	w.asked = ticks
	return time.Unix(0, w.offset+at).UTC().Round(time.Millisecond)
}

// lost reports whether the dates are off by more than small steps mend, and a large one would put them right for good.
func (w *wallclock) lost() bool {
	d := w.off()
	return d > wallclockSlack || d < -wallclockSlack && w.newest-w.burst >= burstOver
}

// step puts the dates right at once.
func (w *wallclock) step() {
	w.offset += w.off()
	w.late, w.mark = 0, w.offset
}

// nanos converts ticks of 1/90000 s.
func nanos(ticks int64) int64 {
	return ticks/second*int64(time.Second) + ticks%second*int64(time.Second)/second
}
