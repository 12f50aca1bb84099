package stage

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/rtc/rtctest"
	"github.com/rivus-live/rivus/internal/stage/forward"
	"github.com/rivus-live/rivus/internal/token"
)

// tape is a sink of the server that keeps what it gets.
type tape struct {
	of        Publication
	connected chan struct{}
	ended     chan struct{}
	once      sync.Once
	got       chan taped
}

type taped struct {
	kind Kind
	rtp.Packet
}

// layer and key are what the end of a video payload of rtctest says.
func (p *taped) layer() int { return int(p.Payload[len(p.Payload)-9]) }
func (p *taped) key() bool  { return p.Payload[len(p.Payload)-10] == 1 }
func (p *taped) media() bool {
	return p.kind == Video && len(p.Payload) > 100
}

func newTape(of Publication) *tape {
	s := &tape{of: of, connected: make(chan struct{}), ended: make(chan struct{}), got: make(chan taped, 1<<14)}
	close(s.connected)
	return s
}

func (s *tape) Connected() <-chan struct{} { return s.connected }
func (s *tape) Ended() <-chan struct{}     { return s.ended }
func (s *tape) Close()                     { s.once.Do(func() { close(s.ended) }) }

func (s *tape) Stream(k Kind) (forward.Stream, bool) {
	f := [kinds]*Format{Audio: s.of.Audio, Video: s.of.Video}[k]
	return forward.Stream{Codec: f.Codec(), ClockRate: f.ClockRate, SSRC: uint32(k) + 1, PayloadType: 96 + uint8(k)}, true
}

func (s *tape) Send(k Kind, _ Departure, pkt []byte) error {
	p := taped{kind: k}
	if err := p.Unmarshal(slices.Clone(pkt)); err != nil {
		return err //nolint:wrapcheck // of a test
	}
	select {
	case s.got <- p:
	default:
	}
	return nil
}
func (s *tape) Report(Kind, Departure, forward.Report) {}

// wait returns the first packet that pred accepts.
func (s *tape) wait(tb testing.TB, what string, pred func(*taped) bool) taped {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	for {
		select {
		case p := <-s.got:
			if pred(&p) {
				return p
			}
		case <-ctx.Done():
			tb.Fatalf("no %s", what)
		}
	}
}

// attach tapes what alice publishes, of some kinds.
func (e *env) attach(tb testing.TB, wanted ...Kind) (*Attachment, *tape) {
	tb.Helper()
	var s *tape
	a, err := e.Attach(context.Background(), e.stage, "alice", func(p Publication) (Sink, error) {
		s = newTape(p)
		return s, nil
	}, wanted...)
	if err != nil {
		tb.Fatal(err)
	}
	return a, s
}

// studio is a source of the server: 30 frames of H.264 a second, with a keyframe at first and when one is asked for.
type studio struct {
	wanted atomic.Bool
	ended  chan struct{}
	once   sync.Once
}

func newStudio() *studio {
	s := &studio{ended: make(chan struct{})}
	s.wanted.Store(true)
	return s
}

func (s *studio) Run(begin func(Layer) Feed) {
	feed := begin(s)
	tick := time.NewTicker(time.Second / 30)
	defer tick.Stop()
	seq := uint16(65000)
	for n := uint32(0); ; n++ {
		select {
		case <-tick.C:
		case <-s.ended:
			return
		}
		for _, p := range rtctest.Frame(webrtc.MimeTypeH264, s.wanted.Swap(false), 0, 3, n, n*3000) {
			p.SequenceNumber = seq
			seq++
			b, err := p.Marshal()
			if err != nil {
				panic(err)
			}
			feed.Packet(b)
		}
	}
}

func (s *studio) Connected() <-chan struct{} { c := make(chan struct{}); close(c); return c }
func (s *studio) Ended() <-chan struct{}     { return s.ended }
func (s *studio) Close()                     { s.once.Do(func() { close(s.ended) }) }
func (s *studio) Info() LayerInfo {
	return LayerInfo{Kind: Video, Codec: forward.H264, ClockRate: 90000}
}
func (s *studio) RequestKeyframe() { s.wanted.Store(true) }

func (e *env) injection(id string, s Standing) Injection {
	return Injection{
		Claims:   token.Claims{ParticipantID: id, StageARN: e.stage, UserID: "user-" + id, Attributes: map[string]string{"from": "afar"}, Publish: true},
		Standing: s, Protocol: "RTMP",
		Video: &Format{Name: "H264", ClockRate: 90000, Parameters: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
	}
}

func (e *env) inject(tb testing.TB, i Injection) *Injected {
	tb.Helper()
	in, err := e.Inject(context.Background(), i, newStudio())
	if err != nil {
		tb.Fatal(err)
	}
	return in
}

// TestAttachedGetsWhatASubscriberGets: the same packets at the same distances of numbers and times, and nobody is told of it.
func TestAttachedGetsWhatASubscriberGets(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(o *Options) {
		o.Limits = Limits{Participants: 2, Subscribers: 1, RegionSubscriptions: 1, DownloadBitrate: 8_500_000}
	})
	pub, alice := e.publish(t, rtctest.Options{})
	pub.Run(30, 5)
	a, sink := e.attach(t)
	sub, _ := e.subscribe(t, "bob", rtctest.Options{}) // there is room for one
	var seqs, stamps [kinds]map[uint32]int
	for k := range kinds {
		seqs[k], stamps[k] = map[uint32]int{}, map[uint32]int{}
	}
	tapedAs := map[string]taped{}
	const enough = 200
	for n := 0; n < enough; {
		g := sub.Wait(t, "media", func(g rtctest.Got) bool { return !rtctest.IsVideo(g) || g.Media })
		kind := Audio
		if rtctest.IsVideo(g) {
			kind = Video
		}
		key := kind.String() + string(g.Payload)
		for waiting := len(sink.got); waiting > 0; waiting-- {
			p := <-sink.got
			tapedAs[p.kind.String()+string(p.Payload)] = p
		}
		p, ok := tapedAs[key]
		if !ok { // it may be on its way: the writer serves one after the other
			p = sink.wait(t, "the packet that a subscriber got", func(p *taped) bool {
				tapedAs[p.kind.String()+string(p.Payload)] = *p
				return p.kind.String()+string(p.Payload) == key
			})
		}
		seqs[kind][uint32(p.SequenceNumber-g.Header.SequenceNumber)]++
		stamps[kind][p.Timestamp-g.Header.Timestamp]++
		if p.Marker != g.Header.Marker {
			t.Errorf("a marker is %v, the subscriber's %v", p.Marker, g.Header.Marker)
		}
		n++
	}
	for k := range kinds {
		if len(seqs[k]) != 1 || len(stamps[k]) != 1 {
			t.Errorf("%v: distances of numbers %v, of times %v", k, seqs[k], stamps[k])
		}
	}
	if s := e.Stats(); s.Subscriptions != 1 || s.Participants != 2 || s.Publications != 1 {
		t.Errorf("%+v", s)
	}
	e.wantHistory(t, "alice", "JOINED", "PUBLISH_STARTED")
	e.wantHistory(t, "bob", "JOINED", "SUBSCRIBE_STARTED")
	e.request(t, http.MethodDelete, alice.url, alice.tok, "", "", nil)
	rtctest.WaitClosed(t, "the attachment ends with the publication", a.Ended())
	rtctest.WaitClosed(t, "the sink is closed", sink.Ended())
}

// TestAttachedChooses: the highest layer comes by itself, any other when it is chosen, and keyframes when they are wanted.
func TestAttachedChooses(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	pub, _ := e.publish(t, rtctest.Options{RIDs: []string{"hi", "mid", "low"}})
	pub.Play(rtctest.Media{FPS: 30, Rates: []int{2_000_000, 600_000, 150_000}})
	rtctest.WaitClosed(t, "the publisher is connected", pub.Connected())
	a, sink := e.attach(t, Video)
	if want := []string{"low", "mid", "hi"}; !slices.Equal(sink.of.Labels, want) {
		t.Errorf("labels %v", sink.of.Labels)
	}
	of := func(layer int) func(*taped) bool {
		return func(p *taped) bool {
			if p.kind == Audio {
				t.Error("audio, which is not wanted")
			}
			return p.media() && p.layer() == layer
		}
	}
	sink.wait(t, "the highest", of(0))
	for _, c := range []struct {
		label string
		layer int
	}{{"low", 2}, {"mid", 1}, {"", 0}} {
		if !a.Choose(t.Context(), c.label) {
			t.Errorf("there is no layer %q", c.label)
		}
		if p := sink.wait(t, c.label, of(c.layer)); !p.key() {
			t.Errorf("%q begins without a keyframe", c.label)
		}
	}
	if a.Choose(t.Context(), "none such") {
		t.Error("a layer that is not there")
	}
	eventually(t, "the old requests are answered", func() bool { return pub.Keyframes(0) > 0 })
	before := pub.Keyframes(0)
	eventually(t, "a keyframe", func() bool { a.KeyframeWanted(); return pub.Keyframes(0) > before })
	a.Close()
	rtctest.WaitClosed(t, "it ends", a.Ended())
	select {
	case <-pub.Ended():
		t.Error("the publication has ended, too")
	default:
	}
}

// TestAttachedFollows: it goes on in the same stream with a publication like the one before, and ends with any other.
func TestAttachedFollows(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	tok := e.token("alice", nil)
	first := e.republish(t, tok, rtctest.Options{})
	a, sink := e.attach(t)
	before := sink.wait(t, "video", (*taped).media)
	e.republish(t, tok, rtctest.Options{})
	rtctest.WaitClosed(t, "the first ends", first.Ended())
	for len(sink.got) > 0 {
		before = <-sink.got
	}
	after := sink.wait(t, "video of the second", func(p *taped) bool { return p.media() && p.key() })
	if after.SSRC != uint32(Video)+1 || before.kind == Video && int16(after.SequenceNumber-before.SequenceNumber) < 0 {
		t.Errorf("after %d comes %d of %d", before.SequenceNumber, after.SequenceNumber, after.SSRC)
	}
	e.republish(t, tok, rtctest.Options{NoAudio: true})
	rtctest.WaitClosed(t, "it ends", a.Ended())
}

// TestAttachToNobody: there must be a publication.
func TestAttachToNobody(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	attach := func() error {
		_, err := e.Attach(t.Context(), e.stage, "alice", func(p Publication) (Sink, error) { return newTape(p), nil })
		return err
	}
	if err := attach(); !errors.Is(err, errNoPublisher) {
		t.Errorf("without a stage: %v", err)
	}
	e.connect(t, e.token("alice", nil)).wait(typeState, nil)
	if err := attach(); !errors.Is(err, errNoPublisher) {
		t.Errorf("without a publication: %v", err)
	}
}

// TestInjectedIsWatched: a stock client shows its pictures, and those know of it who are to.
func TestInjectedIsWatched(t *testing.T) {
	t.Parallel()
	for name, standing := range map[string]Standing{"hidden": Hidden, "listed": Listed, "recorded": Recorded} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, func(o *Options) { o.Limits = Limits{Participants: 3, Publishers: 1, RegionPublishers: 1} })
			watcher := e.connect(t, e.token("carol", nil))
			watcher.heard()
			in := e.inject(t, e.injection("alice", standing))
			sub, _ := e.subscribe(t, "bob", rtctest.Options{})
			decoder := &rtctest.Decoder{}
			for decoder.Frames < 30 {
				decoder.Put(sub.Wait(t, "video", isFrame))
			}
			if decoder.Faults > 0 || decoder.Broken > 0 {
				t.Errorf("%+v", decoder.Report)
			}
			resp, _ := e.request(t, http.MethodPost, e.url+"/rt/whip", e.token("dave", nil), sdpType, rtctest.NewPublisher(t, rtctest.Options{}).Offer(t), nil)
			if counts := resp.StatusCode == http.StatusTooManyRequests; counts != (standing == Recorded) {
				t.Errorf("one more publisher: %d", resp.StatusCode)
			}
			told := slices.DeleteFunc(watcher.heard(), func(s string) bool { return s != typePublished })
			want := map[Standing]int{Hidden: 1, Listed: 2, Recorded: 1}[standing] // dave's is one of the first two
			if len(told) != want {
				t.Errorf("told of %d publications, want %d", len(told), want)
			}
			if standing == Recorded {
				e.wantHistory(t, "alice", "JOINED", "PUBLISH_STARTED")
			}
			_, present := e.presence()
			if p, ok := present["alice"]; ok != (standing == Recorded) || ok && (p.Protocol != "RTMP" || p.UserID != "user-alice") {
				t.Errorf("recorded %v as %+v", ok, p)
			}
			in.Close(t.Context())
			rtctest.WaitClosed(t, "the publication ends", in.Ended())
			rtctest.WaitClosed(t, "the subscriber learns of it", sub.Ended())
			told = slices.DeleteFunc(watcher.heard(), func(s string) bool { return s != typeUnpublished })
			if listed := len(told) == 1; listed != (standing != Hidden) {
				t.Errorf("told of the end: %q", told)
			}
		})
	}
}

// TestInjectedGivesWay: a name belongs to whoever has a token for it; a source that comes again goes on.
func TestInjectedGivesWay(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	first := e.inject(t, e.injection("alice", Listed))
	sub, _ := e.subscribe(t, "bob", rtctest.Options{})
	sub.Wait(t, "video", isFrame)
	second := e.inject(t, e.injection("alice", Listed))
	rtctest.WaitClosed(t, "the first ends", first.Ended())
	sub.Wait(t, "a keyframe of the second", func(g rtctest.Got) bool { return g.Key })
	socket := e.connect(t, e.token("alice", nil))
	socket.wait(typeState, nil)
	rtctest.WaitClosed(t, "the second ends", second.Ended())
	s := newStudio()
	if _, err := e.Inject(t.Context(), e.injection("alice", Hidden), s); !errors.Is(err, errTaken) {
		t.Errorf("while alice is there: %v", err)
	}
	rtctest.WaitClosed(t, "what is refused is closed", s.Ended())
	recorded := e.inject(t, e.injection("alice", Recorded)) // alice's own
	socket.wait(typePublished, nil)
	eventually(t, "alice's presence, by which she is found", func() bool { _, p := e.presence(); return p["alice"].State() == resource.ParticipantConnected })
	if err := e.remote.Disconnect(t.Context(), e.stage, "alice", ""); err != nil {
		t.Fatal(err)
	}
	rtctest.WaitClosed(t, "who is disconnected does not publish", recorded.Ended())
}

// TestInjectedEndsWithTheSession: what does not count holds no session open, and leaves no record.
func TestInjectedEndsWithTheSession(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(o *Options) { o.Grace = 100 * time.Millisecond })
	in := e.inject(t, e.injection("alice", Listed))
	a, _ := e.attach(t)
	rtctest.WaitClosed(t, "the publication ends", in.Ended())
	rtctest.WaitClosed(t, "and what was attached", a.Ended())
	eventually(t, "the stage is gone", func() bool { return e.Stats() == Stats{} })
	if id, present := e.presence(); id != "" || len(present) > 0 {
		t.Errorf("session %q with %v", id, present)
	}
}

// diary is an Observer that writes down what it hears.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(words ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, strings.Join(words, " "))
}
func (d *diary) Joined(_ arn.ARN, p Presence)       { d.add("+", p.ParticipantID, p.UserID) }
func (d *diary) Left(_ arn.ARN, id string)          { d.add("-", id) }
func (d *diary) Published(_ arn.ARN, p Publication) { d.add("on", p.ParticipantID, p.Video.Name) }
func (d *diary) Unpublished(_ arn.ARN, id string)   { d.add("off", id) }
func (d *diary) wait(tb testing.TB, want ...string) {
	tb.Helper()
	var got []string
	eventually(tb, "what is observed", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		got = slices.Clone(d.lines)
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		tb.Errorf("%q, want %q", got, want)
	}
}

// TestObserve: what is there first, then what changes, until it is enough.
func TestObserve(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	all, here, there := &diary{}, &diary{}, &diary{}
	e.Observe(arn.ARN{}, all)
	in := e.inject(t, e.injection("alice", Listed))
	e.Observe(newStage(t, e.opt.Records.Stages), there)
	stop := e.Observe(e.stage, here)
	e.connect(t, e.token("bob", nil)).wait(typeState, nil)
	in.Close(t.Context())
	want := []string{"+ alice user-alice", "on alice H264", "+ bob user-bob", "off alice", "- alice"}
	all.wait(t, want...)
	here.wait(t, want...)
	stop()
	again := e.inject(t, e.injection("carol", Hidden))
	again.Close(t.Context())
	rtctest.WaitClosed(t, "carol's ends", again.Ended())
	all.wait(t, append(want, "+ carol user-carol", "on carol H264", "off carol", "- carol")...)
	here.wait(t, want...)
	there.wait(t)
}

// TestInternalsLeaveNothing: sinks and sources that come and go leave no goroutine and no entry.
func TestInternalsLeaveNothing(t *testing.T) {
	e := newEnv(t, nil)
	e.connect(t, e.token("bob", nil)).wait(typeState, nil)
	stop := e.Observe(arn.ARN{}, &diary{})
	defer stop()
	visit := func(n int) {
		in := e.inject(t, e.injection("alice", Standing(n%3)))
		a, sink := e.attach(t)
		sink.wait(t, "video", (*taped).media)
		if n%2 == 0 {
			a.Close()
			rtctest.WaitClosed(t, "the attachment ends", a.Ended())
		}
		in.Close(t.Context())
		rtctest.WaitClosed(t, "the publication ends", in.Ended())
		rtctest.WaitClosed(t, "the attachment ends", a.Ended())
	}
	for n := range 6 {
		visit(n)
	}
	before := runtime.NumGoroutine()
	for n := range 60 {
		visit(n)
	}
	eventually(t, "goroutines are as many as before", func() bool { return runtime.NumGoroutine() <= before+3 })
	_, err := e.in(t.Context(), e.stage, false, func(r *room) error {
		if len(r.participants) != 1 || len(r.attached)+r.guests+r.hidden != 0 {
			t.Errorf("%d participants, %d attached, %d guests, %d hidden", len(r.participants), len(r.attached), r.guests, r.hidden)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
