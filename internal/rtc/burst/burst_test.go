package burst

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"
)

func udpPair(tb testing.TB, receivers int, offload bool) (*Conn, []*net.UDPConn, []*Route) {
	tb.Helper()
	local := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	s, err := net.ListenUDP("udp", local)
	if err != nil {
		tb.Fatal(err)
	}
	b := New(s, offload)
	tb.Cleanup(func() { _ = b.Close() })
	var conns []*net.UDPConn
	var routes []*Route
	for range receivers {
		r, err := net.ListenUDP("udp", local)
		if err != nil {
			tb.Fatal(err)
		}
		_ = r.SetReadBuffer(4 << 20)
		tb.Cleanup(func() { _ = r.Close() })
		conns, routes = append(conns, r), append(routes, NewRoute(r.LocalAddr().(*net.UDPAddr).AddrPort()))
	}
	return b, conns, routes
}

// rtpPacket makes a packet that carries its number.
func rtpPacket(n, size int) []byte {
	b := bytes.Repeat([]byte{byte(n)}, size)
	b[0], b[1] = 0x80, 96
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	return b
}

// put makes a packet part of a batch.
func put(tb testing.TB, b *Batch, to *Route, p []byte) {
	tb.Helper()
	if n := copy(b.Reserve(to, len(p)), p); n != len(p) {
		tb.Fatal("no room")
	}
}

var sizes = []int{1200, 1200, 1200, 300, 1200, 1300, 1200, 1200, 80, 80, 80} //nolint:gochecknoglobals // a constant table

// expect reads packets first, first+1, ... of receiver i.
func expect(t *testing.T, c *net.UDPConn, i, first, packets int) {
	t.Helper()
	buf := make([]byte, 2000)
	for n := first; n < first+packets; n++ {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		size, err := c.Read(buf)
		if err != nil {
			t.Fatalf("receiver %d, packet %d: %v", i, n, err)
		}
		if !bytes.Equal(buf[:size], rtpPacket(n, sizes[(n+i)%len(sizes)])) {
			t.Fatalf("receiver %d: packet %d came as %d of %d bytes", i, n, binary.BigEndian.Uint16(buf[2:]), size)
		}
	}
}

// TestBurstKeepsOrderAndBoundaries sends packets of mixed sizes to several receivers, one after the other and
// interleaved, with and without segmentation by the kernel.
func TestBurstKeepsOrderAndBoundaries(t *testing.T) {
	t.Parallel()
	for _, offload := range []bool{true, false} {
		conn, conns, routes := udpPair(t, 3, offload)
		const packets = 300
		b := conn.Batch()
		for n := range packets / 2 {
			for i, to := range routes {
				put(t, b, to, rtpPacket(n, sizes[(n+i)%len(sizes)]))
			}
		}
		for i, to := range routes {
			for n := packets / 2; n < packets; n++ {
				put(t, b, to, rtpPacket(n, sizes[(n+i)%len(sizes)]))
			}
		}
		b.End()
		for i, c := range conns {
			expect(t, c, i, 0, packets)
		}
		s := conn.Stats()
		if s.Calls > 20 || s.Packets != packets*3 || s.Failed != 0 || s.Offload && !offload {
			t.Errorf("offload %v: %+v", offload, s)
		}
		t.Logf("offload %v: %+v", offload, s)
	}
}

// TestRefusedRunsLeaveSingly: what the kernel does not want to split arrives all the same.
func TestRefusedRunsLeaveSingly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		others bool // other routes keep the offload
	}{{syscall.EMSGSIZE, true}, {syscall.EINVAL, true}, {syscall.EIO, false}} {
		conn, conns, routes := udpPair(t, 1, true)
		if !conn.Stats().Offload {
			continue // a system without it
		}
		b := conn.Batch()
		for n := range 20 {
			put(t, b, routes[0], rtpPacket(n, sizes[n%len(sizes)]))
		}
		for i := range b.runs {
			if b.runs[i].packets > 1 {
				b.refused(&b.runs[i], c.err)
			} else {
				b.single(&b.runs[i])
			}
		}
		expect(t, conns[0], 0, 0, 20)
		if !routes[0].plain.Load() || conn.Stats().Offload != c.others || conn.Stats().Failed != 0 {
			t.Errorf("%v: plain %v, %+v", c.err, routes[0].plain.Load(), conn.Stats())
		}
		b = conn.Batch()
		put(t, b, routes[0], rtpPacket(20, sizes[20%len(sizes)]))
		put(t, b, routes[0], rtpPacket(21, sizes[21%len(sizes)]))
		if len(b.runs) != 2 {
			t.Errorf("%v: two packets make %d runs", c.err, len(b.runs))
		}
		b.End()
		expect(t, conns[0], 0, 20, 2)
	}
}

// TestManyWriters: packets of one writer arrive complete and in order, whoever else sends.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	conn, conns, routes := udpPair(t, 4, true)
	var group sync.WaitGroup
	const packets = 200
	for i, to := range routes {
		group.Go(func() {
			b := conn.Batch()
			for n := range packets {
				put(t, b, to, rtpPacket(n, sizes[(n+i)%len(sizes)]))
				if n%5 == 4 {
					b.End()
					b = conn.Batch()
				}
			}
			b.End()
		})
	}
	group.Wait()
	for i, c := range conns {
		expect(t, c, i, 0, packets)
	}
}

// TestFullBatchLeaves: nobody has to count what a batch holds.
func TestFullBatchLeaves(t *testing.T) {
	t.Parallel()
	conn, conns, routes := udpPair(t, 1, true)
	b := conn.Batch()
	for n := range batchPackets + 1 {
		put(t, b, routes[0], rtpPacket(n, sizes[n%len(sizes)]))
	}
	expect(t, conns[0], 0, 0, batchPackets)
	if b.Reserve(routes[0], MaxPacket+1) != nil {
		t.Error("there is room for everything")
	}
	_ = conn.Close()
	for range 2 * batchPackets {
		put(t, b, routes[0], rtpPacket(0, MaxPacket)) // nothing waits
	}
	b.End()
	if (*Batch)(nil).Reserve(routes[0], 1) != nil {
		t.Error("there is room in nothing")
	}
	(*Batch)(nil).End()
}

// TestFullSocket: who sends more than the socket takes at once waits.
func TestFullSocket(t *testing.T) {
	t.Parallel()
	conn, _, routes := udpPair(t, 1, true)
	_ = conn.SetWriteBuffer(1)
	for range 20 {
		b := conn.Batch()
		for n := range batchPackets {
			put(t, b, routes[0], rtpPacket(n, 1200))
		}
		b.End()
	}
	if s := conn.Stats(); s.Failed != 0 || s.Packets != 20*batchPackets {
		t.Errorf("%+v", s)
	}
}

// TestBothFamilies sends to either kind of address, also from a socket for both.
func TestBothFamilies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ network, address, from string }{
		{"udp4", "127.0.0.1:0", "127.0.0.1"}, {"udp6", "[::1]:0", "::1"}, {"udp", "[::]:0", "127.0.0.1"}, {"udp", "[::]:0", "::1"},
	} {
		conn, peer := listen(t, c.network, c.address, c.from)
		addr := netip.MustParseAddrPort(peer.LocalAddr().String())
		for _, a := range []netip.Addr{addr.Addr(), netip.AddrFrom16(addr.Addr().As16())} { // as it is, and IPv4 in IPv6
			to, b := NewRoute(netip.AddrPortFrom(a, addr.Port())), conn.Batch()
			for n := range 3 {
				put(t, b, to, rtpPacket(n, sizes[n]))
			}
			b.End()
			expect(t, peer, 0, 0, 3)
		}
	}
}

// BenchmarkBurst sends frames of five packets to 200 receivers that do not read.
func BenchmarkBurst(b *testing.B) {
	for _, offload := range []bool{true, false} {
		b.Run(map[bool]string{true: "offload", false: "sendmmsg"}[offload], func(b *testing.B) {
			conn, _, routes := udpPair(b, 200, offload)
			p := rtpPacket(1, 1200)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				batch := conn.Batch()
				for _, to := range routes {
					for range 5 {
						put(b, batch, to, p)
						n++
					}
				}
				batch.End()
			}
		})
	}
}
