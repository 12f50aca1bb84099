package stage

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/rtc/rtctest"
	"github.com/rivus-live/rivus/internal/stage/forward"
	"github.com/rivus-live/rivus/internal/stage/packetring"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/token"
)

// republish makes alice publish again, as a page does that was reloaded.
func (e *env) republish(t *testing.T, tok string, o rtctest.Options) *rtctest.Publisher {
	t.Helper()
	p := rtctest.NewPublisher(t, o)
	e.join(t, "/rt/whip", tok, p)
	p.Run(30, 3)
	return p
}

// TestReload: a publisher's newer publication takes over the subscriptions, which go on where they are.
func TestReload(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]rtctest.Options{
		"H264": {}, "VP8": {Video: webrtc.MimeTypeVP8}, "audio": {Video: "none"}, "simulcast": {RIDs: []string{"low", "mid", "hi"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, nil)
			tok := e.token("alice", nil)
			old := e.republish(t, tok, o)
			viewer := e.token("bob", nil)
			socket := e.connect(t, viewer)
			sub := rtctest.NewSubscriber(t, rtctest.Options{Video: o.Video})
			e.join(t, "/rt/whip/subscribe/alice", viewer, sub)
			media := rtctest.IsAudio
			if o.Video != "none" {
				media = isFrame
			}
			before := sub.Wait(t, "media", media)
			if o.RIDs != nil {
				socket.say(typeSelect, map[string]string{"id": "alice", "layer": "hi"})
				socket.say(typePing, nil)
				socket.wait(typePong, nil)
			}
			e.wantHistory(t, "bob", "JOINED", "SUBSCRIBE_STARTED")

			begin := time.Now()
			next := e.republish(t, tok, o)
			rtctest.WaitClosed(t, "the older publication ends", old.Ended())
			rtctest.WaitClosed(t, "the newer connects", next.Connected())
			connected := time.Now()
			after := sub.Wait(t, "media again", func(g rtctest.Got) bool {
				return media(g) && (g.At.After(connected) || g.Key && g.At.After(begin)) && int32(g.Header.Timestamp-before.Header.Timestamp) > 0
			})
			t.Logf("back after %v", after.At.Sub(begin))
			if after.Header.SSRC != before.Header.SSRC {
				t.Errorf("SSRC %d, before %d", after.Header.SSRC, before.Header.SSRC)
			}
			if o.RIDs != nil {
				if got := e.pinned(t, "bob", "alice"); got != 2 {
					t.Errorf("layer %d is wanted, and hi is 2", got)
				}
				e.republish(t, tok, rtctest.Options{RIDs: []string{"low", "hi"}})
				eventually(t, "hi, which is 1 now, is wanted", func() bool { return e.pinned(t, "bob", "alice") == 1 })
				return
			}
			if s := e.Stats(); s != (Stats{Stages: 1, Participants: 2, Publications: 1, Subscriptions: 1}) {
				t.Errorf("%+v", s)
			}
			e.wantHistory(t, "bob", "JOINED", "SUBSCRIBE_STARTED")
			e.wantHistory(t, "alice", "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "PUBLISH_STARTED")
			socket.say(typePing, nil)
			for {
				g, err := socket.next()
				if err != nil {
					t.Fatal(err)
				}
				if g.Type == typeUnpublished {
					t.Error("the viewers were told that the publication has ended")
				}
				if g.Type == typePong {
					break
				}
			}
		})
	}
}

// pinned returns the layer of a publisher that a participant wants.
func (e *env) pinned(t *testing.T, id, publisher string) (layer int32) {
	t.Helper()
	_, err := e.in(t.Context(), e.stage, false, func(r *room) error {
		layer = r.participants[id].subs[publisher].outlets[Video].pin.Load()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// TestReloadInAnotherCodec: what cannot be fed from the newer publication ends.
func TestReloadInAnotherCodec(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]rtctest.Options{"codec": {Video: webrtc.MimeTypeVP8}, "no video": {Video: "none"}, "no audio": {NoAudio: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, nil)
			tok := e.token("alice", nil)
			e.republish(t, tok, rtctest.Options{})
			sub, _ := e.subscribe(t, "bob", rtctest.Options{})
			sub.Wait(t, "video", isFrame)
			e.republish(t, tok, o)
			rtctest.WaitClosed(t, "the subscription ends", sub.Ended())
			e.wantHistory(t, "bob", "JOINED", "SUBSCRIBE_STARTED", "SUBSCRIBE_STOPPED", "LEFT")
		})
	}
}

// TestEventsKeepTheirOrder: whoever is thrown out has left last of all.
func TestEventsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	alice, _ := e.publish(t, rtctest.Options{})
	alice.Run(30, 2)
	tok := e.token("bob", nil)
	e.republish(t, tok, rtctest.Options{})
	sub := rtctest.NewSubscriber(t, rtctest.Options{})
	e.join(t, "/rt/whip/subscribe/alice", tok, sub)
	sub.Wait(t, "video", isFrame)
	e.wantHistory(t, "bob", "JOINED", "PUBLISH_STARTED", "SUBSCRIBE_STARTED")
	if err := e.remote.Disconnect(t.Context(), e.stage, "bob", ""); err != nil {
		t.Fatal(err)
	}
	e.wantHistory(t, "bob", "JOINED", "PUBLISH_STARTED", "SUBSCRIBE_STARTED", "PUBLISH_STOPPED", "SUBSCRIBE_STOPPED", "LEFT")
}

// TestPauseBeforeConnecting: what a client wants counts from the answer to its offer on.
func TestPauseBeforeConnecting(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	e.republish(t, e.token("alice", nil), rtctest.Options{RIDs: []string{"low", "mid", "hi"}})
	tok := e.token("bob", nil)
	socket := e.connect(t, tok)
	sub := rtctest.NewSubscriber(t, rtctest.Options{})
	resp, answer := e.request(t, http.MethodPost, e.url+"/rt/whip/subscribe/alice", tok, sdpType, sub.Offer(t), nil)
	if resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.StatusCode, answer)
	}
	socket.say(typePause, map[string]any{"id": "alice", "video": true})
	socket.say(typeSelect, map[string]any{"id": "alice", "layer": "low"})
	socket.say(typePing, nil)
	socket.wait(typePong, nil)
	sub.Answer(t, answer)
	for range 50 {
		if g := sub.Wait(t, "media", func(rtctest.Got) bool { return true }); rtctest.IsVideo(g) && g.Media {
			t.Fatal("video, although it is paused")
		}
	}
	socket.say(typePause, map[string]any{"id": "alice"})
	if g := sub.Wait(t, "video", isFrame); g.Layer != 0 {
		t.Errorf("layer %d, and only the lowest is wanted", g.Layer)
	}
}

// TestCrowd: on a large stage only those who publish are told of.
func TestCrowd(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	claims := func(id string) token.Claims { return e.tokens[e.token(id, nil)] }
	in := func(fn func(r *room)) {
		t.Helper()
		_, err := e.in(t.Context(), e.stage, true, func(r *room) error { fn(r); return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	var crowdSockets []*socket
	listener := newSocket(nil)
	in(func(r *room) {
		for i := range crowd + 1 {
			s := newSocket(nil)
			if i == 0 {
				s = listener
			}
			if _, err := r.connect(claims(fmt.Sprintf("p%03d", i)), s, client{}); err != nil {
				t.Error(err)
			}
			crowdSockets = append(crowdSockets, s)
		}
		r.tick()
	})
	drain := func() (types []string, last string) {
		for b, waits := listener.Take(); waits; b, waits = listener.Take() {
			var g got
			_ = json.Unmarshal(b, &g)
			types, last = append(types, g.Type), string(b)
		}
		return types, last
	}
	types, last := drain()
	if n := strings.Count(strings.Join(types, " "), typeJoined); n != crowd-1 {
		t.Errorf("told of %d who joined, want %d", n, crowd-1)
	}
	if types[len(types)-1] != typeState || strings.Contains(last, `"id":"p`) {
		t.Errorf("the last message: %s", last)
	}
	in(func(r *room) {
		r.mute(r.participants["p005"], true, false)
		_, _ = r.enter(func() token.Claims { c := claims("p005"); c.UserID = "x"; return c }())
		r.disconnected(r.participants["p100"], crowdSockets[100])
	})
	in(func(r *room) { r.tick() })
	types, last = drain()
	if !slices.Equal(types, []string{typeState}) || strings.Count(last, `"id":"p`) != crowd || !strings.Contains(last, `"userId":"x"`) {
		t.Errorf("when it is no crowd any more: %v %s", types, last)
	}
	in(func(r *room) { r.disconnected(r.participants["p050"], crowdSockets[50]) })
	if types, _ = drain(); !slices.Contains(types, typeLeft) {
		t.Errorf("when one has left: %v", types)
	}
}

// TestHello: what a client says of itself is in the records, and beats its User-Agent.
func TestHello(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	socket := e.connect(t, e.token("alice", nil))
	socket.say(typeHello, map[string]any{
		"sdkVersion": "1.2.3\u0000<b>", "osName": "Windows", "osVersion": "11", "browserName": "Brave", "browserVersion": strings.Repeat("9", 300),
	})
	socket.say(typeHello, map[string]any{"sdkVersion": "9.9.9"}) // too late
	want := [5]string{"1.2.3b", "Windows", "11", "Brave", strings.Repeat("9", 128)}
	var got [5]string
	eventually(t, "the record", func() bool {
		_, all := e.presence()
		p := all["alice"]
		got = [5]string{p.SDKVersion, p.OSName, p.OSVersion, p.BrowserName, p.BrowserVersion}
		return got == want
	})
}

// TestDeletedStage: nobody stays on a stage that is no more, and nobody gets in who was verified before.
func TestDeletedStage(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	one := e.connect(t, e.token("alice", nil))
	one.wait(typeState, nil)
	if _, err := e.opt.Records.Stages.Delete(t.Context(), store.Key{Scope: e.stage.Scope, ID: e.stage.ID}, nil); err != nil {
		t.Fatal(err)
	}
	if code, why := one.closed(); code != 4003 || why != "STAGE_DELETED" {
		t.Errorf("who was there: %d %s", code, why)
	}
	two := e.connect(t, e.token("bob", nil))
	if code, why := two.closed(); code != 4003 || why != "STAGE_DELETED" {
		t.Errorf("who came too late: %d %s", code, why)
	}
	eventually(t, "no stage is left", func() bool { return e.Stats().Stages == 0 })
}

// TestErrorsAreRecorded: while a session is under way, of those who are not on the stage too, and repeats once.
func TestErrorsAreRecorded(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(o *Options) { o.Codecs = []string{"H264"} })
	vp8 := rtctest.NewPublisher(t, rtctest.Options{Video: webrtc.MimeTypeVP8}).Offer(t)
	recv := rtctest.NewSubscriber(t, rtctest.Options{}).Offer(t)
	nobody := e.token("nobody", nil)
	e.request(t, http.MethodPost, e.url+"/rt/whip", nobody, sdpType, vp8, nil) // before there is a session
	e.connect(t, e.token("alice", nil)).wait(typeState, nil)
	var asked sync.WaitGroup
	for range 5 {
		asked.Go(func() { e.request(t, http.MethodPost, e.url+"/rt/whip", nobody, sdpType, vp8, nil) })
	}
	asked.Wait()
	e.request(t, http.MethodPost, e.url+"/rt/whip/subscribe/none", nobody, sdpType, recv, nil)
	no := e.token("nobody", func(c *token.Claims) { c.Publish = false })
	e.request(t, http.MethodPost, e.url+"/rt/whip", no, sdpType, vp8, nil)
	var got []string
	eventually(t, "the events", func() bool {
		session, _ := e.presence()
		got = e.history(t, session, "nobody")
		return slices.Contains(got, "PUBLISH_ERROR INSUFFICIENT_CAPABILITIES")
	})
	if !slices.Contains(got, "PUBLISH_ERROR INVALID_VIDEO_CODEC") || !slices.Contains(got, "SUBSCRIBE_ERROR PUBLISHER_NOT_FOUND") || len(got) > 4 {
		t.Errorf("%q", got) // the five may be in two seconds
	}
}

// fakeSource is a source of layers and packets that a test makes.
type fakeSource struct {
	layers []*fakeLayer
	ended  chan struct{}
	once   sync.Once
}

func newFakeSource(layers ...*fakeLayer) *fakeSource {
	return &fakeSource{layers: layers, ended: make(chan struct{})}
}

func (s *fakeSource) Run(begin func(Layer) Feed) {
	for _, l := range s.layers {
		f := begin(l)
		for _, p := range l.packets {
			f.Packet(p)
		}
	}
	<-s.ended
}
func (s *fakeSource) Connected() <-chan struct{} { return nil }
func (s *fakeSource) Ended() <-chan struct{}     { return s.ended }
func (s *fakeSource) Close()                     { s.once.Do(func() { close(s.ended) }) }

type fakeLayer struct {
	LayerInfo
	packets [][]byte
}

func (l *fakeLayer) Info() LayerInfo  { return l.LayerInfo }
func (l *fakeLayer) RequestKeyframe() {}

// testEnvironment is an environment with a clock that stands still.
func testEnvironment() environment {
	return environment{now: func() time.Duration { return time.Second }, batch: func() Departure { return nil }, counters: &counters{}}
}

// TestGoneComesLast: who is told that a session is gone, and looks, finds it over.
func TestGoneComesLast(t *testing.T) {
	t.Parallel()
	source := newFakeSource()
	source.Close()
	var pub *publication
	told := 0
	pub = newPublication(testEnvironment(), source, [kinds]*Format{Audio: {}}, nil, func() {
		told++
		select {
		case <-pub.over:
		default:
			t.Error("the publication is not over")
		}
	})
	pub.run()
	var sub *subscription
	sink := &nullSink{ended: make(chan struct{})}
	sub = newSubscription(1, "alice", pub, sink, [kinds]bool{}, func() {
		told++
		select {
		case <-sub.over:
		default:
			t.Error("the subscription is not over")
		}
	})
	sub.end()
	sub.run(func() {})
	if told != 2 {
		t.Errorf("told %d times", told)
	}
}

// TestOversizePacket: one packet that is longer than anybody needs, and one that is none, do not end their layer.
func TestOversizePacket(t *testing.T) {
	t.Parallel()
	voice := []byte{0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1}
	l := &fakeLayer{
		LayerInfo: LayerInfo{Kind: Audio, Codec: forward.Opus, ClockRate: 48000},
		packets:   [][]byte{append(slices.Clone(voice), make([]byte, packetring.SlotSize)...), {0x80}, voice},
	}
	source := newFakeSource(l)
	pub := newPublication(testEnvironment(), source, [kinds]*Format{Audio: {}}, nil, nil)
	source.Close()
	pub.run()
	if newest, ok := pub.tracks[Audio].layer(0).ring.Newest(); !ok || uint16(newest) != 1 {
		t.Errorf("the newest packet is %d, %v", newest, ok)
	}
}

// TestStillPictureIsNotOff: a layer is off when others go on without it, not when nothing moves.
func TestStillPictureIsNotOff(t *testing.T) {
	t.Parallel()
	env := testEnvironment()
	pub := newPublication(env, newFakeSource(), [kinds]*Format{Video: {}}, nil, nil)
	var layers [2]*layer
	for i := range layers {
		var ok bool
		layers[i], ok = pub.tracks[Video].add(&fakeLayer{LayerInfo: LayerInfo{Kind: Video, Index: i}})
		if !ok {
			t.Fatal("no layer")
		}
	}
	for at := time.Second; at < 3*time.Second; at += 100 * time.Millisecond {
		layers[0].meter.add(at, 1000)
		layers[1].meter.add(at, 5000)
	}
	if r := pub.layers(); r[0] < 60_000 || r[1] < 300_000 || r[2] != 0 {
		t.Errorf("rates %v", r)
	}
	layers[0].meter.add(20*time.Second, 1000) // after a pause of both
	layers[1].meter.add(20*time.Second, 5000)
	if r := pub.layers(); r[0] == 0 || r[1] == 0 {
		t.Errorf("after a pause: %v", r)
	}
	layers[0].meter.add(22*time.Second, 1000)
	if r := pub.layers(); r[0] == 0 || r[1] != 0 {
		t.Errorf("without the second: %v", r)
	}
}

// TestRecordOfReplacedSubscription: a subscription that never came to life leaves no trace.
func TestRecordOfReplacedSubscription(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	e.republish(t, e.token("alice", nil), rtctest.Options{})
	offer := rtctest.NewSubscriber(t, rtctest.Options{}).Offer(t)
	tok := e.token("bob", nil)
	if resp, body := e.request(t, http.MethodPost, e.url+"/rt/whip/subscribe/alice", tok, sdpType, offer, nil); resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.StatusCode, body)
	}
	sub := rtctest.NewSubscriber(t, rtctest.Options{})
	e.join(t, "/rt/whip/subscribe/alice", tok, sub)
	sub.Wait(t, "video", isFrame)
	e.wantHistory(t, "bob", resource.EventJoined, resource.EventSubscribeStarted)
}
