package rtc

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

// TestCandidates shows what is advertised for a port on one address, on all of them, and behind a NAT.
func TestCandidates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		listen, external string
		want, not        []string
	}{
		{listen: "127.0.0.1:0", want: []string{" udp 2130706431 127.0.0.1 ", " tcp "}},
		{listen: "127.0.0.1:0", external: "203.0.113.7", want: []string{" 203.0.113.7 ", " tcp "}, not: []string{" 127.0.0.1 "}},
		{listen: "0.0.0.0:0", external: "203.0.113.7", want: []string{" 203.0.113.7 "}, not: []string{" 127.0.0.1 "}},
		{listen: "[::]:0"},
	} {
		p, err := Listen(context.Background(), c.listen, nil)
		if err != nil {
			if strings.HasPrefix(c.listen, "[") {
				continue // a machine without IPv6
			}
			t.Fatal(err)
		}
		o := Options{Port: p}
		if c.external != "" {
			o.ExternalIPs = []netip.Addr{netip.MustParseAddr(c.external)}
		}
		e, err := NewEngine(o)
		if err != nil {
			t.Fatal(err)
		}
		answer := receive(t, e, rtctest.NewPublisher(t, rtctest.Options{})).Answer()
		for _, want := range c.want {
			if strings.Count(answer, want) < 2 {
				t.Errorf("%s %s: %q is not in both sections:\n%s", c.listen, c.external, want, answer)
			}
		}
		for _, not := range c.not {
			if strings.Contains(answer, not) {
				t.Errorf("%s %s: %q is advertised:\n%s", c.listen, c.external, not, answer)
			}
		}
		t.Cleanup(func() { _ = p.Close() })
	}
}

// TestNoiseAtThePort sends what is no connection, over UDP and TCP, while a client joins.
func TestNoiseAtThePort(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	udp, err := net.Dial("udp", e.opt.Port.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	noise := func(first byte, n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		b[0] = first
		return b
	}
	for first := range 256 {
		for _, n := range []int{1, 4, 20, 28, 1400} {
			_, _ = udp.Write(noise(byte(first), n))
		}
	}
	stun := append([]byte{0, 1, 0xff, 0xff, 0x21, 0x12, 0xa4, 0x42}, noise(6, 1000)...)
	_, _ = udp.Write(stun)
	for _, b := range [][]byte{{}, {0}, {0xff, 0xff}, noise(0, 3000), append([]byte{0, 20}, stun[:20]...)} {
		c, err := net.Dial("tcp", e.opt.Port.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(b)
		_ = c.Close()
	}
	pub := rtctest.NewPublisher(t, rtctest.Options{})
	in := receive(t, e, pub)
	rtctest.WaitClosed(t, "a client connects all the same", in.Connected())
}

// TestBothFamilies: a port on all addresses answers checks over IPv4 and IPv6, and names the address of each.
func TestBothFamilies(t *testing.T) {
	t.Parallel()
	p, err := Listen(context.Background(), "[::]:0", nil)
	if err != nil {
		t.Logf("no IPv6 here: %v", err)
		return
	}
	t.Cleanup(func() { _ = p.Close() })
	e, err := NewEngine(Options{Port: p})
	if err != nil {
		t.Fatal(err)
	}
	out, _ := answerTo(t, e, subscriberOffer, true)
	f, err := out.Candidates()
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.Dial("udp", net.JoinHostPort(host, strconv.Itoa(p.addr.port)))
		if err != nil {
			t.Fatal(err)
		}
		check, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(f.Ufrag+":abcd"),
			stun.NewShortTermIntegrity(f.Password), stun.Fingerprint)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(check.Raw)
		b := make([]byte, 1500)
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		m := &stun.Message{Raw: b[:n]}
		var mapped stun.XORMappedAddress
		if err := m.Decode(); err != nil {
			t.Fatal(err)
		}
		if err := mapped.GetFrom(m); err != nil || mapped.String() != c.LocalAddr().String() {
			t.Errorf("%s became %s, %v", c.LocalAddr(), mapped, err)
		}
		_ = c.Close()
	}
}

// TestCloseWithOpenStreams: connections that have said nothing do not keep a port open.
func TestCloseWithOpenStreams(t *testing.T) {
	t.Parallel()
	p, err := Listen(context.Background(), "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	for range 5 {
		c, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	_, _ = conns[0].Write([]byte{0, 100, 1}) // half a frame
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a connection is still open")
		}
		_ = c.Close()
	}
}
