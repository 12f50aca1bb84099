package rtc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v4/packetio"
	"github.com/pion/webrtc/v4"
)

// Outbound is the connection of a subscriber. It has no interceptors: retransmission, transport-wide numbers, reports
// and probes are the caller's, who is handed the peer's RTCP.
type Outbound struct {
	*Peer
	audio, video *Sender
	feedback     func([]rtcp.Packet)
}

// Sender is one outgoing RTP stream with its retransmission stream.
type Sender struct {
	Kind       Kind
	Codec      Codec
	Extensions Extensions // as negotiated

	ready            chan struct{} // closed when the fields below are set
	once             sync.Once
	ssrc, rtx        uint32
	payload, rtxType uint8
	writer           atomic.Pointer[webrtc.TrackLocalWriter]
	header           rtp.Header // reused by Write
}

// sendExtensions are what we write for subscribers.
var sendExtensions = map[Kind][]string{ //nolint:gochecknoglobals // a constant table
	Audio: {uriTransportSeq, uriAudioLevel, uriCaptureTime},
	Video: {uriTransportSeq, uriOrientation, uriCaptureTime},
}

// ErrNotReady is returned by Write before the connection is established.
var ErrNotReady = errors.New("rtc: the connection is not established")

// Send answers a subscriber's offer. audio and video are the codecs of the offer in which it will be sent, nil for
// none. feedback gets the RTCP of the peer, on a goroutine of the connection: it must not block, and keep nothing.
func (e *Engine) Send(ctx context.Context, o *Offer, audio, video *Codec, feedback func([]rtcp.Packet)) (*Outbound, error) {
	choice := map[Kind]*Codec{Audio: audio, Video: video}
	out := &Outbound{Peer: e.newPeer(o, choice, "recvonly"), feedback: feedback}
	m, err := media(choice, sendExtensions)
	if err != nil {
		return nil, err
	}
	if err := out.build(m, &interceptor.Registry{}, out.buffer); err != nil {
		return nil, err
	}
	if out.audio, err = out.sender(Audio, audio, o.Audio); err == nil {
		out.video, err = out.sender(Video, video, o.Video)
	}
	if err == nil {
		err = out.negotiate(ctx)
	}
	if err != nil {
		out.Close()
		return nil, err
	}
	return out, nil
}

// sender adds an outgoing track.
func (out *Outbound) sender(k Kind, c *Codec, s *Section) (*Sender, error) {
	if c == nil || s == nil {
		return nil, nil //nolint:nilnil // no such track
	}
	t := &Sender{Kind: k, Codec: *c, ready: make(chan struct{})}
	t.Extensions = s.Extensions
	t.Extensions.MID, t.Extensions.DependencyDescriptor = 0, 0
	if k == Audio {
		t.Extensions.Orientation = 0
	} else {
		t.Extensions.AudioLevel = 0
	}
	if _, err := out.pc.AddTrack(track{t}); err != nil {
		return nil, fmt.Errorf("rtc: add a track: %w", err)
	}
	return t, nil
}

// Audio returns the outgoing audio, nil when there is none.
func (out *Outbound) Audio() *Sender { return out.audio }

// Video returns the outgoing video, nil when there is none.
func (out *Outbound) Video() *Sender { return out.video }

// WriteRTCP sends RTCP to the peer.
func (out *Outbound) WriteRTCP(packets ...rtcp.Packet) error {
	if err := out.pc.WriteRTCP(packets); err != nil {
		return fmt.Errorf("rtc: send RTCP: %w", err)
	}
	return nil
}

// buffer hands RTCP on as it comes, and drops the RTP that a subscriber has no reason to send.
func (out *Outbound) buffer(kind packetio.BufferPacketType, ssrc uint32) packetBuffer {
	if !out.admit() || kind == packetio.RTPBufferPacket {
		return closedBuffer{}
	}
	return &tap{out: out, ssrc: ssrc, closed: make(chan struct{})}
}

// tap is an RTCP "buffer" that keeps nothing. What is written to it is one packet, addressed to ssrc among others.
type tap struct {
	out    *Outbound
	ssrc   uint32
	closed chan struct{}
	once   sync.Once
}

// Write hands a packet on, once for all the streams that it is addressed to.
func (t *tap) Write(b []byte) (int, error) {
	packets, err := rtcp.Unmarshal(b)
	if err != nil || t.out.feedback == nil {
		return len(b), nil //nolint:nilerr // what the peer sent is no reason to stop
	}
	for _, p := range packets {
		if to := p.DestinationSSRC(); len(to) > 0 && to[0] == t.ssrc {
			t.out.feedback([]rtcp.Packet{p})
		}
	}
	return len(b), nil
}

// Read waits for the end.
func (t *tap) Read([]byte) (int, error) {
	<-t.closed
	return 0, io.EOF
}

// Close ends Read.
func (t *tap) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

// Ready is closed when SSRC and the payload types are known.
func (t *Sender) Ready() <-chan struct{} { return t.ready }

// Stream returns the numbers of the stream, valid once Ready is closed; rtx is 0 without retransmission.
func (t *Sender) Stream() (ssrc uint32, payloadType uint8, rtx uint32, rtxPayloadType uint8) {
	return t.ssrc, t.payload, t.rtx, t.rtxType
}

// Write encrypts a finished RTP packet of the stream, or of its retransmission, and hands it to the port, where it
// waits for Engine.Flush. It keeps no reference to b and allocates nothing. One goroutine at a time.
func (t *Sender) Write(b []byte) error {
	w := t.writer.Load()
	if w == nil {
		return ErrNotReady
	}
	n, err := t.header.Unmarshal(b)
	if err != nil {
		return fmt.Errorf("rtc: an outgoing packet: %w", err)
	}
	_, err = (*w).WriteRTP(&t.header, b[n:])
	return err //nolint:wrapcheck // hot, and the caller only counts
}

// track is a Sender as Pion sees it.
type track struct{ s *Sender }

var _ webrtc.TrackLocal = track{}

// Bind is called when the connection is established.
func (t track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	s := t.s
	for _, p := range c.CodecParameters() {
		if p.PayloadType != webrtc.PayloadType(s.Codec.PayloadType) {
			continue
		}
		s.once.Do(func() {
			s.ssrc, s.payload = uint32(c.SSRC()), s.Codec.PayloadType
			if rtx := uint32(c.SSRCRetransmission()); rtx != 0 && s.Codec.RTXPayloadType != 0 {
				s.rtx, s.rtxType = rtx, s.Codec.RTXPayloadType
			}
			w := c.WriteStream()
			s.writer.Store(&w)
			close(s.ready)
		})
		return p, nil
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind is called when the connection ends.
func (t track) Unbind(webrtc.TrackLocalContext) error {
	t.s.writer.Store(nil)
	return nil
}

// ID returns the name of the track; StreamID binds audio and video together.
func (t track) ID() string       { return t.s.Kind.String() }
func (t track) StreamID() string { return "rivus" }

// RID is empty: a subscriber gets one layer.
func (t track) RID() string { return "" }

// Kind returns the kind in Pion's terms.
func (t track) Kind() webrtc.RTPCodecType {
	if t.s.Kind == Audio {
		return webrtc.RTPCodecTypeAudio
	}
	return webrtc.RTPCodecTypeVideo
}
