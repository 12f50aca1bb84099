package stage

import (
	"testing"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

// TestDrainWaits: when Drain returns nobody is connected any more, whatever they were connected by.
func TestDrainWaits(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	pub, _ := e.publish(t, rtctest.Options{})
	rtctest.WaitClosed(t, "the publisher is connected", pub.Connected())
	e.connect(t, e.token("bob", nil)) // who does not read, and gets no goodbye through
	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s != (Stats{}) {
		t.Errorf("after the drain: %+v", s)
	}
	if _, err := e.in(t.Context(), e.stage, true, func(*room) error { return nil }); err == nil {
		t.Error("somebody may come after the drain")
	}
}
