package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/pion/logging"

	"github.com/rivus-live/rivus/internal/rtc/burst"
	"github.com/rivus-live/rivus/internal/rtc/ice"
)

// maxStreams bounds the TCP connections of one peer.
const maxStreams = 4

var (
	// ErrNotReady is returned while there is no way to the peer or no key.
	ErrNotReady = errors.New("the connection is not established")
	// ErrLost is why a peer ended that has left, or has been silent for too long.
	ErrLost = errors.New("the connection was lost")
)

// Config describes a peer.
type Config struct {
	Remote       ice.Credentials
	Fingerprints []Fingerprint   // the certificate that the peer will show has one of them
	Certificate  tls.Certificate // ours
	Active       bool            // we are the DTLS client, for a peer that insists on being the server
	// What the peer sends, decrypted: RTP packets and compound RTCP packets. They may be called from several goroutines at
	// once, which serve others too: they must not block, and keep nothing. nil: it is of no use.
	Media, Control func(b []byte)
	Beat           func() // called four times a second; may be nil
	Loggers        logging.LoggerFactory
}

// Peer is one connection.
type Peer struct {
	mux    *Mux
	config Config
	ctx    context.Context //nolint:containedctx // the life of the peer; its goroutines end with it
	cancel context.CancelFunc

	connected chan struct{}
	ended     chan struct{}
	gone      chan struct{} // closed when nothing more is sent
	end       sync.Once
	shut      sync.Once
	reason    error // valid once ended is closed

	life   sync.Mutex // guards closed and the growth of group
	closed bool
	group  sync.WaitGroup

	way    atomic.Pointer[way]  // nil: none
	keys   atomic.Pointer[keys] // nil: the handshake is not over
	dtls   *association
	sealed sync.Once // begins the handshake

	newest atomic.Pointer[string] // our user fragment
	heard  atomic.Int64           // when the agent was last told that something has come

	mu      sync.Mutex // guards what follows; nothing is called out under it
	agent   *ice.Agent
	local   []ice.Credentials // the newest last
	bound   []netip.AddrPort
	streams map[uint32]*stream
}

// way is how to send to the peer: one of the two.
type way struct {
	path  ice.Path
	route *burst.Route
	tcp   *stream
}

// NewPeer returns a peer that waits for the client's checks.
func (m *Mux) NewPeer(c Config) *Peer {
	p := &Peer{
		mux: m, config: c, connected: make(chan struct{}), ended: make(chan struct{}),
		gone: make(chan struct{}), local: []ice.Credentials{newCredentials()}, streams: make(map[uint32]*stream),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.agent = ice.NewAgent(m.now(), p.local[0], c.Remote, fill)
	p.newest.Store(&p.local[0].Ufrag)
	p.dtls = newAssociation(p)
	m.enlist(p.local[0].Ufrag, p)
	return p
}

// Local returns our newest credentials.
func (p *Peer) Local() ice.Credentials {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.local[len(p.local)-1]
}

// Connected is closed when media can flow.
func (p *Peer) Connected() <-chan struct{} { return p.connected }

// Ended is closed when the connection is over: closed by either side, silent for too long, or never established.
func (p *Peer) Ended() <-chan struct{} { return p.ended }

// Reason returns why the connection is over, nil after Close. Call it after Ended.
func (p *Peer) Reason() error { return p.reason }

// Restart begins a new ICE generation with the peer's new credentials and returns ours. Media goes on meanwhile.
func (p *Peer) Restart(remote ice.Credentials) ice.Credentials {
	fresh := newCredentials()
	p.mu.Lock()
	p.agent.Restart(fresh, remote)
	p.local = append(p.local, fresh)
	p.newest.Store(&fresh.Ufrag)
	stale := ""
	if len(p.local) > 2 {
		stale, p.local = p.local[0].Ufrag, p.local[1:]
	}
	p.mu.Unlock()
	p.mux.strike(stale)
	p.mux.enlist(fresh.Ufrag, p)
	select {
	case <-p.ended:
		p.mux.strike(fresh.Ufrag) // Close may have come in between
	default:
	}
	return fresh
}

// over marks the connection as ended.
func (p *Peer) over(reason error) {
	p.end.Do(func() {
		p.reason = reason
		close(p.ended)
	})
}

// Close ends the connection, tells the peer, and returns when nothing of it runs.
func (p *Peer) Close() {
	p.over(nil)
	p.shut.Do(func() {
		p.life.Lock()
		p.closed = true
		p.life.Unlock()
		p.cancel()
		p.group.Wait()
		p.dtls.farewell()
		p.mu.Lock()
		for _, c := range p.local {
			p.mux.strike(c.Ufrag)
		}
		p.bound = p.mux.bind(p, p.bound, nil)
		p.mu.Unlock()
		close(p.gone)
	})
}

// spawn runs f on a goroutine that Close waits for, unless the peer is closed.
func (p *Peer) spawn(f func()) {
	p.life.Lock()
	defer p.life.Unlock()
	if !p.closed {
		p.group.Go(func() {
			defer p.guard()
			f()
		})
	}
}

// enter makes Close wait for leave. False: it is too late.
func (p *Peer) enter() bool {
	p.life.Lock()
	defer p.life.Unlock()
	if !p.closed {
		p.group.Add(1)
	}
	return !p.closed
}

func (p *Peer) leave() { p.group.Done() }

// message takes a STUN message; over TCP it came on s. It tells whether it was the peer's.
func (p *Peer) message(m *ice.Message, from ice.Path, s *stream) bool {
	if !p.enter() {
		return false
	}
	defer p.leave()
	defer p.guard()
	var out ice.Output
	ok := p.hear(m, from, s, &out)
	p.send(&out)
	return ok
}

// hear lets the agent answer a message.
func (p *Peer) hear(m *ice.Message, from ice.Path, s *stream, out *ice.Output) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s != nil && p.streams[from.Stream] == nil && len(p.streams) == maxStreams {
		return false
	}
	ok := p.agent.Message(p.mux.now(), from, m, out)
	if ok && s != nil {
		p.streams[from.Stream] = s
	}
	p.settle(out)
	return ok
}

// settle follows the agent. The caller holds the lock.
func (p *Peer) settle(out *ice.Output) {
	if !out.Moved {
		return
	}
	p.bound = p.mux.bind(p, p.bound, p.agent.Paths())
	path, ok := p.agent.Selected()
	if !ok {
		p.way.Store(nil)
		return
	}
	if w := p.way.Load(); w != nil && w.path == path {
		return
	}
	w := &way{path: path}
	if path.Stream != 0 {
		w.tcp = p.streams[path.Stream]
	} else {
		w.route = burst.NewRoute(path.Addr)
	}
	p.way.Store(w)
	p.sealed.Do(func() { p.spawn(p.dtls.run) })
}

// send sends what the agent wants sent.
func (p *Peer) send(out *ice.Output) {
	for i := range out.Packets {
		to, b := out.Packets[i].To, out.Packets[i].Data
		if to.Stream == 0 {
			_, _ = p.mux.out.WriteToAddrPort(b, to.Addr)
			continue
		}
		p.mu.Lock()
		s := p.streams[to.Stream]
		p.mu.Unlock()
		if s != nil {
			s.write(b)
		}
	}
}

// transmit sends a packet at once on the way in use.
func (p *Peer) transmit(b []byte) error {
	w := p.way.Load()
	switch {
	case w == nil:
		return ErrNotReady
	case w.tcp != nil:
		w.tcp.write(b)
		return nil
	}
	_, err := p.mux.out.WriteToAddrPort(b, w.path.Addr)
	return err //nolint:wrapcheck // a failed send is a lost packet
}

// detach forgets a TCP connection that has ended.
func (p *Peer) detach(from ice.Path) {
	if !p.enter() {
		return
	}
	defer p.leave()
	defer p.guard()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.streams, from.Stream)
	p.agent.Lost(from)
	p.settle(&ice.Output{Moved: true})
}

// tick sends the checks that are due and ends a peer that is gone.
func (p *Peer) tick() {
	if !p.enter() {
		return
	}
	defer p.leave()
	defer p.guard()
	select {
	case <-p.ended:
		return
	default:
	}
	var out ice.Output
	if !p.look(&out) {
		p.over(ErrLost)
		return
	}
	p.send(&out)
	if p.config.Beat != nil {
		p.config.Beat()
	}
}

// look lets the agent do what is due; false: the peer is gone.
func (p *Peer) look(out *ice.Output) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.mux.now()
	if !p.agent.Alive(now) {
		return false
	}
	p.agent.Tick(now, out)
	p.settle(out)
	return true
}

// packet takes what is not STUN, on a path that the peer has checked (RFC 7983, section 7).
func (p *Peer) packet(b []byte, from ice.Path) {
	if len(b) == 0 || !p.enter() {
		return
	}
	defer p.leave()
	defer p.guard()
	switch {
	case b[0] >= 20 && b[0] < 64:
		p.dtls.record(b)
	case isRTCP(b):
		p.control(b, from)
	default:
		p.media(b, from)
	}
}

// isRTCP tells RTCP from RTP (RFC 5761, section 4).
func isRTCP(b []byte) bool {
	return len(b) >= 8 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223
}
