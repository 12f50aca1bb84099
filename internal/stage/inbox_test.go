package stage

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rivus-live/rivus/internal/stage/forward"
)

// woken tells whether the writer has been woken, and lets it sleep again.
func woken(w *writer) bool {
	select {
	case <-w.wake:
		return true
	default:
		return false
	}
}

// videoPacket is an item of the lowest layer.
func videoPacket(tb testing.TB, marker bool) item {
	tb.Helper()
	raw := make([]byte, 20)
	raw[0] = 0x80
	if marker {
		raw[1] = 0x80
	}
	var it item
	if !forward.Parse(raw, forward.H264, &forward.Extensions{}, &it.packet) {
		tb.Fatal("no packet")
	}
	return it
}

// TestWriterWakesOnceAFrame: with its last packet, or a millisecond after its first.
func TestWriterWakesOnceAFrame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, false)
		woken(b.writer)
		b.track.writers.Store(&[]*writer{b.writer})
		part, last := videoPacket(t, false), videoPacket(t, true)
		for range 3 {
			b.track.offer(part)
			if woken(b.writer) {
				t.Fatal("by the beginning of a frame")
			}
		}
		b.track.offer(last)
		if !woken(b.writer) {
			t.Fatal("not by the end of a frame")
		}
		b.writer.turn()
		time.Sleep(2 * gather) //nolint:forbidigo // in a bubble
		synctest.Wait()
		if woken(b.writer) {
			t.Fatal("twice")
		}
		b.track.offer(part)
		other := last
		other.layer = 1
		b.track.offer(other)   // nobody wants it
		time.Sleep(2 * gather) //nolint:forbidigo // in a bubble
		synctest.Wait()
		if !woken(b.writer) {
			t.Fatal("not by the beginning of a frame whose end does not come")
		}
		for range maxBurst {
			b.track.offer(part)
		}
		if !woken(b.writer) {
			t.Fatal("not by many packets")
		}
		b.track.end()
	})
}

// TestInboxMisses: what does not fit is told of once, the rest comes in order.
func TestInboxMisses(t *testing.T) {
	t.Parallel()
	var b inbox
	for n := range inboxRoom + 10 {
		it := item{}
		it.packet.Seq = uint64(n)
		if _, ok := b.put(&it); ok != (n < inboxRoom) {
			t.Fatalf("item %d: %v", n, ok)
		}
	}
	list, missed := b.take(nil)
	if !missed {
		t.Error("nothing is missed")
	}
	for !b.empty() {
		before := len(list)
		if list, missed = b.take(list); missed || len(list) > before+maxBurst {
			t.Errorf("%d items, missed %v", len(list)-before, missed)
		}
	}
	for n, it := range list {
		if it.packet.Seq != uint64(n) {
			t.Fatalf("item %d is %d", n, it.packet.Seq)
		}
	}
	if len(list) != inboxRoom {
		t.Errorf("%d items", len(list))
	}
}
