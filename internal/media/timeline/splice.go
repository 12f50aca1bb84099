package timeline

import (
	"time"

	"github.com/rivus-live/rivus/internal/media"
)

// Splice puts the frames of sources that follow each other on one timeline. Each source has a timeline of its own, which
// both its tracks share: the first one's is kept as it is, and the next one's is shifted as a whole, so that its first
// frame goes on one frame behind everything that was there.
//
// A Splice belongs to one goroutine at a time. The zero value is ready for the first source. It allocates nothing.
type Splice struct {
	video, audio lane
	shift        time.Duration // of the present source, whole milliseconds
	joining      bool          // the present source has no frame yet, and others had
}

// lane is one medium on the spliced timeline, in ticks of its present track.
type lane struct {
	scale   int64
	shift   int64 // added to the frames of the present source
	last    int64 // where the newest frame is; -1: nowhere
	step    int64 // from it to the next one expected
	ever    bool  // there was a frame
	entered bool  // the present source has a frame here
}

// Next tells the splice that another source follows.
func (s *Splice) Next() {
	s.joining = s.video.ever || s.audio.ever
	s.video.entered, s.audio.entered = false, false
}

// PlaceFrame moves a frame of the present source to its place, behind every other one of its medium. ok is false for sound
// of a time that is filled by the source before: the caller drops it.
func (s *Splice) PlaceFrame(f *media.Frame) (ok bool) {
	l, usual := &s.audio, usualSound
	if f.Track.IsVideo() {
		l, usual = &s.video, usualPicture
	}
	if f.Track.TimeScale != l.scale {
		l.rescale(f.Track.TimeScale, s.shift, usual)
	}
	if s.joining {
		s.join(f, l)
	}
	if !l.entered && !l.enter(f, s.shift) {
		return false
	}
	dts := max(f.DTS+l.shift, l.last+1)
	if d := dts - l.last; l.ever && d <= l.scale*maxInterval/1000 {
		l.step = d
	}
	l.last, l.ever = dts, true
	f.DTS = dts
	return true
}

// Distances to the next frame of media that has had one frame only.
const (
	usualPicture = videoInterval * time.Millisecond
	usualSound   = audioInterval * time.Millisecond
)

// join finds the shift of a source from its first frame.
func (s *Splice) join(f *media.Frame, l *lane) {
	end := max(s.video.time(s.video.last), s.audio.time(s.audio.last)) + l.time(l.step)
	s.shift = (end - f.Time() + time.Millisecond - 1).Truncate(time.Millisecond)
	s.joining = false
}

// enter takes the first frame of a source. Sound that covers less than half a frame of what is there is moved behind it
// with all that follows, which nobody hears; what covers more is not taken.
func (l *lane) enter(f *media.Frame, shift time.Duration) bool {
	l.shift = ticks(shift, l.scale)
	if !f.Track.IsVideo() && l.ever {
		overlap := l.last + l.step - (f.DTS + l.shift)
		if overlap > l.step/2 {
			return false
		}
		l.shift += max(overlap, 0)
	}
	l.entered = true
	return true
}

// rescale counts in the ticks of another track.
func (l *lane) rescale(scale int64, shift, usual time.Duration) {
	if l.ever {
		l.last, l.step = ticks(l.time(l.last), scale)+1, ticks(l.time(l.step), scale)
	} else {
		l.last, l.step = -1, ticks(usual, scale) // nothing is below zero
	}
	l.scale, l.shift = scale, ticks(shift, scale)
}

// time returns the duration of so many ticks of the lane.
func (l *lane) time(n int64) time.Duration {
	if l.scale == 0 {
		return 0
	}
	t := media.Track{TimeScale: l.scale}
	return t.Duration(n)
}

// ticks returns a duration in so many ticks a second, rounded down.
func ticks(d time.Duration, scale int64) int64 {
	t := media.Track{TimeScale: scale}
	return t.Ticks(d)
}
