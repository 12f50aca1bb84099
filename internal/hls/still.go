package hls

import "github.com/rivus-live/rivus/internal/media"

// still keeps the picture track alive while a stream has sound only. Players show a frozen picture and play the sound as
// long as both tracks have media; a hole in one of them stops them. So the last keyframe, which depends on nothing, is
// repeated until pictures come again.
//
// What refers to pictures from before that is not shown any more: pictures are left out up to the next keyframe, or for
// stillPatience when an encoder sends none.
type still struct {
	picture media.Frame // the newest keyframe
	next    int64       // where the next repetition goes; 0: none was
	last    int64       // decode time of the newest one
	waiting int64       // the first picture that was left out; 0: none was
}

const (
	// stillAfter is how long pictures must be missing, at least: encoders skip some when they are busy, and the ones
	// that follow refer to what came before.
	stillAfter    = 2 * second
	stillPatience = 10 * second
)

// stills puts the repetitions into the open part that ends at a place.
func (a *assembler) stills(to int64) {
	s := &a.still
	if s.next == 0 {
		if !a.repeats() || a.silence < a.stillAfter() {
			return
		}
		s.next = a.from
	}
	step := a.container.stillEvery(a.part)
	for ; s.next < to; s.next += step {
		f := s.picture
		f.DTS = max(s.next, a.from)
		s.last = f.DTS
		a.video = append(a.video, f)
		a.pending += cost(&f)
	}
}

// repeats reports whether there is something to repeat. Where keyframes have not come again and again, they may never.
func (a *assembler) repeats() bool { return a.bounds.gop > 0 && a.still.picture.Track == a.videoTrack }

// stillAfter returns how much sound without pictures it takes until the last keyframe is repeated.
func (a *assembler) stillAfter() int64 { return max(stillAfter, 8*a.cadence.interval()) }

// stillEnd returns how long the newest picture stays on the screen when sound goes on behind a place without another.
func (a *assembler) stillEnd(at int64) int64 {
	switch {
	case a.still.next > 0:
		return a.still.next
	case a.repeats():
		return max(a.end, at+a.part, a.shown+a.stillAfter()+a.part)
	}
	return max(a.end, at+a.part)
}

// hides reports whether a picture cannot be shown because repetitions were.
func (s *still) hides(f *media.Frame) bool {
	if s.next == 0 {
		return false
	}
	if s.waiting == 0 {
		s.waiting = f.DTS
	}
	return f.DTS <= s.last || !f.Key && f.DTS-s.waiting < stillPatience
}

// over notes that a picture is shown.
func (s *still) over(f *media.Frame) {
	s.next, s.waiting = 0, 0
	if f.Key {
		s.picture = *f
	}
}
