package hls

import (
	"math"
	"time"
)

// wallclock maps the timeline to the time of day for EXT-X-PROGRAM-DATE-TIME. It starts with the arrival of the first
// frame and follows the encoder's drift: the frames that came fastest in the last seconds show it, and the mapping
// moves towards them by at most half a percent of the time that passes. So dates neither jump nor run away.
//
// One thing cannot be slewed: when an encoder stops for a while and goes on, the timeline has no room for the time
// between. All frames are late then, and stay so; step puts the dates right at a discontinuity.
type wallclock struct {
	started  bool
	offset   int64 // nanoseconds: date minus timeline
	told     bool  // a date has been asked for
	asked    int64 // timeline of the last date, ticks
	since    int64 // start of the present observation, nanoseconds on the timeline
	now, old int64 // least offset in the present and in the last observation

	newest int64 // arrival of the newest frame, Unix nanoseconds
	late   int64 // arrival of the first one of those that are late without a break; 0: the newest is not
	least  int64 // least offset of those
}

const (
	wallclockSpan = int64(10 * time.Second) // length of an observation
	wallclockSlew = 200                     // one in 200

	wallclockLate  = int64(time.Second)     // what slewing would take minutes for
	wallclockPause = int64(4 * time.Second) // for which frames must be late, so that a congestion does not count
)

// arrived notes when a frame came. at is its place on the timeline.
func (w *wallclock) arrived(at time.Duration, when time.Time) {
	seen := when.UnixNano() - int64(at)
	if !w.started {
		*w = wallclock{started: true, offset: seen, since: int64(at), now: seen, old: math.MaxInt64}
	}
	w.newest = when.UnixNano()
	switch {
	case seen-w.offset <= wallclockLate:
		w.late = 0
	case w.late == 0:
		w.late, w.least = w.newest, seen
	default:
		w.least = min(w.least, seen)
	}
	if int64(at)-w.since > wallclockSpan {
		w.since, w.old, w.now = int64(at), w.now, seen
	}
	w.now = min(w.now, seen)
}

// date returns the date of a place on the timeline in ticks of 1/90000 s, rounded to the millisecond that playlists
// tell. It is asked in order.
func (w *wallclock) date(ticks int64) time.Time {
	at := nanos(ticks)
	if !w.told {
		w.offset, w.told = w.now, true // nobody has seen a date yet
	} else {
		reach := max(at-nanos(w.asked), 0) / wallclockSlew
		w.offset += min(max(min(w.now, w.old)-w.offset, -reach), reach)
	}
	w.asked = ticks
	return time.Unix(0, w.offset+at).UTC().Round(time.Millisecond)
}

// lost reports whether the dates have fallen behind for good.
func (w *wallclock) lost() bool { return w.late != 0 && w.newest-w.late >= wallclockPause }

// step puts the dates right at once.
func (w *wallclock) step() {
	w.offset, w.now, w.old, w.late = w.least, w.least, math.MaxInt64, 0
}

// nanos converts ticks of 1/90000 s.
func nanos(ticks int64) int64 {
	return ticks/second*int64(time.Second) + ticks%second*int64(time.Second)/second
}
