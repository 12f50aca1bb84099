package stage

import (
	"testing"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

// TestJoinersNeedNoProbes: a picture that the link carries is sent at once, and nothing is tried for it. The publisher's
// only layer takes more than an estimate begins with. Whether the layer stays is not asked here: on a machine that is short
// of time packets do come late, and the bench counts layers on one that is not (section stage-busy).
func TestJoinersNeedNoProbes(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	pub, _ := e.publish(t, rtctest.Options{})
	pub.Play(rtctest.Media{FPS: 30, Rates: []int{3_200_000}})
	for _, id := range []string{"bob", "carol", "dave", "erin"} {
		sub, _ := e.subscribe(t, id, rtctest.Options{})
		sub.Wait(t, "video", isFrame)
		e.drain(t, sub, 60)
	}
	if got := e.Totals(); got.Probes > 0 || got.Padded > 0 {
		t.Errorf("%+v", got)
	}
}

// drain waits for some more frames of video.
func (e *env) drain(t *testing.T, sub *rtctest.Subscriber, frames int) {
	t.Helper()
	for range frames {
		sub.Wait(t, "video goes on", func(g rtctest.Got) bool { return isFrame(g) && g.Index == g.Count-1 })
	}
}
