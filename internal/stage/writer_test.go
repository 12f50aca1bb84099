package stage

import (
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/stage/forward"
)

// TestGreet: who subscribes to audio gets the newest packet at once and once, unless it is old.
func TestGreet(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]struct{ atOnce, inAll int }{
		0: {1, 1}, greetAge - 1: {1, 1}, greetAge: {0, 3}, time.Minute: {0, 3},
	} {
		env := testEnvironment()
		now := time.Second
		env.now = func() time.Duration { return now }
		pub := newPublication(env, newFakeSource(), [kinds]*Format{Audio: {}}, nil, nil)
		track := pub.tracks[Audio]
		l, ok := track.add(&fakeLayer{LayerInfo: LayerInfo{Kind: Audio, Codec: forward.Opus, ClockRate: 48000}})
		if !ok {
			t.Fatal("no layer")
		}
		sink := &nullSink{}
		o := newOutlet(Audio, sink)
		o.audio = forward.NewAudio(forward.Stream{Codec: forward.Opus, ClockRate: 48000})
		w := newWriter(track)
		w.wants.Store(1)
		track.writers.Store(&[]*writer{w})
		for seq := range byte(3) {
			l.Packet([]byte{0x80, 111, 0, seq, 0, 0, 0, 0, 0, 0, 0, 1, 1})
		}
		now += age
		w.admit(o)
		if sink.n != want.atOnce {
			t.Errorf("%v after the newest: %d packets", age, sink.n)
		}
		w.turn() // has the same packets waiting
		if sink.n != want.inAll {
			t.Errorf("%v after the newest: %d packets in all", age, sink.n)
		}
	}
}
