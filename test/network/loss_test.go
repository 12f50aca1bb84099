package network

import (
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

const ms = time.Millisecond

// TestVideoStaysDecodable puts a subscriber behind links that do what real ones do. Whole frames come from retransmissions,
// keyframes are asked for only when nothing else helps.
func TestVideoStaysDecodable(t *testing.T) {
	const seconds = 8
	for name, c := range map[string]struct {
		video string
		down  rtctest.Shape
		lossy bool
	}{
		"5% loss":           {webrtc.MimeTypeH264, rtctest.Shape{Delay: 20 * ms, Loss: 0.05}, true},
		"5% loss, VP8":      {webrtc.MimeTypeVP8, rtctest.Shape{Delay: 20 * ms, Loss: 0.05}, true},
		"bursts":            {webrtc.MimeTypeH264, rtctest.Shape{Delay: 20 * ms, Bursts: rtctest.Bursts{Begin: 0.01, End: 0.25}}, true},
		"reordering":        {webrtc.MimeTypeH264, rtctest.Shape{Delay: 20 * ms, Jitter: 40 * ms, Reorder: true}, false},
		"jitter":            {webrtc.MimeTypeH264, rtctest.Shape{Delay: 20 * ms, Jitter: 200 * ms}, false},
		"jitter, reordered": {webrtc.MimeTypeVP8, rtctest.Shape{Delay: 20 * ms, Jitter: 200 * ms, Reorder: true, Loss: 0.02}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.down.Jitter > 100*ms {
				alone(t)
			}
			s := newStage(t)
			pub, alice := s.publish(t, "alice", rtctest.Options{Video: c.video})
			pub.Play(rtctest.Media{FPS: 30, Packets: 4, Voice: 80})
			link := rtctest.NewLink(t, 42, rtctest.Shape{}, rtctest.Shape{Delay: 20 * ms})
			bob := s.watch(t, s.member(t, "bob"), alice, rtctest.Options{Video: c.video, Settings: link.Apply(t)})
			until(t, "the first frame", func() bool { return bob.Video().Frames > 0 })
			keys := pub.Keyframes(0)
			link.SetDown(c.down)
			from := bob.Video()
			pass(t, pub, seconds)
			link.SetDown(rtctest.Shape{})
			end := pub.Voice()
			until(t, "the end of it", func() bool { return bob.Heard() > end+50 }, link)
			honest(t, link)
			v := bob.Video()
			t.Logf("%+v; link %+v; %d keyframes, %d asked for", v, link.Down(), pub.Keyframes(0), pub.Asked(0))
			if v.Faults > 0 {
				t.Errorf("%d faults, the first: %s", v.Faults, v.Fault)
			}
			if got, want := v.Frames-from.Frames, seconds*30*9/10; got < want {
				t.Errorf("%d frames were shown, want %d", got, want)
			}
			if c.lossy && v.Resent < link.Down().Lost/4 {
				t.Errorf("%d packets were lost, %d came again", link.Down().Lost, v.Resent)
			}
			if !c.lossy && v.GivenUp > 0 {
				t.Errorf("%d holes were given up, though nothing is lost", v.GivenUp)
			}
			if got := pub.Keyframes(0) - keys; got > 2+v.Requests || got > seconds/2 {
				t.Errorf("%d keyframes in %d s, the decoder asked for %d", got, seconds, v.Requests)
			}
			if lost := bob.Unheard(end-seconds*50, end); !c.lossy && lost > 2 {
				t.Errorf("%d audio packets are missing, though nothing was lost", lost)
			}
		})
	}
}
