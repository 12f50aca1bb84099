package rtc

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/pion/rtcp"
	"github.com/pion/transport/v4/packetio"
	"github.com/pion/webrtc/v4"
)

// maxLayers bounds what Accept hands out: one audio track and three layers of video, and none twice.
const maxLayers = 1 + maxRIDs

// Inbound is the connection of a publisher.
type Inbound struct {
	*Peer
	link   *link
	layers chan *Layer
}

// SenderReport ties the clocks of a layer together (RFC 3550, section 6.4.1).
type SenderReport struct {
	NTP uint64 // 32.32 fixed point seconds
	RTP uint32
}

// Layer is one RTP stream of a publisher: its audio, its video, or one simulcast layer of its video.
type Layer struct {
	Kind  Kind
	Codec Codec
	RID   string // "" without simulcast
	SSRC  uint32

	track   *webrtc.TrackRemote
	link    *link
	reports chan SenderReport
}

// receiveExtensions are what we ask publishers for.
var receiveExtensions = map[Kind][]string{ //nolint:gochecknoglobals // a constant table
	Audio: {uriMID, uriTransportSeq, uriAudioLevel},
	Video: {uriMID, uriRID, uriRepairedRID, uriTransportSeq, uriOrientation, uriCaptureTime, uriDescriptor},
}

// Receive answers a publisher's offer with one codec of each kind: audio and video are what the caller chose from the
// offer's sections, nil for none.
func (e *Engine) Receive(ctx context.Context, o *Offer, audio, video *Codec) (*Inbound, error) {
	choice := map[Kind]*Codec{Audio: audio, Video: video}
	in := &Inbound{link: e.newLink(o, choice), layers: make(chan *Layer, maxLayers)}
	m, err := media(choice, receiveExtensions)
	if err != nil {
		return nil, err
	}
	r, err := receiving(loggers{e.opt.Logger})
	if err != nil {
		return nil, err
	}
	if err := in.link.build(m, r, in.buffer); err != nil {
		return nil, err
	}
	in.link.pc.OnTrack(in.arrived)
	answer, err := in.link.negotiate(ctx)
	if err != nil {
		in.link.Close()
		return nil, err
	}
	in.Peer = &Peer{transport: in.link, answer: answer, ufrag: o.ufrag()}
	return in, nil
}

// buffer makes the buffer of a stream.
func (in *Inbound) buffer(kind packetio.BufferPacketType, _ uint32) packetBuffer {
	if !in.link.admit() {
		return closedBuffer{}
	}
	b := packetio.NewBuffer()
	b.SetLimitSize(rtpWaiting)
	if kind == packetio.RTCPBufferPacket {
		b.SetLimitSize(rtcpWaiting)
	}
	return b
}

// arrived is called by Pion with every new layer.
func (in *Inbound) arrived(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	kind := Audio
	if track.Kind() == webrtc.RTPCodecTypeVideo {
		kind = Video
	}
	codec := in.link.choice[kind]
	if codec == nil {
		return
	}
	l := &Layer{
		Kind: kind, Codec: *codec, RID: track.RID(), SSRC: uint32(track.SSRC()),
		track: track, link: in.link, reports: make(chan SenderReport, 4),
	}
	if !in.link.spawn(func() { l.listen(receiver) }) {
		return
	}
	select {
	case in.layers <- l:
	default: // more than a publication has
	}
}

// Accept returns the next layer, once its first packet has come; an error when the connection is over.
func (in *Inbound) Accept() (*Layer, error) {
	select {
	case l := <-in.layers:
		return l, nil
	case <-in.link.ended:
		return nil, fmt.Errorf("rtc: accept a layer: %w", io.EOF)
	}
}

// Read returns the next RTP packet of the layer, in the order of arrival; io.EOF when the connection is over.
func (l *Layer) Read(b []byte) (int, error) {
	n, _, err := l.track.Read(b)
	return n, err //nolint:wrapcheck // the loop that reads packets looks for nothing but the end
}

// Reports delivers the layer's sender reports. Those that nobody waits for are lost.
func (l *Layer) Reports() <-chan SenderReport { return l.reports }

// RequestKeyframe asks the publisher for a picture that needs no other (RFC 4585, section 6.3.1).
func (l *Layer) RequestKeyframe() error {
	if slices.Contains(l.Codec.Feedback, "nack pli") || !slices.Contains(l.Codec.Feedback, "ccm fir") {
		return l.write(&rtcp.PictureLossIndication{MediaSSRC: l.SSRC})
	}
	return l.write(&rtcp.FullIntraRequest{MediaSSRC: l.SSRC, FIR: []rtcp.FIREntry{{SSRC: l.SSRC}}})
}

func (l *Layer) write(p rtcp.Packet) error {
	if err := l.link.pc.WriteRTCP([]rtcp.Packet{p}); err != nil {
		return fmt.Errorf("rtc: send RTCP: %w", err)
	}
	return nil
}

// listen reads the layer's RTCP until the connection is over.
func (l *Layer) listen(receiver *webrtc.RTPReceiver) {
	b := make([]byte, maxPacket)
	for {
		var n int
		var err error
		if l.RID != "" {
			n, _, err = receiver.ReadSimulcast(b, l.RID)
		} else {
			n, _, err = receiver.Read(b)
		}
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(b[:n])
		if err != nil {
			continue
		}
		for _, p := range packets {
			if sr, ok := p.(*rtcp.SenderReport); ok && sr.SSRC == l.SSRC {
				select {
				case l.reports <- SenderReport{NTP: sr.NTPTime, RTP: sr.RTPTime}:
				default:
				}
			}
		}
	}
}

// closedBuffer is the buffer of a stream that is not admitted.
type closedBuffer struct{}

func (closedBuffer) Read([]byte) (int, error)    { return 0, io.EOF }
func (closedBuffer) Write(b []byte) (int, error) { return len(b), nil }
func (closedBuffer) Close() error                { return nil }
