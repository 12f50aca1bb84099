package cluster

import (
	"context"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/fault"
)

func topicOf(t *testing.T, n *Node, name string) *Topic[show] {
	t.Helper()
	topic, err := NewTopic[show](n, name)
	if err != nil {
		t.Fatal(err)
	}
	return topic
}

func subscribe(t *testing.T, topic *Topic[show], queue int) *Subscription[show] {
	t.Helper()
	s, err := topic.Subscribe(t.Context(), queue)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestTopic: everybody on every node receives what is published, in order, and nothing of another topic.
func TestTopic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _ := w.join(t, "a")
	b, _ := w.join(t, "b")
	here := topicOf(t, a, "chat.x")
	all := []*Subscription[show]{subscribe(t, here, 10), subscribe(t, topicOf(t, b, "chat.x"), 10), subscribe(t, topicOf(t, b, "chat.x"), 10)}
	other := subscribe(t, topicOf(t, b, "chat.y"), 10)
	want := []string{"one", "two", "three"}
	for _, text := range want {
		if err := here.Publish(show{text}); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range all {
		for _, text := range want {
			if got := <-s.Values(); got.Health != text {
				t.Fatalf("got %q, want %q", got.Health, text)
			}
		}
	}
	if n := len(other.Values()); n != 0 {
		t.Errorf("%d values of another topic", n)
	}
	wantKind(t, here.Publish(show{strings.Repeat("x", int(w.conn.NATS().MaxPayload()))}), fault.Invalid)
	for _, name := range []string{"", ".", "a..b", "a b", "a.*", "a.>", "ä"} {
		if _, err := NewTopic[show](a, name); err == nil {
			t.Errorf("%q names a topic", name)
		}
	}
}

// TestSlowSubscriber: who does not read loses what does not fit in the queue, which is counted, and nobody waits for it.
func TestSlowSubscriber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _ := w.join(t, "a")
	topic := topicOf(t, a, "x")
	slow, quick := subscribe(t, topic, 2), subscribe(t, topic, 100)
	for range 10 {
		if err := topic.Publish(show{"v"}); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		<-quick.Values()
	}
	eventually(t, "what did not fit is counted", func() bool { return slow.Dropped() == 8 && topic.Stats().Dropped == 8 })
	if n := len(slow.Values()); n != 2 || quick.Dropped() != 0 {
		t.Errorf("%d wait, the quick one lost %d", n, quick.Dropped())
	}
}

// TestSubscriptionEnds: with its context, with Close and with the node; what waits can still be read.
func TestSubscriptionEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, crash := w.join(t, "a")
	topic := topicOf(t, a, "x")
	ctx, cancel := context.WithCancel(t.Context())
	bound, err := topic.Subscribe(ctx, 10)
	if err != nil {
		t.Fatal(err)
	}
	closed, rest := subscribe(t, topic, 10), subscribe(t, topic, 10)
	if err := topic.Publish(show{"v"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the value is there", func() bool { return len(bound.Values()) == 1 && len(closed.Values()) == 1 && len(rest.Values()) == 1 })
	cancel()
	closed.Close()
	closed.Close()
	crash()
	a.Close()
	for _, s := range []*Subscription[show]{bound, closed, rest} {
		n := 0
		for range s.Values() {
			n++
		}
		if n != 1 {
			t.Errorf("%d values at the end", n)
		}
	}
}

// TestStrangeParcels: what a later version publishes, or nobody does, is counted and skipped; members that are new are not
// strange.
func TestStrangeParcels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _ := w.join(t, "a")
	topic := topicOf(t, a, "x")
	s := subscribe(t, topic, 10)
	for _, text := range []string{"", "{", `{"v":2,"value":{"health":"later"}}`, `{"v":1,"value":{"health":"good","new":1},"new":2}`} {
		if err := w.conn.NATS().Publish(topicPrefix+"x", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-s.Values(); got.Health != "good" || topic.Stats().Strange != 3 {
		t.Errorf("got %+v, %+v", got, topic.Stats())
	}
}
