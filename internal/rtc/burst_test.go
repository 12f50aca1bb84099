package rtc

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"
)

func udpPair(tb testing.TB, receivers int, offload bool) (*burstConn, []*net.UDPConn, []netip.AddrPort) {
	tb.Helper()
	local := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	s, err := net.ListenUDP("udp", local)
	if err != nil {
		tb.Fatal(err)
	}
	b := newBurstConn(s, offload)
	tb.Cleanup(func() { _ = b.Close() })
	var conns []*net.UDPConn
	var addrs []netip.AddrPort
	for range receivers {
		r, err := net.ListenUDP("udp", local)
		if err != nil {
			tb.Fatal(err)
		}
		_ = r.SetReadBuffer(4 << 20)
		tb.Cleanup(func() { _ = r.Close() })
		conns, addrs = append(conns, r), append(addrs, r.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	return b, conns, addrs
}

// rtpPacket makes a packet that carries its number.
func rtpPacket(n, size int) []byte {
	b := bytes.Repeat([]byte{byte(n)}, size)
	b[0], b[1] = 0x80, 96
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	return b
}

// TestBurstKeepsOrderAndBoundaries sends packets of mixed sizes to several receivers, interleaved, with and without
// segmentation by the kernel.
func TestBurstKeepsOrderAndBoundaries(t *testing.T) {
	t.Parallel()
	for _, offload := range []bool{true, false} {
		b, conns, addrs := udpPair(t, 3, offload)
		sizes := []int{1200, 1200, 1200, 300, 1200, 1300, 1200, 1200, 80, 80, 80}
		const packets = 300
		for n := range packets {
			for i, to := range addrs {
				if _, err := b.WriteToAddrPort(rtpPacket(n, sizes[(n+i)%len(sizes)]), to); err != nil {
					t.Fatal(err)
				}
			}
		}
		b.Flush()
		for i, c := range conns {
			buf := make([]byte, 2000)
			for n := range packets {
				_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
				size, err := c.Read(buf)
				if err != nil {
					t.Fatalf("offload %v, receiver %d, packet %d: %v", offload, i, n, err)
				}
				if !bytes.Equal(buf[:size], rtpPacket(n, sizes[(n+i)%len(sizes)])) {
					t.Fatalf("offload %v, receiver %d: packet %d came as %d of %d bytes", offload, i, n, binary.BigEndian.Uint16(buf[2:]), size)
				}
			}
		}
		if calls := b.calls.Load(); calls > 20 {
			t.Errorf("offload %v: %d calls for %d packets", offload, calls, packets*3)
		}
		t.Logf("offload %v: %d calls", b.offload, b.calls.Load())
	}
}

func TestWhatIsNotRTPLeavesAtOnce(t *testing.T) {
	t.Parallel()
	b, conns, addrs := udpPair(t, 1, true)
	rtcp := make([]byte, 100)
	rtcp[0], rtcp[1] = 0x80, 200
	for _, p := range [][]byte{{0, 1, 0, 0}, {22, 254, 253}, rtcp} {
		if _, err := b.WriteToAddrPort(p, addrs[0]); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.fill.packets) != 0 {
		t.Error("something waits")
	}
	// And RTP that nobody flushes leaves soon.
	if _, err := b.WriteToAddrPort(rtpPacket(1, 100), addrs[0]); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		_ = conns[0].SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := conns[0].Read(make([]byte, 200)); err != nil {
			t.Fatal(err)
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
			conn, _, addrs := udpPair(b, 200, offload)
			p := rtpPacket(1, 1200)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				for _, to := range addrs {
					for range 5 {
						_, _ = conn.WriteToAddrPort(p, to)
						n++
					}
				}
				conn.Flush()
			}
		})
	}
}
