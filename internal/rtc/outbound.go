package rtc

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/rivus-live/rivus/internal/rtc/transport"
)

// Outbound is the connection of a subscriber. It has no interceptors: retransmission, transport-wide numbers, reports
// and probes are the caller's, who is handed the peer's RTCP.
type Outbound struct {
	*Peer
	audio, video *Sender
}

// Sender is one outgoing RTP stream with its retransmission stream.
type Sender struct {
	Kind       Kind
	Codec      Codec
	Extensions Extensions // as negotiated

	ssrc, rtx uint32
	stream    *transport.Stream
}

// sendExtensions are what we write for subscribers.
var sendExtensions = map[Kind][]string{ //nolint:gochecknoglobals // a constant table
	Audio: {uriTransportSeq, uriAudioLevel, uriCaptureTime},
	Video: {uriTransportSeq, uriOrientation, uriCaptureTime},
}

// ErrNotReady is returned by Write before the connection is established.
var ErrNotReady = transport.ErrNotReady

// Send answers a subscriber's offer. audio and video are the codecs of the offer in which it will be sent, nil for
// none. feedback gets the RTCP of the peer, a compound packet at a time, on goroutines that serve others too: it must
// not block, and keep nothing.
func (e *Engine) Send(o *Offer, audio, video *Codec, feedback func(rtcp []byte)) (*Outbound, error) {
	ssrcs := distinct()
	out := &Outbound{
		audio: newSender(Audio, audio, o.Audio, ssrcs[:2]), video: newSender(Video, video, o.Video, ssrcs[2:]),
	}
	var err error
	out.Peer, err = e.newPeer(o, [2]*accepted{Audio: out.audio.accepted(), Video: out.video.accepted()}, transport.Config{Control: feedback})
	if err != nil {
		return nil, err
	}
	for _, s := range []*Sender{out.audio, out.video} {
		if s != nil {
			s.stream = out.conn.NewStream(s.ssrc, s.rtx, s.Repeats())
		}
	}
	return out, nil
}

// newSender makes an outgoing track with these SSRCs, nil when there is none of the kind.
func newSender(k Kind, c *Codec, s *Section, ssrcs []uint32) *Sender {
	if c == nil || s == nil {
		return nil
	}
	t := &Sender{Kind: k, Codec: *c, Extensions: s.Extensions, ssrc: ssrcs[0]}
	t.Extensions.MID, t.Extensions.DependencyDescriptor = 0, 0
	if k == Audio {
		t.Extensions.Orientation = 0
	} else {
		t.Extensions.AudioLevel = 0
	}
	if c.RTXPayloadType != 0 {
		t.rtx = ssrcs[1]
	}
	return t
}

// accepted is what the answer says of the track.
func (t *Sender) accepted() *accepted {
	if t == nil {
		return nil
	}
	return &accepted{codec: &t.Codec, sends: true, known: sendExtensions[t.Kind], ssrc: t.ssrc, rtx: t.rtx}
}

// random returns a number for what must not collide; it is never 0.
func random() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it does not fail
	return max(1, binary.BigEndian.Uint32(b[:]))
}

// distinct draws the SSRCs of one connection: they share a key, so no two may be the same.
func distinct() (ssrcs [4]uint32) {
	for i := range ssrcs {
		for ssrcs[i] == 0 || slices.Contains(ssrcs[:i], ssrcs[i]) {
			ssrcs[i] = random()
		}
	}
	return ssrcs
}

// Audio returns the outgoing audio, nil when there is none.
func (out *Outbound) Audio() *Sender { return out.audio }

// Video returns the outgoing video, nil when there is none.
func (out *Outbound) Video() *Sender { return out.video }

// WriteRTCP sends a compound RTCP packet to the peer with a batch. It keeps no reference to b.
func (out *Outbound) WriteRTCP(batch *Batch, b []byte) error {
	if err := out.conn.WriteRTCP(batch, b); err != nil {
		return fmt.Errorf("rtc: send RTCP: %w", err)
	}
	return nil
}

// Stream returns the numbers of the stream; rtx is 0 without retransmission.
func (t *Sender) Stream() (ssrc uint32, payloadType uint8, rtx uint32, rtxPayloadType uint8) {
	return t.ssrc, t.Codec.PayloadType, t.rtx, t.Codec.RTXPayloadType
}

// Repeats tells whether lost packets are to be sent again in the stream itself: the subscriber asks for them, and has not
// negotiated a stream for retransmissions.
func (t *Sender) Repeats() bool {
	return t.rtx == 0 && slices.Contains(t.Codec.Feedback, "nack") && slices.Contains(feedbacks[t.Kind], "nack")
}

// Write encrypts a finished RTP packet of the stream, or of its retransmission, and hands it to the port, where it
// leaves with a batch. Where the sender repeats, a packet with a number that was used is sent if it is the same packet. It keeps no reference to b and allocates nothing. One goroutine at a time.
func (t *Sender) Write(out *Batch, b []byte) error {
	return t.stream.Write(out, b) //nolint:wrapcheck // hot, and the caller only counts
}
