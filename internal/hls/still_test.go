package hls

import (
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/resource"
)

// TestSoundAlone stops the pictures for half a minute. There is a picture for every moment of it, in segments of both
// sorts, and none is shown that refers to one from before.
func TestSoundAlone(t *testing.T) {
	t.Parallel()
	const gone, back = 5050 * time.Millisecond, 35 * time.Second
	for _, container := range []string{resource.ContainerFMP4, resource.ContainerTS} {
		t.Run(container, func(t *testing.T) {
			t.Parallel()
			stream := pattern{length: 40 * time.Second, fps: 30, gop: 2 * time.Second, audio: audioTrack(t), blind: func(at time.Duration) bool {
				return at >= gone && at < back // it comes back in the middle of a GOP
			}}
			rec := &recorder{}
			p := NewPackager(Options{LowLatency: true, Container: container})
			for _, f := range stream.build(t) {
				if err := p.Write(f); err != nil {
					t.Fatal(err)
				}
				if p.preroll == nil && rec.container == nil {
					rec.container, p.Rendition.container = p.Rendition.container, rec
				}
			}
			p.End()
			every := p.Rendition.container.stillEvery(p.cutting.part)
			shown := int64(0)
			for _, f := range rec.video {
				at := time.Duration(nanos(f.DTS)) - base
				if shown > 0 && f.DTS-shown > max(every*3/2, stillAfter*b2d64(at < gone+3*time.Second)) {
					t.Errorf("nothing new is shown for %v before %v", time.Duration(nanos(f.DTS-shown)), at)
				}
				if f.DTS <= shown {
					t.Errorf("the picture at %v is not in order", at)
				}
				if !f.Key && at >= gone && at < 36*time.Second {
					t.Errorf("the picture at %v refers to what was not shown", at)
				}
				shown = f.DTS
			}
			if p.Rendition.pending != 0 && len(p.Rendition.held) == 0 {
				t.Errorf("%d bytes are counted as waiting", p.Rendition.pending)
			}
		})
	}
}

// recorder notes the pictures that a container is given.
type recorder struct {
	container
	video []media.Frame
}

func (r *recorder) part(c *contents) []byte {
	r.video = append(r.video, c.video...)
	return r.container.part(c)
}

// b2d64 is 1 for true.
func b2d64(b bool) int64 { return int64(b2d(b)) }
