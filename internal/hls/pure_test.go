package hls

import (
	"bytes"
	"math/rand/v2"
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
	b.openSegment(0)
	for _, step := range []struct {
		at   float64
		want bool
	}{{0, false}, {1, false}, {1.95, true}} {
		if got := b.noteKeyframe(int64(step.at * second)); got != step.want {
			t.Fatalf("a keyframe at %v s starts a segment: %v", step.at, got)
		}
	}
	b.openSegment(2 * second)
	b.noteKeyframe(3500 * second / 1000) // GOPs of 1.5 s: two do not fit
	if next := int64(5050 * second / 1000); b.keyExpected(next, second/50) || !b.undecided(next) || b.undecided(2200*second/1000) {
		t.Fatal("one GOP was as long as the next, which it was not")
	}
	even := b
	even.noteKeyframe(5050 * second / 1000)
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
		c.notePicture(at)
	}
	if !c.regular() || abs(c.interval()-3000) > 40 {
		t.Fatalf("interval %d, regular %v", c.interval(), c.regular())
	}
	at += 9000
	c.notePicture(at)
	if c.regular() || c.interval() != 9000 {
		t.Fatalf("interval %d, regular %v after a pause", c.interval(), c.regular())
	}
	for range 2 {
		at += 9000
		c.notePicture(at)
	}
	if !c.regular() {
		t.Fatal("not regular again")
	}
	at += 100 * second
	c.notePicture(at)
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
		if w.lost() {
			if ms > 60_000 {
				t.Fatalf("the dates step after %d ms", ms)
			}
			w.step()
			last = time.Time{}
		}
		date := w.date(ms * second / 1000)
		if !last.IsZero() {
			if step := date.Sub(last) - 1980*time.Millisecond; step.Abs() > 20*time.Millisecond {
				t.Fatalf("the date jumps by %v at %v", step, at)
			}
		}
		last = date
		if off := date.Sub(epoch.Add(at + at/5000)); at > time.Minute*3 && off.Abs() > 20*time.Millisecond {
			t.Fatalf("%v off at %v", off, at)
		}
	}
}

// TestDates lets encoders and networks hold pictures back in different ways. No viewer may see a date that is still to come,
// and what is late moves the dates only when it stays so.
func TestDates(t *testing.T) {
	t.Parallel()
	// held is how late a picture comes when the network holds everything back in a span and then lets it go at once.
	held := func(from, to time.Duration) func(time.Duration) time.Duration {
		return func(at time.Duration) time.Duration { return max(0, to-at) * b2d(at >= from && at < to) }
	}
	after := func(from, by time.Duration) func(time.Duration) time.Duration {
		return func(at time.Duration) time.Duration { return by * b2d(at >= from) }
	}
	tests := []struct {
		name  string
		stall func(at time.Duration) time.Duration // how late a picture comes
		steps int64
		from  time.Duration // from here on the dates must be right
		off   time.Duration // by how much they are behind the time of the pictures, which is how late those come
	}{
		{"in time", after(0, 0), 0, 0, 0},
		{"held back at the start", held(0, 5*time.Second), 1, 6 * time.Second, 0},
		{"held back at the start for two steps of GOPs", held(0, 9*time.Second), 1, 10 * time.Second, 0},
		{"slower and slower let go at the start", func(at time.Duration) time.Duration { return max(0, 5*time.Second-at/2) }, 1, 14 * time.Second, 0},
		{"held back in the middle", held(10*time.Second, 15*time.Second), 0, 0, 0},
		{"held back for longer than late frames are waited for", held(10*time.Second, 50*time.Second), 0, 0, 0},
		{"late for less than 30 s", func(at time.Duration) time.Duration {
			return 20 * time.Second * b2d(at >= 10*time.Second && at < 38*time.Second)
		}, 0, 0, 0},
		{"a pause that the timeline has no room for", after(10*time.Second, 29*time.Second), 1, 42 * time.Second, 29 * time.Second},
		{"a network that becomes slower", after(10*time.Second, 200*time.Millisecond), 0, 65 * time.Second, 200 * time.Millisecond},
		{"a network that becomes faster", func(at time.Duration) time.Duration { return 250 * time.Millisecond * b2d(at < 10*time.Second) }, 0, 14 * time.Second, 0},
		{"a network that becomes much faster", func(at time.Duration) time.Duration { return 400 * time.Millisecond * b2d(at < 10*time.Second) }, 1, 14 * time.Second, 0},
	}
	const frame = time.Second / 30
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			stream := pattern{length: 80 * time.Second, fps: 30, gop: 2 * time.Second, stall: test.stall}
			p, _ := run(t, Options{LowLatency: true, Container: resource.ContainerFMP4}, stream.build(t))
			if got := p.DateSteps(); got != test.steps {
				t.Errorf("%d steps, want %d", got, test.steps)
			}
			steps := int64(0)
			for _, g := range p.Snapshot().segments {
				at := time.Duration(nanos(g.position - g.Ticks)) // nothing is missing before it
				steps += int64(b2d(g.Discontinuity))
				if at < test.from {
					continue
				}
				off := g.Date.Sub(epoch.Add(at))
				if off > test.stall(at)+frame || (off-test.off).Abs() > frame {
					t.Errorf("the date of the segment at %v is %v off, it came %v late", at, off, test.stall(at))
				}
			}
			if steps != test.steps {
				t.Errorf("%d discontinuities, want %d", steps, test.steps)
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

// TestRateOfJitter measures the frame rate of encoders that send times of capture, from one GOP.
func TestRateOfJitter(t *testing.T) {
	t.Parallel()
	for _, fps := range []float64{15, 25, 30, 50, 60} {
		for seed := range uint64(20) {
			r := rand.New(rand.NewPCG(seed, 1))
			q := preroll{}
			track := videoTrack(t)
			for i := range int(2 * fps) {
				if i > 2 && r.IntN(30) == 0 {
					continue // lost on its way
				}
				jitter := (r.Float64() - 0.5) * 0.5 / fps // a quarter of the distance to the next one, either way
				at := time.Duration((float64(i)/fps + jitter) * float64(time.Second)).Round(time.Millisecond)
				q.addFrame(media.Frame{Track: track, DTS: track.Ticks(base + at), Key: i == 0}, false)
			}
			interval, _ := q.rate()
			if got := frameRate(interval, 0); abs64(got-fps) > 0.1 {
				t.Errorf("%v frames a second became %v", fps, got)
			}
		}
	}
}

func TestServedContainer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ container, mode, want string }{
		{resource.ContainerTS, resource.LatencyLow, resource.ContainerFMP4},
		{resource.ContainerTS, resource.LatencyNormal, resource.ContainerTS},
		{resource.ContainerFMP4, resource.LatencyLow, resource.ContainerFMP4},
		{resource.ContainerFMP4, resource.LatencyNormal, resource.ContainerFMP4},
	} {
		if got := ServedContainer(&resource.Channel{ContainerFormat: test.container, LatencyMode: test.mode}); got != test.want {
			t.Errorf("%s with latency %s is served as %s, want %s", test.container, test.mode, got, test.want)
		}
	}
}

// TestPartsStandAlone looks for the parameter sets in every part of a transport stream, wherever its keyframes are.
func TestPartsStandAlone(t *testing.T) {
	t.Parallel()
	track := videoTrack(t)
	stream := pattern{length: 12 * time.Second, fps: 30, gop: 10 * time.Second, video: track, audio: audioTrack(t)}
	p, _ := run(t, Options{LowLatency: true, Container: resource.ContainerTS}, stream.build(t))
	parts := 0
	for _, g := range p.Snapshot().segments {
		for i := range g.Parts {
			parts++
			for name, set := range map[string][]byte{"SPS": track.SPS, "PPS": track.PPS} {
				if n := bytes.Count(g.Parts[i].Data, set); n != 1 {
					t.Errorf("part %d of segment %d has %d of the %s", i, g.MSN, n, name)
				}
			}
		}
	}
	if parts < 50 {
		t.Errorf("%d parts", parts)
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
