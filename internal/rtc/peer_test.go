package rtc

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

func newTestEngine(tb testing.TB) *Engine {
	tb.Helper()
	p, err := Listen(context.Background(), "127.0.0.1:0", nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.Close() })
	e, err := NewEngine(Options{Port: p})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func receive(tb testing.TB, e *Engine, p *rtctest.Publisher) *Inbound {
	tb.Helper()
	o, err := ParseOffer(p.Offer(tb))
	if err != nil {
		tb.Fatal(err)
	}
	in, err := e.Receive(o, first(o.Audio), first(o.Video))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(in.Close)
	p.Answer(tb, in.Answer())
	return in
}

func first(s *Section) *Codec {
	if s == nil || len(s.Codecs) == 0 {
		return nil
	}
	return &s.Codecs[0]
}

func TestPacketsPassThrough(t *testing.T) {
	t.Parallel()
	for _, o := range []rtctest.Options{
		{}, {Video: webrtc.MimeTypeVP8}, {Video: webrtc.MimeTypeVP9}, {Video: webrtc.MimeTypeAV1}, {TCP: true}, {Video: "none"},
	} {
		t.Run(strings.ReplaceAll(o.Video, "/", "-"), func(t *testing.T) {
			t.Parallel()
			passThrough(t, o)
		})
	}
}

// passThrough sends what a publisher sends to a subscriber, packet by packet and as it is.
func passThrough(t *testing.T, o rtctest.Options) {
	t.Helper()
	e := newTestEngine(t)
	pub := rtctest.NewPublisher(t, o)
	in := receive(t, e, pub)
	if n := strings.Count(in.Answer(), "a=end-of-candidates"); n != strings.Count(in.Answer(), "m=") {
		t.Errorf("candidates in %d sections:\n%s", n, in.Answer())
	}
	sub := rtctest.NewSubscriber(t, o)
	offer, err := ParseOffer(sub.Offer(t))
	if err != nil {
		t.Fatal(err)
	}
	pick := func(c *Codec, s *Section) *Codec {
		if c == nil {
			return nil
		}
		m, ok := c.Match(s.Codecs)
		if !ok {
			t.Fatalf("no %s in the offer", c.Name)
		}
		return &m
	}
	sections := in.intake.sections
	feedback := make(chan struct{})
	var once sync.Once
	out, err := e.Send(offer, pick(sections[Audio].codec, offer.Audio), pick(sections[Video].codec, offer.Video), func(b []byte) {
		if _, err := rtcp.Unmarshal(b); err != nil {
			t.Error(err)
		}
		once.Do(func() { close(feedback) })
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.Close)
	sub.Answer(t, out.Answer())
	rtctest.WaitClosed(t, "subscriber connects", out.Connected())
	run(t, in, func(l *Layer) Feed {
		if o.Video == "none" && l.Kind == Video {
			t.Error("there is video")
		}
		if l.Kind == Video {
			return &passOn{engine: e, to: out.Video()}
		}
		return &passOn{engine: e, to: out.Audio()}
	})
	pub.Run(30, 3)
	sub.Wait(t, "audio", rtctest.IsAudio)
	if o.Video != "none" {
		sub.Wait(t, "video", func(g rtctest.Got) bool { return rtctest.IsVideo(g) && g.Media && g.Index == 2 })
	}
	rtctest.WaitClosed(t, "the subscriber tells", feedback)
	out.Close()
	rtctest.WaitClosed(t, "the subscriber learns of the end", sub.Ended())
}

// run runs a publisher's connection until the test ends.
func run(tb testing.TB, in *Inbound, begin func(*Layer) Feed) {
	tb.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		in.Run(begin)
	}()
	tb.Cleanup(func() {
		in.Close()
		<-done
	})
}

// passOn copies a layer to a sender.
type passOn struct {
	engine *Engine
	to     *Sender
}

func (f *passOn) Packet(b []byte) {
	var p rtp.Packet
	if p.Unmarshal(b) != nil {
		return
	}
	p.Header = rtp.Header{
		Version: 2, Marker: p.Marker, SequenceNumber: p.SequenceNumber, Timestamp: p.Timestamp,
		SSRC: f.to.ssrc, PayloadType: f.to.Codec.PayloadType,
	}
	if out, err := p.Marshal(); err == nil {
		batch := f.engine.Batch()
		_ = f.to.Write(batch, out)
		batch.End()
	}
}

func (*passOn) Report(SenderReport) {}

// collector notes what a layer gets.
type collector struct {
	layer   *Layer
	packets chan []byte
	reports chan SenderReport
}

func newCollector(l *Layer) *collector {
	return &collector{layer: l, packets: make(chan []byte, 10_000), reports: make(chan SenderReport, 100)}
}

func (c *collector) Packet(b []byte) {
	select {
	case c.packets <- bytes.Clone(b):
	default:
	}
}

func (c *collector) Report(r SenderReport) {
	select {
	case c.reports <- r:
	default:
	}
}

// TestSimulcastLayersArrive: each once, with packets, reports, and a way to ask for a keyframe.
func TestSimulcastLayersArrive(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	pub := rtctest.NewPublisher(t, rtctest.Options{RIDs: []string{"low", "mid", "hi"}})
	in := receive(t, e, pub)
	layers := make(chan *collector, 10)
	run(t, in, func(l *Layer) Feed {
		c := newCollector(l)
		layers <- c
		return c
	})
	pub.Run(30, 2)
	seen := map[string]bool{}
	for range 4 {
		c := rtctest.Receive(t, "a layer", layers)
		seen[nameOf(c.layer)] = true
		rtctest.Receive(t, "a packet", c.packets)
		rtctest.Receive(t, "a report", c.reports)
		c.layer.RequestKeyframe()
	}
	if want := map[string]bool{"audio ": true, "video low": true, "video mid": true, "video hi": true}; !maps.Equal(seen, want) {
		t.Errorf("layers %v", seen)
	}
	rtctest.Until(t, "keyframes of all layers", func() bool {
		return pub.Keyframes(0) > 1 && pub.Keyframes(1) > 1 && pub.Keyframes(2) > 1
	})
}

// TestPassivePeers: a publisher and a subscriber that insist on being the DTLS server get media through, over UDP and TCP,
// and the goodbye of either side is heard.
func TestPassivePeers(t *testing.T) {
	t.Parallel()
	for _, tcp := range []bool{false, true} {
		t.Run(map[bool]string{false: "UDP", true: "TCP"}[tcp], func(t *testing.T) {
			t.Parallel()
			e := newTestEngine(t)
			pub := rtctest.NewPublisher(t, rtctest.Options{TCP: tcp})
			o, err := ParseOffer(strings.ReplaceAll(pub.Offer(t), "a=setup:actpass", "a=setup:passive"))
			if err != nil {
				t.Fatal(err)
			}
			in, err := e.Receive(o, first(o.Audio), first(o.Video))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(in.Close)
			pub.Answer(t, in.Answer())
			sub := rtctest.NewSubscriber(t, rtctest.Options{TCP: tcp})
			out, _ := answerTo(t, e, strings.ReplaceAll(sub.Offer(t), "a=setup:actpass", "a=setup:passive"), true)
			sub.Answer(t, out.Answer())
			rtctest.WaitClosed(t, "subscriber connects", out.Connected())
			run(t, in, func(l *Layer) Feed {
				if l.Kind == Video {
					return nil
				}
				return &passOn{engine: e, to: out.Audio()}
			})
			pub.Run(30, 1)
			sub.Wait(t, "audio for a while", func(g rtctest.Got) bool { return rtctest.IsAudio(g) && g.Frame > 25 })
			pub.Close()
			rtctest.WaitClosed(t, "the publisher's end", in.Ended())
			out.Close()
			rtctest.WaitClosed(t, "our end", sub.Ended())
		})
	}
}

// TestLossOnTheWayIn: what is lost between a publisher and us is asked for and comes once more, as what it was.
func TestLossOnTheWayIn(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	link := rtctest.NewLink(t, 3, rtctest.Shape{}, rtctest.Shape{Loss: 0.1})
	pub := rtctest.NewPublisher(t, rtctest.Options{Settings: link.Apply(t)})
	in := receive(t, e, pub)
	video := make(chan *collector, 1)
	run(t, in, func(l *Layer) Feed {
		if l.Kind == Audio {
			return nil
		}
		c := newCollector(l)
		video <- c
		return c
	})
	pub.Run(30, 5)
	c := rtctest.Receive(t, "video", video)
	seen, first := map[uint16]bool{}, uint16(0)
	for late := 0; late < 10; {
		b := rtctest.Receive(t, "a packet", c.packets)
		seq := binary.BigEndian.Uint16(b[2:])
		if len(seen) == 0 {
			first = seq
		}
		if b[1]&0x7f != c.layer.Codec.PayloadType || binary.BigEndian.Uint32(b[8:]) != c.layer.ssrc.Load() {
			t.Fatalf("not a packet of the layer: % x", b[:12])
		}
		if !seen[seq] && seen[seq+1] && seq-first < 1<<15 {
			late++
		}
		seen[seq] = true
	}
}
