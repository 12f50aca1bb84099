package stage

import (
	"runtime"
	"testing"

	"github.com/rivus-live/rivus/internal/stage/forward"
)

// TestWriters: a few for many subscribers, none that has nobody.
func TestWriters(t *testing.T) {
	t.Parallel()
	pub := newPublication(testEnvironment(), newFakeSource(), [kinds]*Format{Audio: {}}, nil, nil)
	track := pub.tracks[Audio]
	var outlets []*outlet
	for range 20 * leastLoad * writersAProcessor * runtime.GOMAXPROCS(0) {
		o := newOutlet(Audio, &nullSink{})
		o.audio = forward.NewAudio(forward.Stream{Codec: forward.Opus, ClockRate: 48000, SSRC: 1})
		track.attach(o)
		outlets = append(outlets, o)
		n := len(*track.writers.Load())
		if want := (len(outlets) + leastLoad - 1) / leastLoad; n > min(want, writersAProcessor*runtime.GOMAXPROCS(0)) {
			t.Fatalf("%d writers for %d subscribers", n, len(outlets))
		}
	}
	for _, o := range outlets {
		track.detach(o)
		if o.writer.Load() != nil {
			t.Fatal("an outlet is fed after it was taken away")
		}
	}
	if n := len(*track.writers.Load()); n != 0 || track.outlets != 0 {
		t.Errorf("%d writers for nobody", n)
	}
	track.end()
	o := newOutlet(Audio, &nullSink{})
	if track.attach(o); o.writer.Load() != nil {
		t.Error("a track that has ended feeds somebody")
	}
	pub.group.Wait()
}
