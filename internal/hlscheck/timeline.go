package hlscheck

import "math"

// gapSlack is how far a timestamp may lie from where the unit before it ended. Servers that send a part before they know
// how long its last frame lasts predict that duration and correct it in the next part.
const gapSlack = 0.15

// stillSlack is by how much a picture may cut the time short that was announced for the one before it: while pictures
// are missing, a server may announce a long one so that playback goes on.
const stillSlack = 3

// soundSlack is the same for audio, whose frames all last the same.
const soundSlack = 0.05

// driftSlack is how far the sum of EXTINF may lie from the timestamps after a whole run.
const driftSlack = 0.25

// timeline follows the timestamps of one rendition from unit to unit.
type timeline struct {
	ends     map[int]span // by track: the last unit that had it
	counters map[int]byte // by PID: the last continuity counter

	segments, parts pace
}

// pace holds the durations that a playlist lists against the timestamps of one sort of unit.
type pace struct {
	previous *mark
	origin   *mark   // where the run without a discontinuity began
	listed   float64 // the durations since then
}

// mark is where a unit started and how long the playlist says it is.
type mark struct {
	track    int
	start    int64
	duration float64
}

// reset forgets the past: after a discontinuity or after units that were not seen.
func (t *timeline) reset() { *t = timeline{ends: map[int]span{}, counters: map[int]byte{}} }

// advance holds the next unit against the ends of those before it. Only a DISCONTINUITY allows a jump (4.4.4.3).
func (t *timeline) advance(u *unit, what string) findings {
	var f findings
	for _, s := range u.tracks {
		was, ok := t.ends[s.id]
		if !ok {
			t.ends[s.id] = s
			continue
		}
		t.ends[s.id] = s
		after := s.seconds(difference(s.start, was.last, s.scale))
		gap := s.seconds(difference(s.start, was.end, s.scale))
		f.must(s.scale == was.scale, "4.4.4.3", "%s: the time scale of track %d changed without EXT-X-DISCONTINUITY", what, s.id)
		f.must(after > 0, "4.4.4.3", "%s: track %d goes back by %.3f s without EXT-X-DISCONTINUITY", what, s.id, -after)
		overlap, slack := soundSlack, soundSlack
		if s.video {
			overlap, slack = stillSlack, gapSlack
		}
		f.must(after <= 0 || -overlap <= gap && gap <= slack, "4.4.4.3",
			"%s: track %d starts %.3f s off the end of what was before it, without EXT-X-DISCONTINUITY", what, s.id, gap)
	}
	for _, c := range u.counters {
		was, ok := t.counters[c.pid]
		f.must(!ok || c.first == (was+1)&0x0f, "3.1.1", "%s: continuity counter of PID 0x%x is %d after %d", what, c.pid, c.first, was)
		t.counters[c.pid] = c.last
	}
	return f
}

// step notes where a unit starts and holds the duration of the one before against it.
func (p *pace) step(u *unit, duration float64, clause, what string) findings {
	var f findings
	clock := u.clock()
	if clock == nil {
		return f
	}
	now := &mark{clock.id, clock.start, duration}
	if was := p.previous; was != nil && was.track == now.track {
		real := clock.seconds(difference(now.start, was.start, clock.scale))
		f.must(math.Abs(real-was.duration) <= gapSlack, clause,
			"what is before %s lasts %.3f s by its timestamps, the playlist says %.3f", what, real, was.duration)
		p.listed += was.duration
	}
	if p.origin == nil || p.origin.track != now.track {
		p.origin, p.listed = now, 0
	}
	drift := clock.seconds(difference(now.start, p.origin.start, clock.scale)) - p.listed
	f.must(math.Abs(drift) <= driftSlack, clause, "%s: the listed durations have drifted %.3f s off the timestamps", what, drift)
	p.previous = now
	return f
}

// difference is a-b, on a clock that wraps when it is that of a Transport Stream.
func difference(a, b, scale int64) int64 {
	d := a - b
	if scale == tsClock && a < timestamp && b < timestamp {
		d = (d%timestamp + timestamp + timestamp/2) % timestamp
		d -= timestamp / 2
	}
	return d
}
