package timeline_test

import (
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/timeline"
)

func videoTrack() *media.Track {
	return &media.Track{Codec: media.H264, TimeScale: media.VideoTimeScale}
}

func audioTrack(rate int64) *media.Track { return &media.Track{Codec: media.AAC, TimeScale: rate} }

// play places the frames of a source of 25 pictures a second and sound in step, both beginning at a time of the source, for
// so long, and returns where the first and the last of each came.
func play(t *testing.T, s *timeline.Splice, rate int64, begin, length time.Duration) (video, audio [2]int64) {
	t.Helper()
	v, a := videoTrack(), audioTrack(rate)
	video[0], audio[0] = -1, -1
	place := func(f media.Frame, seen *[2]int64) {
		if !s.PlaceFrame(&f) {
			t.Fatalf("the frame at %v is not taken", f.Time())
		}
		if seen[0] < 0 {
			seen[0] = f.DTS
		}
		seen[1] = f.DTS
	}
	sounds := int64(0)
	for at := time.Duration(0); at < length; at += 40 * time.Millisecond {
		place(media.Frame{Track: v, DTS: v.Ticks(begin + at)}, &video)
		for ; a.Duration(sounds*1024) < at+40*time.Millisecond; sounds++ {
			place(media.Frame{Track: a, DTS: a.Ticks(begin) + sounds*1024}, &audio)
		}
	}
	return video, audio
}

// The first source is left as it is.
func TestFirstSourceIsKept(t *testing.T) {
	t.Parallel()
	var s timeline.Splice
	video, audio := play(t, &s, 44_100, 10*time.Second, time.Second)
	if video != [2]int64{900_000, 900_000 + 24*3600} || audio != [2]int64{441_000, 441_000 + 43*1024} {
		t.Errorf("video %v, audio %v", video, audio)
	}
}

// Whatever a source's timeline begins with, and at whatever rate its sound is, it goes on one frame behind the one before,
// and its tracks keep their relation.
func TestNextSourceGoesOn(t *testing.T) {
	t.Parallel()
	for _, rate := range []int64{48_000, 44_100} {
		for _, begin := range []time.Duration{0, 6390 * time.Millisecond, 10 * time.Second, 1000 * time.Hour} {
			var s timeline.Splice
			lastVideo, lastAudio := play(t, &s, 48_000, 10*time.Second, 6400*time.Millisecond)
			for i := range 3 {
				s.Next()
				video, audio := play(t, &s, rate, begin, 6400*time.Millisecond)
				if gap := video[0] - lastVideo[1]; gap <= 0 || gap > 100*90 {
					t.Errorf("begin %v, %d: video goes on after %d ticks", begin, i, gap)
				}
				before := lastAudio[1]
				if i == 0 {
					before = before * rate / 48_000
				}
				if gap := audio[0] - before; gap < 1023 || gap > rate/10 {
					t.Errorf("begin %v, %d: audio goes on after %d samples", begin, i, gap)
				}
				if skew := audio[0]*1000/rate - video[0]/90; skew > 2 || skew < -2 {
					t.Errorf("begin %v, %d: tracks %d ms apart", begin, i, skew)
				}
				lastVideo, lastAudio = video, audio
			}
		}
	}
}

// Sound that the source before has filled the time of is not taken; a little of it is moved.
func TestSpliceOfOverlappingSound(t *testing.T) {
	t.Parallel()
	var s timeline.Splice
	_, last := play(t, &s, 48_000, 0, time.Second)
	s.Next()
	v, a := videoTrack(), audioTrack(48_000)
	picture := media.Frame{Track: v}
	if !s.PlaceFrame(&picture) {
		t.Fatal("no picture")
	}
	first, gap := int64(0), int64(0)
	for n := int64(-20); n < 20; n++ { // sound that began 0.4 s before the picture
		f := media.Frame{Track: a, DTS: n * 1024}
		if !s.PlaceFrame(&f) {
			if first != 0 {
				t.Fatal("a hole after the first sound")
			}
			continue
		}
		if first == 0 {
			first, gap = n, f.DTS-last[1]
		}
		if skew := (f.DTS - picture.DTS*48/90) - n*1024; skew < 0 || skew > 512 {
			t.Errorf("sound %d is %d samples off", n, skew)
		}
	}
	if gap < 1024 || gap >= 2*1024 {
		t.Errorf("sound goes on after %d samples", gap)
	}
}

// A source that had nothing to show leaves nothing to go on from.
func TestSpliceAfterNothing(t *testing.T) {
	t.Parallel()
	var s timeline.Splice
	s.Next()
	if video, _ := play(t, &s, 48_000, time.Second, time.Second); video[0] != 90_000 {
		t.Errorf("begins at %d", video[0])
	}
}

func TestSpliceAllocatesNothing(t *testing.T) {
	var s timeline.Splice
	v, a, n := videoTrack(), audioTrack(44_100), int64(0)
	if got := testing.AllocsPerRun(1000, func() {
		video, audio := media.Frame{Track: v, DTS: n * 3600}, media.Frame{Track: a, DTS: n * 1764}
		s.PlaceFrame(&video)
		s.PlaceFrame(&audio)
		if n++; n%100 == 0 {
			s.Next()
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// Whatever sources give: decode times grow strictly within a medium and never go below those of the source before.
func FuzzSplice(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 0, 40, 2, 0, 0, 0, 0, 0, 1, 0, 5})
	f.Add([]byte{1, 0, 0, 5, 0, 9, 2, 0, 0, 1, 255, 255, 0, 0, 0, 13, 0, 1})
	rates := []int64{48_000, 44_100, 8000, 96_000}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s timeline.Splice
		video, tracks := videoTrack(), map[int64]*media.Track{}
		last := map[bool]time.Duration{true: -1, false: -1}
		for ; len(data) >= 3; data = data[3:] {
			if data[0]&3 > 1 {
				s.Next()
				continue
			}
			track := video
			if data[0]&1 == 1 {
				rate := rates[data[0]>>2&3]
				if tracks[rate] == nil {
					tracks[rate] = audioTrack(rate)
				}
				track = tracks[rate]
			}
			frame := media.Frame{Track: track, DTS: int64(data[1])<<16 | int64(data[2])<<8}
			if !s.PlaceFrame(&frame) {
				continue
			}
			if at := frame.Time(); at <= last[track.IsVideo()] {
				t.Fatalf("%v after %v", at, last[track.IsVideo()])
			} else {
				last[track.IsVideo()] = at
			}
		}
	})
}
