// Package transport carries the packets of peers: ICE, DTLS and SRTP on shared sockets.
//
// A Mux takes from the sockets what is addressed to its peers. A Peer answers the checks of its client (package ice), is
// the DTLS server of one handshake, or its client where the other end insists on being the server, and then hands on the RTP and RTCP that comes, decrypted where it lies; a Stream
// encrypts RTP packets straight into the batches of the UDP socket (package burst) or into the buffer of a TCP connection.
// A connected peer that is reached over UDP has no goroutine: the reader of the socket serves all of them, and one timer
// their keepalives. What a stranger can cause is bounded: nothing is answered or remembered that is not signed with a
// peer's credentials.
//
// Everything may be called from any goroutine, except that one goroutine at a time writes to a Stream. Close of a Peer
// returns when nothing of it runs; never call it from a callback.
//
// Imports: rtc/burst, rtc/ice, strangers.
package transport

import (
	"bytes"
	"crypto/rand"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/rtc/ice"
)

// beat is how often peers look at their timers.
const beat = 250 * time.Millisecond

// maxAtAddress bounds the peers that share one address.
const maxAtAddress = 8

// Socket is where datagrams leave: a *burst.Conn.
type Socket interface {
	// WriteToAddrPort sends at once.
	WriteToAddrPort(b []byte, to netip.AddrPort) (int, error)
	// LocalAddr is the address that it listens on.
	LocalAddr() net.Addr
}

// Mux finds the peer that something from the network is for.
type Mux struct {
	out     Socket
	now     func() time.Duration // the clock of the agents
	streams atomic.Uint32        // numbers TCP connections
	defects defects

	mu     sync.RWMutex
	ufrags map[string]*Peer
	addrs  map[netip.AddrPort][]*Peer // those at an address of the UDP socket, replaced whole

	closed chan struct{}
	once   sync.Once
	done   sync.WaitGroup
}

// NewMux returns a mux whose peers send through out.
func NewMux(out Socket) *Mux {
	begin := time.Now()
	m := &Mux{
		out: out, now: func() time.Duration { return time.Since(begin) }, closed: make(chan struct{}),
		ufrags: make(map[string]*Peer), addrs: make(map[netip.AddrPort][]*Peer),
	}
	m.done.Go(m.run)
	return m
}

// Close stops the timers. Peers that are left are not kept alive any more.
func (m *Mux) Close() {
	m.once.Do(func() { close(m.closed) })
	m.done.Wait()
}

// run is the timer of all peers.
func (m *Mux) run() {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	var peers []*Peer
	for {
		select {
		case <-tick.C:
		case <-m.closed:
			return
		}
		peers = peers[:0]
		m.mu.RLock()
		for ufrag, p := range m.ufrags {
			if ufrag == *p.newest.Load() { // not once more under the name that it had before a restart
				peers = append(peers, p)
			}
		}
		m.mu.RUnlock()
		for i, p := range peers {
			p.tick()
			peers[i] = nil
		}
	}
}

// Datagram takes a datagram of the UDP socket and tells whether it was for a peer. It keeps no reference to b, and may
// destroy it.
func (m *Mux) Datagram(b []byte, from netip.AddrPort) bool {
	defer m.guard()
	path := ice.Path{Addr: netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}
	if !ice.IsMessage(b) {
		// When a client has several connections on one port nobody can tell whose a packet is, but each can tell whether
		// it is authentic.
		peers := m.at(path.Addr)
		for _, p := range peers {
			packet := b
			if len(peers) > 1 {
				packet = bytes.Clone(b)
			}
			p.packet(packet, path)
		}
		return len(peers) > 0
	}
	var msg ice.Message
	if !ice.Parse(b, &msg) {
		return false
	}
	if ufrag := msg.Ufrag(); ufrag != nil {
		p := m.named(ufrag)
		return p != nil && p.message(&msg, path, nil)
	}
	for _, p := range m.at(path.Addr) {
		if p.message(&msg, path, nil) {
			return true
		}
	}
	return false
}

func (m *Mux) at(from netip.AddrPort) []*Peer {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.addrs[from]
}

func (m *Mux) named(ufrag []byte) *Peer {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.ufrags[string(ufrag)]
}

// enlist makes a peer known under a user fragment.
func (m *Mux) enlist(ufrag string, p *Peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ufrags[ufrag] = p
}

// strike forgets a user fragment.
func (m *Mux) strike(ufrag string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.ufrags, ufrag)
}

// bind makes addresses those of p, instead of the ones that it had. It returns a copy of the new ones.
func (m *Mux) bind(p *Peer, had []netip.AddrPort, paths []ice.Path) []netip.AddrPort {
	m.mu.Lock()
	defer m.mu.Unlock()
	var has []netip.AddrPort
	for _, path := range paths {
		if path.Stream != 0 {
			continue
		}
		has = append(has, path.Addr)
		if there := m.addrs[path.Addr]; !slices.Contains(there, p) {
			// The newest is the first, the oldest of too many makes room.
			m.addrs[path.Addr] = append([]*Peer{p}, there[:min(len(there), maxAtAddress-1)]...)
		}
	}
	for _, addr := range had {
		if slices.Contains(has, addr) {
			continue
		}
		there := slices.DeleteFunc(slices.Clone(m.addrs[addr]), func(other *Peer) bool { return other == p })
		if m.addrs[addr] = there; len(there) == 0 {
			delete(m.addrs, addr)
		}
	}
	return has
}

// fill is where transaction ids come from. It does not fail.
func fill(b []byte) { _, _ = rand.Read(b) }

// newCredentials makes ours: 48 and 143 random bits (RFC 8445, section 5.3 asks for 24 and 128).
func newCredentials() ice.Credentials {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	text := make([]byte, 8+24)
	for i := range text {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			panic(err) // the system has no random numbers
		}
		text[i] = letters[n.Int64()]
	}
	return ice.Credentials{Ufrag: string(text[:8]), Password: string(text[8:])}
}
