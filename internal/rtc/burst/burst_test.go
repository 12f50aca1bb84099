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

// put sends a packet through a burst.
func put(tb testing.TB, c *Conn, to *Route, p []byte) {
	tb.Helper()
	s, ok := c.Reserve(to, len(p))
	if !ok {
		tb.Fatal("no room")
	}
	copy(s.B, p)
	s.Commit()
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
		b, conns, routes := udpPair(t, 3, offload)
		const packets = 300
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
		b.Flush()
		for i, c := range conns {
			expect(t, c, i, 0, packets)
		}
		s := b.Stats()
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
		b, conns, routes := udpPair(t, 1, true)
		if !b.Stats().Offload {
			continue // a system without it
		}
		b.sending.Lock() // nobody else flushes
		for n := range 20 {
			put(t, b, routes[0], rtpPacket(n, sizes[n%len(sizes)]))
		}
		b.out.open()
		b.out = b.fill.Swap(b.out)
		b.group(b.out.seal())
		for i := range b.runs {
			if b.runs[i].packets > 1 {
				b.refused(&b.runs[i], c.err)
			} else {
				_, _ = b.WriteToAddrPort(b.runs[i].buffers[0], routes[0].Addr())
			}
		}
		b.sending.Unlock()
		expect(t, conns[0], 0, 0, 20)
		if !routes[0].plain || b.Stats().Offload != c.others || b.Stats().Failed != 0 {
			t.Errorf("%v: plain %v, %+v", c.err, routes[0].plain, b.Stats())
		}
		put(t, b, routes[0], rtpPacket(20, sizes[20%len(sizes)]))
		put(t, b, routes[0], rtpPacket(21, sizes[21%len(sizes)]))
		b.Flush()
		expect(t, conns[0], 0, 20, 2)
	}
}

// TestManyWriters: packets of one writer arrive complete and in order, whoever flushes.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	b, conns, routes := udpPair(t, 4, true)
	var group sync.WaitGroup
	const packets = 200
	for i, to := range routes {
		group.Go(func() {
			for n := range packets {
				put(t, b, to, rtpPacket(n, sizes[(n+i)%len(sizes)]))
				if n%5 == 4 {
					b.Flush()
				}
			}
		})
	}
	group.Wait()
	for i, c := range conns {
		expect(t, c, i, 0, packets)
	}
}

func TestNothingWaitsForever(t *testing.T) {
	t.Parallel()
	b, conns, routes := udpPair(t, 1, true)
	put(t, b, routes[0], rtpPacket(0, sizes[0])) // nobody flushes
	expect(t, conns[0], 0, 0, 1)
	if _, ok := b.Reserve(routes[0], MaxPacket+burstBytes); ok {
		t.Error("there is room for everything")
	}
	_ = b.Close()
	for range burstPackets {
		if s, ok := b.Reserve(routes[0], 100); ok {
			s.Commit()
		}
	}
	if _, ok := b.Reserve(routes[0], 100); ok {
		t.Error("a closed socket takes packets")
	}
}

func TestOddAddresses(t *testing.T) {
	t.Parallel()
	c := &Conn{runs: make([]run, 0, 4)}
	for text, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1:5", "[::ffff:192.0.2.1]:5": "192.0.2.1:5", "[2001:db8::1]:5": "[2001:db8::1]:5", "[fe80::1%eth0]:5": "[fe80::1%eth0]:5",
	} {
		if got := c.runs[:4][c.newRun(NewRoute(netip.MustParseAddrPort(text)), 1)].addr.String(); got != want {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func TestSegmentSizeMessage(t *testing.T) {
	t.Parallel()
	if b := appendSegmentSize(nil, 1200); len(b) > 0 && binary.NativeEndian.Uint16(b[len(b)-8:]) != 1200 {
		t.Errorf("% x", b)
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
				for _, to := range routes {
					for range 5 {
						put(b, conn, to, p)
						n++
					}
				}
				conn.Flush()
			}
		})
	}
}
