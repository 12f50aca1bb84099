package hls

import (
	"slices"
	"time"

	"github.com/rivus-live/rivus/internal/media"
)

// preroll holds the first frames until it is known how to cut them: TARGETDURATION and PART-TARGET never change
// (RFC 8216bis 6.2.1), so they must not be guessed. It waits for pictures, because a channel has them; sound that comes
// before the first keyframe is forgotten.
type preroll struct {
	items  []item
	bytes  int64
	frames int // of video
	tags   int
	video  *media.Track
	audio  *media.Track

	first, last int64 // decode times of the first and the newest video frame
	gop         int64 // length of the first GOP; 0: not over
	sound       int64 // ticks of audio that came since the first keyframe
}

// item is a frame or, if its track is nil, a tag.
type item struct {
	frame media.Frame
	tag   []byte
}

const (
	// prerollShort is what a stream with a given target duration shows before it is cut: enough to know its frame
	// rate and whether it has sound.
	prerollShort = 1 * second
	// prerollSound is how long pictures wait for sound. Tracks that come later are a change of parameters, and players
	// in browsers cannot add a track to a stream that they play already.
	prerollSound = 4 * second
	prerollLong  = maxTarget * second
	prerollBytes = 64 << 20 // with itemCost
	prerollAudio = 4096     // frames kept while there is no picture; far more than 10 s
	prerollTags  = 1024
)

// itemCost is what an item costs beside its bytes, roughly, so that empty frames are no way around a limit of bytes.
const itemCost = 128

// addFrame takes the next frame and reports whether enough is known. given says that the target duration is.
func (q *preroll) addFrame(f media.Frame, given bool) bool {
	if f.Track.IsVideo() {
		if !q.addVideo(f) {
			return false
		}
	} else {
		q.addAudio(f)
	}
	if q.frames == 0 {
		return false
	}
	seen := max(q.last-q.first, q.sound)
	switch {
	case q.bytes > prerollBytes:
		return true
	case q.audio == nil && seen < prerollSound:
		return false
	case given:
		return seen >= prerollShort
	}
	return q.gop > 0 || seen >= prerollLong
}

func (q *preroll) addVideo(f media.Frame) bool {
	if q.frames == 0 {
		if !f.Key {
			return false
		}
		q.video, q.first = f.Track, f.DTS
	} else if f.Key && q.gop == 0 {
		q.gop = f.DTS - q.first
	}
	q.frames++
	q.last = f.DTS
	q.pushItem(item{frame: f})
	return true
}

func (q *preroll) addAudio(f media.Frame) {
	if q.audio == nil {
		q.audio = f.Track
	}
	if q.frames > 0 {
		q.sound += second * f.Track.FrameTicks() / f.Track.TimeScale
	} else if len(q.items) >= prerollAudio {
		q.items = slices.Delete(q.items, 0, prerollAudio/2)
		q.bytes = 0
		for i := range q.items {
			q.bytes += q.items[i].size()
		}
	}
	q.pushItem(item{frame: f})
}

func (q *preroll) addTag(data []byte) {
	if q.frames > 0 && q.tags < prerollTags {
		q.tags++
		q.pushItem(item{tag: data})
	}
}

func (q *preroll) pushItem(i item) {
	q.items = append(q.items, i)
	q.bytes += i.size()
}

func (i *item) size() int64 { return cost(&i.frame) + int64(len(i.tag)) }

// picture returns the first video frame. There is one.
func (q *preroll) picture() *media.Frame {
	for i := range q.items {
		if f := &q.items[i].frame; f.Track == q.video {
			return f
		}
	}
	return nil
}

// clock returns what the arrival of the pictures tells about the time of day. A burst at the start tells more than its
// first picture.
func (q *preroll) clock() wallclock {
	var w wallclock
	for i := range q.items {
		if f := &q.items[i].frame; f.Track != nil && f.Track.IsVideo() {
			w.arrived(f.Time(), f.Arrived)
		}
	}
	return w
}

// plan is what never changes once a stream is cut.
type plan struct {
	target   int64 // TARGETDURATION, ticks
	part     int64 // PART-TARGET, ticks; whole milliseconds
	interval int64 // between video frames
	regular  bool
}

// plan says how to cut what was seen.
func (q *preroll) plan(target, part time.Duration) plan {
	p := plan{}
	p.interval, p.regular = q.rate()
	switch {
	case target > 0:
		p.target = clampTarget(ticksOf(target))
	case q.gop > 0:
		p.target = targetFor(q.gop)
	default:
		p.target = clampTarget(max(q.last-q.first, q.sound) - gopSlack)
	}
	p.part = min(partFor(p.interval, ticksOf(part)), p.target)
	return p
}

// partFor returns the part target for a frame interval: the nearest whole number of frames to the wish, plus the
// millisecond by which encoders round, in whole milliseconds.
func partFor(interval, wish int64) int64 {
	const ms = second / 1000
	frames := max((wish+interval/2)/interval, 1)
	return (frames*interval + ms + ms - ms/10) / ms * ms
}

// rate returns the interval between video frames: the time that passed by the number of frames that belong into it, those
// that are missing included. Single distances may be far off it, because encoders send times of capture. It is regular if
// nearly all distances are close to the median.
func (q *preroll) rate() (interval int64, regular bool) {
	var steps []int64
	last := int64(-1)
	for i := range q.items {
		f := &q.items[i].frame
		if f.Track == nil || !f.Track.IsVideo() {
			continue
		}
		if last >= 0 && f.DTS > last {
			steps = append(steps, f.DTS-last)
		}
		last = f.DTS
	}
	if len(steps) == 0 {
		if q.video != nil && q.video.FrameRate > 1 {
			return int64(second / q.video.FrameRate), false
		}
		return second / 30, false
	}
	sorted := slices.Sorted(slices.Values(steps))
	median := sorted[len(sorted)/2]
	even := 0
	for _, s := range steps {
		if 4*abs(s-median) <= median {
			even++
		}
	}
	interval = median
	for range rateRounds {
		interval = meanOf(steps, interval)
	}
	return interval, even*10 >= len(steps)*9
}

// rateRounds is how often the interval is taken for a better one. The median of distances that jitter is near enough.
const rateRounds = 3

// meanOf returns the mean distance of frames, each of which lies about a whole number of intervals behind the one before.
func meanOf(steps []int64, interval int64) int64 {
	ticks, frames := int64(0), int64(0)
	for _, s := range steps {
		ticks += s
		frames += (s + interval/2) / interval
	}
	if frames == 0 {
		return interval
	}
	return max((ticks+frames/2)/frames, 1)
}

func ticksOf(d time.Duration) int64 {
	return int64(d/time.Second)*second + int64(d%time.Second)*second/int64(time.Second)
}
