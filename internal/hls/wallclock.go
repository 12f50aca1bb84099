package hls

import (
	"math"
	"time"
)

// wallclock maps the timeline to the time of day for EXT-X-PROGRAM-DATE-TIME. It starts with the arrival of the first
// frame and follows the encoder's drift: the frames that came fastest in the last seconds show it, and the mapping
// moves towards them by at most half a percent of the time that passes. So dates neither jump nor run away.
type wallclock struct {
	started  bool
	offset   int64 // nanoseconds: date minus timeline
	asked    int64 // timeline of the last date, ticks
	since    int64 // start of the present observation, nanoseconds on the timeline
	now, old int64 // least offset in the present and in the last observation
}

const (
	wallclockSpan = int64(10 * time.Second) // length of an observation
	wallclockSlew = 200                     // one in 200
)

// arrived notes when a frame came. at is its place on the timeline.
func (w *wallclock) arrived(at time.Duration, when time.Time) {
	seen := when.UnixNano() - int64(at)
	if !w.started {
		*w = wallclock{started: true, offset: seen, since: int64(at), now: seen, old: math.MaxInt64}
		return
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
	if w.asked != 0 {
		reach := max(at-nanos(w.asked), 0) / wallclockSlew
		w.offset += min(max(min(w.now, w.old)-w.offset, -reach), reach)
	}
	w.asked = ticks
	return time.Unix(0, w.offset+at).UTC().Round(time.Millisecond)
}

// nanos converts ticks of 1/90000 s.
func nanos(ticks int64) int64 {
	return ticks/second*int64(time.Second) + ticks%second*int64(time.Second)/second
}
