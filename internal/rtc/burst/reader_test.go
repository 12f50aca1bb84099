package burst

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// listen opens a socket, and one that is connected to it.
func listen(tb testing.TB, network, address, from string) (*Conn, *net.UDPConn) {
	tb.Helper()
	local, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := net.ListenUDP(network, local)
	if err != nil {
		tb.Skipf("this machine has no %s: %v", network, err)
	}
	c := New(s, false)
	tb.Cleanup(func() { _ = c.Close() })
	to := net.JoinHostPort(from, "0")
	ours, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		tb.Fatal(err)
	}
	peer, err := net.DialUDP("udp", ours, &net.UDPAddr{IP: ours.IP, Port: s.LocalAddr().(*net.UDPAddr).Port})
	if err != nil {
		tb.Skipf("this machine has no %s: %v", from, err)
	}
	tb.Cleanup(func() { _ = peer.Close() })
	return c, peer
}

// TestReader: datagrams come whole and in order with the address of their sender, those that are too long do not come.
func TestReader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, network, address, from string }{
		{"IPv4", "udp4", "127.0.0.1:0", "127.0.0.1"},
		{"IPv6", "udp6", "[::1]:0", "::1"},
		{"IPv4 to both", "udp", "[::]:0", "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, peer := listen(t, c.network, c.address, c.from)
			const packets = 3 * readPackets
			for n := range packets {
				_, _ = peer.Write(rtpPacket(n, 100+n))
				if n%10 == 0 {
					_, _ = peer.Write(make([]byte, readRoom+1))
				}
			}
			_, _ = peer.Write(nil)
			_, _ = peer.Write(make([]byte, readRoom))
			want := netip.MustParseAddrPort(peer.LocalAddr().String())
			count, empty, long := 0, 0, 0
			r, err := conn.NewReader(func(b []byte, from netip.AddrPort) {
				if from != want {
					t.Errorf("from %v, not %v", from, want)
				}
				switch {
				case len(b) == 0:
					empty++
				case len(b) == readRoom:
					long++
				case !bytes.Equal(b, rtpPacket(count, 100+count)):
					t.Fatalf("packet %d came as %d bytes", count, len(b))
				default:
					count++
				}
				clear(b[:cap(b)]) // nobody else may see it
			})
			if err != nil {
				t.Fatal(err)
			}
			for long == 0 {
				if err := r.Read(); err != nil {
					t.Fatal(err)
				}
			}
			if count != packets || empty != 1 {
				t.Errorf("%d packets and %d empty ones", count, empty)
			}
		})
	}
}

// TestReaderEnds: whoever waits for datagrams learns that the socket is closed.
func TestReaderEnds(t *testing.T) {
	t.Parallel()
	conn, _ := listen(t, "udp4", "127.0.0.1:0", "127.0.0.1")
	r, err := conn.NewReader(func([]byte, netip.AddrPort) { t.Error("nobody has sent anything") })
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- r.Read() }()
	_ = conn.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if err := r.Read(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestReaderAllocatesNothing(t *testing.T) { // not parallel: it counts the allocations of all goroutines
	conn, peer := listen(t, "udp", "[::]:0", "127.0.0.1")
	count := 0
	r, err := conn.NewReader(func([]byte, netip.AddrPort) { count++ })
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		for range 10 {
			_, _ = peer.Write(b)
		}
		for count = 0; count < 10; {
			if err := r.Read(); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for 10 datagrams", n)
	}
}

// BenchmarkReader is the cost of a datagram that waits, in the socket's queue together with others.
func BenchmarkReader(b *testing.B) {
	conn, peer := listen(b, "udp4", "127.0.0.1:0", "127.0.0.1")
	count := 0
	r, err := conn.NewReader(func([]byte, netip.AddrPort) { count++ })
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 100)
	one := make([]byte, readRoom)
	for _, batch := range []bool{true, false} {
		b.Run(map[bool]string{true: "batch", false: "one by one"}[batch], func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; n < b.N; n += 16 {
				b.StopTimer()
				for range 16 {
					_, _ = peer.Write(p)
				}
				b.StartTimer()
				for count = 0; batch && count < 16; {
					_ = r.Read()
				}
				for ; count < 16; count++ {
					_, _, _ = conn.ReadFromUDPAddrPort(one)
				}
			}
		})
	}
}

// TestUnread: what nobody reads is counted once the socket is full.
func TestUnread(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the system does not tell")
	}
	c, out := listen(t, "udp4", "127.0.0.1:0", "127.0.0.1")
	if n := c.Stats().Unread; n != 0 {
		t.Fatalf("%d before any", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for b := make([]byte, 1400); c.Stats().Unread == 0; {
		if _, err := out.Write(b); err != nil || ctx.Err() != nil {
			t.Fatal(err, ctx.Err())
		}
	}
}
