package hls

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/resource"
)

// run writes frames to a packager, checks every snapshot, and ends the stream.
func run(tb testing.TB, opts Options, frames []media.Frame) (*Packager, *checker) {
	tb.Helper()
	opts.Window = max(opts.Window, 60) // so that the end still has everything
	p := NewPackager(opts)
	c := newChecker(p)
	for i := range frames {
		if err := p.Write(frames[i]); err != nil {
			tb.Fatal(err)
		}
		if err := c.check(); err != nil {
			tb.Fatalf("after frame %d: %v", i, err)
		}
	}
	p.End()
	if err := c.check(); err != nil {
		tb.Fatalf("at the end: %v", err)
	}
	return p, c
}

// describe writes segments as "duration parts flags": k starts with a keyframe, d discontinuity, g has gaps, a has a part
// without pictures, and the number of its init section if it is not the first.
func describe(s *Snapshot) []string {
	var out []string
	for _, g := range s.segments[s.listed:] {
		flags := ""
		if g.Parts[0].Independent {
			flags += "k"
		}
		if g.Discontinuity {
			flags += "d"
		}
		if slices.ContainsFunc(g.Parts, func(p Part) bool { return p.Data == nil }) {
			flags += "g"
		}
		if g.Map != nil && g.Map.Number > 1 {
			flags += fmt.Sprint(g.Map.Number)
		}
		out = append(out, fmt.Sprintf("%.2f %d %s", float64(g.Ticks)/second, len(g.Parts), flags))
	}
	return out
}

func TestCutting(t *testing.T) {
	t.Parallel()
	aac := audioTrack(t)
	second0 := func(n int) []string { return slices.Repeat([]string{"2.00 10 k"}, n) }
	tests := []struct {
		name   string
		opts   Options
		stream pattern
		target int
		part   time.Duration
		want   []string
		stills int // repetitions of keyframes
		misled int // hints that cannot be kept: the encoder breaks its rhythm
	}{
		{
			name: "two second GOPs", stream: pattern{length: 8 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac},
			target: 2, part: 201 * time.Millisecond, want: second0(4),
		},
		{
			name: "one second GOPs are joined", stream: pattern{length: 8 * time.Second, fps: 30, gop: time.Second, audio: aac},
			target: 2, part: 201 * time.Millisecond, want: second0(4),
		},
		{
			name: "60 frames a second", stream: pattern{length: 8 * time.Second, fps: 60, gop: 2 * time.Second, audio: aac},
			target: 2, part: 201 * time.Millisecond, want: second0(4),
		},
		{
			name: "29.97 frames a second", stream: pattern{length: 8 * time.Second, fps: 29.97, gop: 2002 * time.Millisecond, audio: aac},
			target: 2, part: 202 * time.Millisecond, want: second0(4),
		},
		{
			name: "24 frames a second", stream: pattern{length: 6 * time.Second, fps: 24, gop: 2 * time.Second, audio: aac},
			target: 2, part: 210 * time.Millisecond, want: []string{"2.00 10 k", "2.00 10 k", "2.00 10 k"},
		},
		{
			name: "ten second GOPs", stream: pattern{length: 20 * time.Second, fps: 30, gop: 10 * time.Second, audio: aac},
			target: 6, part: 201 * time.Millisecond, want: []string{"6.40 32 k", "3.60 18 ", "6.00 30 k", "4.00 20 "},
		},
		{
			name: "a given target duration", opts: Options{TargetDuration: 4 * time.Second},
			stream: pattern{length: 8 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac},
			target: 4, part: 201 * time.Millisecond, want: second0(4),
		},
		{
			name: "later GOPs are longer", stream: pattern{length: 12 * time.Second, fps: 30, keys: []time.Duration{0, 2 * time.Second, 4 * time.Second}, audio: aac},
			target: 2, part: 201 * time.Millisecond, want: []string{"2.00 10 k", "2.00 10 k", "2.40 12 k", "2.40 12 ", "2.40 12 ", "0.80 4 "},
			misled: 1,
		},
		{
			name: "no sound", stream: pattern{length: 6 * time.Second, fps: 30, gop: 2 * time.Second},
			target: 2, part: 201 * time.Millisecond, want: second0(3),
		},
		{
			name: "B-frames", stream: pattern{length: 6 * time.Second, fps: 30, gop: 2 * time.Second, reorder: 2, audio: aac},
			target: 2, part: 201 * time.Millisecond, want: second0(3),
		},
		{
			name: "sound a second ahead", stream: pattern{length: 6 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac, late: -time.Second},
			target: 2, part: 201 * time.Millisecond, want: second0(3),
		},
		{
			name: "sound a second late", stream: pattern{length: 6 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac, late: time.Second},
			target: 2, part: 201 * time.Millisecond, want: []string{"2.00 10 k", "2.00 10 k", "2.40 12 k", "0.60 3 "},
			misled: 1,
		},
		{
			name:   "sound three seconds after the start",
			stream: pattern{length: 10 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac, from: 3 * time.Second},
			target: 2, part: 201 * time.Millisecond, want: second0(5),
		},
		{
			name:   "sound seven seconds after the start",
			stream: pattern{length: 12 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac, from: 7 * time.Second},
			target: 2, part: 201 * time.Millisecond, want: append(second0(4), "2.00 10 kd2", "2.00 10 k2"),
		},
		{
			name: "one frame a second", stream: pattern{length: 9 * time.Second, fps: 1, gop: 3 * time.Second, audio: aac},
			target: 3, part: 1001 * time.Millisecond, want: []string{"3.00 3 k", "3.00 3 k", "3.00 3 k"},
		},
		{
			name: "one frame a second without sound", stream: pattern{length: 9 * time.Second, fps: 1, gop: 3 * time.Second},
			target: 3, part: 1001 * time.Millisecond, want: []string{"3.00 3 k", "3.00 3 k", "3.00 3 k"},
		},
		{
			name: "a minute without pictures", stream: pattern{
				length: 70 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac,
				blind: func(at time.Duration) bool { return at >= 4*time.Second && at < 64*time.Second },
			},
			target: 2, part: 201 * time.Millisecond, stills: 59,
		},
		{
			name: "a short pause", stream: pattern{
				length: 6 * time.Second, fps: 30, gop: 2 * time.Second,
				blind: func(at time.Duration) bool { return at > 2500*time.Millisecond && at < 3300*time.Millisecond },
			},
			target: 2, part: 201 * time.Millisecond, want: []string{"2.00 10 k", "2.00 10 kg", "2.00 10 k"},
		},
		{
			name: "a long hole", stream: pattern{
				length: 8 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac,
				mute:  func(at time.Duration) bool { return at > 2500*time.Millisecond && at < 4500*time.Millisecond },
				blind: func(at time.Duration) bool { return at > 2500*time.Millisecond && at < 4500*time.Millisecond },
			},
			target: 2, part: 201 * time.Millisecond, want: []string{"2.00 10 k", "0.53 3 k", "1.50 8 d", "2.00 10 k"},
		},
		{
			name: "pictures stall for a second and catch up", stream: pattern{
				length: 8 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac,
				stall: func(at time.Duration) time.Duration {
					return max(0, min(time.Second, 4500*time.Millisecond-at)*b2d(at > 3300*time.Millisecond))
				},
			},
			target: 2, part: 201 * time.Millisecond,
		},
		{
			name: "a variable frame rate", stream: pattern{frames: jittery(8 * time.Second), length: 8 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac},
			target: 2, part: 201 * time.Millisecond,
		},
		{
			name: "a variable frame rate without sound", stream: pattern{frames: jittery(8 * time.Second), length: 8 * time.Second, fps: 30, gop: 2 * time.Second},
			target: 2, part: 204 * time.Millisecond,
		},
		{
			name: "GOPs of many lengths", stream: pattern{
				keys: at(0, 2.1, 4.8, 7, 7.6, 10, 12.4, 15.8, 18), length: 20 * time.Second, fps: 30, audio: aac,
			},
			target: 2, part: 201 * time.Millisecond, misled: 1,
		},
		{
			name: "30 frames a second, then 24", stream: pattern{
				frames: append(even(0, 4*time.Second, 30), even(4*time.Second, 8*time.Second, 24)...),
				length: 8 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac,
			},
			target: 2, part: 201 * time.Millisecond, want: []string{"2.00 10 k", "2.00 10 k", "2.00 11 k", "2.00 11 k"},
		},
		{
			name: "30 frames a second, then one", stream: pattern{
				frames: append(even(0, 4*time.Second, 30), even(4*time.Second, 10*time.Second, 1)...),
				length: 10 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac,
			},
			target: 2, part: 201 * time.Millisecond,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.opts.LowLatency = true
			test.opts.Container = resource.ContainerFMP4
			frames := test.stream.build(t)
			p, c := run(t, test.opts, frames)
			s := p.Snapshot()
			if got := int(s.TargetDuration() / time.Second); got != test.target {
				t.Errorf("target duration %d, want %d", got, test.target)
			}
			if got := s.PartTarget(); got != test.part {
				t.Errorf("part target %v, want %v", got, test.part)
			}
			if got := describe(s); test.want != nil && !slices.Equal(got, test.want) {
				t.Errorf("segments\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			checkFrames(t, s, frames, test.stills)
			if c.misled > test.misled {
				t.Errorf("%d hints were not kept, want %d", c.misled, test.misled)
			}
		})
	}
}

// b2d is 1 for true.
func b2d(b bool) time.Duration {
	if b {
		return 1
	}
	return 0
}

// at returns times in seconds.
func at(list ...float64) []time.Duration {
	var out []time.Duration
	for _, s := range list {
		out = append(out, time.Duration(s*float64(time.Second)))
	}
	return out
}

// even returns decode times at a fixed rate.
func even(from, to time.Duration, fps int) []time.Duration {
	var out []time.Duration
	for i := 0; ; i++ {
		at := from + (time.Duration(i) * time.Second / time.Duration(fps)).Round(time.Millisecond)
		if at >= to {
			return out
		}
		out = append(out, at)
	}
}

// jittery returns decode times that are regular for two seconds and then 20 to 180 ms apart.
func jittery(length time.Duration) []time.Duration {
	out := even(0, 2*time.Second, 30)
	r := rand.New(rand.NewPCG(1, 1))
	for at := 2 * time.Second; at < length; at += time.Duration(20+r.IntN(160)) * time.Millisecond {
		out = append(out, at)
	}
	return out
}

// checkFrames reads all segments with a parser of other people's and compares them with what was written: every picture
// and every sound once, in order, at its time, except sound from before the first picture; and so many repetitions of
// keyframes between them.
func checkFrames(t *testing.T, s *Snapshot, frames []media.Frame, stills int) {
	t.Helper()
	type sample struct {
		dts    int64
		offset int32
		data   []byte
	}
	got := map[int][]sample{}
	for _, g := range s.segments {
		var parts fmp4.Parts
		if err := parts.Unmarshal(bytes.Join(g.data, nil)); err != nil {
			t.Fatalf("segment %d: %v", g.MSN, err)
		}
		for _, p := range parts {
			for _, track := range p.Tracks {
				at := int64(track.BaseTime)
				for _, m := range track.Samples {
					got[track.ID] = append(got[track.ID], sample{at, m.PTSOffset, m.Payload})
					at += int64(m.Duration)
				}
			}
		}
	}
	want := map[int][]sample{}
	start := int64(-1)
	for _, f := range frames {
		if f.Track.IsVideo() && f.Key && start < 0 {
			start = f.DTS
		}
	}
	for _, f := range frames {
		id := 1
		if !f.Track.IsVideo() {
			if id = 2; place(&f) < start {
				continue
			}
		}
		want[id] = append(want[id], sample{f.DTS, f.Offset, f.Data})
	}
	real := len(got[1])
	got[1] = slices.DeleteFunc(got[1], func(g sample) bool {
		return g.data[4] == want[1][0].data[4] && !slices.ContainsFunc(want[1], func(w sample) bool { return w.dts == g.dts })
	})
	if real -= len(got[1]); real != stills {
		t.Errorf("%d keyframes are repeated, want %d", real, stills)
	}
	for id, name := range map[int]string{1: "video", 2: "audio"} {
		g, w := got[id], want[id]
		if id == 2 {
			// What is ahead of the pictures at the end has no place any more, and before sound appears in the middle of
			// a stream there is no init section for it.
			if len(g) > 0 && len(w) > 0 && g[0].dts > w[0].dts {
				w = w[slices.IndexFunc(w, func(x sample) bool { return x.dts >= g[0].dts }):]
			}
			w = w[:min(len(w), max(len(g), len(w)-60))]
		}
		if len(g) != len(w) {
			t.Errorf("%s: %d samples, want %d", name, len(g), len(w))
		}
		for i := range min(len(g), len(w)) {
			if g[i].dts != w[i].dts || g[i].offset != w[i].offset || !bytes.Equal(g[i].data, w[i].data) {
				t.Fatalf("%s sample %d: %d%+d, want %d%+d", name, i, g[i].dts, g[i].offset, w[i].dts, w[i].offset)
			}
		}
	}
}
