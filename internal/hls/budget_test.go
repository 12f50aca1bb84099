package hls

import (
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

// TestPrerollIsBounded sends sound for ever and never a picture.
func TestPrerollIsBounded(t *testing.T) {
	t.Parallel()
	p := NewPackager(Options{LowLatency: true})
	track := audioTrack(t)
	for i := range 3 * prerollAudio {
		f := media.Frame{Track: track, DTS: int64(i) * audioFrame, Key: true, Data: make([]byte, 100), Arrived: epoch}
		if err := p.Write(f); err != nil {
			t.Fatal(err)
		}
		if got := p.Stats().Pending; got > prerollAudio*100 {
			t.Fatalf("%d bytes wait for a picture", got)
		}
	}
	if p.Snapshot().Ready() {
		t.Fatal("a playlist without pictures")
	}
}
