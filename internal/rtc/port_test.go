package rtc

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"

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
		p, err := Listen(context.Background(), c.listen, slog.New(slog.DiscardHandler))
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
