package hls

import (
	"errors"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/resource"
)

// TestWriteAllocates holds the promise of Write: what it allocates belongs to parts, of which there is one in six
// pictures and nine sounds.
func TestWriteAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, container := range []string{resource.ContainerFMP4, resource.ContainerTS} {
		for _, low := range []bool{true, false} {
			p, e := steady(t, Options{Container: container, LowLatency: low})
			perTwo := testing.AllocsPerRun(3000, func() {
				for range 2 {
					if err := p.Write(e.frame()); err != nil {
						t.Fatal(err)
					}
				}
			})
			if perTwo > 1 {
				t.Errorf("%s, low latency %v: %v allocations in two frames", container, low, perTwo)
			}
		}
	}
}

// TestMemory holds what is kept against what RFC 8216bis makes us keep: the window and its length again.
func TestMemory(t *testing.T) {
	t.Parallel()
	for _, container := range []string{resource.ContainerFMP4, resource.ContainerTS} {
		p, e := steady(t, Options{Container: container, LowLatency: true})
		for e.round < 20 {
			if err := p.Write(e.frame()); err != nil {
				t.Fatal(err)
			}
			s, stats := p.Snapshot(), p.Stats()
			bits := int64(s.Info().AverageBandwidth)
			must := int64(2*DefaultWindow) * int64(s.TargetDuration()/time.Second) * bits / 8
			if stats.Bytes+stats.Pending > must*12/10 {
				t.Fatalf("%s: %d bytes in parts and %d before them, %d are needed", container, stats.Bytes, stats.Pending, must)
			}
		}
	}
}

// TestNothingGrowsForEver lets encoders do what keeps a part from closing, or closes one with every frame. The packager
// refuses them before it holds much more than it may.
func TestNothingGrowsForEver(t *testing.T) {
	t.Parallel()
	const most = 8 << 20
	video, audio := videoTrack(t), audioTrack(t)
	picture := func(dts int64, key bool, size int) media.Frame {
		return media.Frame{Track: video, DTS: video.Ticks(base) + dts, Key: key, Data: accessUnit(key, size), Arrived: epoch}
	}
	tests := map[string]func(p *Packager, i int64) error{
		"time that stands still":   func(p *Packager, i int64) error { return p.Write(picture(4*second+i, false, 5000)) },
		"a bit rate beyond reason": func(p *Packager, i int64) error { return p.Write(picture(4*second+3000*i, i%30 == 0, 200_000)) },
		"metadata without pictures": func(p *Packager, i int64) error {
			p.Metadata("x", make([]byte, 16<<10))
			if i == 100_000 {
				return ErrTooMuch // it is dropped, not refused
			}
			return nil
		},
		"sound in leaps": func(p *Packager, i int64) error {
			at := base + 4*time.Second + time.Duration(i)*2900*time.Millisecond
			return p.Write(media.Frame{Track: audio, DTS: audio.Ticks(at), Key: true, Data: make([]byte, 4000), Arrived: epoch})
		},
		"new parameters with every picture": func(p *Packager, i int64) error {
			f, other := picture(4*second+9*i, true, 40), *video
			f.Track = &other
			return p.Write(f)
		},
	}
	for name, write := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := NewPackager(Options{LowLatency: true, Container: resource.ContainerFMP4, MaxBytes: most})
			for _, f := range (pattern{length: 4 * time.Second, fps: 30, gop: 2 * time.Second, video: video, audio: audio}).build(t) {
				if err := p.Write(f); err != nil {
					t.Fatal(err)
				}
			}
			for i := range int64(200_000) {
				err := write(p, i)
				if s := p.Stats(); s.Bytes+s.Pending > most*5/4 {
					t.Fatalf("%+v is held", s)
				}
				if errors.Is(err, ErrTooMuch) {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			t.Fatal("taken for ever")
		})
	}
}

// TestPrerollIsBounded sends sound for ever and never a picture.
func TestPrerollIsBounded(t *testing.T) {
	t.Parallel()
	p := NewPackager(Options{LowLatency: true})
	track := audioTrack(t)
	for i := range 3 * prerollAudio {
		f := media.Frame{Track: track, DTS: int64(i) * 1024, Key: true, Data: make([]byte, 100), Arrived: epoch}
		if err := p.Write(f); err != nil {
			t.Fatal(err)
		}
		if got := p.Stats().Pending; got > prerollAudio*(100+itemCost) {
			t.Fatalf("%d bytes wait for a picture", got)
		}
	}
	if p.Snapshot().Ready() {
		t.Fatal("a playlist without pictures")
	}
}
