package network

import (
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

// gone is how long a lost participant may be shown, in audio packets of another one: 10 seconds, and one for the API.
const gone = 11 * 50

// media is what most tests publish: enough to be stopped in the middle of something.
func media() rtctest.Media { return rtctest.Media{FPS: 15, Packets: 3, Voice: 80} }

// goneInTime waits until a participant is shown as disconnected, and measures that with the media of another one.
func (s *stage) goneInTime(t *testing.T, m member, clock *rtctest.Publisher) {
	t.Helper()
	from := clock.Voice()
	until(t, "it is shown as disconnected", func() bool { return s.connected(t, m) == types.ParticipantStateDisconnected })
	if took := clock.Voice() - from; took > gone {
		t.Errorf("it was shown for %d ms", took*20)
	}
}

// undisturbed checks that a viewer got everything since a moment.
func undisturbed(t *testing.T, v *rtctest.Viewer, before rtctest.Report, from, to uint32) {
	t.Helper()
	until(t, "the others hear the end", func() bool { return v.Heard() > to })
	r := v.Video()
	if lost := v.Unheard(from, to); lost > 0 {
		t.Errorf("another viewer did not hear %d of %d packets", lost, to-from)
	}
	if r.Faults > 0 || r.GivenUp > before.GivenUp || r.Skipped > before.Skipped {
		t.Errorf("another viewer saw %+v, before %+v", r, before)
	}
	if shown, want := r.Frames-before.Frames, int(to-from)*15/50; shown < want*9/10 {
		t.Errorf("another viewer saw %d of %d frames", shown, want)
	}
}

// TestASubscriberThatStopsReading stops for a while, goes on, and is gone: over UDP nothing gets through, over TCP the
// server's data stays in the buffers of the connection for that while.
func TestASubscriberThatStopsReading(t *testing.T) {
	for _, network := range []string{"UDP", "TCP"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			pub, alice := s.publish(t, "alice", rtctest.Options{})
			pub.Play(media())
			carol := s.watch(t, s.member(t, "carol"), alice, rtctest.Options{})
			bob := s.member(t, "bob")
			var sub *rtctest.Subscriber
			var stop, resume, cut func()
			if network == "UDP" {
				link := rtctest.NewLink(t, 1, rtctest.Shape{}, rtctest.Shape{})
				sub = rtctest.NewSubscriber(t, rtctest.Options{Settings: link.Apply(t)})
				s.join(t, bob, "/subscribe/"+alice.id, sub, nil)
				stop, resume = link.Cut, func() { link.SetDown(rtctest.Shape{}); link.SetUp(rtctest.Shape{}) }
				cut = stop
			} else {
				relay := rtctest.NewRelay(t, s.Media)
				sub = rtctest.NewSubscriber(t, rtctest.Options{TCP: true})
				s.join(t, bob, "/subscribe/"+alice.id, sub, relay.Redirect)
				stop, resume = func() { relay.Stall(true) }, func() { relay.Stall(false) }
				cut = relay.Cut // who only does not read, and sends checks, is there
			}
			view := rtctest.Watch(sub)
			until(t, "both see", func() bool { return view.Video().Frames > 0 && carol.Video().Frames > 0 })
			before, from := carol.Video(), carol.Heard()

			stop()
			pass(t, pub, 2)
			shown := view.Video().Frames
			resume()
			until(t, "bob sees again", func() bool { return view.Video().Frames > shown+10 })

			cut()
			s.goneInTime(t, bob, pub)
			undisturbed(t, carol, before, from+1, pub.Voice())
		})
	}
}

// TestStoppedSubscribersTakeNoMemory has ten of them stop over TCP, where the server's data could wait for ever.
func TestStoppedSubscribersTakeNoMemory(t *testing.T) {
	s := newStage(t)
	pub, alice := s.publish(t, "alice", rtctest.Options{NoAudio: true})
	pub.Play(rtctest.Media{FPS: 30, Packets: 8}) // 2 Mbit/s
	relay := rtctest.NewRelay(t, s.Media)
	var views []*rtctest.Viewer
	for range 10 {
		sub := rtctest.NewSubscriber(t, rtctest.Options{TCP: true, NoAudio: true})
		s.join(t, s.member(t, "bob"), "/subscribe/"+alice.id, sub, relay.Redirect)
		views = append(views, rtctest.Watch(sub))
	}
	sees := func() bool {
		for _, v := range views {
			if v.Video().Frames < 5 {
				return false
			}
		}
		return true
	}
	until(t, "everybody sees", sees)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, keyframes := heap(), pub.Keyframes(0)
	relay.Stall(true)
	clock, _ := s.publish(t, "clock", rtctest.Options{Video: "none"})
	clock.Play(media())
	pass(t, clock, 5)
	if grown := int64(heap()) - int64(before); grown > 10*(1<<20) { // 12 MB were published; 1 MB each may wait
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if n := pub.Keyframes(0) - keyframes; n > 5 {
		t.Errorf("%d keyframes were asked for while nobody read", n)
	}
}

func TestADeadPublisherIsGone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	clock, _ := s.publish(t, "clock", rtctest.Options{Video: "none"})
	clock.Play(media())
	link := rtctest.NewLink(t, 1, rtctest.Shape{}, rtctest.Shape{})
	pub, alice := s.publish(t, "alice", rtctest.Options{Settings: link.Apply(t)})
	pub.Play(media())
	bob := s.watch(t, s.member(t, "bob"), alice, rtctest.Options{})
	until(t, "bob sees", func() bool { return bob.Video().Frames > 0 })
	link.Cut()
	s.goneInTime(t, alice, clock)
}

// TestAClientThatHasOnlyTCP publishes and is seen.
func TestAClientThatHasOnlyTCP(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	relay := rtctest.NewRelay(t, s.Media)
	alice, pub := s.member(t, "alice"), rtctest.NewPublisher(t, rtctest.Options{TCP: true, RIDs: []string{"low", "mid", "hi"}})
	s.join(t, alice, "", pub, func(answer string) string {
		if !strings.Contains(answer, " tcp ") {
			t.Errorf("no TCP candidate in\n%s", answer)
		}
		return relay.Redirect(answer)
	})
	rtctest.WaitClosed(t, "alice publishes", pub.Connected())
	pub.Play(media())
	bob := s.watch(t, s.member(t, "bob"), alice, rtctest.Options{})
	until(t, "bob sees the best layer", func() bool { r := bob.Video(); return r.Frames > 30 && r.Layer == 2 })
	if r := bob.Video(); r.Faults > 0 || bob.Unheard(bob.Heard()-30, bob.Heard()) > 0 {
		t.Errorf("%+v", r)
	}
}
