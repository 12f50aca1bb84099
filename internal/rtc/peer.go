package rtc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/pion/interceptor"
	"github.com/pion/transport/v4/packetio"
	"github.com/pion/webrtc/v4"
)

// packetBuffer is where SRTP puts what it has decrypted.
type packetBuffer = io.ReadWriteCloser

// errTooManyStreams ends a peer that opens streams without bound.
var errTooManyStreams = errors.New("too many streams in one connection")

// errLost is why a peer ended that was not closed by us.
var errLost = errors.New("the connection was lost")

// Peer is one connection: the part that Inbound and Outbound share.
type Peer struct {
	engine    *Engine
	pc        *webrtc.PeerConnection
	offer     *Offer
	choice    map[Kind]*Codec
	direction string // the peer's, as we allow it
	streams   atomic.Int32

	connected chan struct{}
	ended     chan struct{} // the connection is over or about to be
	connect   sync.Once
	end       sync.Once
	close     sync.Once
	reason    error // valid once ended is closed
	group     sync.WaitGroup

	life   sync.Mutex // guards closed and the growth of group
	closed bool

	mu       sync.Mutex // one negotiation at a time
	answer   string
	restarts int
}

// newPeer makes a peer connection that is not negotiated yet.
func (e *Engine) newPeer(o *Offer, choice map[Kind]*Codec, direction string) *Peer {
	return &Peer{
		engine: e, offer: o, choice: choice, direction: direction,
		connected: make(chan struct{}), ended: make(chan struct{}),
	}
}

// build gives the peer its connection.
func (p *Peer) build(m *webrtc.MediaEngine, r *interceptor.Registry, factory func(packetio.BufferPacketType, uint32) packetBuffer) error {
	s, err := p.engine.settings(factory)
	if err != nil {
		return err
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(r), webrtc.WithSettingEngine(s))
	p.pc, err = api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{p.engine.certificate},
		BundlePolicy: webrtc.BundlePolicyMaxBundle,
	})
	if err != nil {
		return fmt.Errorf("rtc: new peer connection: %w", err)
	}
	p.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			p.connect.Do(func() { close(p.connected) })
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			p.over(errLost)
		default:
		}
	})
	return nil
}

// over marks the connection as ended.
func (p *Peer) over(reason error) {
	p.end.Do(func() {
		p.reason = reason
		close(p.ended)
	})
}

// admit counts a stream and ends the connection when there are too many.
func (p *Peer) admit() bool {
	if p.streams.Add(1) > 2*maxStreams {
		p.over(errTooManyStreams)
		return false
	}
	return true
}

// Answer returns the SDP answer, with candidates in every section.
func (p *Peer) Answer() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answer
}

// RemoteUfrag returns the ICE user fragment that the peer has now.
func (p *Peer) RemoteUfrag() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offer.ufrag()
}

// Connected is closed when media can flow.
func (p *Peer) Connected() <-chan struct{} { return p.connected }

// Ended is closed when the connection is over: closed by either side, silent for too long, or never established.
func (p *Peer) Ended() <-chan struct{} { return p.ended }

// Reason returns why the connection is over, nil after Close. Call it after Ended.
func (p *Peer) Reason() error { return p.reason }

// Close ends the connection and returns when its goroutines are done.
func (p *Peer) Close() {
	p.over(nil)
	p.close.Do(func() {
		p.life.Lock()
		p.closed = true
		p.life.Unlock()
		if p.pc != nil {
			_ = p.pc.GracefulClose() // its errors are the peer's absence
		}
		p.group.Wait()
	})
}

// spawn runs f on a goroutine that Close waits for, unless the peer is closed.
func (p *Peer) spawn(f func()) bool {
	p.life.Lock()
	defer p.life.Unlock()
	if !p.closed {
		p.group.Go(f)
	}
	return !p.closed
}

// negotiate answers the offer and waits until our candidates are known.
func (p *Peer) negotiate(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	text, err := p.offer.narrow(p.choice, p.direction)
	if err != nil {
		return err
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}); err != nil {
		return refuse("%s", printable(err.Error()))
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return refuse("%s", printable(err.Error()))
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return fmt.Errorf("rtc: use our answer: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, gatherTimeout)
	defer cancel()
	select {
	case <-gathered:
	case <-ctx.Done():
		return fmt.Errorf("rtc: gather candidates: %w", ctx.Err())
	}
	p.answer, err = everywhere(p.pc.LocalDescription().SDP)
	return err
}

// Restart makes new ICE credentials for a peer that has new ones (RFC 9725, section 4.3.3) and returns our new answer.
func (p *Peer) Restart(ctx context.Context, ufrag, password string) (string, error) {
	if len(ufrag) < 4 || len(ufrag) > maxToken || len(password) < 22 || len(password) > maxToken {
		return "", refuse("it has no usable ICE credentials")
	}
	p.mu.Lock()
	if p.restarts++; p.restarts > maxRestarts {
		p.mu.Unlock()
		return "", refuse("it has restarted ICE too often")
	}
	p.offer.setCredentials(ufrag, password)
	p.mu.Unlock()
	if err := p.negotiate(ctx); err != nil {
		return "", err
	}
	return p.Answer(), nil
}

// Candidates returns the local credentials and candidates as a fragment (RFC 8840, section 9).
func (p *Peer) Candidates() (Fragment, error) { return fragmentOf(p.Answer()) }
