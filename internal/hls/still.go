package hls

import (
	"slices"

	"github.com/rivus-live/rivus/internal/media"
)

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

// stills puts the repetitions into a part that has no pictures, before those of later parts, and returns how many.
func (r *Rendition) stills(d *decision) int {
	s := &r.still
	if s.next == 0 {
		if !d.repeat || s.picture.Track != r.videoTrack {
			return 0
		}
		s.next = d.from
	}
	n := 0
	for step := r.container.stillEvery(r.playlist.stream.part); s.next < d.to; s.next += step {
		f := s.picture
		f.DTS = max(s.next, d.from)
		s.last = f.DTS
		r.video = slices.Insert(r.video, n, f)
		r.pending += cost(&f)
		n++
	}
	return n
}

// stillEnd returns how long the newest picture stays on the screen when sound goes on behind a place without another.
func (r *Rendition) stillEnd(d *decision) int64 {
	part := r.playlist.stream.part
	switch {
	case r.still.next > 0:
		return r.still.next
	case d.loops && r.still.picture.Track == r.videoTrack:
		return max(d.end, d.to+part, d.shown+d.lasting+part)
	}
	return max(d.end, d.to+part)
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
