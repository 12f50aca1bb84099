package rtc

import (
	"context"
	"errors"
	"sync"
)

// errLost is why a peer ended that was not closed by us.
var errLost = errors.New("the connection was lost")

// Peer is one connection: the part that Inbound and Outbound share.
type Peer struct {
	transport

	mu       sync.Mutex // one negotiation at a time
	answer   string
	ufrag    string
	restarts int
}

// transport is the part in which they differ.
type transport interface {
	// Connected is closed when media can flow.
	Connected() <-chan struct{}
	// Ended is closed when the connection is over: closed by either side, silent for too long, or never established.
	Ended() <-chan struct{}
	// Reason returns why the connection is over, nil after Close. Call it after Ended.
	Reason() error
	// Close ends the connection and returns when its goroutines are done.
	Close()

	// restart answers new credentials of the peer.
	restart(ctx context.Context, ufrag, password string) (answer string, err error)
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
	return p.ufrag
}

// Restart makes new ICE credentials for a peer that has new ones (RFC 9725, section 4.3.3) and returns our new answer.
func (p *Peer) Restart(ctx context.Context, ufrag, password string) (string, error) {
	if len(ufrag) < 4 || len(ufrag) > maxToken || len(password) < 22 || len(password) > maxToken {
		return "", refuse("it has no usable ICE credentials")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.restarts++; p.restarts > maxRestarts {
		return "", refuse("it has restarted ICE too often")
	}
	answer, err := p.restart(ctx, ufrag, password)
	if err != nil {
		return "", err //nolint:wrapcheck // ours
	}
	p.answer, p.ufrag = answer, ufrag
	return answer, nil
}

// Candidates returns the local credentials and candidates as a fragment (RFC 8840, section 9).
func (p *Peer) Candidates() (Fragment, error) { return fragmentOf(p.Answer()) }
