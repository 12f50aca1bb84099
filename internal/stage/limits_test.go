package stage

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/rtc/rtctest"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// pictures are the first bytes of packets of 1920x1080 pictures, as libx264, libvpx and libaom make them.
var pictures = []struct { //nolint:gochecknoglobals // a constant table
	name  string
	codec forward.Codec
	hex   string
	ok    bool
}{
	{"SPS", forward.H264, "67640028acd940780227e5c044000003000400000300283c60c658", true},
	{"SPS and PPS", forward.H264, "78 0002 09f0 001b 67640028acd940780227e5c044000003000400000300283c60c658 0005 68ebe3cb22", true},
	{"no SPS", forward.H264, "78 0005 68ebe3cb22", false},
	{"cut off", forward.H264, "78 00ff 67640028", false},
	{"slice", forward.H264, "6588", false},
	{"VP8", forward.VP8, "90 80 8001 706b02 9d012a 80073804 0b47", true},
	{"VP8, shortest descriptor", forward.VP8, "10 706b02 9d012a 80073804", true},
	{"VP8 with bits of scaling", forward.VP8, "10 706b02 9d012a 80473884", true},
	{"VP8, cut off", forward.VP8, "10 706b02 9d012a 8007", false},
	{"VP9", forward.VP9, "88 8001 8249834200 77f04376 2838", true},
	{"VP9, cut off", forward.VP9, "88 8001 8249834200 77", false},
	{"AV1, sizes in front and inside", forward.AV1, "28 0d 0a0b 00000042abbfc3732be401 02 3201", true},
	{"AV1, alone", forward.AV1, "18 08 00000042abbfc3732be401", true},
	{"AV1, a frame", forward.AV1, "18 32 00000042abbfc3732be401", false},
	{"AV1, cut off", forward.AV1, "18 08 00000042ab", false},
	{"AV1, longer than it is", forward.AV1, "28 ff01 08", false},
	{"Opus", forward.Opus, "fc", false},
	{"nothing", forward.H264, "", false},
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestPictureSize(t *testing.T) {
	t.Parallel()
	for _, c := range pictures {
		w, h, ok := pictureSize(c.codec, unhex(t, c.hex))
		if ok != c.ok || ok && (w != 1920 || h != 1080) {
			t.Errorf("%s: %dx%d %v", c.name, w, h, ok)
		}
	}
}

// FuzzPictureSize: whatever a publisher sends, it has a size that fits its format, or none.
func FuzzPictureSize(f *testing.F) {
	for _, c := range pictures {
		f.Add(byte(c.codec), unhex(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, codec byte, b []byte) {
		if len(b) > 1500 {
			return
		}
		w, h, ok := pictureSize(forward.Codec(codec), b)
		if ok && (w < 0 || h < 0 || w > 1<<16 || h > 1<<16) {
			t.Fatalf("%dx%d", w, h)
		}
	})
}

func TestRateWatch(t *testing.T) {
	t.Parallel()
	var r rateWatch
	var got []int
	bytes := int64(0)
	for i, perSecond := range []int64{1000, 1000, 1000, 1000, 1000, 4000, 1000, 1000, 1000} {
		got = append(got, r.look(time.Duration(i)*time.Second, bytes))
		bytes += perSecond
	}
	if want := []int{0, 0, 0, 0, 8000, 8000, 14000, 14000, 14000}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if r.look(0, 0) != 0 {
		t.Error("a rate of a clock that goes back")
	}
}

func TestCensus(t *testing.T) {
	t.Parallel()
	var c census
	here, there := arn.Scope{Region: "us-west-2", Account: "1"}, arn.Scope{Region: "us-west-2", Account: "2"}
	if !c.enter(here, publishers, 1) || c.enter(here, publishers, 1) || !c.enter(here, subscriptions, 1) || !c.enter(there, publishers, 1) {
		t.Error("a limit is not that of its kind and account")
	}
	if c.leave(here, publishers); !c.enter(here, publishers, 1) {
		t.Error("no room after one has left")
	}
	c.leave(here, publishers)
	c.leave(here, subscriptions)
	c.leave(there, publishers)
	if len(c.areas) != 0 {
		t.Errorf("%v", c.areas)
	}
}

// TestQuotas: what is one too many is refused, told, and recorded.
func TestQuotas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits               Limits
		publish, subscribe   int // status of a second one's offers
		replace, resubscribe int // status of offers of those who are in
	}{
		"none":                 {Limits{}, 201, 201, 201, 201},
		"publishers":           {Limits{Publishers: 1}, 429, 201, 201, 201},
		"subscribers":          {Limits{Subscribers: 1}, 201, 429, 201, 201},
		"region publishers":    {Limits{RegionPublishers: 1}, 429, 201, 201, 201},
		"region subscriptions": {Limits{RegionSubscriptions: 1}, 201, 429, 201, 201},
		"participants":         {Limits{Participants: 2}, 429, 429, 201, 201},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, func(o *Options) { o.Limits = c.limits })
			send := rtctest.NewPublisher(t, rtctest.Options{}).Offer(t)
			recv := rtctest.NewSubscriber(t, rtctest.Options{}).Offer(t)
			post := func(id, path, offer string) int {
				t.Helper()
				resp, _ := e.request(t, http.MethodPost, e.url+"/rt/whip"+path, e.token(id, nil), sdpType, offer, nil)
				return resp.StatusCode
			}
			first, second := post("alice", "", send), post("bob", "/subscribe/alice", recv)
			if first != http.StatusCreated || second != http.StatusCreated {
				t.Fatalf("the first: %d, %d", first, second)
			}
			got := [4]int{post("alice", "", send), post("bob", "/subscribe/alice", recv), post("carol", "", send), post("dave", "/subscribe/alice", recv)}
			if want := [4]int{c.replace, c.resubscribe, c.publish, c.subscribe}; got != want {
				t.Errorf("%v, want %v", got, want)
			}
			if c.publish == 429 {
				e.wantHistory(t, "carol", "PUBLISH_ERROR QUOTA_EXCEEDED")
			}
			if c.subscribe == 429 {
				e.wantHistory(t, "dave", "SUBSCRIBE_ERROR QUOTA_EXCEEDED")
			}
		})
	}
}

// TestFullStage: a socket that finds no room is told so.
func TestFullStage(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(o *Options) { o.Limits.Participants = 1 })
	e.connect(t, e.token("alice", nil)).wait(typeState, nil)
	if code, why := e.connect(t, e.token("bob", nil)).closed(); code != 4429 || why != "STAGE_FULL" {
		t.Errorf("%d %s", code, why)
	}
}

// exceeding has a publisher break a limit, and checks that everybody learns of it. Its frames are of 1280x720.
func exceeding(t *testing.T, limits Limits, code string) {
	t.Helper()
	e := newEnv(t, func(o *Options) { o.Limits = limits })
	tok := e.token("alice", nil)
	socket := e.connect(t, tok)
	pub := rtctest.NewPublisher(t, rtctest.Options{})
	e.join(t, "/rt/whip", tok, pub)
	pub.Run(30, 5)
	socket.wait(typeError, func(b json.RawMessage) bool {
		var p errorPayload
		return json.Unmarshal(b, &p) == nil && p.Code == code && p.Request == "PUBLISH" && p.Message != ""
	})
	rtctest.WaitClosed(t, "the publication ends", pub.Ended())
	e.wantHistory(t, "alice", "JOINED", "PUBLISH_STARTED", "PUBLISH_ERROR "+code, "PUBLISH_STOPPED")
	eventually(t, "nothing is published", func() bool { return e.Stats().Publications == 0 && e.whip.Sessions() == 0 })
}

func TestTooLargePicture(t *testing.T) {
	t.Parallel()
	exceeding(t, Limits{Pixels: 1280*720 - 1}, resource.ErrorResolutionExceeded)
}

func TestTooMuchBitrate(t *testing.T) {
	t.Parallel()
	exceeding(t, Limits{PublishBitrate: 500_000}, resource.ErrorBitrateExceeded)
}

// TestWithinLimits: who keeps to them notices nothing of them.
func TestWithinLimits(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(o *Options) { o.Limits = ServiceLimits() })
	pub, _ := e.publish(t, rtctest.Options{})
	pub.Run(30, 5)
	sub, _ := e.subscribe(t, "bob", rtctest.Options{})
	first := sub.Wait(t, "video", isFrame)
	sub.Wait(t, "five seconds of video", func(g rtctest.Got) bool { return isFrame(g) && g.Frame >= first.Frame+150 })
}

// testClock is a clock that a test moves on.
type testClock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

func TestTooLong(t *testing.T) {
	t.Parallel()
	c := &testClock{}
	e := newEnv(t, func(o *Options) { o.Limits.Duration, o.Clock = 24*time.Hour, c.now })
	tok := e.token("alice", nil)
	socket := e.connect(t, tok)
	pub := rtctest.NewPublisher(t, rtctest.Options{})
	e.join(t, "/rt/whip", tok, pub)
	pub.Run(30, 2)
	viewer := e.token("bob", nil)
	listener := e.connect(t, viewer)
	sub := rtctest.NewSubscriber(t, rtctest.Options{})
	e.join(t, "/rt/whip/subscribe/alice", viewer, sub)
	sub.Wait(t, "video", isFrame)
	e.wantHistory(t, "bob", "JOINED", "SUBSCRIBE_STARTED")
	c.advance(23 * time.Hour)
	again := e.republish(t, tok, rtctest.Options{}) // has a day of its own; the subscription has not
	rtctest.WaitClosed(t, "the older ends", pub.Ended())
	c.advance(time.Hour)
	tooLong := func(request, id string) func(json.RawMessage) bool {
		return func(b json.RawMessage) bool {
			var p errorPayload
			return json.Unmarshal(b, &p) == nil && p.Code == resource.ErrorStreamDurationExceeded && p.Request == request && p.ID == id
		}
	}
	listener.wait(typeError, tooLong("SUBSCRIBE", "alice"))
	rtctest.WaitClosed(t, "the subscription ends", sub.Ended())
	e.wantHistory(t, "bob", "JOINED", "SUBSCRIBE_STARTED", "SUBSCRIBE_ERROR STREAM_DURATION_EXCEEDED", "SUBSCRIBE_STOPPED")
	if s := e.Stats(); s.Publications != 1 {
		t.Errorf("%+v", s)
	}
	c.advance(23 * time.Hour)
	socket.wait(typeError, tooLong("PUBLISH", ""))
	rtctest.WaitClosed(t, "the publication ends", again.Ended())
}

// TestDownloadLimit: who has no feedback to give is held to the limit too, lower layers first.
func TestDownloadLimit(t *testing.T) {
	t.Parallel()
	env := testEnvironment()
	env.download = 8_500_000
	d := newDownlink(env, &sync.WaitGroup{})
	if d.allocator.Cap != env.download {
		t.Errorf("the allocator may give %d", d.allocator.Cap)
	}
	var outlets []*outlet
	for i := range 3 {
		pub := newPublication(env, newFakeSource(), [kinds]*Format{Video: {}}, nil, nil)
		for index, rate := range []int{200_000, 700_000, 4_000_000} {
			l, _ := pub.tracks[Video].add(&fakeLayer{LayerInfo: LayerInfo{Kind: Video, Index: index}})
			l.meter.rate.Store(int64(rate))
			l.meter.last.Store(int64(time.Second))
		}
		s := newSubscription(uint64(i), "alice", pub, nil, [kinds]bool{Video: true}, nil)
		s.down = d
		d.add(s)
		outlets = append(outlets, s.outlets[Video])
	}
	d.tick()
	layers := [3]int32{}
	for i, o := range outlets {
		layers[i] = o.target.Load()
	}
	if layers != [3]int32{2, 2, 0} {
		t.Errorf("layers %v", layers)
	}
}
