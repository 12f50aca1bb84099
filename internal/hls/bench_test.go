package hls

import (
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/resource"
)

// endless repeats ten seconds of a 1080p30 stream of 4 Mbit/s with sound for ever.
type endless struct {
	frames []media.Frame
	next   int
	round  int64
}

func newEndless(tb testing.TB) *endless {
	tb.Helper()
	return &endless{frames: pattern{
		length: 10 * time.Second, fps: 30, gop: 2 * time.Second, bytes: 4_000_000 / 8 / 30, audio: audioTrack(tb),
	}.build(tb)}
}

// span is how far a round shifts the audio: a whole number of access units that is nearly ten seconds.
func (e *endless) frame() media.Frame {
	f := e.frames[e.next]
	shift := time.Duration(e.round) * 10 * time.Second
	f.DTS += f.Track.Ticks(shift)
	f.Arrived = f.Arrived.Add(shift)
	if e.next++; e.next == len(e.frames) {
		e.next = 0
		e.round++
	}
	return f
}

// steady returns a packager whose window has reached its full length.
func steady(tb testing.TB, opts Options) (*Packager, *endless) {
	tb.Helper()
	p, e := NewPackager(opts), newEndless(tb)
	for e.round < 7 {
		if err := p.Write(e.frame()); err != nil {
			tb.Fatal(err)
		}
	}
	return p, e
}

func BenchmarkWrite(b *testing.B) {
	for name, opts := range map[string]Options{
		"fmp4/low":    {Container: resource.ContainerFMP4, LowLatency: true},
		"fmp4/normal": {Container: resource.ContainerFMP4},
		"ts/low":      {Container: resource.ContainerTS, LowLatency: true},
		"ts/normal":   {Container: resource.ContainerTS},
	} {
		b.Run(name, func(b *testing.B) {
			p, e := steady(b, opts)
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Write(e.frame()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPlaylist(b *testing.B) {
	p, _ := steady(b, Options{Container: resource.ContainerFMP4, LowLatency: true})
	for name, delta := range map[string]bool{"full": false, "delta": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if len(p.Snapshot().render(delta)) == 0 {
					b.Fatal("empty")
				}
			}
		})
	}
	b.Run("gzip", func(b *testing.B) {
		s := p.Snapshot()
		text := s.Playlist(false).Plain()
		b.ReportAllocs()
		for b.Loop() {
			s.stream.zipper.zip(text)
		}
	})
}

func BenchmarkAwaitReady(b *testing.B) {
	p, _ := steady(b, Options{LowLatency: true})
	last := p.Snapshot().LastMSN()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Await(b.Context(), last, 0); err != nil {
			b.Fatal(err)
		}
	}
}
