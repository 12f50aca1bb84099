package broadcast

import (
	"bytes"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rivus-live/rivus/internal/hlscheck"
	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/aac"
	"github.com/rivus-live/rivus/internal/media/h264"
)

// testCard is a source of no protocol: a picture and a tone made in the process, 25 pictures a second, on a timeline that
// begins where it likes.
type testCard struct {
	settings ingest.Settings
	start    time.Time // of its arrival times
	begin    time.Duration
	length   time.Duration
	foreign  *ingest.UnsupportedError // in place of every picture; may be nil

	pictures, sounds int64
	accepted         bool
	closed           atomic.Pointer[ingest.Refusal]
	told             chan struct{} // closed by the first Close
	over             chan struct{} // closed when all has been taken
}

func newTestCard(t *testing.T, begin, length time.Duration) *testCard {
	t.Helper()
	video, err := h264.ParseConfig(avcConfig(1280, 720))
	if err != nil {
		t.Fatal(err)
	}
	sound, err := aac.ParseConfig([]byte{0x11, 0x90})
	if err != nil {
		t.Fatal(err)
	}
	return &testCard{
		settings: ingest.Settings{Video: video, Audio: sound, Encoder: "test card", FrameRate: 25},
		start:    time.Now(), begin: begin, length: length, told: make(chan struct{}), over: make(chan struct{}),
	}
}

func (c *testCard) Accept() error { c.accepted = true; return nil }

func (c *testCard) Settings() ingest.Settings { return c.settings }

func (c *testCard) Close(r *ingest.Refusal) {
	if c.closed.CompareAndSwap(nil, r) {
		close(c.told)
	}
}

// Read gives picture and sound in the order of their times, and one piece of metadata. At its end the card stays until it
// is closed.
func (c *testCard) Read(m *ingest.Message) error {
	a := c.settings.Audio
	at := time.Duration(c.pictures) * 40 * time.Millisecond
	if at >= c.length {
		close(c.over)
		<-c.told
	}
	if r := c.closed.Load(); r != nil {
		return r
	}
	*m = ingest.Message{Medium: ingest.Video, Size: 100, Arrived: c.start.Add(at), At: at, Changed: c.pictures == 0}
	if heard := a.Duration(c.sounds * aac.FrameSamples); heard < at {
		m.Medium, m.Changed = ingest.Audio, false
		m.Frame = media.Frame{Track: a, DTS: a.Ticks(c.begin) + c.sounds*aac.FrameSamples, Key: true, Data: []byte{0x21, 0, 0}, Arrived: m.Arrived}
		c.sounds++
		return nil
	}
	i := c.pictures
	c.pictures++
	if i == 50 {
		m.Text = []byte("from the card")
	}
	if c.foreign != nil {
		m.Err = c.foreign
	} else {
		m.Frame = c.picture(i)
		m.Frame.Arrived = m.Arrived
	}
	return nil
}

// picture makes picture i, every 50th of them a keyframe.
func (c *testCard) picture(i int64) media.Frame {
	unit := append([]byte{0, 0, 0, 40, 0x41}, bytes.Repeat([]byte{0x5A}, 39)...)
	if i%50 == 0 {
		unit[4] = 0x65
	}
	v := c.settings.Video
	return media.Frame{Track: v, DTS: v.Ticks(c.begin + time.Duration(i)*40*time.Millisecond), Key: i%50 == 0, Data: unit}
}

// publishCard publishes a card and returns what the sink said at its end.
func (n *node) publishCard(t *testing.T, c *testCard, r ingest.Request) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- n.Publish(t.Context(), r, c) }()
	return done
}

// A source that is not RTMP goes on air, can be played, and is told the end; what it says of itself is in the records.
func TestSourceOfNoProtocol(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	ch, key := n.channel(t, nil)
	card := newTestCard(t, 500*time.Hour, 20*time.Second)
	card.start = card.start.Add(-20 * time.Second)
	done := n.publishCard(t, card, ingest.Request{Key: key, Secure: true, Remote: "in process"})
	s := n.waitLive(t, ch)
	<-card.over
	open, err := n.opt.Records.Sessions.Get(t.Context(), ch)
	if err != nil || open.Value.Encoder != "test card" || open.Value.Video.Width != 1280 || open.Value.Audio.SampleRate != 48_000 {
		t.Errorf("session: %+v, %v", open.Value, err)
	}
	pres, _ := n.Presentation(ch.Scope, ch.ID)
	live := pres.Variants()[0].Live
	if err := n.remote.Stop(t.Context(), s.ChannelARN); err != nil {
		t.Fatal(err)
	}
	if r, ok := errors.AsType[*ingest.Refusal](<-done); !ok || r.Kind != ingest.Stopped || r.Text == "" {
		t.Errorf("the source was told %v", r)
	}
	srv := httptest.NewServer(serve(live))
	defer srv.Close()
	report, err := hlscheck.Check(t.Context(), hlscheck.Options{URL: srv.URL + "/index.m3u8", Duration: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() {
		var b bytes.Buffer
		_ = report.Print(&b)
		t.Error(b.String())
	}
	if !bytes.Contains(everything(t, live), []byte(ownerEncoder+"\x00from the card")) {
		t.Error("its metadata is not in the media")
	}
}

// A source is refused with a kind and a text, for what it asks and for what it sends.
func TestSourceIsRefused(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	_, key := n.channel(t, nil)
	hevc := &ingest.UnsupportedError{Medium: ingest.Video, Codec: "HEVC"}
	for _, tt := range []struct {
		name, key string
		foreign   *ingest.UnsupportedError
		kind      ingest.RefusalKind
		text      string
	}{
		{"a wrong key", key + "x", nil, ingest.InvalidKey, "The stream key is not valid."},
		{"a codec", key, hevc, ingest.Unsupported, "video codec HEVC is not supported; this server takes H.264 and AAC-LC."},
	} {
		card := newTestCard(t, 0, 20*time.Second)
		card.settings.Video, card.foreign = nil, tt.foreign
		err := <-n.publishCard(t, card, ingest.Request{Key: tt.key})
		if r, ok := errors.AsType[*ingest.Refusal](err); !ok || r.Kind != tt.kind || r.Text != tt.text {
			t.Errorf("%s: %v", tt.name, err)
		}
		if card.accepted != (tt.foreign != nil) {
			t.Errorf("%s: accepted %v", tt.name, card.accepted)
		}
	}
}

// Sources of different kinds take a stream over from each other. What has the same parameters goes on without a break:
// players see no discontinuity, and no time is lost or told twice.
func TestTakeoverBetweenKindsOfSources(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		r.stream(t.Context(), append(headers(), av(0, 6000, 50)...))
		next := func(source ingest.Source, value int32) chan error {
			done := make(chan error, 1)
			f := &feed{Source: source, Request: ingest.Request{Priority: ingest.Priority{Given: true, Value: value}}}
			r.owner.Go(func() {
				in, err := r.supersede(t.Context(), f)
				if err == nil {
					err = r.ingest(f, in)
				}
				done <- err
			})
			return done
		}
		card := newTestCard(t, 500*time.Hour, 6*time.Second)
		carded := next(card, 1)
		synctest.Wait()
		if err := <-r.left; !errors.Is(err, r.source.refusal) || r.source.refusal.Kind != ingest.TakenOver {
			t.Errorf("the first source was told %v", err)
		}
		encoder := newFakeSource()
		encoded := next(encoder, 2)
		encoder.send(t.Context(), append(headers(), base(4_000_000_000, av(0, 6000, 50))...)...)
		if err := <-carded; !errors.Is(err, card.closed.Load()) {
			t.Errorf("the card was told %v", err)
		}
		close(encoder.messages)
		if err := <-encoded; !errors.Is(err, io.EOF) {
			t.Errorf("the last source ended with %v", err)
		}
		r.owner.Wait()
		text := string(r.in.packager.Snapshot().Playlist(false).Plain())
		if strings.Contains(text, "#EXT-X-DISCONTINUITY\n") {
			t.Errorf("players see a break:\n%s", text)
		}
		if got, want := playlistLength(t, text), 18*time.Second; got < want-100*time.Millisecond || got > want+200*time.Millisecond {
			t.Errorf("%v can be played, want %v\n%s", got, want, text)
		}
		if d := r.counters.drops.Load(); d != 0 {
			t.Errorf("%d messages dropped", d)
		}
	})
}
