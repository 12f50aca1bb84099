// Package rtctest holds WebRTC clients for tests: publishers that send made-up media, subscribers that count it, a
// Decoder that judges it, and the networks between them and a server: a Link with a bottleneck, a Relay that stalls.
//
// They are stock Pion with its default interceptors, so they share no code with the server beyond the library.
//
// Imports: nothing of Rivus.
package rtctest

import (
	"context"
	"sync"
	"testing"

	"github.com/pion/dtls/v3"
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
