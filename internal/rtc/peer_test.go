package rtc

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

func newTestEngine(tb testing.TB) *Engine {
	tb.Helper()
	p, err := Listen(context.Background(), "127.0.0.1:0", slog.New(slog.DiscardHandler))
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
	in, err := e.Receive(tb.Context(), o, first(o.Audio), first(o.Video))
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
	feedback := make(chan rtcp.Packet, 100)
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
	out, err := e.Send(t.Context(), offer, pick(in.link.choice[Audio], offer.Audio), pick(in.link.choice[Video], offer.Video), func(b []byte) {
		p, err := rtcp.Unmarshal(b)
		if err != nil {
			t.Error(err)
			return
		}
		select {
		case feedback <- p[0]:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.Close)
	sub.Answer(t, out.Answer())
	rtctest.WaitClosed(t, "publisher connects", in.Connected())
	rtctest.WaitClosed(t, "subscriber connects", out.Connected())
	pub.Run(30, 3)
	for range 2 {
		if o.Video == "none" && in.link.choice[Video] != nil {
			t.Error("there is video")
		}
		l, err := in.Accept()
		if err != nil {
			t.Fatal(err)
		}
		s := out.Audio()
		if l.Kind == Video {
			s = out.Video()
		}
		rtctest.WaitClosed(t, "sender ready", s.Ready())
		in.link.spawn(func() { forwardAll(e, l, s) })
		if o.Video == "none" {
			break
		}
	}
	sub.Wait(t, "audio", rtctest.IsAudio)
	if o.Video != "none" {
		sub.Wait(t, "video", func(g rtctest.Got) bool { return rtctest.IsVideo(g) && g.Media && g.Index == 2 })
	}
	select {
	case <-feedback:
	case <-t.Context().Done():
		t.Fatal("no RTCP from the subscriber")
	}
	out.Close()
	rtctest.WaitClosed(t, "the subscriber learns of the end", sub.Ended())
}

// forwardAll copies a layer to a sender.
func forwardAll(e *Engine, l *Layer, s *Sender) {
	b := make([]byte, 1500)
	for {
		n, err := l.Read(b)
		if err != nil {
			return
		}
		var p rtp.Packet
		if p.Unmarshal(b[:n]) != nil {
			continue
		}
		p.Header = rtp.Header{Version: 2, Marker: p.Marker, SequenceNumber: p.SequenceNumber, Timestamp: p.Timestamp, SSRC: s.ssrc, PayloadType: s.Codec.PayloadType}
		if out, err := p.Marshal(); err == nil {
			_ = s.Write(out)
			e.Flush()
		}
	}
}

func TestSimulcastLayersArrive(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	pub := rtctest.NewPublisher(t, rtctest.Options{RIDs: []string{"low", "mid", "hi"}})
	in := receive(t, e, pub)
	pub.Run(30, 2)
	seen := map[string]bool{}
	for range 4 {
		l, err := in.Accept()
		if err != nil {
			t.Fatal(err)
		}
		seen[l.RID] = true
		if err := l.RequestKeyframe(); l.Kind == Video && err != nil {
			t.Error(err)
		}
	}
	if len(seen) != 4 || !seen["low"] || !seen["mid"] || !seen["hi"] || !seen[""] {
		t.Errorf("layers %v", seen)
	}
}
