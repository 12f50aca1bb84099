package broadcast

import (
	"context"
	"testing"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// brokenSource panics where the publisher's loop would get its next message, once the encoder's end is reached.
type brokenSource struct{ *fakeSource }

func (s brokenSource) Read(m *ingest.Message) error {
	err := s.fakeSource.Read(m)
	if err != nil {
		panic("injected")
	}
	return err
}

// TestPanicEndsTheBroadcast: a panic in the publisher's loop, where the packager runs, leaves no channel behind that is
// taken by nobody; the next publisher is let in.
func TestPanicEndsTheBroadcast(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	ch, key := n.channel(t, nil)
	source, panicked := brokenSource{newFakeSource()}, make(chan any, 1)
	go func() {
		defer func() { panicked <- recover() }() // as the RTMP server does
		_ = n.Manager.Publish(t.Context(), ingest.Request{Key: key, Remote: "192.0.2.1", Software: "test"}, source)
	}()
	source.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
	first := n.waitLive(t, ch)
	close(source.messages)
	if v := <-panicked; v != "injected" {
		t.Fatalf("recovered %v", v)
	}
	n.waitGone(t, ch)
	n.letsInTheNext(t, ch, key, first)
}

// TestPanicOfTheOwner: a panic in what a broadcast is asked to do ends it, tells its encoder, and lets the next one in.
func TestPanicOfTheOwner(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	ch, key := n.channel(t, nil)
	source := n.publish(t, key, "")
	source.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
	first := n.waitLive(t, ch)
	n.running()[0].post(func() { panic("injected") })
	n.waitGone(t, ch)
	if got := n.Stats().Panics; got != 1 {
		t.Errorf("%d panics are counted", got)
	}
	n.letsInTheNext(t, ch, key, first)
}

// letsInTheNext publishes again after a stream that broke: it is another one, from its beginning to its end.
func (n *node) letsInTheNext(t *testing.T, ch store.Key, key string, broken resource.Stream) {
	t.Helper()
	next := n.publish(t, key, "")
	next.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
	if s := n.waitLive(t, ch); s.StreamID == broken.StreamID {
		t.Error("the broken stream goes on")
	}
	close(next.messages)
	if err := <-next.done; err != nil {
		t.Error(err)
	}
	n.waitGone(t, ch)
}

// brokenLedger panics where a record is saved.
type brokenLedger struct{ ledger }

func (brokenLedger) save(context.Context, *record) error { panic("injected") }

// TestPanicOfTheWriter: a panic while a record is written ends the broadcast, with its last record, and lets the next one in.
func TestPanicOfTheWriter(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	ch, key := n.channel(t, nil)
	source := n.publish(t, key, "")
	source.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
	first := n.waitLive(t, ch)
	b := n.running()[0]
	for broken := false; !broken; {
		done := make(chan struct{})
		b.post(func() {
			defer close(done)
			if broken = !b.writing; broken { // the writer looks at the ledger only while it writes
				b.ledger, b.described = brokenLedger{b.ledger}, true
			}
		})
		<-done
	}
	n.waitGone(t, ch)
	if got := n.Stats().Panics; got != 1 {
		t.Errorf("%d panics are counted", got)
	}
	n.letsInTheNext(t, ch, key, first)
}
