package rtc

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
)

// Bounds of one burst. A run is what one segmentation-offload message may hold: the kernel takes up to 64 segments and
// 64 KiB; a run also bounds how much a slow receiver gets back to back.
const (
	burstPackets = 512
	burstBytes   = burstPackets * 1300
	runSegments  = 48
	runBytes     = 60_000
	maxMessages  = 256 // of one system call

	// lingerer sends what nobody flushed. Writers flush at the end of their burst, so it seldom has work.
	linger = time.Millisecond
)

// burstConn is the socket below the ICE mux. RTP packets written to it are copied and gathered until Flush, or for a
// millisecond; then they leave in as few system calls as the system allows: packets of one destination and one size
// as one message that the kernel splits (UDP_SEGMENT), messages of all destinations in one sendmmsg. Everything that
// is not RTP (STUN, DTLS, RTCP) leaves at once.
//
// Packets of one destination leave in the order in which they were written. When the socket takes no more, writers
// wait: the bound is two bursts.
type burstConn struct {
	*net.UDPConn
	batch *ipv4.PacketConn // the same socket; works for both address families

	sending sync.Mutex // held while a burst leaves; guards out and the state below
	out     *burst
	msgs    []ipv4.Message
	runs    []run
	open    map[netip.AddrPort]int // the run that a destination's next packet may join
	offload bool

	mu   sync.Mutex // guards fill; taken after sending
	fill *burst

	wake   chan struct{} // the lingerer's
	closed chan struct{}
	done   sync.WaitGroup
	once   sync.Once

	sent, calls, failed atomic.Uint64
}

// burst is packets on their way, back to back.
type burst struct {
	buf     []byte
	packets []outgoing
}

type outgoing struct {
	to         netip.AddrPort
	start, end int
}

// run is packets of one destination that leave as one message.
type run struct {
	addr    net.UDPAddr
	ip      [16]byte // behind addr
	buffers [][]byte
	oob     []byte
	size    int // of its first packet
	bytes   int
	closed  bool // its last packet was shorter than its first
}

func newBurst() *burst {
	return &burst{buf: make([]byte, 0, burstBytes), packets: make([]outgoing, 0, burstPackets)}
}

func newBurstConn(c *net.UDPConn, offload bool) *burstConn {
	b := &burstConn{
		UDPConn: c,
		batch:   ipv4.NewPacketConn(c),
		out:     newBurst(),
		fill:    newBurst(),
		msgs:    make([]ipv4.Message, 0, burstPackets),
		runs:    make([]run, 0, burstPackets),
		open:    make(map[netip.AddrPort]int),
		offload: offload && canOffload(c),
		wake:    make(chan struct{}, 1),
		closed:  make(chan struct{}),
	}
	b.done.Go(b.lingerer)
	return b
}

// Close closes the socket and waits for the lingerer.
func (c *burstConn) Close() error {
	var err error
	c.once.Do(func() {
		close(c.closed)
		err = c.UDPConn.Close()
		c.done.Wait()
	})
	return err
}

// ReadFromAddrPort and WriteToAddrPort keep the mux on its path without address allocations.
func (c *burstConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return c.ReadFromUDPAddrPort(b)
}

// WriteToAddrPort gathers b if it is RTP, and sends it otherwise. It keeps no reference to b.
func (c *burstConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if !isRTP(b) || len(b) > maxPacket {
		return c.WriteToUDPAddrPort(b, to)
	}
	for {
		full, first := c.add(b, to)
		if !full {
			if first {
				c.nudge()
			}
			return len(b), nil
		}
		c.Flush()
		if c.isClosed() {
			return 0, net.ErrClosed
		}
	}
}

// SetWriteDeadline does nothing: the mux would use it to abort the writes of one peer, and it would hit those of all.
func (c *burstConn) SetWriteDeadline(time.Time) error { return nil }

// WriteTo is WriteToAddrPort for other address types.
func (c *burstConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); ok {
		return c.WriteToAddrPort(b, u.AddrPort())
	}
	return c.UDPConn.WriteTo(b, to)
}

// isRTP tells RTP from everything else that shares the port (RFC 7983; RTCP by RFC 5761, section 4).
func isRTP(b []byte) bool {
	return len(b) >= 12 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223)
}

// add copies b to the burst being filled, or tells that there is no room.
func (c *burstConn) add(b []byte, to netip.AddrPort) (full, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.fill
	if len(f.packets) == burstPackets || len(f.buf)+len(b) > burstBytes {
		return true, false
	}
	start := len(f.buf)
	f.buf = append(f.buf, b...)
	f.packets = append(f.packets, outgoing{to: to, start: start, end: len(f.buf)})
	return false, start == 0
}

func (c *burstConn) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *burstConn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// lingerer flushes what waits for longer than a millisecond.
func (c *burstConn) lingerer() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-c.wake:
			timer.Reset(linger)
		case <-timer.C:
			c.Flush()
		case <-c.closed:
			return
		}
	}
}

// Flush sends everything that was written before it was called.
func (c *burstConn) Flush() {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mu.Lock()
	c.out, c.fill = c.fill, c.out
	c.mu.Unlock()
	if len(c.out.packets) > 0 {
		c.send()
	}
	c.out.buf, c.out.packets = c.out.buf[:0], c.out.packets[:0]
}

// send groups the burst into runs and hands them to the system. What cannot be sent is lost, as on any network.
func (c *burstConn) send() {
	c.group()
	c.msgs = c.msgs[:0]
	for i := range c.runs {
		c.msgs = append(c.msgs, c.runs[i].message())
	}
	c.sent.Add(uint64(len(c.out.packets)))
	for rest := c.msgs; len(rest) > 0; {
		n, err := c.batch.WriteBatch(rest[:min(len(rest), maxMessages)], 0)
		c.calls.Add(1)
		switch {
		case n > 0:
			rest = rest[n:]
		case errors.Is(err, net.ErrClosed):
			return
		case c.offload && len(rest[0].Buffers) > 1 && refusesOffload(err):
			c.offload = false
			c.sendSingly(rest)
			return
		default:
			c.failed.Add(uint64(len(rest[0].Buffers)))
			rest = rest[1:]
		}
	}
}

// sendSingly sends the packets of runs one by one, after the system has refused to split them.
func (c *burstConn) sendSingly(rest []ipv4.Message) {
	for _, m := range rest {
		for _, b := range m.Buffers {
			if _, err := c.UDPConn.WriteTo(b, m.Addr); err != nil {
				c.failed.Add(1)
			}
		}
	}
}

// group sorts the burst's packets into runs, in order.
func (c *burstConn) group() {
	clear(c.open)
	for i := range c.runs {
		c.runs[i].buffers = c.runs[i].buffers[:0]
	}
	c.runs = c.runs[:0]
	last, lastTo := -1, netip.AddrPort{}
	for _, p := range c.out.packets {
		if p.to != lastTo {
			if last >= 0 {
				c.open[lastTo] = last
			}
			at, known := c.open[p.to]
			if last, lastTo = at, p.to; !known {
				last = -1
			}
		}
		b := c.out.buf[p.start:p.end]
		if !c.offload || last < 0 || !c.runs[last].takes(len(b)) {
			last = c.newRun(p.to, len(b))
		}
		c.runs[last].add(b)
	}
}

func (c *burstConn) newRun(to netip.AddrPort, size int) int {
	i := len(c.runs)
	c.runs = c.runs[:i+1] // as many as packets at most
	r := &c.runs[i]
	if r.buffers == nil {
		r.buffers = make([][]byte, 0, runSegments)
	}
	r.buffers, r.size, r.bytes, r.closed = r.buffers[:0], size, 0, false
	if a := to.Addr(); a.Is4() || a.Is4In6() {
		four := a.Unmap().As4()
		r.addr.IP = r.ip[:copy(r.ip[:], four[:])]
	} else {
		r.ip = a.As16()
		r.addr.IP = r.ip[:]
	}
	r.addr.Port, r.addr.Zone = int(to.Port()), to.Addr().Zone()
	return i
}

// takes tells whether a packet of n bytes may join: all have the size of the first, but the last may be shorter.
func (r *run) takes(n int) bool {
	return !r.closed && n <= r.size && len(r.buffers) < runSegments && r.bytes+n <= runBytes
}

func (r *run) add(b []byte) {
	r.buffers = append(r.buffers, b)
	r.bytes += len(b)
	r.closed = len(b) < r.size
}

func (r *run) message() ipv4.Message {
	m := ipv4.Message{Buffers: r.buffers, Addr: &r.addr}
	if len(r.buffers) > 1 {
		r.oob = appendSegmentSize(r.oob[:0], r.size)
		m.OOB = r.oob
	}
	return m
}
