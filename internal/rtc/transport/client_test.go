package transport

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/stun/v4"

	"github.com/rivus-live/rivus/internal/rtc/burst"
	"github.com/rivus-live/rivus/internal/rtc/ice"
)

// wait is how long a test waits for what has to happen.
const wait = 20 * time.Second

// server is a mux on sockets of loopback.
type server struct {
	*Mux
	tb       testing.TB
	out      *burst.Conn
	batch    *burst.Batch // of the test's goroutine
	addr     netip.AddrPort
	listener net.Listener
	cert     tls.Certificate
	others   atomic.Int64 // datagrams that were nobody's
	later    atomic.Int64 // by how much the clock is ahead
}

// flush sends what the test has written.
func (s *server) flush() {
	s.batch.End()
	s.batch = s.out.Batch()
}

func newServer(tb testing.TB) *server {
	tb.Helper()
	return newServerOn(tb, func(out Socket) Socket { return out })
}

// newServerOn is newServer with another socket in the place of its own.
func newServerOn(tb testing.TB, change func(Socket) Socket) *server {
	tb.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &server{tb: tb, out: burst.New(udp, true), listener: l, cert: newCertificate(tb)}
	s.addr = udp.LocalAddr().(*net.UDPAddr).AddrPort()
	s.batch = s.out.Batch()
	s.Mux = NewMux(change(s.out))
	begin := time.Now()
	s.now = func() time.Duration { return time.Since(begin) + time.Duration(s.later.Load()) }
	var group sync.WaitGroup
	group.Go(s.read)
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() { s.accept(c) })
		}
	})
	tb.Cleanup(func() {
		_ = s.out.Close()
		_ = l.Close()
		s.Close()
		group.Wait()
	})
	return s
}

func (s *server) read() {
	b := make([]byte, 1500)
	for {
		n, from, err := s.out.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if !s.Datagram(b[:n], from) {
			s.others.Add(1)
		}
	}
}

func (s *server) accept(c net.Conn) {
	b := make([]byte, 512)
	if n, err := ReadFrame(c, b); err == nil {
		s.Serve(c, b[:n])
		return
	}
	_ = c.Close()
}

func newCertificate(tb testing.TB) tls.Certificate {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// printOf returns the fingerprint of a certificate.
func printOf(der []byte) Fingerprint {
	return Fingerprint{"sha-256", strings.ReplaceAll(fmt.Sprintf("% x", sha256.Sum256(der)), " ", ":")}
}

// quiet is a logger for Pion.
func quiet() logging.LoggerFactory {
	return &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
}

// client is a subscriber made of parts, so that it can misbehave.
type client struct {
	tb     testing.TB
	server *server
	peer   *Peer
	cert   tls.Certificate
	local  ice.Credentials
	rtcp   chan []byte // what the peer's callbacks were given
	rtp    chan []byte

	mu     sync.Mutex
	remote ice.Credentials
	stream net.Conn // over TCP
	udp    *net.UDPConn
	mute   bool // does not answer checks

	answers chan *stun.Message // to our checks
	media   chan []byte        // RTP and RTCP, encrypted
	records *pipe              // DTLS
	conn    *dtls.Conn
	out, in *srtp.Context
	group   sync.WaitGroup
}

// options of a client.
type options struct {
	media    func([]byte) // takes RTP instead of the client's channel
	profiles []dtls.SRTPProtectionProfile
	tcp      bool
	prints   []Fingerprint // instead of the right one
}

func newClient(s *server, o options) *client {
	s.tb.Helper()
	c := &client{
		tb: s.tb, server: s, cert: newCertificate(s.tb), local: ice.Credentials{Ufrag: "them", Password: "their secret password, long"},
		rtcp: make(chan []byte, 100), rtp: make(chan []byte, 100), answers: make(chan *stun.Message, 100), media: make(chan []byte, 10_000), records: newPipe(),
	}
	if o.prints == nil {
		o.prints = []Fingerprint{printOf(c.cert.Certificate[0])}
	}
	c.peer = s.NewPeer(Config{
		Remote: c.local, Fingerprints: o.prints, Certificate: s.cert, Loggers: quiet(),
		Control: func(b []byte) {
			select {
			case c.rtcp <- bytes.Clone(b):
			default:
			}
		},
		Media: func(b []byte) {
			if o.media != nil {
				o.media(b)
				return
			}
			select {
			case c.rtp <- bytes.Clone(b):
			default:
			}
		},
	})
	c.remote = c.peer.Local()
	c.records.send = c.send
	if o.tcp {
		c.dial()
	} else {
		c.bind()
	}
	s.tb.Cleanup(c.close)
	return c
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
	c.mu.Lock()
	if c.udp != nil {
		_ = c.udp.Close()
	}
	if c.stream != nil {
		_ = c.stream.Close()
	}
	c.mu.Unlock()
	_ = c.records.Close()
	c.peer.Close()
	c.group.Wait()
}

// bind opens a socket, instead of the one before.
func (c *client) bind() {
	c.tb.Helper()
	udp, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(c.server.addr))
	if err != nil {
		c.tb.Fatal(err)
	}
	c.mu.Lock()
	if c.udp != nil {
		_ = c.udp.Close()
	}
	c.udp = udp
	c.mu.Unlock()
	c.group.Go(func() {
		b := make([]byte, 1500)
		for {
			n, err := udp.Read(b)
			if err != nil {
				return
			}
			c.take(bytes.Clone(b[:n]), func(b []byte) { _, _ = udp.Write(b) })
		}
	})
}

// dial opens a TCP connection, instead of what was there.
func (c *client) dial() {
	c.tb.Helper()
	stream, err := net.Dial("tcp4", c.server.listener.Addr().String())
	if err != nil {
		c.tb.Fatal(err)
	}
	c.mu.Lock()
	c.stream = stream
	c.mu.Unlock()
	c.group.Go(func() {
		b := make([]byte, 1500)
		for {
			n, err := ReadFrame(stream, b)
			if err != nil {
				return
			}
			c.take(bytes.Clone(b[:n]), func(b []byte) { _, _ = stream.Write(frame(b)) })
		}
	})
}

func frame(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }

// send sends on what is open.
func (c *client) send(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream != nil {
		_, _ = c.stream.Write(frame(b))
		return
	}
	_, _ = c.udp.Write(b)
}

// take sorts what the server sent; checks are answered.
func (c *client) take(b []byte, answer func([]byte)) {
	switch {
	case stun.IsMessage(b):
		m := &stun.Message{Raw: b}
		if m.Decode() != nil {
			return
		}
		if m.Type != stun.BindingRequest {
			c.answers <- m
			return
		}
		c.mu.Lock()
		mute := c.mute
		c.mu.Unlock()
		if mute {
			return
		}
		r, err := stun.Build(stun.BindingSuccess, stun.NewTransactionIDSetter(m.TransactionID),
			stun.NewShortTermIntegrity(c.local.Password), stun.Fingerprint)
		if err == nil {
			answer(r.Raw)
		}
	case b[0] >= 20 && b[0] < 64:
		c.records.push(b)
	case b[0]>>6 == 2:
		select {
		case c.media <- b:
		default:
		}
	}
}

// check sends a check with the client's credentials.
func (c *client) check() {
	c.tb.Helper()
	c.mu.Lock()
	remote, local := c.remote, c.local
	c.mu.Unlock()
	m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(remote.Ufrag+":"+local.Ufrag),
		stun.RawAttribute{Type: stun.AttrPriority, Value: []byte{0, 0, 1, 0}}, stun.RawAttribute{Type: stun.AttrUseCandidate},
		stun.RawAttribute{Type: stun.AttrICEControlling, Value: make([]byte, 8)},
		stun.NewShortTermIntegrity(remote.Password), stun.Fingerprint)
	if err != nil {
		c.tb.Fatal(err)
	}
	c.send(m.Raw)
	receive(c.tb, "an answer to a check", c.answers)
}

// handshake makes the DTLS connection and the keys.
func (c *client) handshake(o options) error {
	if o.profiles == nil {
		o.profiles = []dtls.SRTPProtectionProfile{dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_128_GCM} // as browsers
	}
	var err error
	c.conn, err = dtls.ClientWithOptions(c.records, c.records.RemoteAddr(), dtls.WithCertificates(c.cert), dtls.WithLoggerFactory(quiet()),
		dtls.WithInsecureSkipVerify(true), dtls.WithSRTPProtectionProfiles(o.profiles...), dtls.WithFlightInterval(50*time.Millisecond))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := c.conn.HandshakeContext(ctx); err != nil {
		return err
	}
	state, _ := c.conn.ConnectionState()
	profile, _ := c.conn.SelectedSRTPProtectionProfile()
	k := srtp.Config{Profile: srtp.ProtectionProfile(profile)}
	if err := k.ExtractSessionKeysFromDTLS(&state, true); err != nil {
		return err
	}
	if c.out, err = srtp.CreateContext(k.Keys.LocalMasterKey, k.Keys.LocalMasterSalt, k.Profile); err != nil {
		return err
	}
	c.in, err = srtp.CreateContext(k.Keys.RemoteMasterKey, k.Keys.RemoteMasterSalt, k.Profile, srtp.SRTPReplayProtection(64), srtp.SRTCPReplayProtection(64))
	return err
}

// connect does everything until media can flow.
func connect(s *server, o options) *client {
	s.tb.Helper()
	c := newClient(s, o)
	c.check()
	if err := c.handshake(o); err != nil {
		s.tb.Fatal(err)
	}
	receive(s.tb, "connected", c.peer.Connected())
	return c
}

// report sends an RTCP packet of a source.
func (c *client) report(ssrc uint32) {
	c.tb.Helper()
	plain := binary.BigEndian.AppendUint32([]byte{0x80, 201, 0, 1}, ssrc) // an empty receiver report
	b, err := c.out.EncryptRTCP(nil, plain, nil)
	if err != nil {
		c.tb.Fatal(err)
	}
	c.send(b)
}

// sendRTP sends an RTP packet.
func (c *client) sendRTP(plain []byte) {
	c.tb.Helper()
	b, err := c.out.EncryptRTP(nil, plain, nil)
	if err != nil {
		c.tb.Fatal(err)
	}
	c.send(b)
}

// settle makes the server put its association away.
func (c *client) settle() {
	c.tb.Helper()
	c.report(1)
	receive(c.tb, "RTCP", c.rtcp)
	until(c.tb, "the association is put away", func() bool {
		c.peer.dtls.mu.Lock()
		defer c.peer.dtls.mu.Unlock()
		return c.peer.dtls.records == nil
	})
}

// packet returns the next packet of the server, decrypted.
func (c *client) packet() []byte {
	c.tb.Helper()
	b := receive(c.tb, "a packet", c.media)
	var plain []byte
	var err error
	if isRTCP(b) {
		plain, err = c.in.DecryptRTCP(nil, b, nil)
	} else {
		plain, err = c.in.DecryptRTP(nil, b, nil)
	}
	if err != nil {
		c.tb.Fatal(err)
	}
	return plain
}

// packetOf makes an RTP packet.
func packetOf(tb testing.TB, ssrc uint32, seq uint16, size int) []byte {
	tb.Helper()
	p := rtp.Packet{Header: rtp.Header{Version: 2, SSRC: ssrc, PayloadType: 96, SequenceNumber: seq}, Payload: bytes.Repeat([]byte{byte(seq)}, size)}
	if err := p.SetExtension(3, []byte{byte(seq), 1}); err != nil {
		tb.Fatal(err)
	}
	b, err := p.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func receive[T any](tb testing.TB, what string, from <-chan T) T {
	tb.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(wait):
		tb.Fatalf("timeout: %s", what)
		panic("unreachable")
	}
}

// until polls a condition.
func until(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), wait)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("timeout: %s", what)
		}
	}
}

// pipe is the net.PacketConn of the client's DTLS.
type pipe struct {
	*records
	send func([]byte)
}

func newPipe() *pipe { return &pipe{records: newRecords(nil)} }

func (p *pipe) WriteTo(b []byte, _ net.Addr) (int, error) {
	p.send(b)
	return len(b), nil
}

func (p *pipe) LocalAddr() net.Addr { return p.RemoteAddr() }
