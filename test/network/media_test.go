package network

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

// TestEveryCodecEndToEnd shows each codec over a link that loses a little.
func TestEveryCodecEndToEnd(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, mime := range []string{webrtc.MimeTypeVP8, webrtc.MimeTypeVP9, webrtc.MimeTypeAV1} {
		pub, m := s.publish(t, mime, rtctest.Options{Video: mime})
		pub.Play(media())
		link := rtctest.NewLink(t, 3, rtctest.Shape{Loss: 0.02, Delay: 10 * ms}, rtctest.Shape{})
		view := s.watch(t, s.member(t, "viewer"), m, rtctest.Options{Video: mime, Settings: link.Apply(t)})
		until(t, "60 frames of "+mime, func() bool { return view.Video().Frames >= 60 }, link)
		if r := view.Video(); r.Faults > 0 || r.Broken > 0 {
			t.Errorf("%s: %+v", mime, r)
		}
	}
}

// TestVP8LayersUnderLoss changes layers while packets are lost: picture ids and TL0PICIDX go on through it, in what is
// sent again as well.
func TestVP8LayersUnderLoss(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	pub, alice := s.publish(t, "alice", rtctest.Options{Video: webrtc.MimeTypeVP8, RIDs: []string{"low", "mid", "hi"}})
	pub.Play(media())
	link := rtctest.NewLink(t, 5, rtctest.Shape{Delay: 15 * ms}, rtctest.Shape{Delay: 15 * ms})
	m := s.member(t, "bob")
	socket := s.events(t, m, nil)
	bob := s.watch(t, m, alice, rtctest.Options{Video: webrtc.MimeTypeVP8, Settings: link.Apply(t)})
	until(t, "the first frame", func() bool { return bob.Video().Frames > 0 }, link)
	link.SetDown(rtctest.Shape{Delay: 15 * ms, Loss: 0.04, Jitter: 30 * ms, Reorder: true})
	for _, to := range []struct {
		label string
		layer int
	}{{"hi", 2}, {"low", 0}, {"mid", 1}, {"low", 0}, {"hi", 2}} {
		socket.say(t, "SELECT_LAYER", map[string]any{"id": alice.id, "layer": to.label})
		shown := bob.Video().Frames
		until(t, to.label, func() bool { r := bob.Video(); return r.Layer == to.layer && r.Frames > shown+10 }, link)
	}
	r := bob.Video()
	t.Logf("%+v, link %+v", r, link.Down())
	if r.Faults > 0 {
		t.Errorf("%d faults, the first: %s", r.Faults, r.Fault)
	}
	if r.Switches < 4 || r.Resent == 0 {
		t.Errorf("%d switches, %d packets sent again", r.Switches, r.Resent)
	}
}

// TestSEIPassesUntouched sends messages of every size and packaging beside the pictures and compares their bytes.
func TestSEIPassesUntouched(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	pub, alice := s.publish(t, "alice", rtctest.Options{})
	sub := rtctest.NewSubscriber(t, rtctest.Options{NoAudio: true})
	s.join(t, s.member(t, "bob"), "/subscribe/"+alice.id, sub, nil)
	rtctest.WaitClosed(t, "bob connects", sub.Connected())

	sei := func(n int) []byte { // user data, unregistered (H.264, D.1.6)
		return append([]byte{0x06, 0x05, byte(n)}, bytes.Repeat([]byte{byte(n), 0xb1}, n)...)
	}
	var messages [][]byte
	for n := 1; n < 600; n += 77 {
		messages = append(messages, sei(n))
	}
	stap := append([]byte{0x78, 0, byte(len(sei(9)))}, sei(9)...) // an aggregation packet of two
	stap = append(append(stap, 0, byte(len(sei(5)))), sei(5)...)
	fua := append([]byte{0x7c, 0x86}, sei(400)[1:]...) // a first fragment, and its end
	messages = append(messages, stap, fua, append([]byte{0x7c, 0x46}, sei(300)...))

	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // keyframes with messages between parameter sets and picture, until told to stop
		defer close(done)
		tick := time.NewTicker(70 * ms)
		defer tick.Stop()
		seq := uint16(65500)
		for frame := uint32(1); ; frame++ {
			packets := rtctest.Frame(webrtc.MimeTypeH264, true, 0, 2, frame, frame*6000)
			list := packets[:1:1]
			for _, m := range messages {
				list = append(list, &rtp.Packet{Header: rtp.Header{Version: 2, Timestamp: frame * 6000}, Payload: m})
			}
			for _, p := range append(list, packets[1:]...) {
				p.SequenceNumber = seq
				seq++
				_ = pub.Videos[0].WriteRTP(p)
			}
			select {
			case <-stop:
				return
			case <-pub.Ended():
				return
			case <-tick.C:
			}
		}
	}()
	for _, want := range messages {
		sub.Wait(t, "an SEI message as it was sent", func(g rtctest.Got) bool {
			return rtctest.IsVideo(g) && bytes.Equal(g.Payload, want)
		})
	}
	close(stop)
	<-done
}

// TestAudioIsNeverStarved puts a stream of 900 kbit/s on a link of 300.
func TestAudioIsNeverStarved(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	pub, alice := s.publish(t, "alice", rtctest.Options{})
	pub.Play(rtctest.Media{FPS: 15, Packets: 8, Voice: 80})
	link := rtctest.NewLink(t, 9, rtctest.Shape{}, rtctest.Shape{Delay: 20 * ms})
	bob := s.watch(t, s.member(t, "bob"), alice, rtctest.Options{Settings: link.Apply(t)})
	until(t, "bob sees", func() bool { return bob.Video().Frames > 10 }, link)
	link.SetDown(rtctest.Shape{Rate: 300_000, Queue: 20_000, Delay: 20 * ms})
	from := pub.Voice()
	pass(t, pub, 8)
	to := pub.Voice()
	link.SetDown(rtctest.Shape{})
	until(t, "bob hears the end", func() bool { return bob.Heard() > to }, link)
	honest(t, link)
	if lost := bob.Unheard(from+50, to); lost > (int(to-from)-50)/50 {
		t.Errorf("%d of %d audio packets are missing a second after the link became narrow", lost, to-from-50)
	}
	shown := bob.Video().Frames
	until(t, "the picture comes back", func() bool { return bob.Video().Frames > shown+30 }, link)
}

// TestWhatNobodyWantsIsNotSent pauses and selects, and counts the bytes on the viewer's link.
func TestWhatNobodyWantsIsNotSent(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	pub, alice := s.publish(t, "alice", rtctest.Options{RIDs: []string{"low", "mid", "hi"}})
	pub.Play(rtctest.Media{FPS: 15, Rates: []int{80_000, 200_000, 600_000}, Voice: 80})
	link := rtctest.NewLink(t, 2, rtctest.Shape{}, rtctest.Shape{})
	m := s.member(t, "bob")
	socket := s.events(t, m, nil)
	bob := s.watch(t, m, alice, rtctest.Options{Settings: link.Apply(t)})
	rate := func() int { // bits a second, over two
		from, begin := link.Down().Bytes, pub.Voice()
		pass(t, pub, 2)
		return (link.Down().Bytes - from) * 8 * 50 / int(pub.Voice()-begin)
	}
	until(t, "the best layer", func() bool { return bob.Video().Layer == 2 }, link)
	const voice = 60_000 // with all headers
	for _, c := range []struct {
		what        string
		kind        string
		payload     map[string]any
		least, most int
	}{
		{"low alone", "SELECT_LAYER", map[string]any{"id": alice.id, "layer": "low"}, voice + 70_000, voice + 160_000},
		{"no video", "PAUSE", map[string]any{"id": alice.id, "video": true, "audio": false}, voice / 2, voice + 30_000},
		{"nothing", "PAUSE", map[string]any{"id": alice.id, "video": true, "audio": true}, 0, 10_000},
		{"audio again", "PAUSE", map[string]any{"id": alice.id, "video": true, "audio": false}, voice / 2, voice + 30_000},
	} {
		socket.say(t, c.kind, c.payload)
		until(t, c.what, func() bool { got := rate(); t.Logf("%s: %d", c.what, got); return got >= c.least && got <= c.most }, link)
	}
	shown := bob.Video().Frames
	socket.say(t, "PAUSE", map[string]any{"id": alice.id, "video": false, "audio": false})
	until(t, "the picture comes back", func() bool { return bob.Video().Frames > shown+10 }, link)
	if r := bob.Video(); r.Faults > 0 || r.GivenUp > 0 {
		t.Errorf("%+v", r)
	}
}
