package hls

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/resource"
)

// encoded returns what an encoder makes of the pictures of a stream: the same times and keyframes, other bytes, parameters
// of its own for each that the stream has, pictures in the order in which they are shown, and the sound as it is.
func encoded(frames []media.Frame) []media.Frame {
	tracks := map[*media.Track]*media.Track{}
	var shown []media.Frame // in the order in which they are
	for _, f := range frames {
		if !f.Track.IsVideo() {
			continue
		}
		if tracks[f.Track] == nil {
			t := *f.Track
			tracks[f.Track] = &t
		}
		f.Track = tracks[f.Track]
		f.DTS, f.Offset = f.PTS(), 0
		f.Data = append(bytes.Clone(f.Data[:5]), "encoded again"...)
		shown = append(shown, f)
	}
	slices.SortStableFunc(shown, func(a, b media.Frame) int { return int(a.DTS - b.DTS) })
	out := slices.Clone(frames)
	for i := range out {
		if out[i].Track.IsVideo() {
			out[i], shown = shown[0], shown[1:]
		}
	}
	return out
}

// lesson is one run of two renditions under one cutter.
type lesson struct {
	cutter *Cutter
	lead   *Rendition
	behind *Rendition
}

// newLesson writes frames to the leading rendition and, so many frames later, what an encoder makes of them to another.
// frame may change or drop what that one gets, false: drop.
func newLesson(tb testing.TB, o Options, frames []media.Frame, delay int, frame func(f *media.Frame) bool) lesson {
	tb.Helper()
	o.Window = max(o.Window, 60)
	o.LowLatency = true
	c := NewCutter(o)
	l := lesson{c, c.AddRendition(), c.AddRendition()}
	again := encoded(frames)
	next := func() {
		f := again[0]
		if again = again[1:]; frame == nil || frame(&f) {
			if err := l.behind.Write(f); err != nil {
				tb.Fatal(err)
			}
		}
	}
	for i, f := range frames {
		if i%100 == 99 {
			c.Metadata("metadata.live-video.net", []byte("for all"))
		}
		if err := l.lead.Write(f); err != nil {
			tb.Fatal(err)
		}
		if i >= delay {
			next()
		}
		l.wantAligned(tb)
	}
	for len(again) > 0 {
		next()
	}
	c.End()
	l.wantAligned(tb)
	return l
}

// wantAligned compares what the two playlists have in common: everything but the bytes, the parts that are gaps, and how far
// they are.
func (l *lesson) wantAligned(tb testing.TB) {
	tb.Helper()
	a, b := l.lead.Snapshot(), l.behind.Snapshot()
	if !b.Ready() {
		return
	}
	if a.TargetDuration() != b.TargetDuration() || a.PartTarget() != b.PartTarget() {
		tb.Fatalf("targets %v and %v, %v and %v", a.TargetDuration(), b.TargetDuration(), a.PartTarget(), b.PartTarget())
	}
	same := func(g, h Head, parts, others []Part) {
		if g.MSN != h.MSN || g.Discontinuity != h.Discontinuity || !g.Date.Equal(h.Date) {
			tb.Fatalf("segments %+v and %+v", g, h)
		}
		for i := range min(len(parts), len(others)) {
			if parts[i].Ticks != others[i].Ticks {
				tb.Fatalf("part %d of segment %d has %d ticks, the leading one %d", i, g.MSN, others[i].Ticks, parts[i].Ticks)
			}
		}
	}
	last := b.segments[len(b.segments)-1]
	g := a.Segment(last.MSN)
	if g == nil || g.Ticks != last.Ticks || len(g.Parts) != len(last.Parts) || g.position < last.position {
		tb.Fatalf("segment %d is %+v, in the leading rendition %+v", last.MSN, last, g)
	}
	same(g.Head, last.Head, g.Parts, last.Parts)
	if b.ended {
		return
	}
	switch head, parts := b.Growing(); {
	case a.open.MSN == head.MSN:
		same(a.open, head, a.parts, parts)
	case a.Segment(head.MSN) != nil:
		same(a.Segment(head.MSN).Head, head, a.Segment(head.MSN).Parts, parts)
	}
}

// pictures reads the pictures of all segments with a parser of other people's: their decode times.
func pictures(t *testing.T, s *Snapshot) (times []int64) {
	t.Helper()
	for _, g := range s.segments {
		if g.Size == 0 {
			continue
		}
		var parts fmp4.Parts
		if err := parts.Unmarshal(bytes.Join(g.Data(), nil)); err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			for _, track := range p.Tracks {
				at := int64(track.BaseTime)
				for _, m := range track.Samples {
					if track.ID == 1 {
						times = append(times, at)
					}
					at += int64(m.Duration)
				}
			}
		}
	}
	return times
}

func gaps(s *Snapshot) (n int) {
	for _, g := range s.segments {
		for i := range g.Parts {
			if g.Parts[i].Data == nil {
				n++
			}
		}
	}
	return n
}

// TestTwoRenditions drives two renditions of one height with one cutter: an encoder's own stream, and what another encoder
// makes of it some time later. Both have the same segments, parts, dates and discontinuities, and every picture.
func TestTwoRenditions(t *testing.T) {
	t.Parallel()
	aac := audioTrack(t)
	streams := map[string][]media.Frame{
		"regular":      pattern{length: 30 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac}.build(t),
		"B-frames":     pattern{length: 30 * time.Second, fps: 30, gop: 2 * time.Second, reorder: 2, audio: aac}.build(t),
		"60 a second":  pattern{length: 12 * time.Second, fps: 60, gop: time.Second, audio: aac}.build(t),
		"no sound":     pattern{length: 12 * time.Second, fps: 30, gop: 2 * time.Second}.build(t),
		"odd GOPs":     pattern{keys: at(0, 2.1, 4.8, 7, 7.6, 10, 12.4, 15.8, 18), length: 20 * time.Second, fps: 30, audio: aac}.build(t),
		"jittery":      pattern{frames: jittery(20 * time.Second), length: 20 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac}.build(t),
		"new tracks":   changing(t),
		"a hole":       pattern{length: 20 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac, mute: holeAt5, blind: holeAt5}.build(t),
		"sound at 7 s": pattern{length: 20 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac, from: 7 * time.Second}.build(t),
		"dates step":   pattern{length: 30 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac, stall: func(at time.Duration) time.Duration { return max(0, 5*time.Second-at) }}.build(t),
	}
	for name, frames := range streams {
		for _, container := range []string{resource.ContainerFMP4, resource.ContainerTS} {
			for _, delay := range []int{0, 1, 7, 40} {
				t.Run(name+"/"+container, func(t *testing.T) {
					t.Parallel()
					l := newLesson(t, Options{Container: container}, frames, delay, nil)
					a, b := l.lead.Snapshot(), l.behind.Snapshot()
					if a.LastMSN() != b.LastMSN() || len(a.Segments()) != len(b.Segments()) || a.DiscontinuitySequence() != b.DiscontinuitySequence() {
						t.Errorf("%d segments up to %d, in the leading rendition %d up to %d", len(b.Segments()), b.LastMSN(), len(a.Segments()), a.LastMSN())
					}
					if m, n := gaps(a), gaps(b); m != n {
						t.Errorf("%d gaps, %d in the leading rendition", n, m)
					}
					for i, g := range a.segments {
						if h := b.segments[i]; g.Parts[0].Independent != h.Parts[0].Independent || g.Ticks != h.Ticks {
							t.Errorf("segment %d starts with a keyframe: %v, in the leading rendition %v", g.MSN, h.Parts[0].Independent, g.Parts[0].Independent)
						}
					}
					if container == resource.ContainerFMP4 && name != "B-frames" {
						if m, n := pictures(t, a), pictures(t, b); !slices.Equal(m, n) {
							t.Errorf("%d pictures, %d in the leading rendition", len(n), len(m))
						}
					}
					if w := l.behind.Stats(); w.Frames != int64(len(frames)) || w.Parts != l.lead.Stats().Parts || w.Written == 0 || w.Pending < 0 {
						t.Errorf("the work is %+v, in the leading rendition %+v", w, l.lead.Stats())
					}
				})
			}
		}
	}
}

// TestRenditionFallsBehind stops an encoder that follows, and starts another one: its rendition has gaps for what is
// missing, goes on under the same numbers, and new parameters come with a discontinuity that all renditions have.
func TestRenditionFallsBehind(t *testing.T) {
	t.Parallel()
	frames := pattern{length: 40 * time.Second, fps: 30, gop: 2 * time.Second, audio: audioTrack(t)}.build(t)
	within := func(f *media.Frame, from, to int) bool {
		at := f.Time() - base
		return at >= time.Duration(from)*time.Second && at < time.Duration(to)*time.Second
	}
	other := *videoTrack(t)
	tests := map[string]struct {
		frame         func(f *media.Frame) bool
		breaks        int
		gaps, maxGaps int // in parts of 0.2 s
	}{
		"it starts late":     {func(f *media.Frame) bool { return !within(f, 0, 5) }, 0, 30, 30},
		"it pauses":          {func(f *media.Frame) bool { return !within(f, 9, 15) }, 0, 28, 35},
		"it stops":           {func(f *media.Frame) bool { return within(f, 0, 30) }, 0, 48, 50},
		"it never comes":     {func(*media.Frame) bool { return false }, 0, 200, 200},
		"its pictures pause": {func(f *media.Frame) bool { return !f.Track.IsVideo() || !within(f, 9, 15) }, 0, 0, 0},
		"another one goes on": {func(f *media.Frame) bool {
			if f.Track.IsVideo() && !within(f, 0, 11) {
				f.Track = &other
			}
			return !within(f, 9, 11)
		}, 1, 8, 45},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLesson(t, Options{Container: resource.ContainerFMP4}, frames, 10, test.frame)
			a, b := l.lead.Snapshot(), l.behind.Snapshot()
			if a.LastMSN() != b.LastMSN() || gaps(a) != 0 {
				t.Errorf("the last segment is %d, in the leading rendition %d, which has %d gaps", b.LastMSN(), a.LastMSN(), gaps(a))
			}
			if n := gaps(b); n < test.gaps || n > test.maxGaps || int64(n) != l.behind.Stats().Gaps {
				t.Errorf("%d gaps (%d are counted), want %d to %d", n, l.behind.Stats().Gaps, test.gaps, test.maxGaps)
			}
			if n := strings.Count(string(b.Playlist(false).Plain()), "#EXT-X-DISCONTINUITY\n"); n != test.breaks {
				t.Errorf("%d discontinuities, want %d", n, test.breaks)
			}
			key := map[int64]bool{}
			for _, f := range frames {
				if f.Key {
					key[f.DTS] = true
				}
			}
			last := int64(0)
			for _, at := range pictures(t, b) { // after a pause nothing is shown that refers to what is missing
				if last > 0 && at-last > second/4 && !key[at] {
					t.Errorf("the picture at %v follows a pause", time.Duration(nanos(at))-base)
				}
				last = at
			}
		})
	}
}

// TestRenditionJoins adds a rendition to a stream that runs: it begins with the next segment, under that one's numbers.
func TestRenditionJoins(t *testing.T) {
	t.Parallel()
	c := NewCutter(Options{Container: resource.ContainerFMP4, LowLatency: true, Window: 3})
	lead := c.AddRendition()
	frames := changing(t)
	again := encoded(frames)
	var joined *Rendition
	for i, f := range frames {
		if err := lead.Write(f); err != nil {
			t.Fatal(err)
		}
		if joined == nil && f.Time() > base+21*time.Second {
			joined = c.AddRendition()
		}
		if joined != nil {
			if err := joined.Write(again[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, b := lead.Snapshot(), joined.Snapshot()
	if !b.Ready() || b.Segments()[0].MSN != 11 || b.LastMSN() != a.LastMSN() || b.DiscontinuitySequence() != 1 || gaps(b) != 0 {
		t.Errorf("it begins with %+v after %d discontinuities and ends with %d, the leading one with %d",
			b.Segments()[0].Head, b.DiscontinuitySequence(), b.LastMSN(), a.LastMSN())
	}
	(&lesson{c, lead, joined}).wantAligned(t)
	c.End()
	if late := c.AddRendition(); !late.Snapshot().Ended() || !errors.Is(late.Write(again[0]), ErrEnded) || !joined.Snapshot().Ended() {
		t.Error("a rendition outlives its stream")
	}
}

// TestRenditionsAtOnce writes two renditions from two goroutines; the race detector is the judge.
func TestRenditionsAtOnce(t *testing.T) {
	t.Parallel()
	frames := pattern{length: 20 * time.Second, fps: 30, gop: 2 * time.Second, audio: audioTrack(t)}.build(t)
	again := encoded(frames)
	c := NewCutter(Options{LowLatency: true, Container: resource.ContainerTS})
	lead, behind := c.AddRendition(), c.AddRendition()
	p := &Presentation{}
	p.AddVariant("source", lead.Live)
	p.AddVariant("720p30", behind.Live)
	steps := make(chan media.Frame, 20)
	done := make(chan error)
	go func() {
		var err error
		for f := range steps {
			err = errors.Join(err, behind.Write(f))
		}
		done <- err
	}()
	for i, f := range frames {
		if err := lead.Write(f); err != nil {
			t.Fatal(err)
		}
		for _, v := range p.Variants() {
			_ = v.Snapshot().Playlist(i%2 == 0).Plain()
		}
		steps <- again[i]
	}
	close(steps)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	c.End()
	if n := gaps(behind.Snapshot()); n != 0 || behind.Snapshot().LastMSN() != lead.Snapshot().LastMSN() {
		t.Errorf("%d gaps, the last segment is %d of %d", n, behind.Snapshot().LastMSN(), lead.Snapshot().LastMSN())
	}
}

// TestVariantNames: variants of one height have names, URLs and groups of their own, and report of each other.
func TestVariantNames(t *testing.T) {
	t.Parallel()
	l := newLesson(t, Options{Container: resource.ContainerFMP4}, changing(t), 3, nil)
	running := NewCutter(Options{Container: resource.ContainerFMP4, LowLatency: true})
	lead, behind := running.AddRendition(), running.AddRendition()
	again := encoded(changing(t))
	for i, f := range changing(t) {
		if err := errors.Join(lead.Write(f), behind.Write(again[i])); err != nil {
			t.Fatal(err)
		}
	}
	p := &Presentation{}
	var names []string
	for _, live := range []*Live{lead.Live, behind.Live, l.lead.Live} {
		names = append(names, p.AddVariant("1080p30", live))
	}
	if want := []string{"1080p30", "1080p30-2", "1080p30-3"}; !slices.Equal(names, want) {
		t.Errorf("the names are %v, want %v", names, want)
	}
	text := string(p.Multivariant(func(v Variant) string { return v.Name + "/" + PlaylistName }, SessionData{}))
	for _, want := range []string{`GROUP-ID="1080p30",NAME="1080p"`, `GROUP-ID="1080p30-2",NAME="1080p30-2"`, `VIDEO="1080p30-3"`, "\n1080p30-2/index.m3u8\n"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%s is not there once in\n%s", want, text)
		}
	}
	playlist := string(lead.Snapshot().Playlist(false).Plain())
	if !strings.Contains(playlist, `#EXT-X-RENDITION-REPORT:URI="../1080p30-2/index.m3u8",LAST-MSN=13,LAST-PART=`) || strings.Contains(playlist, `"../1080p30/`) {
		t.Errorf("it reports not of the others alone:\n%s", playlist)
	}
}

// TestRecorder takes every finished segment with what a recorder must know, and the bytes that viewers get, not copies.
func TestRecorder(t *testing.T) {
	t.Parallel()
	p := NewPackager(Options{Container: resource.ContainerFMP4, LowLatency: true, Window: 3})
	frames := changing(t)
	var got []*Segment
	take := func() {
		for {
			ctx, cancel := contextDone()
			s, err := p.Segment(ctx, int64(len(got)))
			cancel()
			if err != nil {
				return
			}
			got = append(got, s)
		}
	}
	for _, f := range frames {
		if err := p.Write(f); err != nil {
			t.Fatal(err)
		}
		take()
	}
	p.End()
	take()
	if _, err := p.Segment(t.Context(), int64(len(got))); !errors.Is(err, io.EOF) {
		t.Errorf("after the last segment comes %v", err)
	}
	for i, s := range got {
		start := base + time.Duration(i)*2*time.Second
		if s.MSN != int64(i) || s.Discontinuity != (i == 8) || !s.Date.Equal(epoch.Add(start-base)) || i < 13 && (s.Duration()-2*time.Second).Abs() > time.Millisecond {
			t.Errorf("segment %d is %+v, %v", i, s.Head, s.Duration())
		}
		if want := 1 + i/8; s.Map == nil || s.Map.Number != want || len(s.Map.Data) == 0 {
			t.Errorf("segment %d has the map %+v, want number %d", i, s.Map, want)
		}
		if len(s.Parts) != len(s.Data()) || &s.Parts[0].Data[0] != &s.Data()[0][0] || s.Size == 0 {
			t.Errorf("segment %d has %d parts and %d slices of data", i, len(s.Parts), len(s.Data()))
		}
	}
	if len(got) != 14 {
		t.Errorf("%d segments, want 14", len(got))
	}
	r, err := p.Resource(t.Context(), "seg13.m4s")
	if err != nil || &r.Data[0][0] != &got[13].Data()[0][0] {
		t.Errorf("viewers get other bytes: %v", err)
	}
	if late, err := p.Segment(t.Context(), 0); err != nil || late.MSN == 0 {
		t.Errorf("a reader that is late gets segment %+v, %v", late, err)
	}
}

// FuzzFollower lets an encoder that follows do anything: lose frames, stop, change its parameters, send times of its own.
// The playlists hold together all the same.
func FuzzFollower(f *testing.F) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 5))
		noise := make([]byte, 400)
		for i := range noise {
			if r.IntN(4) == 0 {
				noise[i] = byte(r.IntN(256))
			}
		}
		f.Add(byte(seed*53), randomSteps(r, 700), noise)
	}
	f.Fuzz(func(t *testing.T, opts byte, steps, noise []byte) {
		learn(t, optionsOf(opts), steps[:min(len(steps), 1500)], noise)
	})
}

// learn plays a script for the leading rendition and what noise makes of it for the other.
func learn(t *testing.T, o Options, steps, noise []byte) {
	t.Helper()
	c := NewCutter(o)
	p := &Packager{Cutter: c, Rendition: c.AddRendition()}
	behind := c.AddRendition()
	l := lesson{c, p.Rendition, behind}
	checked := newChecker(&Packager{Cutter: c, Rendition: behind})
	a := audioTrack(t)
	s := &script{video: videoTrack(t), audio: a, videoDTS: 10 * second, audioDTS: 10 * a.TimeScale}
	tracks := map[*media.Track]*media.Track{}
	for i := 0; i+1 < len(steps); i += 2 {
		before := *s
		if err := s.step(p, steps[i], steps[i+1]); err != nil {
			t.Fatal(err)
		}
		n := byte(0)
		if len(noise) > 0 {
			n = noise[i/2%len(noise)]
		}
		f := media.Frame{Track: s.audio, DTS: s.audioDTS, Key: true, Data: []byte{n}, Arrived: epoch.Add(s.now)}
		if s.videoDTS != before.videoDTS {
			f.Track, f.DTS, f.Key = s.video, s.videoDTS, steps[i]&8 != 0
			f.Data = accessUnit(f.Key, 8+int(n))
		} else if s.audioDTS == before.audioDTS {
			continue
		}
		if tracks[f.Track] == nil || n&15 == 15 {
			other := *f.Track
			tracks[f.Track] = &other
		}
		f.Track = tracks[f.Track]
		switch n & 7 {
		case 1, 2: // lost
			continue
		case 3:
			f.DTS += int64(n) * 200
		case 4:
			f.Offset = int32(n) * 100
		case 5:
			f.Key = !f.Key
		}
		if err := behind.Write(f); err != nil {
			t.Fatal(err)
		}
		if err := checked.check(); err != nil {
			t.Fatalf("after step %d: %v", i/2, err)
		}
		l.wantAligned(t)
	}
	c.End()
	if err := checked.check(); err != nil {
		t.Fatalf("at the end: %v", err)
	}
	if a, b := p.Snapshot(), behind.Snapshot(); a.LastMSN() != b.LastMSN() || behind.Stats().Pending < 0 {
		t.Fatalf("the last segment is %d, in the leading rendition %d; %+v", b.LastMSN(), a.LastMSN(), behind.Stats())
	}
}

// TestMirrorRefuses what no stream is.
func TestMirrorRefuses(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{{}, {TargetDuration: time.Second}, {TargetDuration: time.Second, PartTarget: 2 * time.Second, Window: 3}, {TargetDuration: -1, PartTarget: 1, Window: 3}} {
		if _, _, err := NewMirror(f, 0); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", f, err)
		}
	}
	m, l, err := NewMirror(Format{TargetDuration: 2 * time.Second, PartTarget: time.Second / 5, Window: 3, LowLatency: true}, 0)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	taken := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	refused("a part without a segment", m.AddPart(Part{Ticks: 1}))
	refused("an end without a segment", m.FinishSegment())
	refused("a negative number", m.StartSegment(Head{MSN: -1}))
	taken(m.StartSegment(Head{MSN: 7}))
	refused("an empty segment", m.FinishSegment())
	taken(m.StartSegment(Head{MSN: 7, Discontinuity: true}))
	refused("a part without a duration", m.AddPart(Part{}))
	taken(m.AddPart(Part{Ticks: 90000, Data: []byte("x")}))
	refused("a segment inside another", m.StartSegment(Head{MSN: 8}))
	taken(m.FinishSegment())
	refused("a segment twice", m.StartSegment(Head{MSN: 7}))
	refused("a segment too far", m.StartSegment(Head{MSN: 9}))
	m.Publish(8, 0, VariantInfo{})
	if s := l.Snapshot(); s.LastMSN() != 7 || m.Bytes() != 1 {
		t.Errorf("segment %d, %d bytes", s.LastMSN(), m.Bytes())
	}
	m.End(VariantInfo{})
	refused("a segment after the end", m.StartSegment(Head{MSN: 8}))
}

// contextDone is for asking what is there now.
func contextDone() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx, cancel
}
