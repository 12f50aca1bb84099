// Package rtctest holds WebRTC clients for tests: publishers that send made-up media and subscribers that count it.
//
// They are stock Pion with its default interceptors, so they share no code with the server beyond the library.
//
// Imports: nothing of Rivus.
package rtctest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// Options shape a client.
type Options struct {
	Video    string   // MIME type; "" means H.264, "none" no video
	NoAudio  bool     // leave audio out
	RIDs     []string // simulcast layers of a publisher, lowest first
	TCP      bool     // use TCP alone
	Settings func(*webrtc.SettingEngine)
}

// mime returns the video codec, "" for none.
func (o Options) mime() string {
	switch o.Video {
	case "":
		return webrtc.MimeTypeH264
	case "none":
		return ""
	}
	return o.Video
}

// newPC makes a client connection.
func newPC(o Options) (*webrtc.PeerConnection, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err //nolint:wrapcheck // of a test
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	// The order of browsers: the server must choose another.
	s.SetSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_128_GCM)
	types := []webrtc.NetworkType{webrtc.NetworkTypeUDP4}
	if o.TCP {
		types = []webrtc.NetworkType{webrtc.NetworkTypeTCP4}
	}
	s.SetNetworkTypes(types)
	if o.Settings != nil {
		o.Settings(&s)
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{}) //nolint:wrapcheck // of a test
}

// client is what publishers and subscribers share.
type client struct {
	PC        *webrtc.PeerConnection
	connected chan struct{}
	ended     chan struct{}
	endOnce   sync.Once
	once      sync.Once
	ctx       context.Context
	cancel    context.CancelFunc
	group     sync.WaitGroup
}

func (c *client) start(tb testing.TB, pc *webrtc.PeerConnection) {
	tb.Helper()
	c.PC, c.connected, c.ended = pc, make(chan struct{}), make(chan struct{})
	c.ctx, c.cancel = context.WithCancel(context.Background())
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			c.once.Do(func() { close(c.connected) })
		case webrtc.PeerConnectionStateClosed, webrtc.PeerConnectionStateFailed:
			c.endOnce.Do(func() { close(c.ended) })
		default:
		}
	})
	tb.Cleanup(c.Close)
}

// Close ends the client and waits for its goroutines.
func (c *client) Close() {
	c.cancel()
	_ = c.PC.GracefulClose()
	c.group.Wait()
}

// Connected is closed once media can flow, Ended once the connection is over.
func (c *client) Connected() <-chan struct{} { return c.connected }

// Ended is closed once the connection is over.
func (c *client) Ended() <-chan struct{} { return c.ended }

// Offer makes the client's offer, candidates included.
func (c *client) Offer(tb testing.TB) string {
	tb.Helper()
	offer, err := c.PC.CreateOffer(nil)
	if err != nil {
		tb.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(c.PC)
	if err := c.PC.SetLocalDescription(offer); err != nil {
		tb.Fatal(err)
	}
	<-gathered
	return c.PC.LocalDescription().SDP
}

// Answer gives the client the server's answer.
func (c *client) Answer(tb testing.TB, sdp string) {
	tb.Helper()
	if err := c.PC.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		tb.Fatalf("answer: %v\n%s", err, sdp)
	}
}

// Publisher sends made-up media.
type Publisher struct {
	client
	Audio  *webrtc.TrackLocalStaticRTP
	Videos []*webrtc.TrackLocalStaticRTP // one a layer
	mime   string
	rids   []string
	sender *webrtc.RTPSender // of the video
	asked  [3]atomic.Int64   // keyframes asked for, by layer
	wanted [3]atomic.Bool
}

// NewPublisher makes a publisher that sends nothing yet.
func NewPublisher(tb testing.TB, o Options) *Publisher {
	tb.Helper()
	pc, err := newPC(o)
	if err != nil {
		tb.Fatal(err)
	}
	p := &Publisher{mime: o.mime()}
	p.start(tb, pc)
	fatal := func(err error) {
		if err != nil {
			tb.Helper()
			tb.Fatal(err)
		}
	}
	if !o.NoAudio {
		p.Audio, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "audio", "pub")
		fatal(err)
		_, err = pc.AddTransceiverFromTrack(p.Audio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		fatal(err)
	}
	if p.mime == "" {
		return p
	}
	rids := o.RIDs
	if len(rids) == 0 {
		rids = []string{""}
	}
	p.rids = rids
	for i, rid := range rids {
		var options []func(*webrtc.TrackLocalStaticRTP)
		if rid != "" {
			options = append(options, webrtc.WithRTPStreamID(rid))
		}
		t, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: p.mime, ClockRate: 90000}, "video", "pub", options...)
		fatal(err)
		p.Videos = append(p.Videos, t)
		if i == 0 {
			tr, err := pc.AddTransceiverFromTrack(t, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
			fatal(err)
			fatal(tr.SetCodecPreferences(prefer(tr, p.mime)))
			p.sender = tr.Sender()
		} else {
			fatal(p.sender.AddEncoding(t))
		}
	}
	for i, rid := range rids {
		p.group.Go(func() { p.listen(p.sender, i, rid) })
	}
	return p
}

// prefer puts a codec, in its flavour for WebRTC, first.
func prefer(tr *webrtc.RTPTransceiver, mime string) []webrtc.RTPCodecParameters {
	var out []webrtc.RTPCodecParameters
	for _, c := range tr.Sender().GetParameters().Codecs {
		chosen := c.MimeType == mime &&
			(mime != webrtc.MimeTypeH264 || strings.Contains(c.SDPFmtpLine, "packetization-mode=1")) &&
			!strings.Contains(c.SDPFmtpLine, "profile-id=1") && !strings.Contains(c.SDPFmtpLine, "profile-id=2")
		if len(out) == 0 && chosen {
			out = append(out, c)
		} else if len(out) == 1 && c.MimeType == webrtc.MimeTypeRTX && c.SDPFmtpLine == fmt.Sprintf("apt=%d", out[0].PayloadType) {
			out = append(out, c)
		}
	}
	return out
}

// listen counts requests for keyframes of a layer.
func (p *Publisher) listen(s *webrtc.RTPSender, layer int, rid string) {
	for {
		var packets []rtcp.Packet
		var err error
		if rid == "" {
			packets, _, err = s.ReadRTCP()
		} else {
			packets, _, err = s.ReadSimulcastRTCP(rid)
		}
		if err != nil {
			return
		}
		for _, pkt := range packets {
			switch pkt.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				p.asked[layer].Add(1)
				p.wanted[layer].Store(true)
			}
		}
	}
}

// Asked returns how many keyframes of a layer were asked for.
func (p *Publisher) Asked(layer int) int { return int(p.asked[layer].Load()) }

// Run sends media in real time until the publisher is closed: 50 audio packets and fps frames of every layer a second,
// each frame of perFrame packets. Without asking there is one keyframe, the first.
func (p *Publisher) Run(fps, perFrame int) {
	p.group.Go(func() { p.run(fps, perFrame) })
}

func (p *Publisher) run(fps, perFrame int) {
	select {
	case <-p.connected:
	case <-p.ctx.Done():
		return
	}
	audio, video := time.NewTicker(20*time.Millisecond), time.NewTicker(time.Second/time.Duration(fps))
	defer audio.Stop()
	defer video.Stop()
	var seqs [3]uint16
	var frame uint32
	for i := range p.Videos {
		p.wanted[i].Store(true)
		seqs[i] = uint16(rand.Uint32()) // a test
	}
	for n := uint32(0); ; {
		select {
		case <-audio.C:
			if p.Audio != nil {
				_ = p.Audio.WriteRTP(&rtp.Packet{
					Header:  rtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: n * 960},
					Payload: []byte{0xf8, 0xff, 0xfe, byte(n)},
				})
			}
			n++
		case <-video.C:
			for i, t := range p.Videos {
				key := p.wanted[i].CompareAndSwap(true, false)
				for _, pkt := range Frame(p.mime, key, i, perFrame, frame, uint32(90000/fps)*frame) {
					pkt.SequenceNumber = seqs[i]
					seqs[i]++
					p.name(pkt, i, frame)
					_ = t.WriteRTP(pkt)
				}
			}
			frame++
		case <-p.ctx.Done():
			return
		}
	}
}

// name puts MID and RID into the packets of the first frames of a simulcast layer, as browsers do.
func (p *Publisher) name(pkt *rtp.Packet, layer int, frame uint32) {
	if p.rids[0] == "" || frame > 100 {
		return
	}
	for _, e := range p.sender.GetParameters().HeaderExtensions {
		value := ""
		switch e.URI {
		case "urn:ietf:params:rtp-hdrext:sdes:mid":
			for _, tr := range p.PC.GetTransceivers() {
				if tr.Sender() == p.sender {
					value = tr.Mid()
				}
			}
		case "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id":
			value = p.rids[layer]
		}
		if value != "" {
			_ = pkt.SetExtension(uint8(e.ID), []byte(value)) // ids are small
		}
	}
}

// Frame makes one frame of a codec. Every payload ends in the layer, the frame's number and the packet's place, so that
// a receiver can tell what it got.
func Frame(mime string, key bool, layer, packets int, number, timestamp uint32) []*rtp.Packet {
	var out []*rtp.Packet
	for i := range packets {
		payload := head(mime, key, i == 0, i == packets-1, number)
		if mime == webrtc.MimeTypeH264 && key && i == 0 {
			// Parameter sets of a real encoder, in one aggregation packet (RFC 6184, section 5.7.1).
			sps := []byte{0x67, 0x42, 0xe0, 0x1f, 0x8c, 0x68, 0x05, 0x00, 0x5b, 0xa1, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x8f, 0x08, 0x84, 0x6a}
			pps := []byte{0x68, 0xce, 0x3c, 0x80}
			stap := []byte{0x78, 0, byte(len(sps))}
			stap = append(append(append(stap, sps...), 0, byte(len(pps))), pps...)
			out = append(out, &rtp.Packet{Header: rtp.Header{Version: 2, Timestamp: timestamp}, Payload: stap})
		}
		payload = append(payload, make([]byte, 900)...)
		payload = append(payload, byte(layer))
		payload = binary.BigEndian.AppendUint32(payload, number)
		payload = append(payload, byte(i))
		out = append(out, &rtp.Packet{
			Header:  rtp.Header{Version: 2, Timestamp: timestamp, Marker: i == packets-1},
			Payload: payload,
		})
	}
	return out
}

// head returns the payload descriptor of a packet.
func head(mime string, key, first, last bool, number uint32) []byte {
	switch mime {
	case webrtc.MimeTypeVP8: // RFC 7741, section 4.2: X and S, then I with a 15-bit picture id
		b := []byte{0x80, 0x80, 0x80 | byte(number>>8)&0x7f, byte(number)}
		if first {
			b[0] |= 0x10
		}
		if !key {
			return append(b, 0x01)
		}
		return append(b, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a)
	case webrtc.MimeTypeVP9: // RFC 9628, section 4.2
		b := byte(0x80)
		if !key {
			b |= 0x40
		}
		if first {
			b |= 0x08
		}
		if last {
			b |= 0x04
		}
		return []byte{b, 0x80 | byte(number>>8)&0x7f, byte(number)}
	case webrtc.MimeTypeAV1: // aggregation header; a keyframe begins a coded video sequence (N)
		b := byte(0x10)
		if key && first {
			b |= 0x08
		}
		return []byte{b, 0x30}
	}
	fu := byte(0x01) // FU-A of a slice (RFC 6184, section 5.8)
	if key {
		fu = 0x05
	}
	if first {
		fu |= 0x80
	}
	if last {
		fu |= 0x40
	}
	return []byte{0x7c, fu}
}

// Got is one packet that a subscriber received.
type Got struct {
	Kind   webrtc.RTPCodecType
	Header rtp.Header
	Layer  int    // of video
	Frame  uint32 // of video
	Index  int    // of video, within its frame
	Media  bool   // of video: carries a piece of a frame, not parameter sets
	At     time.Time
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
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		g := Got{Kind: t.Kind(), Header: p.Header, At: time.Now()}
		if b := p.Payload; t.Kind() == webrtc.RTPCodecTypeVideo && len(b) > 800 {
			b = b[len(b)-6:]
			g.Media, g.Layer, g.Frame, g.Index = true, int(b[0]), binary.BigEndian.Uint32(b[1:]), int(b[5])
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

// WaitClosed fails the test when ch is not closed in time.
func WaitClosed(tb testing.TB, what string, ch <-chan struct{}) {
	tb.Helper()
	select {
	case <-ch:
	case <-time.After(20 * time.Second):
		tb.Fatalf("timeout: %s", what)
	}
}

// IsVideo and IsAudio are predicates for Wait.
func IsVideo(g Got) bool { return g.Kind == webrtc.RTPCodecTypeVideo }

// IsAudio accepts audio packets.
func IsAudio(g Got) bool { return g.Kind == webrtc.RTPCodecTypeAudio }
