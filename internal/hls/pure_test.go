package hls

import (
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/resource"
)

func TestTargetFor(t *testing.T) {
	t.Parallel()
	for gop, want := range map[float64]int64{
		0.033: 2, 0.5: 2, 0.7: 2, 1: 2, 1.001: 2, 1.5: 3, 1.999: 2, 2: 2, 2.05: 2, 2.5: 3, 3.2: 4, 4: 4, 6: 6, 10: 6,
	} {
		if got := targetFor(int64(gop * second)); got != want*second {
			t.Errorf("GOPs of %v s: %d s, want %d", gop, got/second, want)
		}
	}
}

func TestPartFor(t *testing.T) {
	t.Parallel()
	for fps, want := range map[float64]int64{60: 201, 59.94: 202, 50: 201, 30: 201, 29.97: 202, 25: 201, 24: 210, 23.976: 210, 15: 201, 10: 201, 8: 251, 4: 251, 1: 1001} {
		if got := partFor(int64(second/fps+0.5), second/5); got != want*second/1000 {
			t.Errorf("%v frames a second: %d ms, want %d", fps, got*1000/second, want)
		}
	}
}

func TestBoundaries(t *testing.T) {
	t.Parallel()
	b := boundaries{target: 2 * second}
	b.open(0)
	for _, step := range []struct {
		at   float64
		want bool
	}{{0, false}, {1, false}, {1.95, true}} {
		if got := b.keyframe(int64(step.at * second)); got != step.want {
			t.Fatalf("a keyframe at %v s starts a segment: %v", step.at, got)
		}
	}
	b.open(2 * second)
	b.keyframe(3500 * second / 1000) // GOPs of 1.5 s: two do not fit
	if next := int64(5050 * second / 1000); b.keyExpected(next, second/50) || !b.undecided(next) || b.undecided(2200*second/1000) {
		t.Fatal("one GOP was as long as the next, which it was not")
	}
	even := b
	even.keyframe(5050 * second / 1000)
	if next := int64(6600 * second / 1000); !even.keyExpected(next, second/50) || even.keyExpected(6*second, second/50) || even.undecided(next) {
		t.Fatal("the next keyframe is expected at the wrong time")
	}
	if b.full(3800*second/1000, second/5) || !b.full(4400*second/1000, second/5) {
		t.Fatal("full at the wrong time")
	}
}

func TestCadence(t *testing.T) {
	t.Parallel()
	c := newCadence(3000, second, true)
	at := int64(0)
	for _, ms := range []int64{0, 33, 34, 33, 33, 34} {
		at += ms * 90
		c.frame(at)
	}
	if !c.regular() || abs(c.interval()-3000) > 40 {
		t.Fatalf("interval %d, regular %v", c.interval(), c.regular())
	}
	at += 9000
	c.frame(at)
	if c.regular() || c.interval() != 9000 {
		t.Fatalf("interval %d, regular %v after a pause", c.interval(), c.regular())
	}
	for range 2 {
		at += 9000
		c.frame(at)
	}
	if !c.regular() {
		t.Fatal("not regular again")
	}
	at += 100 * second
	c.frame(at)
	if c.interval() != second {
		t.Fatalf("interval %d", c.interval())
	}
}

// TestWallclock lets an encoder's clock run 200 ppm slow on a network that delays every tenth second's frames.
func TestWallclock(t *testing.T) {
	t.Parallel()
	var w wallclock
	var last time.Time
	for ms := int64(0); ms < 3_600_000; ms += 33 {
		at := time.Duration(ms) * time.Millisecond
		real := epoch.Add(at + at/5000)
		if ms/1000%10 == 0 {
			real = real.Add(400 * time.Millisecond)
		}
		w.arrived(at, real)
		if ms%1980 != 0 {
			continue
		}
		date := w.date(ms * second / 1000)
		if !last.IsZero() {
			if step := date.Sub(last) - 1980*time.Millisecond; step.Abs() > 12*time.Millisecond {
				t.Fatalf("the date jumps by %v at %v", step, at)
			}
		}
		last = date
		if off := date.Sub(epoch.Add(at + at/5000)); at > time.Minute*3 && off.Abs() > 20*time.Millisecond {
			t.Fatalf("%v off at %v", off, at)
		}
	}
}

// TestDatesFollowAPause lets an encoder stop for 29 s, in different ways, and asks what the dates say 12 s after it.
func TestDatesFollowAPause(t *testing.T) {
	t.Parallel()
	const pause, length = 29 * time.Second, 30 * time.Second
	tests := []struct {
		name  string
		stall func(at time.Duration) time.Duration // how late a picture comes
		steps int
	}{
		{"the timeline goes on without it", func(at time.Duration) time.Duration { return pause * b2d(at >= 10*time.Second) }, 1},
		{"everything comes at once after it", func(at time.Duration) time.Duration {
			return max(0, 10*time.Second+pause-at) * b2d(at >= 10*time.Second && at < 10*time.Second+pause) * 95 / 100
		}, 0},
		{"a burst at the start", func(at time.Duration) time.Duration { return max(0, 2*time.Second-at) }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			stream := pattern{length: length, fps: 30, gop: 2 * time.Second, stall: test.stall}
			p, _ := run(t, Options{LowLatency: true, Container: resource.ContainerFMP4}, stream.build(t))
			s := p.Snapshot()
			steps := 0
			for _, g := range s.segments {
				if g.discontinuity {
					steps++
				}
			}
			if steps != test.steps {
				t.Errorf("%d steps, want %d", steps, test.steps)
			}
			last := s.segments[len(s.segments)-1]
			at := time.Duration(nanos(last.start)) - base
			if off := last.date.Sub(epoch.Add(at + test.stall(at)*time.Duration(test.steps))); off.Abs() > 200*time.Millisecond {
				t.Errorf("the date of the segment at %v is %v off", at, off)
			}
		})
	}
}

func TestFrameRate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		interval   int64
		told, want float64
	}{{3000, 30, 30}, {3003, 30000. / 1001, 30000. / 1001}, {3003, 0, 30000. / 1001}, {1500, 30, 60}, {90000, 30, 1}, {3600, 0, 25}} {
		if got := frameRate(test.interval, test.told); abs64(got-test.want) > 1e-9 {
			t.Errorf("%d ticks, told %v: %v, want %v", test.interval, test.told, got, test.want)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	p := NewPackager(Options{})
	for _, track := range []*media.Track{nil, {}, {Codec: 99, TimeScale: 1}, {Codec: media.H264, TimeScale: 1000}} {
		if err := p.Write(media.Frame{Track: track}); err == nil {
			t.Errorf("%+v was taken", track)
		}
	}
}
