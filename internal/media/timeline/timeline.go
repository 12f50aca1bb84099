// Package timeline puts what publishers send on one continuous timeline: a Timeline the timestamps of one encoder, a Splice
// the frames of sources that follow each other.
//
// RTMP gives every message 32 bits of milliseconds that wrap, and encoders make them jump, step back and jitter. The
// timeline that comes out is 64 bits wide and shared by both tracks:
//
//   - Decode times grow strictly within a track and are never negative.
//   - Pictures that share a timestamp, as those of encoders which stamp 60 a second by a clock of 30, are spread over
//     the interval to the next timestamp, as far as the last one tells it. None of them waits for it.
//   - A step of up to MaxBackStep backwards counts as the same timestamp again; a larger one, or a jump of more than MaxGap beyond everything
//     seen on either track, is a rebase: the track goes on with its next expected frame time.
//   - A rebase is a shift of the encoder's clock. The other track meets the same jump some messages later and then takes
//     the same shift, so the tracks keep their true relation.
//   - Video runs at media.VideoTimeScale. Audio is counted in samples; milliseconds only correct its drift, and
//     true gaps stay gaps.
//
// A Timeline belongs to one goroutine at a time. It allocates nothing after New.
//
// Imports: media.
package timeline

import (
	"time"

	"github.com/rivus-live/rivus/internal/media"
)

// The limits that tell a timestamp's jitter, gaps and jumps apart.
const (
	// MaxGap is how far a timestamp may lie beyond everything seen on either track and still be a gap, not a jump.
	MaxGap = 3 * time.Second
	// MaxBackStep is how far a timestamp may lie behind its own track and still be jitter, not a jump.
	MaxBackStep = 500 * time.Millisecond
	// MaxStart is how far apart the two tracks may start and still share the encoder's clock.
	MaxStart = 10 * time.Second
)

const (
	maxGap      = int64(MaxGap / time.Millisecond)
	maxBackStep = int64(MaxBackStep / time.Millisecond)
	maxStart    = int64(MaxStart / time.Millisecond)

	maxComposition = 10_000 // milliseconds; more is no reordering of pictures but nonsense, and counts as none

	videoTick     = media.VideoTimeScale / 1000 // ticks in a millisecond
	videoInterval = 33                          // expected milliseconds between frames until two were seen
	audioInterval = 21
	maxInterval   = 1000 // a longer distance between two frames is a pause and predicts nothing
)

// Timeline maps the timestamps of one encoder. The zero value is not usable; call New.
type Timeline struct {
	video, audio clock
	high         int64     // the furthest millisecond seen on either track
	started      bool      // there was a frame
	shifts       [4]uint32 // shifts of recent rebases, newest first, for the track that has not met its jump yet
	known        int       // how many of them are set
	rebases      int

	lastDTS  int64 // video, in ticks
	pictures spread
	counter  counter
}

// spread places the pictures that share a timestamp.
type spread struct {
	at     int64 // the timestamp's place, in milliseconds
	same   int64 // pictures at it, after the first
	before int64 // pictures at the timestamp before it, the first included
}

// clock follows the timestamps of one track.
type clock struct {
	shift    uint32 // added to a timestamp modulo 2^32
	last     int64  // the furthest millisecond on the timeline
	interval int64  // milliseconds to the next expected frame
	started  bool   // there was a frame of this track
}

// New returns an empty timeline. Its first frame is at MaxStart, so that a track which starts behind the other still
// has times above zero.
func New() *Timeline {
	return &Timeline{
		high:    maxStart,
		video:   clock{interval: videoInterval},
		audio:   clock{interval: audioInterval},
		lastDTS: -1,
	}
}

// Rebases returns how many times a jump was taken out.
func (t *Timeline) Rebases() int { return t.rebases }

// Video places a video message: ts and composition are the RTMP timestamp and the FLV composition time, both in
// milliseconds. The answer is in ticks of 1/90000 s; dts is larger than every one before.
func (t *Timeline) Video(ts uint32, composition int32) (dts int64, offset int32) {
	dts = t.spread(ts)
	if dts <= t.lastDTS {
		dts = t.lastDTS + 1
	}
	t.lastDTS = dts
	if composition > maxComposition || composition < -maxComposition {
		composition = 0
	}
	return dts, composition * videoTick
}

// spread returns the tick of a video timestamp. Another picture at the same timestamp goes where it would be if as many
// shared this one as shared the last, and the next one followed after the same interval; always before that.
func (t *Timeline) spread(ts uint32) int64 {
	p, started, last := &t.pictures, t.video.started, t.video.last
	at := t.place(&t.video, ts)
	if !started || at > last {
		p.at, p.before, p.same = at, p.same+1, 0
		return at * videoTick
	}
	p.same++
	return p.at*videoTick + t.video.interval*videoTick*p.same/max(p.before, p.same+1)
}

// Audio places an audio message of so many samples at the given sample rate, which is the scale of the answer. ok is
// false for a message that covers time which is already filled: the caller drops it.
func (t *Timeline) Audio(ts uint32, rate, samples int64) (pts int64, ok bool) {
	at := t.place(&t.audio, ts)
	t.audio.interval = max(1, samples*1000/rate)
	return t.counter.next(at*rate/1000, rate, samples)
}

// place returns the millisecond of a timestamp on the timeline and moves the clock there.
func (t *Timeline) place(c *clock, ts uint32) int64 {
	at := t.locate(c, ts)
	if c.started && at > c.last && at-c.last <= maxInterval {
		c.interval = at - c.last
	}
	if !c.started || at > c.last {
		c.last = at
	}
	c.started, t.started = true, true
	t.high = max(t.high, at)
	return at
}

func (t *Timeline) locate(c *clock, ts uint32) int64 {
	if !t.started {
		return t.rebase(c, ts, t.high)
	}
	if !c.started {
		if at := t.at(ts, t.shifts[0]); at >= t.high-maxStart && at <= t.high+maxStart {
			c.shift = t.shifts[0]
			return max(at, 0)
		}
		return t.rebase(c, ts, t.high+c.interval)
	}
	at := t.at(ts, c.shift)
	if d := t.distance(c, at); d != 0 {
		for _, shift := range t.shifts[:t.known] {
			other := t.at(ts, shift)
			if e := t.distance(c, other); e < d {
				at, d, c.shift = other, e, shift
			}
		}
	}
	if at > t.high+maxGap || at < c.last-maxBackStep {
		t.rebases++
		return t.rebase(c, ts, t.expected(c))
	}
	return at
}

// at returns the place that a timestamp has under a shift: of all that are congruent modulo 2^32, the one that lies
// nearest to now.
func (t *Timeline) at(ts, shift uint32) int64 {
	return t.high + int64(int32(ts+shift-uint32(t.high))) // arithmetic modulo 2^32 is what is meant
}

// distance tells how unlikely a place is as the next one of a track: 0 between the track's last and the furthest of
// both tracks, else the milliseconds outside.
func (t *Timeline) distance(c *clock, at int64) int64 {
	switch {
	case at <= c.last:
		return c.last - at + 1
	case at > max(t.high, c.last+c.interval):
		return at - max(t.high, c.last+c.interval)
	}
	return 0
}

// expected is where the next frame of a track should be. A track that has been silent rejoins the other one.
func (t *Timeline) expected(c *clock) int64 {
	if next := c.last + c.interval; next >= t.high-maxGap {
		return next
	}
	return t.high
}

// rebase gives the track the shift that puts ts at the wanted place, and remembers it for the other track.
func (t *Timeline) rebase(c *clock, ts uint32, at int64) int64 {
	c.shift = uint32(at) - ts // modulo 2^32
	copy(t.shifts[1:], t.shifts[:])
	t.shifts[0] = c.shift
	t.known = min(t.known+1, len(t.shifts))
	return at
}
