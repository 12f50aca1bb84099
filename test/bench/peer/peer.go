// Package peer is a WebRTC client that costs little: hundreds of them fit beside the server that they measure.
//
// A Peer is one connection: it publishes a Program of made-up media, or it receives. It does what browsers do to a
// server (ICE with consent, DTLS, SRTP, transport-wide feedback or REMB, receiver reports, NACK, PLI) and nothing that
// costs a receiver only: no jitter buffer and no decoder. Every packet of a Program carries its number and the time at
// which it was sent, so a receiver knows what it lost and how long the rest took; arrival times are the kernel's, so
// they do not hold the receiver's own delays. A receiver can lose packets on purpose.
//
// It is for this machine only: one host candidate, no certificate check, and a server that takes the DTLS server's part.
//
// Imports: nothing of Rivus.
package peer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/transport/v4/packetio"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const (
	maxPacket    = 1500
	batchSize    = 16
	socketBuffer = 1 << 20
	replayWindow = 1024
	ownSSRC      = 1 // of a receiver's reports
)

// Options make a Peer. Identity is required.
type Options struct {
	Identity *Identity
	Program  *Program // nil for a receiver
	Loss     float64  // share of the media packets that a receiver loses on purpose
}

// Peer is one connection.
type Peer struct {
	opt        Options
	ufrag, pwd string
	remote     *description
	conn       *net.UDPConn
	dtls       *dtls.Conn
	handshake  *packetio.Buffer // what DTLS has not read yet
	checked    chan struct{}    // closed when a check was answered
	checkOnce  sync.Once
	read       chan struct{} // closed when the reader has ended
	closing    sync.Once
	profile    string

	mu     sync.Mutex // guards what follows; a reader holds it for a batch
	port   uint16
	in     *srtp.Context
	out    *srtp.Context
	header rtp.Header
	early  []early
	plain  []byte
	sealed []byte
	random *rand.Rand
	due    deadlines
	twcc   *twcc.Recorder
	heard  map[uint32]*stream // by SSRC
	tally  map[uint32]*tally  // by Stamp.Source
	count  Counts
	delay  Histogram
	lag    Histogram
	first  time.Time // arrival of the first media packet
	sends  []*outStream
	number uint16 // transport-wide, of a publisher
}

// New returns a peer that has not opened anything yet.
func New(o Options) *Peer {
	p := &Peer{
		opt: o, ufrag: word(8), pwd: word(24), handshake: packetio.NewBuffer(),
		checked: make(chan struct{}), read: make(chan struct{}),
		plain: make([]byte, 0, maxPacket), sealed: make([]byte, 0, maxPacket),
		random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		twcc:   twcc.NewRecorder(ownSSRC), heard: map[uint32]*stream{}, tally: map[uint32]*tally{},
	}
	if o.Program != nil {
		p.sends = o.Program.streams()
	}
	return p
}

// word returns n random letters.
func word(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(rand.IntN(26))
	}
	return string(b)
}

// Connect reaches the other side, whose description is known, and returns when media can flow. ctx bounds it.
func (p *Peer) Connect(ctx context.Context) error {
	p.mu.Lock()
	remote := p.remote
	p.mu.Unlock()
	if remote == nil || !remote.candidate.IsValid() {
		return errors.New("peer: the other side has no UDP address")
	}
	if err := p.open(ctx, remote.candidate); err != nil {
		return err
	}
	if err := p.check(ctx); err != nil {
		return err
	}
	if err := p.secure(ctx); err != nil {
		return fmt.Errorf("peer: DTLS: %w", err)
	}
	return nil
}

// open opens the socket and starts to read it.
func (p *Peer) open(ctx context.Context, to netip.AddrPort) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp4", to.String())
	if err != nil {
		return fmt.Errorf("peer: %w", err)
	}
	conn, ok := c.(*net.UDPConn)
	if !ok {
		return fmt.Errorf("peer: a UDP connection is a %T", c)
	}
	p.conn = conn
	if local, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		p.mu.Lock()
		p.port = uint16(local.Port)
		p.mu.Unlock()
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("peer: %w", err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		// Beyond the system's limit for others if we may, as many receivers of one process wait for each other.
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, socketBuffer)
		}
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("peer: %w", err)
	}
	go p.receive(ipv4.NewPacketConn(conn))
	return nil
}

// secure runs DTLS as a client and takes the keys from it.
func (p *Peer) secure(ctx context.Context) error {
	conn, err := dtls.ClientWithOptions(&handshakeConn{p}, p.conn.RemoteAddr(),
		dtls.WithCertificates(p.opt.Identity.certificate),
		dtls.WithInsecureSkipVerify(true),
		dtls.WithFlightInterval(100*time.Millisecond),
		// The order of browsers.
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM),
	)
	if err != nil {
		return err
	}
	p.dtls = conn
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	state, ok := conn.ConnectionState()
	if !ok {
		return errors.New("no state after the handshake")
	}
	chosen, ok := conn.SelectedSRTPProtectionProfile()
	if !ok {
		return errors.New("no SRTP profile")
	}
	config := &srtp.Config{Profile: srtp.ProtectionProfile(chosen)}
	if err := config.ExtractSessionKeysFromDTLS(&state, true); err != nil {
		return err
	}
	k := config.Keys
	in, err := srtp.CreateContext(k.RemoteMasterKey, k.RemoteMasterSalt, config.Profile, srtp.SRTPNoReplayProtection(), srtp.SRTCPNoReplayProtection())
	if err != nil {
		return err
	}
	out, err := srtp.CreateContext(k.LocalMasterKey, k.LocalMasterSalt, config.Profile)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in, p.out, p.profile = in, out, config.Profile.String()
	for _, e := range p.early {
		p.take(e.b, e.at)
	}
	p.early = nil
	return nil
}

// Close says goodbye and ends the connection.
func (p *Peer) Close() {
	p.closing.Do(func() {
		if p.conn == nil {
			return
		}
		if p.dtls != nil {
			_ = p.dtls.Close() // tells the other side, or nobody is left to be told
		}
		_ = p.conn.Close()
		_ = p.handshake.Close()
		<-p.read
	})
}

// handshakeConn is the connection as DTLS sees it: what the reader sorts out for it.
type handshakeConn struct{ p *Peer }

var _ net.PacketConn = (*handshakeConn)(nil)

func (c *handshakeConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := c.p.handshake.Read(b)
	return n, c.p.conn.RemoteAddr(), err
}

func (c *handshakeConn) WriteTo(b []byte, _ net.Addr) (int, error) {
	return c.p.conn.Write(b)
}

// Close leaves the socket to the peer, which still has to send what DTLS says last.
func (c *handshakeConn) Close() error                       { return c.p.handshake.Close() }
func (c *handshakeConn) LocalAddr() net.Addr                { return c.p.conn.LocalAddr() }
func (c *handshakeConn) SetDeadline(t time.Time) error      { return c.SetReadDeadline(t) }
func (c *handshakeConn) SetReadDeadline(t time.Time) error  { return c.p.handshake.SetReadDeadline(t) }
func (c *handshakeConn) SetWriteDeadline(_ time.Time) error { return nil }
