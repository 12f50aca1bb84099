package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtcp"
	"github.com/pion/stun/v4"

	"github.com/rivus-live/rivus/internal/rtc/burst"
	"github.com/rivus-live/rivus/internal/rtc/ice"
)

// TestMedia sends RTP, retransmissions and RTCP with every profile over UDP and TCP, past the end of the numbers.
func TestMedia(t *testing.T) {
	t.Parallel()
	for _, profile := range append(profiles, 0) {
		for _, tcp := range []bool{false, true} {
			t.Run(fmt.Sprint(profile, tcp), func(t *testing.T) {
				t.Parallel()
				o := options{tcp: tcp}
				if profile != 0 { // 0: what a browser offers
					o.profiles = []dtls.SRTPProtectionProfile{profile}
				}
				s := newServer(t)
				c := connect(s, o)
				if chosen, _ := c.conn.SelectedSRTPProtectionProfile(); profile == 0 && chosen != dtls.SRTP_AEAD_AES_128_GCM {
					t.Errorf("chose %v", chosen)
				}
				media(t, s, c)
			})
		}
	}
}

func media(t *testing.T, s *server, c *client) {
	t.Helper()
	stream := c.peer.NewStream(1000, 2000, false)
	seqs := []uint16{65530, 65531, 65533, 65532, 65535, 0, 1, 65534, 2} // late ones belong to the round before
	for i, seq := range seqs {
		p := packetOf(t, 1000, seq, 100+i)
		before := bytes.Clone(p)
		if err := stream.Write(s.batch, p); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p, before) {
			t.Fatal("the caller's packet was changed")
		}
		if err := stream.Write(s.batch, packetOf(t, 2000, uint16(i+1), 50)); err != nil {
			t.Fatal(err)
		}
	}
	s.flush()
	for i, seq := range seqs {
		if got := c.packet(); !bytes.Equal(got, packetOf(t, 1000, seq, 100+i)) {
			t.Fatalf("packet %d came as % x", seq, got[:12])
		}
		if got := c.packet(); !bytes.Equal(got, packetOf(t, 2000, uint16(i+1), 50)) {
			t.Fatalf("retransmission %d came as % x", i, got[:12])
		}
	}
	report, err := (&rtcp.SenderReport{SSRC: 1000, NTPTime: 5}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.peer.WriteRTCP(nil, report); err != nil {
		t.Fatal(err)
	}
	if got := c.packet(); got[1] != 200 {
		t.Errorf("RTCP came as % x", got)
	}
	c.report(77)
	if b := receive(t, "RTCP", c.rtcp); b[1] != 201 || b[7] != 77 {
		t.Errorf("RTCP came as % x", b)
	}
	for name, b := range map[string][]byte{
		"another stream": packetOf(t, 3000, 1, 10), "no RTP": {1, 2, 3}, "too long": packetOf(t, 1000, 9, burst.MaxPacket),
		"cut": packetOf(t, 1000, 9, 10)[:14],
	} {
		if c.peer.keys.Load().rtpOut != nil && !errors.Is(stream.Write(s.batch, b), errPacket) {
			t.Errorf("%s is sent", name)
		}
	}
}

func TestNothingBeforeTheHandshake(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := newClient(s, options{})
	stream := c.peer.NewStream(1, 0, false)
	c.records.send([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // DTLS from nobody
	until(t, "it is nobody's", func() bool { return s.others.Load() == 1 })
	c.check()
	until(t, "a way", func() bool { return c.peer.way.Load() != nil })
	if err := stream.Write(s.batch, packetOf(t, 1, 1, 10)); !errors.Is(err, ErrNotReady) {
		t.Error(err)
	}
	if err := c.peer.WriteRTCP(nil, []byte{0x80, 201, 0, 1, 0, 0, 0, 1}); !errors.Is(err, ErrNotReady) {
		t.Error(err)
	}
}

// TestAddressChange moves a client to another address, as a NAT does that forgets.
func TestAddressChange(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := connect(s, options{})
	stream, before := c.peer.NewStream(1, 0, false), c.peer.way.Load()
	c.report(1)
	receive(t, "RTCP", c.rtcp)
	c.bind()
	c.report(1) // signed, but from an address that was never checked
	until(t, "it is nobody's", func() bool { return s.others.Load() == 1 })
	if c.peer.way.Load() != before {
		t.Fatal("a packet moves the peer")
	}
	c.check()
	until(t, "another way", func() bool { return c.peer.way.Load() != before })
	if err := stream.Write(s.batch, packetOf(t, 1, 1, 10)); err != nil {
		t.Fatal(err)
	}
	s.flush()
	c.packet()
	c.report(1)
	receive(t, "RTCP from the new address", c.rtcp)
}

// TestForgedAddress: whoever does not answer our checks from an address gets no media there.
func TestForgedAddress(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := connect(s, options{})
	before := c.peer.way.Load()
	c.mu.Lock()
	c.mute = true
	c.mu.Unlock()
	c.bind()
	c.check()
	c.check()
	if c.peer.way.Load() != before {
		t.Error("moved")
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	never := newClient(s, options{})
	c := connect(s, options{})
	silent, checking, sending := connect(s, options{}), connect(s, options{}), connect(s, options{})
	for _, p := range []*client{silent, checking, sending} {
		p.mu.Lock()
		p.mute = true
		p.mu.Unlock()
	}
	s.later.Add(int64(ice.Lifetime - time.Second))
	alive := func(c *client) func() bool {
		return func() bool {
			c.peer.mu.Lock()
			defer c.peer.mu.Unlock()
			return c.peer.agent.Alive(s.now() + ice.Lifetime - 500*time.Millisecond)
		}
	}
	until(t, "a sign of life", alive(c))
	checking.check()
	until(t, "the sign of a check", alive(checking))
	sending.report(1)
	until(t, "the sign of a report", alive(sending))
	s.later.Add(int64(2 * time.Second))
	for name, p := range map[string]*client{"silent": silent, "never there": never} {
		receive(t, name, p.peer.Ended())
		if !errors.Is(p.peer.Reason(), ErrLost) {
			t.Errorf("%s: %v", name, p.peer.Reason())
		}
	}
	for name, p := range map[string]*client{"answers": c, "checks": checking, "sends": sending} {
		select {
		case <-p.peer.Ended():
			t.Errorf("a peer that %s is gone", name)
		default:
		}
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := connect(s, options{})
	stream, before := c.peer.NewStream(1, 0, false), c.peer.way.Load()
	for i := range 5 {
		fresh := ice.Credentials{Ufrag: fmt.Sprint("them", i), Password: fmt.Sprint("another secret password ", i)}
		local := c.peer.Restart(fresh)
		if local == c.remote || local != c.peer.Local() {
			t.Fatal("no new credentials")
		}
		c.check() // the old generation
		c.mu.Lock()
		c.local, c.remote = fresh, local
		c.mu.Unlock()
		c.bind()
		c.check()
		until(t, "another way", func() bool { return c.peer.way.Load() != before })
		before = c.peer.way.Load()
		if err := stream.Write(s.batch, packetOf(t, 1, uint16(i), 10)); err != nil {
			t.Fatal(err)
		}
		s.flush()
		c.packet()
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.ufrags) > 2 || len(s.addrs) > 6 {
		t.Errorf("%d names, %d addresses", len(s.ufrags), len(s.addrs))
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	other := Fingerprint{"sha-256", "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"}
	s := newServer(t)
	c := newClient(s, options{prints: []Fingerprint{other}})
	c.check()
	if err := c.handshake(options{}); err == nil {
		t.Error("the client is not told")
	}
	receive(t, "the end", c.peer.Ended())
	if !errors.Is(c.peer.Reason(), errFingerprint) {
		t.Error(c.peer.Reason())
	}
	select {
	case <-c.peer.Connected():
		t.Error("connected")
	default:
	}
	for _, f := range []Fingerprint{{}, {"sha-256", ""}, {"sha-1", "00"}, {"md5", other.Value}, {"sha-256", "zz"}, {"sha-512", other.Value}} {
		if f.Usable() || f.matches(nil) {
			t.Errorf("%v is usable", f)
		}
	}
	if upper := (Fingerprint{"SHA-256", other.Value}); !upper.Usable() {
		t.Error("the name's case matters")
	}
}

// TestEnd ends connections from both sides, before and after the server has put its association away.
func TestEnd(t *testing.T) {
	t.Parallel()
	for _, tcp := range []bool{false, true} {
		for _, settled := range []bool{false, true} {
			s := newServer(t)
			begin := func() *client {
				c := connect(s, options{tcp: tcp})
				if settled {
					c.settle()
				}
				return c
			}
			c := begin()
			c.peer.Close()
			if c.peer.Reason() != nil {
				t.Error(c.peer.Reason())
			}
			if _, err := c.conn.Read(make([]byte, 100)); err == nil {
				t.Error("the client reads something")
			}
			if err := c.peer.NewStream(1, 0, false).Write(s.out.Batch(), packetOf(t, 1, 1, 10)); err != nil && !errors.Is(err, ErrNotReady) {
				t.Error(err)
			}
			c = begin()
			_ = c.conn.Close()
			receive(t, fmt.Sprint("the end, TCP ", tcp, ", settled ", settled), c.peer.Ended())
			if !errors.Is(c.peer.Reason(), ErrLost) {
				t.Error(c.peer.Reason())
			}
			c.peer.Close()
			c.peer.Close() // once more
			s.mu.RLock()
			if len(s.ufrags) != 0 || len(s.addrs) != 0 {
				t.Errorf("left: %v %v", s.ufrags, s.addrs)
			}
			s.mu.RUnlock()
		}
	}
}

// TestPlainAlert: an alert that is not encrypted does not end a handshake either.
func TestPlainAlert(t *testing.T) {
	t.Parallel()
	c := newClient(newServer(t), options{})
	c.check()
	c.send([]byte{21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40})
	if err := c.handshake(options{}); err != nil {
		t.Fatal(err)
	}
	receive(t, "connected", c.peer.Connected())
}

// TestForgedAlert: an alert that is not the peer's ends nothing, and the real one is still understood.
func TestForgedAlert(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := connect(s, options{})
	c.settle()
	c.send(append([]byte{21, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 26}, make([]byte, 26)...))
	plain := []byte{21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40} // a fatal one, not encrypted
	c.send(plain)
	c.send(append([]byte{21, 254, 253, 0, 1, 0, 0, 0, 0, 0, 10, 0, 1, 0}, plain...))
	c.report(1)
	receive(t, "RTCP", c.rtcp)
	c.peer.dtls.mu.Lock()
	c.peer.dtls.resuming = time.Now().Add(-hearing)
	c.peer.dtls.mu.Unlock()
	select {
	case <-c.peer.Ended():
		t.Fatal("ended")
	default:
	}
	_ = c.conn.Close()
	receive(t, "the end", c.peer.Ended())
}

func TestCloseInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	before := newClient(s, options{})
	before.peer.Close()
	during := newClient(s, options{})
	during.check()
	until(t, "a way", func() bool { return during.peer.way.Load() != nil })
	during.peer.Close()
	if during.peer.Restart(during.local); len(s.ufrags) != 0 {
		t.Error("a closed peer is known again")
	}
}

func TestSourcesAreBounded(t *testing.T) {
	t.Parallel()
	c := connect(newServer(t), options{})
	for ssrc := range uint32(maxSources) {
		c.report(ssrc)
		receive(t, "RTCP", c.rtcp)
	}
	c.report(5)
	receive(t, "RTCP of a known source", c.rtcp)
	c.report(maxSources)
	receive(t, "the end", c.peer.Ended())
	if !errors.Is(c.peer.Reason(), errSources) {
		t.Error(c.peer.Reason())
	}
}

// TestReplay: RTCP counts once.
func TestReplay(t *testing.T) {
	t.Parallel()
	c := connect(newServer(t), options{})
	plain := []byte{0x80, 201, 0, 1, 0, 0, 0, 1}
	b, err := c.out.EncryptRTCP(nil, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.send(b)
	c.send(b)
	c.report(9)
	if first, second := receive(t, "RTCP", c.rtcp), receive(t, "RTCP", c.rtcp); first[7] != 1 || second[7] != 9 {
		t.Errorf("% x, % x", first, second)
	}
}

// TestSlowReader: a TCP connection that nobody reads takes a bounded share of memory and nobody's time.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := connect(s, options{tcp: true})
	stream := c.peer.NewStream(1, 0, false)
	p := packetOf(t, 1, 0, 1200)
	for n := range 20_000 {
		binary.BigEndian.PutUint16(p[2:], uint16(n))
		if err := stream.Write(s.batch, p); err != nil {
			t.Fatal(err)
		}
	}
	w := c.peer.way.Load()
	w.tcp.mu.Lock()
	if n := len(w.tcp.pending); n > streamBuffer {
		t.Errorf("%d bytes wait", n)
	}
	w.tcp.mu.Unlock()
}

func TestStreamsOfAPeer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := connect(s, options{tcp: true})
	first := c.peer.way.Load()
	for range maxStreams - 1 {
		c.dial()
		c.check()
	}
	until(t, "the last is in use", func() bool { return c.peer.way.Load().path.Stream > first.path.Stream+maxStreams-2 })
	m, err := stun.Build(stun.BindingRequest, stun.NewUsername(c.remote.Ufrag+":"+c.local.Ufrag), stun.NewShortTermIntegrity(c.remote.Password), stun.Fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"one too many": m.Raw, "no check": {0, 1, 2, 3}} {
		conn, err := net.Dial("tcp4", s.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(frame(b))
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		if n, err := conn.Read(make([]byte, 100)); err == nil || errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: got %d bytes", name, n)
		}
		_ = conn.Close()
	}
	last := c.peer.way.Load()
	c.mu.Lock()
	_ = c.stream.Close()
	c.mu.Unlock()
	until(t, "another one is used", func() bool { w := c.peer.way.Load(); return w != nil && w != last })
}

// TestSharedAddress: two connections of a client on one port are both served.
func TestSharedAddress(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := connect(s, options{})
	addr := c.peer.way.Load().path.Addr
	other := s.NewPeer(Config{Remote: c.local, Fingerprints: c.peer.config.Fingerprints, Certificate: s.cert, Loggers: quiet()})
	defer other.Close()
	c.mu.Lock()
	first := c.remote
	c.remote = other.Local()
	c.mu.Unlock()
	c.check()
	until(t, "both are there", func() bool { return len(s.at(addr)) == 2 })
	c.report(1)
	receive(t, "RTCP", c.rtcp)
	c.mu.Lock()
	c.remote = first
	c.mu.Unlock()
	c.check()
	other.Close()
	if there := s.at(addr); len(there) != 1 || there[0] != c.peer {
		t.Errorf("%d peers are left", len(there))
	}
	for range 2 * maxAtAddress {
		p := s.NewPeer(Config{Certificate: s.cert, Loggers: quiet()})
		defer p.Close()
		s.bind(p, nil, []ice.Path{{Addr: addr}})
	}
	if n := len(s.at(addr)); n != maxAtAddress {
		t.Errorf("%d peers at one address", n)
	}
}

// TestPutAway: after the handshake nothing runs for a peer over UDP.
func TestPutAway(t *testing.T) {
	t.Parallel()
	c := connect(newServer(t), options{})
	c.settle()
	done := make(chan struct{})
	c.group.Go(func() {
		c.peer.group.Wait()
		close(done)
	})
	receive(t, "no goroutine", done)
}

func TestWriteAllocatesNothing(t *testing.T) {
	s := newServer(t)
	for _, tcp := range []bool{false, true} {
		c := connect(s, options{tcp: tcp})
		stream := c.peer.NewStream(1, 0, false)
		p := packetOf(t, 1, 0, 1100)
		n := uint16(0)
		allocs := testing.AllocsPerRun(500, func() {
			for range 5 {
				n++
				p[2], p[3] = byte(n>>8), byte(n)
				if err := stream.Write(s.batch, p); err != nil {
					t.Fatal(err)
				}
			}
			s.flush()
		})
		if allocs >= 5 { // the client reads in this process
			t.Errorf("%v allocations for five packets", allocs)
		}
	}
}
