package rtc

import (
	"sync"

	"github.com/rivus-live/rivus/internal/rtc/ice"
	"github.com/rivus-live/rivus/internal/rtc/transport"
)

// Peer is one connection: the part that Inbound and Outbound share.
type Peer struct {
	conn *transport.Peer

	mu       sync.Mutex // one negotiation at a time
	answer   *answer
	text     string
	ufrag    string
	restarts int
}

// newPeer makes the connection of an offer, with an answer that accepts these sections. Of config it fills in what the
// offer and the engine know.
func (e *Engine) newPeer(o *Offer, sections [2]*accepted, config transport.Config) (*Peer, error) {
	if config.Fingerprints = o.fingerprints(); len(config.Fingerprints) == 0 {
		return nil, refuse("it has no DTLS fingerprint that can be checked")
	}
	a, err := e.newAnswer(o, sections)
	if err != nil {
		return nil, err
	}
	config.Remote = ice.Credentials{Ufrag: o.ufrag(), Password: o.password()}
	config.Certificate, config.Loggers, config.Active = e.keyPair, loggers{e.opt.Logger}, o.insists()
	conn := e.opt.Port.peers.NewPeer(config)
	return &Peer{conn: conn, answer: a, text: a.text(conn.Local()), ufrag: o.ufrag()}, nil
}

// Connected is closed when media can flow.
func (p *Peer) Connected() <-chan struct{} { return p.conn.Connected() }

// Ended is closed when the connection is over: closed by either side, silent for too long, or never established.
func (p *Peer) Ended() <-chan struct{} { return p.conn.Ended() }

// Reason returns why the connection is over, nil after Close. Call it after Ended.
func (p *Peer) Reason() error { return p.conn.Reason() } //nolint:wrapcheck // its text says it all

// Close ends the connection and returns when nothing of it runs.
func (p *Peer) Close() { p.conn.Close() }

// Answer returns the SDP answer, with candidates in every section.
func (p *Peer) Answer() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text
}

// RemoteUfrag returns the ICE user fragment that the peer has now.
func (p *Peer) RemoteUfrag() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ufrag
}

// Restart makes new ICE credentials for a peer that has new ones (RFC 9725, section 4.3.3) and returns our new answer.
func (p *Peer) Restart(ufrag, password string) (string, error) {
	if len(ufrag) < 4 || len(ufrag) > maxToken || len(password) < 22 || len(password) > maxToken {
		return "", refuse("it has no usable ICE credentials")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.restarts++; p.restarts > maxRestarts {
		return "", refuse("it has restarted ICE too often")
	}
	p.text = p.answer.text(p.conn.Restart(ice.Credentials{Ufrag: ufrag, Password: password}))
	p.ufrag = ufrag
	return p.text, nil
}

// Candidates returns the local credentials and candidates as a fragment (RFC 8840, section 9).
func (p *Peer) Candidates() (Fragment, error) { return fragmentOf(p.Answer()) }
