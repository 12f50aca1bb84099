package rtctest

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// Got is one packet that a subscriber received.
type Got struct {
	Kind    webrtc.RTPCodecType
	Header  rtp.Header
	Payload []byte
	Resent  bool   // came on the retransmission stream
	Layer   int    // of video
	Frame   uint32 // of video; of audio the number of the packet
	Index   int    // of video, within its frame
	Count   int    // of video, packets of its frame
	Key     bool   // of video, its frame is a keyframe
	Media   bool   // of video: carries a piece of a frame, not parameter sets
	At      time.Time
}

// Subscriber receives media.
type Subscriber struct {
	client
	got chan Got
}

// NewSubscriber makes a subscriber.
func NewSubscriber(tb testing.TB, o Options) *Subscriber {
	tb.Helper()
	pc, err := newPC(o)
	if err != nil {
		tb.Fatal(err)
	}
	s := &Subscriber{got: make(chan Got, 1<<14)}
	s.start(tb, pc)
	init := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	if !o.NoAudio {
		if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, init); err != nil {
			tb.Fatal(err)
		}
	}
	if o.mime() != "" {
		if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, init); err != nil {
			tb.Fatal(err)
		}
	}
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { s.read(t) })
	return s
}

func (s *Subscriber) read(t *webrtc.TrackRemote) {
	for {
		p, attributes, err := t.ReadRTP()
		if err != nil {
			return
		}
		g := Got{Kind: t.Kind(), Header: p.Header, Payload: p.Payload, At: time.Now()}
		g.Resent = attributes.Get(webrtc.AttributeRtxSsrc) != nil
		if g.Kind == webrtc.RTPCodecTypeVideo {
			g.read(p.Payload)
		} else if n := len(p.Payload); n >= 7 {
			g.Frame = binary.BigEndian.Uint32(p.Payload[n-4:])
		}
		select {
		case s.got <- g:
		default:
		}
	}
}

// Wait returns the first packet that pred accepts, and drops those before it.
func (s *Subscriber) Wait(tb testing.TB, what string, pred func(Got) bool) Got {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	for {
		select {
		case g := <-s.got:
			if pred(g) {
				return g
			}
		case <-ctx.Done():
			tb.Fatalf("no %s", what)
		}
	}
}

// Packets delivers what was received.
func (s *Subscriber) Packets() <-chan Got { return s.got }

// IsVideo and IsAudio are predicates for Wait.
func IsVideo(g Got) bool { return g.Kind == webrtc.RTPCodecTypeVideo }

// IsAudio accepts audio packets.
func IsAudio(g Got) bool { return g.Kind == webrtc.RTPCodecTypeAudio }
