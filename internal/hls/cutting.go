package hls

import (
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/media"
)

// maxAudioStep is the longest step between two audio frames that still counts as time passing; more is a hole.
const maxAudioStep = second / 5

// cutting is a Cutter's view of the leading rendition's frames: times and keyframes, no bytes. Its clock is the video: a
// part closes on the frame that fills it, going by the predicted duration of that frame, and the audio that has arrived for
// this time goes along; audio that is ahead is held, audio that is late goes into a later part with its own time.
//
// Parts lie on the timeline without holes, [from, from+duration), and never last longer than the part target:
//
//   - While the frame rate is regular, a part ends where its last frame will end. Where nobody can tell whether the next
//     picture starts a segment, the part waits for it, so that the hint for the part behind it comes true.
//   - When it is not, predictions are not trusted: a part ends on time, at from plus the part target, once a frame
//     beyond that has come, so durations are exact, and frames belong to the part in which they begin.
//   - When no picture comes while sound goes on, the sound is the clock, and the last keyframe is repeated.
//   - Time for which nothing came at all is a part with GAP=YES; more than half a target duration of it ends the
//     segment, and the next one starts after the hole with a discontinuity.
type cutting struct {
	plan
	log   *slog.Logger
	quiet time.Time // nothing is logged before
	grace int64     // sound without pictures that makes the sound the clock

	cadence cadence
	bounds  boundaries
	clock   wallclock

	// The open part.
	from     int64 // where it starts
	pictures int   // in it
	full     bool  // it has all its pictures, and waits for the next one to tell where it belongs

	shown   int64 // place of the newest picture
	offset  int64 // its presentation minus its decode time
	end     int64 // where the newest picture is predicted to end
	next    int64 // decode time of the frame that is just being taken; -1: none
	pts     int64 // presentation end of the newest picture
	silence int64 // ticks of sound that came since the newest picture
	heard   int64 // place of the newest sound

	// The open segment.
	open   int64 // its media sequence number; -1: none was opened yet
	breaks bool  // a discontinuity stands before it
	key    int64 // presentation time of the keyframe for which the next one is about to start; 0: there is none
	parts  int   // complete ones
	filled bool  // one of them has media

	complete int64 // segments so far: the media sequence number of the next
	gone     int64 // discontinuities before them
}

// takePicture takes the next video frame.
func (c *Cutter) takePicture(f *media.Frame) {
	r := c.lead
	if f.Track != r.videoTrack && !f.Key || r.still.hides(f) {
		return // it cannot be decoded: its parameters start at a keyframe
	}
	c.clock.arrived(f.Time(), f.Arrived)
	c.next = f.DTS
	if c.lost(f.DTS) {
		c.next = -1
		c.skip(f)
	} else {
		c.release(f.DTS)
		c.advance(f.DTS)
		c.takeKeyframe(f)
	}
	c.next = -1
	r.still.over(f)
	r.addPicture(f)
	c.pictures++
	c.cadence.notePicture(f.DTS)
	interval := c.cadence.interval()
	c.end = f.DTS + interval
	c.pts = max(c.pts, f.PTS()+interval)
	c.shown, c.silence = max(f.DTS, c.from), 0
	if c.cadence.regular() {
		c.fill(interval)
	}
}

// lost reports whether nothing at all covers more than half a target duration before a picture.
func (c *Cutter) lost(dts int64) bool {
	hole := c.target / 2
	covered := max(c.end, c.from)
	if dts-covered <= hole {
		return false
	}
	return dts-c.lead.heardUntil(covered, hole) > hole
}

// skip ends the segment before a hole and starts the next one behind it.
func (c *Cutter) skip(f *media.Frame) {
	c.note("a hole", "seconds", float64(f.DTS-c.end)/second)
	c.finishSegment(max(c.end, c.from))
	c.cadence.skip(f.DTS)
	c.bounds.skip(f.DTS, f.Key)
	c.changeTracks(f)
	c.offset = int64(f.Offset)
	c.key = f.PTS()
	c.startSegment(f.DTS, true)
}

// takeKeyframe starts a segment at a picture if there is reason to.
func (c *Cutter) takeKeyframe(f *media.Frame) {
	if !f.Key {
		return
	}
	wanted := c.bounds.noteKeyframe(f.DTS)
	astray := wanted && c.clock.lost()
	changed := f.Track != c.lead.videoTrack || c.lead.comingDue(f.DTS, c.part) || astray || wanted && c.asked.Load()
	if !changed && (!wanted || !c.hasMedia()) {
		return
	}
	c.offset = int64(f.Offset)
	at := max(f.DTS, c.from)
	if at == c.from && c.pictures > 0 { // pictures that came late need a part, and a part needs time
		at += min(c.cadence.interval(), c.part)
	}
	c.finishSegment(at)
	if astray {
		c.note("dates take a step", "segment", c.open+1, "seconds", time.Duration(c.clock.off()).Seconds())
		c.clock.step()
		c.dateSteps.Add(1)
	}
	if changed {
		c.changeTracks(f)
	}
	c.key = f.PTS()
	c.startSegment(c.from, changed)
}

// hasMedia reports whether the open segment has anything in it.
func (c *Cutter) hasMedia() bool { return c.filled || c.pictures > 0 }

// fill closes the open part if the newest picture fills it: when it reaches beyond the part target, or when another
// one like it would and the part is long enough for one that need not be its segment's last (RFC 8216bis 4.4.4.9).
func (c *Cutter) fill(interval int64) {
	room := c.from + c.part
	to := min(c.end, room)
	if c.end <= room && (c.end+interval <= room || !c.longEnough(to)) {
		return
	}
	if c.bounds.undecided(to) {
		c.full = true
		return
	}
	c.closePart(to)
	c.split()
}

// release closes a part that has waited for the picture which comes now.
func (c *Cutter) release(at int64) {
	if c.full && at-c.from <= c.part && c.longEnough(at) {
		c.closePart(at)
		c.split()
	}
}

// longEnough reports whether the open part may end at a place without being its segment's last one.
func (c *Cutter) longEnough(to int64) bool { return 100*(to-c.from) >= 85*c.part }

// advance closes the parts that end at or before a place on the timeline.
func (c *Cutter) advance(to int64) {
	for to-c.from >= c.part {
		c.closePart(c.from + c.part)
		c.split()
	}
}

// split ends the segment after a part if it has no room for another.
func (c *Cutter) split() {
	if c.bounds.full(c.from, c.part) {
		c.finishSegment(c.from)
		c.startSegment(c.from, false)
	}
}

// takeSound takes the next audio frame. It may be far ahead of the pictures or behind them, so it says nothing about dates.
func (c *Cutter) takeSound(f *media.Frame) {
	at := place(f)
	c.lead.addSound(f)
	step := at - c.heard
	if step <= 0 || step > maxAudioStep {
		step = second * f.Track.FrameTicks() / f.Track.TimeScale
	}
	c.heard = at
	c.silence += step
	if c.silence < c.grace || !c.cadence.started {
		return
	}
	c.advance(c.shown + c.silence)
	if c.lead.comingDue(c.from, c.part) && c.pictures == 0 {
		c.finishSegment(c.from)
		c.changeTracks(nil)
		c.startSegment(c.from, true)
	}
}

// changeTracks takes over what a picture (nil: none) and waiting sound bring, after a segment has been finished.
func (c *Cutter) changeTracks(f *media.Frame) {
	if c.lead.changeTracks(f, c.from, c.part) {
		c.note("new parameters", "segment", c.open+1, "video", c.lead.videoTrack.CodecName, "audio", c.lead.audioTrack != nil)
	}
}

// startSegment opens the next segment.
func (c *Cutter) startSegment(at int64, discontinuity bool) {
	if c.open >= 0 && c.parts == 0 && c.breaks {
		discontinuity = true // it takes the place of one that never got a part
	}
	c.from = at
	c.bounds.openSegment(at)
	c.open, c.breaks, c.parts, c.filled = c.complete, discontinuity, 0, false
	if discontinuity {
		c.asked.Store(false)
	}
	c.tellRenditions(decision{
		kind: segmentStarts, gone: c.gone, key: c.key, from: at, to: at, offset: c.offset,
		head: Head{MSN: c.open, Discontinuity: discontinuity, Date: c.clock.date(at)},
	})
	c.key = 0
}

// closePart ends the open part at a place on the timeline.
func (c *Cutter) closePart(to int64) {
	filled := c.tellRenditions(decision{
		kind: partEnds, from: c.from, to: to, offset: c.offset, next: c.next, end: c.end, shown: c.shown,
		interval: c.cadence.interval(), silent: c.silence >= c.grace,
		repeat: c.bounds.gop > 0 && c.silence >= c.stillAfter(), loops: c.bounds.gop > 0, lasting: c.stillAfter(),
		hasSound: c.lead.audioTrack != nil, keyNext: c.keyNext(to),
	})
	c.filled = c.filled || filled
	c.from, c.full, c.pictures = to, false, 0
	c.parts++
}

// stillAfter returns how much sound without pictures it takes until the last keyframe is repeated.
func (c *Cutter) stillAfter() int64 { return max(stillAfter, 8*c.cadence.interval()) }

// finishSegment ends the open segment at a place on the timeline, or before it, when nothing that is worth a part is left:
// then from tells where.
func (c *Cutter) finishSegment(at int64) {
	c.advance(at)
	if rest := at - c.from; rest > 0 && (c.pictures > 0 || 2*rest >= c.part) {
		c.closePart(at)
	}
	if c.parts == 0 {
		return
	}
	if c.breaks {
		c.gone++
	}
	c.complete++
	c.tellRenditions(decision{kind: segmentEnds, from: c.from, to: c.from})
}

// finishAll ends the last segment.
func (c *Cutter) finishAll() {
	to := max(c.end, c.from)
	if c.silence >= c.grace {
		to = max(to, c.shown+c.silence)
	}
	c.finishSegment(to)
}

// keyNext reports whether a keyframe that starts a segment is due at a place.
func (c *Cutter) keyNext(at int64) bool {
	const ms = second / 1000
	return c.bounds.keyExpected(at, max(c.cadence.interval()/2, 2*ms))
}

// hint returns the part that will come next: the first of another segment when a keyframe is due right behind the last
// part. It is wrong only when an encoder breaks its own rhythm; then requests for it are answered after a wait or with
// "not found", as RFC 8216bis 6.2.6 has it.
func (c *Cutter) hint() (msn int64, index int) {
	if c.parts > 0 && c.pictures == 0 && c.keyNext(c.from) {
		return c.open + 1, 0
	}
	return c.open, c.parts
}

// place returns where a frame lies in ticks of media.VideoTimeScale.
func place(f *media.Frame) int64 {
	if f.Track.TimeScale == second {
		return f.DTS
	}
	s, r := f.DTS/f.Track.TimeScale, f.DTS%f.Track.TimeScale
	return s*second + r*second/f.Track.TimeScale
}
