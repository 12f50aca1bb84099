package timeline_test

import (
	"math"
	"testing"

	"github.com/rivus-live/rivus/internal/media/timeline"
)

// stamp is one message of an encoder, and where it should be, in milliseconds after the first.
type stamp struct {
	audio bool
	ts    uint32
	want  int64
}

// encoder makes the messages of an encoder with 25 pictures a second and 1024-sample audio at 48 kHz.
type encoder struct {
	stamps []stamp
	base   uint32 // what the encoder's clock shows at zero
	audio  bool
	video  bool
}

// run adds the messages of [from, to) milliseconds, wanted where an encoder without a jump would have them.
func (e *encoder) run(from, to int64) {
	for ms := from; ms < to; ms++ {
		if e.video && ms%40 == 0 {
			e.stamps = append(e.stamps, stamp{ts: e.base + uint32(ms), want: ms})
		}
		if e.audio && ms%64 == 0 { // three audio messages in 64 ms: 0, 21, 42
			for _, d := range []int64{0, 21, 42} {
				e.stamps = append(e.stamps, stamp{audio: true, ts: e.base + uint32(ms+d), want: ms + d})
			}
		}
	}
}

func both(base uint32) encoder { return encoder{base: base, audio: true, video: true} }

func TestTimeline(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		make    func() []stamp
		rebases int
		slack   int64 // accepted difference in ms
	}{
		{name: "steady", slack: 1, make: func() []stamp { e := both(0); e.run(0, 60_000); return e.stamps }},
		{name: "crosses 0xFFFFFF", slack: 1, make: func() []stamp {
			e := both(0xFFFFFF - 5000)
			e.run(0, 10_000)
			return e.stamps
		}},
		{name: "wraps at 2^32", slack: 1, make: func() []stamp {
			e := both(math.MaxUint32 - 5000)
			e.run(0, 10_000)
			return e.stamps
		}},
		{name: "forward jump", rebases: 1, slack: 45, make: func() []stamp {
			e := both(1000)
			e.run(0, 6400)
			e.base += 3_600_000
			e.run(6400, 12_800)
			return e.stamps
		}},
		{name: "backward jump", rebases: 1, slack: 45, make: func() []stamp {
			e := both(7_200_000)
			e.run(0, 6400)
			e.base = 0
			e.run(6400, 12_800)
			return e.stamps
		}},
		{name: "two jumps of one track before the other meets the first", rebases: 2, slack: 90, make: twoJumps},
		{name: "forward gap stays", slack: 1, make: func() []stamp {
			e := both(0)
			e.run(0, 6400)
			e.run(8320, 12_800)
			return e.stamps
		}},
		{name: "audio a second ahead", slack: 1, make: func() []stamp {
			a, v := encoder{audio: true}, encoder{video: true}
			a.run(1024, 60_416)
			v.run(0, 59_400)
			return interleave(v.stamps, a.stamps)
		}},
		{name: "audio three seconds late", slack: 1, make: func() []stamp {
			v, rest := encoder{video: true}, both(0)
			v.run(0, 3200)
			rest.run(3200, 9600)
			return append(v.stamps, rest.stamps...)
		}},
		{name: "a minute of audio only", slack: 1, make: func() []stamp {
			e := both(500)
			e.run(0, 6400)
			e.video = false
			e.run(6400, 66_560)
			e.video = true
			e.run(66_560, 72_960)
			return e.stamps
		}},
		{name: "a minute of video only", slack: 1, make: func() []stamp {
			e := both(500)
			e.run(0, 6400)
			e.audio = false
			e.run(6400, 66_560)
			e.audio = true
			e.run(66_560, 72_960)
			return e.stamps
		}},
		{name: "jump within a minute of audio only", rebases: 1, slack: 45, make: func() []stamp {
			e := both(500)
			e.run(0, 6400)
			e.video = false
			e.run(6400, 32_000)
			e.base += 600_000
			e.run(32_000, 66_560)
			e.video = true
			e.run(66_560, 72_960)
			return e.stamps
		}},
		{name: "audio starts before video", slack: 1, make: func() []stamp {
			return []stamp{{ts: 2000, want: 0}, {audio: true, ts: 1000, want: -1000}, {audio: true, ts: 1021, want: -979}, {ts: 2040, want: 40}}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tl := timeline.New()
			var zero int64
			for i, s := range tt.make() {
				got, ok := place(tl, s)
				if !ok {
					t.Fatalf("message %d at %d was dropped", i, s.ts)
				}
				if i == 0 {
					zero = got - s.want
				}
				if d := got - zero - s.want; d > tt.slack || d < -tt.slack {
					t.Fatalf("message %d (audio %v, ts %d): at %d ms, want %d", i, s.audio, s.ts, got-zero, s.want)
				}
			}
			if got := tl.Rebases(); got != tt.rebases {
				t.Errorf("rebases = %d, want %d", got, tt.rebases)
			}
		})
	}
}

// place puts a message on the timeline and returns its millisecond.
func place(tl *timeline.Timeline, s stamp) (int64, bool) {
	if s.audio {
		pts, ok := tl.Audio(s.ts, 48_000, 1024)
		return (pts + 24) / 48, ok
	}
	dts, _ := tl.Video(s.ts, 0)
	return (dts + 45) / 90, true
}

// interleave merges two tracks message by message, as an encoder with one late track sends them.
func interleave(a, b []stamp) []stamp {
	var out []stamp
	for len(a) > 0 || len(b) > 0 {
		if len(a) > 0 {
			out, a = append(out, a[0]), a[1:]
		}
		for range 2 {
			if len(b) > 0 {
				out, b = append(out, b[0]), b[1:]
			}
		}
	}
	return out
}

// twoJumps lets video jump twice while audio is still on the first clock.
func twoJumps() []stamp {
	e := both(0)
	e.run(0, 6400)
	for i, base := range []uint32{600_000, 5_000_000} {
		for ms := range uint32(4) {
			at := 6400 + uint32(i)*160 + ms*40
			e.stamps = append(e.stamps, stamp{ts: base + at, want: int64(at)})
		}
	}
	old := encoder{audio: true}
	old.run(6400, 6464)
	old.base = 600_000
	old.run(6464, 6592)
	e.stamps = append(e.stamps, old.stamps...)
	e.base = 5_000_000
	e.run(6720, 12_800)
	return e.stamps
}

// Both tracks must take the very same shift, so that lip sync after a jump is what it was before.
func TestJumpKeepsSync(t *testing.T) {
	t.Parallel()
	for _, jump := range []int64{3_050, 4_000, 86_400_000, -600, -3_000, -86_400_000} {
		tl := timeline.New()
		base := uint32(100_000_000)
		// Audio runs 130 ms ahead of video, and video meets the jump three messages earlier.
		var before, after int64
		for i := range uint32(400) {
			v, a := base+i*40, base+i*40+130
			if i >= 200 {
				v += uint32(jump)
			}
			if i >= 203 {
				a += uint32(jump)
			}
			dts, _ := tl.Video(v, 0)
			pts, ok := tl.Audio(a, 48_000, 1920)
			if !ok {
				t.Fatalf("jump %d: audio message %d dropped", jump, i)
			}
			skew := pts/48 - dts/90
			switch {
			case i < 200:
				before = skew
			case i > 260:
				after = skew
			}
		}
		if d := after - before; d > 2 || d < -2 {
			t.Errorf("jump %d: audio was %d ms ahead and is now %d", jump, before, after)
		}
	}
}

func TestSmallBackwardStep(t *testing.T) {
	t.Parallel()
	tl := timeline.New()
	first, _ := tl.Video(1000, 0)
	second, _ := tl.Video(900, 0)
	third, offset := tl.Video(1040, 66)
	if second <= first || second >= third {
		t.Errorf("the step went to %d, which is not between %d and %d", second, first, third)
	}
	if third != first+40*90 || offset != 66*90 {
		t.Errorf("after the step: %d+%d, want %d+%d", third, offset, first+3600, 66*90)
	}
}

// Encoders that stamp pictures by a clock slower than they come send several with one timestamp. From the second group on,
// when the size of a group is known, every picture is where its rate puts it.
func TestPicturesOfOneTimestamp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ fps, group int }{{60, 2}, {50, 2}, {120, 4}, {90, 3}, {30, 1}} {
		tl := timeline.New()
		var zero, last int64
		for i := range 10 * test.fps {
			exact := float64(i) * 1000 / float64(test.fps)
			stamp := float64(i/test.group*test.group) * 1000 / float64(test.fps)
			dts, _ := tl.Video(uint32(stamp), 0)
			if i == 0 {
				zero = dts
			}
			if dts <= last && i > 0 {
				t.Fatalf("%d fps: picture %d at %d after %d", test.fps, i, dts, last)
			}
			if off := float64(dts-zero)/90 - exact; i >= test.group && math.Abs(off) > 1.5 {
				t.Fatalf("%d fps in groups of %d: picture %d is %.2f ms off", test.fps, test.group, i, off)
			}
			last = dts
		}
	}
}

// One timestamp twice in an ordinary stream moves one picture, and none of those that follow.
func TestOneTimestampTwice(t *testing.T) {
	t.Parallel()
	tl := timeline.New()
	first, _ := tl.Video(0, 0)
	for _, step := range []struct{ ts, want int64 }{{40, 40}, {80, 80}, {80, 100}, {120, 120}, {160, 160}} {
		dts, _ := tl.Video(uint32(step.ts), 0)
		if got := (dts - first) / 90; got != step.want {
			t.Errorf("the picture of %d ms is at %d, want %d", step.ts, got, step.want)
		}
	}
}

func TestAudioIsCountedInSamples(t *testing.T) {
	t.Parallel()
	for _, rate := range []int64{8000, 11025, 22050, 44_100, 48_000, 96_000} {
		for _, rounding := range []int64{0, 500, 999} { // floor, nearest, ceiling, in microseconds
			tl := timeline.New()
			var zero int64
			for i := range int64(20_000) {
				us := i * 1024 * 1_000_000 / rate
				pts, ok := tl.Audio(uint32((us+rounding)/1000), rate, 1024)
				if !ok {
					t.Fatalf("%d Hz: message %d dropped", rate, i)
				}
				if i == 0 {
					zero = pts
				}
				if want := zero + i*1024; pts != want {
					t.Fatalf("%d Hz: message %d at %d, want %d", rate, i, pts, want)
				}
			}
		}
	}
}

// An encoder whose sound card runs 200 ppm off its clock is followed, and never by a step that can be heard.
func TestAudioDriftIsWorkedOff(t *testing.T) {
	t.Parallel()
	for _, ppm := range []float64{200, -200, 1000, -1000} {
		tl := timeline.New()
		var zero, last int64
		for i := range int64(50_000) {
			ms := float64(i) * 1024 / 48 * (1 + ppm/1e6)
			pts, ok := tl.Audio(uint32(ms), 48_000, 1024)
			if !ok {
				t.Fatalf("%v ppm: message %d dropped", ppm, i)
			}
			if i == 0 {
				zero, last = pts, pts-1024
			}
			if d := pts - last - 1024; d > 16 || d < -16 {
				t.Fatalf("%v ppm: step of %d samples at message %d", ppm, d, i)
			}
			if e := float64(pts-zero)/48 - ms; math.Abs(e) > 8 {
				t.Fatalf("%v ppm: %.1f ms off at message %d", ppm, e, i)
			}
			last = pts
		}
	}
}

func TestAudioGapAndOverlap(t *testing.T) {
	t.Parallel()
	tl := timeline.New()
	at := func(i int64) uint32 { return uint32(i * 1024 / 48) }
	var zero int64
	for i := range int64(100) {
		pts, _ := tl.Audio(at(i), 48_000, 1024)
		if i == 0 {
			zero = pts
		}
	}
	if pts, ok := tl.Audio(at(150), 48_000, 1024); !ok || pts-zero-150*1024 > 48 || pts-zero-150*1024 < -48 {
		t.Errorf("after a gap of 50 messages: %d (%v), want %d", pts-zero, ok, 150*1024)
	}
	dropped := 0
	for i := int64(131); i < 160; i++ { // steps back 20 messages, 426 ms
		pts, ok := tl.Audio(at(i), 48_000, 1024)
		if !ok {
			dropped++
			continue
		}
		if d := pts - zero - i*1024; d > 600 || d < -600 {
			t.Fatalf("after the overlap message %d is at %d, want %d", i, pts-zero, i*1024)
		}
	}
	if dropped < 19 || dropped > 21 {
		t.Errorf("%d messages dropped, want 20", dropped)
	}
}

func TestAudioRateChange(t *testing.T) {
	t.Parallel()
	tl := timeline.New()
	var end int64
	for i := range int64(100) {
		pts, _ := tl.Audio(uint32(i*1024*1000/44_100), 44_100, 1024)
		end = pts + 1024
	}
	pts, ok := tl.Audio(uint32(100*1024*1000/44_100), 48_000, 1024)
	if want := end * 48_000 / 44_100; !ok || pts < want || pts > want+96 {
		t.Errorf("first at the new rate: %d (%v), want %d", pts, ok, want)
	}
}

// 29.97 and 59.94 pictures a second do not divide a millisecond; what is left of it is at most the rounding.
func TestRoundedFrameRates(t *testing.T) {
	t.Parallel()
	for _, fps := range []float64{29.97, 59.94, 23.976, 50} {
		tl := timeline.New()
		var zero int64
		for i := range 10_000 {
			exact := float64(i) * 1000 / fps
			dts, _ := tl.Video(uint32(math.Round(exact)), 0)
			if i == 0 {
				zero = dts
			}
			if e := float64(dts-zero)/90 - exact; math.Abs(e) > 0.5+1e-6 {
				t.Fatalf("%v fps: %.2f ms off at frame %d", fps, e, i)
			}
		}
	}
}

func TestTimelineAllocatesNothing(t *testing.T) {
	tl := timeline.New()
	ts := uint32(0)
	if n := testing.AllocsPerRun(1000, func() {
		tl.Video(ts, 66)
		tl.Audio(ts, 44_100, 1024)
		ts += 33
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// Whatever an encoder sends: decode times grow strictly, never below zero, and no single message moves time further
// than the limits allow.
func FuzzTimeline(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 21, 0, 0, 0, 0, 40})
	f.Add([]byte{0, 255, 255, 255, 250, 1, 255, 255, 255, 250, 0, 0, 0, 0, 30, 1, 0, 0, 0, 40})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 34, 0, 0, 0, 0, 34, 0, 0, 0, 0, 34, 0, 0, 0, 0, 67})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 127, 255, 255, 255, 3, 128, 0, 0, 0, 1, 0, 16, 0, 0, 5, 0, 0, 0, 7})
	rates := []int64{48_000, 44_100, 8000, 96_000}
	f.Fuzz(func(t *testing.T, data []byte) {
		tl := timeline.New()
		lastDTS, lastPTS, rate, far := int64(-1), int64(-1), int64(48_000), int64(10_000)
		limit := timeline.MaxStart.Milliseconds() + 1100
		for ; len(data) >= 5; data = data[5:] {
			ts := uint32(data[1])<<24 | uint32(data[2])<<16 | uint32(data[3])<<8 | uint32(data[4])
			switch data[0] & 1 {
			case 0:
				dts, _ := tl.Video(ts, 0)
				if dts <= lastDTS || dts/90 > far+limit {
					t.Fatalf("video at %d after %d, %d ms seen", dts, lastDTS, far)
				}
				lastDTS, far = dts, max(far, dts/90)
			case 1:
				if r := rates[data[0]>>2&3]; r != rate {
					lastPTS, rate = lastPTS*r/rate, r
				}
				pts, ok := tl.Audio(ts, rate, 1024)
				if !ok {
					continue
				}
				if pts <= lastPTS || pts*1000/rate > far+limit {
					t.Fatalf("audio at %d after %d, %d ms seen", pts, lastPTS, far)
				}
				lastPTS, far = pts, max(far, (pts+1024)*1000/rate)
			}
		}
	})
}

func BenchmarkTimeline(b *testing.B) {
	tl := timeline.New()
	b.ReportAllocs()
	ts := uint32(0)
	for b.Loop() {
		tl.Video(ts, 0)
		tl.Audio(ts, 48_000, 1024)
		ts += 21
	}
}

// A composition time of hours is no order of pictures: it would move all that follows the newest picture.
func TestNonsenseComposition(t *testing.T) {
	t.Parallel()
	tl := timeline.New()
	for _, test := range []struct{ composition, want int32 }{{0, 0}, {80, 7200}, {-67, -6030}, {8_000_000, 0}, {-8_000_000, 0}} {
		if _, got := tl.Video(0, test.composition); got != test.want {
			t.Errorf("%d ms became %d ticks, want %d", test.composition, got, test.want)
		}
	}
}
