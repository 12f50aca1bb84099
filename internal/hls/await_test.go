package hls

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/resource"
)

// livePackager has written ten seconds of a stream: segments 0 to 3 are complete, 4 is growing.
func livePackager(tb testing.TB, opts Options) (*Packager, []media.Frame) {
	tb.Helper()
	frames := pattern{length: 14 * time.Second, fps: 30, gop: 2 * time.Second, audio: audioTrack(tb)}.build(tb)
	p := NewPackager(opts)
	n := slices.IndexFunc(frames, func(f media.Frame) bool { return f.Time() > base+9*time.Second })
	for _, f := range frames[:n] {
		if err := p.Write(f); err != nil {
			tb.Fatal(err)
		}
	}
	return p, frames[n:]
}

func TestAwait(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		msn  int64
		part int
		want string // "", "invalid" or "waits"
	}{
		{"a part that is there", 4, 0, ""},
		{"the newest part", 4, 4, ""},
		{"the next part", 4, 5, "waits"},
		{"a complete segment", 3, -1, ""},
		{"a segment that was removed", 0, -1, ""},
		{"the growing segment", 4, -1, "waits"},
		{"a part beyond the last of a segment", 3, 10, ""},
		{"a part beyond the last of the growing segment", 4, 12, "waits"},
		{"two segments ahead", 6, 0, "waits"},
		{"three segments ahead", 7, 0, "invalid"},
		{"parts more than three seconds ahead", 4, 20, "invalid"},
	}
	p, _ := livePackager(t, Options{LowLatency: true})
	if s := p.Snapshot(); s.LastMSN() != 4 || s.LastPart() != 4 {
		t.Fatalf("the newest part is %d.%d", s.LastMSN(), s.LastPart())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, err := p.Await(ctx, test.msn, test.part)
			got := ""
			switch {
			case errors.Is(err, context.Canceled):
				got = "waits"
			case fault.Is(err, fault.Invalid):
				got = "invalid"
			case err != nil || s != p.Snapshot():
				t.Fatal(s, err)
			}
			if got != test.want {
				t.Fatalf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestAwaitWakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, frames := livePackager(t, Options{LowLatency: true, Container: resource.ContainerFMP4})
		type answer struct {
			s   *Snapshot
			err error
		}
		ask := func(msn int64, part int) chan answer {
			c := make(chan answer, 1)
			go func() {
				s, err := p.Await(t.Context(), msn, part)
				c <- answer{s, err}
			}()
			return c
		}
		part, segment, next, end := ask(4, 5), ask(4, -1), ask(4, 10), ask(6, 0)
		hint := make(chan error, 1)
		go func() {
			r, err := p.Resource(t.Context(), "seg4.5.m4s")
			if err == nil && (r.Size == 0 || r.LastFrameArrived.IsZero() || !r.FirstFrameArrived.Before(r.LastFrameArrived)) {
				err = fmt.Errorf("%+v", r)
			}
			hint <- err
		}()
		synctest.Wait()
		done := func(c chan answer) bool {
			synctest.Wait()
			return len(c) == 1
		}
		for _, f := range frames {
			if done(part) != (p.Snapshot().LastPart() >= 5 || p.Snapshot().LastMSN() > 4) {
				t.Fatal("the part's waiter is awake at the wrong time")
			}
			if done(segment) != (p.Snapshot().lastComplete() >= 4) {
				t.Fatal("the segment's waiter is awake at the wrong time")
			}
			if done(next) != (p.Snapshot().LastMSN() >= 5) {
				t.Fatal("the waiter for a part beyond the last is awake at the wrong time")
			}
			if f.Time() > base+11*time.Second {
				break
			}
			if err := p.Write(f); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-hint; err != nil {
			t.Fatal(err)
		}
		if done(end) {
			t.Fatal("a waiter woke before its time")
		}
		p.End()
		if a := <-end; a.err != nil || !a.s.Ended() {
			t.Fatal(a.err)
		}
		if err := p.Write(frames[0]); !errors.Is(err, ErrEnded) {
			t.Fatal(err)
		}
	})
}

func TestAwaitBeforeReady(t *testing.T) {
	t.Parallel()
	p := NewPackager(Options{LowLatency: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Await(ctx, 99, 0); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s := p.Snapshot()
	if s.Ready() || s.LastMSN() != -1 || s.LastPart() != -1 || s.TargetDuration() != 0 || s.PartTarget() != 0 || s.PlaylistDuration() != 0 {
		t.Fatalf("%+v", s)
	}
	p.End()
	if s, err := p.Await(ctx, 99, 0); err != nil || !s.Ended() || s.Ready() {
		t.Fatal(err)
	}
	p.End()
	if <-s.Changed(); p.Snapshot().Changed() == s.Changed() {
		t.Fatal("the end did not make a new snapshot")
	}
}

func TestResourceNotFound(t *testing.T) {
	t.Parallel()
	low, _ := livePackager(t, Options{LowLatency: true, Container: resource.ContainerFMP4, Window: 3})
	plain, _ := livePackager(t, Options{Container: resource.ContainerTS})
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody waits here
	for _, test := range []struct {
		p    *Packager
		name string
	}{
		{low, "init2.mp4"},
		{low, "init0.mp4"},
		{low, "seg4.m4s"},
		{low, "seg1.ts"},
		{low, "seg1.10.m4s"},
		{low, "seg5.0.m4s"},
		{low, "seg4.6.m4s"},
		{low, ""},
		{low, "seg.m4s"},
		{low, "seg-1.m4s"},
		{low, "seg+1.m4s"},
		{low, "seg01.m4s"},
		{low, "../seg1.m4s"},
		{low, "index.m3u8"},
		{low, "seg99999999999999999999.m4s"},
		{plain, "seg1.0.ts"},
		{plain, "init1.mp4"},
		{plain, "seg4.0.ts"},
		{NewPackager(Options{}), "seg0.ts"},
		{NewPackager(Options{}), "seg0.0.ts"},
	} {
		if _, err := test.p.Resource(ctx, test.name); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v", test.name, err)
		}
	}
}

// TestHintThatIsNotKept lets a keyframe come early: the hinted part will never exist, and its waiters must hear it.
func TestHintThatIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, frames := livePackager(t, Options{LowLatency: true})
		early := 0
		for ; !frames[early].Track.IsVideo() || frames[early].DTS < 10*second+9*second+60*second/100; early++ {
			if err := p.Write(frames[early]); err != nil {
				t.Fatal(err)
			}
		}
		s := p.Snapshot()
		name := string(appendPartName(nil, s.hintMSN, s.hintPart, ".ts"))
		gone := make(chan error, 1)
		go func() {
			_, err := p.Resource(t.Context(), name)
			gone <- err
		}()
		synctest.Wait()
		p.End()
		if err := <-gone; !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
	})
}

// TestReaders lets many viewers read while one writer writes; the race detector is the judge.
func TestReaders(t *testing.T) {
	t.Parallel()
	for _, container := range []string{resource.ContainerFMP4, resource.ContainerTS} {
		p := NewPackager(Options{LowLatency: true, Container: container, Window: 3})
		frames := pattern{length: 30 * time.Second, fps: 30, gop: 2 * time.Second, audio: audioTrack(t)}.build(t)
		var viewers sync.WaitGroup
		for range 8 {
			viewers.Go(func() { view(t, p) })
		}
		for i, f := range frames {
			if err := p.Write(f); err != nil {
				t.Fatal(err)
			}
			if i%40 == 0 {
				p.Metadata("metadata.live-video.net", []byte("hello"))
			}
		}
		p.End()
		viewers.Wait()
	}
}

// view follows a stream to its end, as fast as it can.
func view(t *testing.T, p *Packager) {
	t.Helper()
	msn, part := int64(0), 0
	for {
		s, err := p.Await(t.Context(), msn, part)
		if err != nil {
			t.Error(err)
			return
		}
		if s.Ended() {
			return
		}
		for _, b := range []*Body{s.Playlist(false), s.Playlist(true)} {
			if len(b.Gzip()) == 0 || b.ETag() == "" {
				t.Error("an empty playlist")
			}
		}
		if s.Info().Bandwidth == 0 || p.Stats().Bytes == 0 {
			t.Error("nothing is counted")
		}
		l, err := parse(string(s.Playlist(false).Plain()), "")
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := p.Resource(t.Context(), l.segments[len(l.segments)-1].uri); err != nil && l.segments[len(l.segments)-1].uri != "" {
			t.Logf("slow: %v", err) // the writer does not wait for anybody
		}
		msn, part = s.LastMSN(), s.LastPart()+1
	}
}
