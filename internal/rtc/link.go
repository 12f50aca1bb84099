package rtc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/transport/v4/packetio"
	"github.com/pion/webrtc/v4"
)

// packetBuffer is where SRTP puts what it has decrypted.
type packetBuffer = io.ReadWriteCloser

// errTooManyStreams ends a peer that opens streams without bound.
var errTooManyStreams = errors.New("too many streams in one connection")

// link is the transport of a publisher: a peer connection of Pion.
type link struct {
	engine  *Engine
	pc      *webrtc.PeerConnection
	offer   *Offer
	choice  map[Kind]*Codec
	streams atomic.Int32

	connected chan struct{}
	ended     chan struct{} // the connection is over or about to be
	connect   sync.Once
	end       sync.Once
	close     sync.Once
	reason    error // valid once ended is closed
	group     sync.WaitGroup

	life   sync.Mutex // guards closed and the growth of group
	closed bool
}

var _ transport = (*link)(nil)

// newLink makes a link without a connection.
func (e *Engine) newLink(o *Offer, choice map[Kind]*Codec) *link {
	return &link{engine: e, offer: o, choice: choice, connected: make(chan struct{}), ended: make(chan struct{})}
}

// build gives the link its connection.
func (l *link) build(m *webrtc.MediaEngine, r *interceptor.Registry, factory func(packetio.BufferPacketType, uint32) packetBuffer) error {
	s, err := l.engine.settings(factory)
	if err != nil {
		return err
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(r), webrtc.WithSettingEngine(s))
	l.pc, err = api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{l.engine.certificate},
		BundlePolicy: webrtc.BundlePolicyMaxBundle,
	})
	if err != nil {
		return fmt.Errorf("rtc: new peer connection: %w", err)
	}
	l.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			l.connect.Do(func() { close(l.connected) })
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			l.over(errLost)
		default:
		}
	})
	return nil
}

// over marks the connection as ended.
func (l *link) over(reason error) {
	l.end.Do(func() {
		l.reason = reason
		close(l.ended)
	})
}

// admit counts a stream and ends the connection when there are too many.
func (l *link) admit() bool {
	if l.streams.Add(1) > 2*maxStreams {
		l.over(errTooManyStreams)
		return false
	}
	return true
}

// Connected implements transport.
func (l *link) Connected() <-chan struct{} { return l.connected }

// Ended implements transport.
func (l *link) Ended() <-chan struct{} { return l.ended }

// Reason implements transport.
func (l *link) Reason() error { return l.reason }

// Close implements transport.
func (l *link) Close() {
	l.over(nil)
	l.close.Do(func() {
		l.life.Lock()
		l.closed = true
		l.life.Unlock()
		if l.pc != nil {
			l.awaitHandshake()
			_ = l.pc.GracefulClose() // its errors are the peer's absence
		}
		l.group.Wait()
	})
}

// awaitHandshake lets a handshake come to its end that has begun. The peer may have finished it before us, and would not
// be told of a close that comes now.
func (l *link) awaitHandshake() {
	if l.pc.SCTP().Transport().State() != webrtc.DTLSTransportStateConnecting || l.pc.ICEConnectionState() != webrtc.ICEConnectionStateConnected {
		return
	}
	timer := time.NewTimer(handshakeEnd)
	defer timer.Stop()
	select {
	case <-l.connected:
	case <-timer.C:
	}
}

// spawn runs f on a goroutine that Close waits for, unless the link is closed.
func (l *link) spawn(f func()) bool {
	l.life.Lock()
	defer l.life.Unlock()
	if !l.closed {
		l.group.Go(f)
	}
	return !l.closed
}

// negotiate answers the offer and waits until our candidates are known.
func (l *link) negotiate(ctx context.Context) (string, error) {
	text, err := l.offer.narrow(l.choice)
	if err != nil {
		return "", err
	}
	if err := l.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}); err != nil {
		return "", refuse("%s", printable(err.Error()))
	}
	answer, err := l.pc.CreateAnswer(nil)
	if err != nil {
		return "", refuse("%s", printable(err.Error()))
	}
	gathered := webrtc.GatheringCompletePromise(l.pc)
	if err := l.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("rtc: use our answer: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, gatherTimeout)
	defer cancel()
	select {
	case <-gathered:
	case <-ctx.Done():
		return "", fmt.Errorf("rtc: gather candidates: %w", ctx.Err())
	}
	return everywhere(l.pc.LocalDescription().SDP)
}

// restart implements transport.
func (l *link) restart(ctx context.Context, ufrag, password string) (string, error) {
	l.offer.setCredentials(ufrag, password)
	return l.negotiate(ctx)
}
