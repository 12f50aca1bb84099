// Package burst sends RTP packets of many streams through one UDP socket in as few system calls as the system allows.
//
// Whoever has a packet for a Route reserves room for it, writes it there and commits; nothing is copied afterwards.
// Flush hands everything that was committed to the system: packets of one route and one size as one message that the
// kernel splits (UDP_SEGMENT), the messages of all routes in one sendmmsg. What nobody flushes leaves after a
// millisecond. Packets of one route leave in the order in which room was reserved. What is written with
// WriteToAddrPort leaves at once. A Reader takes what comes, also many datagrams in one system call.
//
// Everything may be called from any goroutine. When the socket takes no more, whoever reserves waits: the bound is two
// bursts.
//
// Imports: nothing of Rivus.
package burst

import (
	"net"
	"net/netip"
	"runtime"
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

	// MaxPacket is the longest packet that can be reserved: the payload of a datagram on Ethernet.
	MaxPacket = 1472

	// The lingerer sends what nobody flushed. Writers flush at the end of their burst, so it seldom has work.
	linger = time.Millisecond
)

// Conn is the socket.
type Conn struct {
	*net.UDPConn
	batch *ipv4.PacketConn // the same socket; works for both address families

	fill   atomic.Pointer[burst] // takes packets
	wanted atomic.Bool           // somebody has asked for a flush that has not begun
	late   *time.Timer           // flushes what nobody flushed

	sending sync.Mutex // held while a burst leaves; guards what follows
	out     *burst     // leaves, or is empty
	number  uint64     // of the burst that leaves
	msgs    []ipv4.Message
	runs    []run
	offload bool

	closed chan struct{}
	done   sync.WaitGroup
	once   sync.Once

	sent, calls, failed atomic.Uint64
}

// Route is a destination. Keep one for each, so that its packets find one another.
type Route struct {
	to netip.AddrPort

	// Guarded by Conn.sending.
	burst uint64 // the last one with packets for this route
	run   int    // in it, the run that the next packet may join
	plain bool   // the system refused to split a message for this route
}

// NewRoute returns the route to an address.
func NewRoute(to netip.AddrPort) *Route { return &Route{to: to} }

// Addr returns the destination.
func (r *Route) Addr() netip.AddrPort { return r.to }

// burst is packets on their way, back to back. Whoever has one reserves a place by adding to state; none is given while
// it is sealed, which it is unless it is the one being filled.
type burst struct {
	buf     []byte
	packets []outgoing
	state   atomic.Uint64 // sealed, packets, bytes
	written atomic.Uint32 // packets that are there
}

// The parts of a burst's state.
const (
	sealed    = 1 << 63
	onePacket = 1 << 32
	allBytes  = onePacket - 1
)

type outgoing struct {
	to         *Route
	start, end int
}

func newBurst() *burst {
	b := &burst{buf: make([]byte, burstBytes), packets: make([]outgoing, burstPackets)}
	b.state.Store(sealed)
	return b
}

// reserve takes the next n bytes; -1: there is no room.
func (b *burst) reserve(to *Route, n int) int {
	for {
		s := b.state.Load()
		i, begin := int(s/onePacket), int(s&allBytes)
		if s&sealed != 0 || i == burstPackets || begin+n > burstBytes {
			return -1
		}
		if b.state.CompareAndSwap(s, s+onePacket+uint64(n)) {
			b.packets[i] = outgoing{to: to, start: begin, end: begin + n}
			return i
		}
	}
}

// seal ends the filling and returns the packets, once they are all there.
func (b *burst) seal() []outgoing {
	n := b.state.Or(sealed) / onePacket
	for uint64(b.written.Load()) != n {
		runtime.Gosched() // they are being encrypted
	}
	return b.packets[:n]
}

// open makes an empty burst ready to be filled.
func (b *burst) open() {
	b.written.Store(0)
	b.state.Store(0)
}

// New returns a Conn that owns c, with the offload if it is wanted and the system has it.
func New(c *net.UDPConn, offload bool) *Conn {
	b := &Conn{
		UDPConn: c,
		batch:   ipv4.NewPacketConn(c),
		out:     newBurst(),
		late:    time.NewTimer(linger),
		msgs:    make([]ipv4.Message, 0, burstPackets),
		runs:    make([]run, 0, burstPackets),
		offload: offload && canOffload(c),
		closed:  make(chan struct{}),
	}
	first := newBurst()
	first.open()
	b.fill.Store(first)
	b.done.Go(b.lingerer)
	return b
}

// Close closes the socket and waits for the lingerer.
func (c *Conn) Close() error {
	var err error
	c.once.Do(func() {
		close(c.closed)
		err = c.UDPConn.Close()
		c.done.Wait()
	})
	return err
}

// Slot is room for one packet.
type Slot struct {
	B     []byte // to be filled completely
	burst *burst
}

// Commit tells that the packet is there. Call it soon: a flush waits for it.
func (s Slot) Commit() { s.burst.written.Add(1) }

// Reserve makes room for a packet of n bytes, at most MaxPacket; false when the socket is closed.
func (c *Conn) Reserve(to *Route, n int) (Slot, bool) {
	for n <= MaxPacket {
		f := c.fill.Load()
		if i := f.reserve(to, n); i >= 0 {
			if i == 0 {
				c.late.Reset(linger)
			}
			p := &f.packets[i]
			return Slot{B: f.buf[p.start:p.end:p.end], burst: f}, true
		}
		if c.isClosed() {
			break
		}
		if f == c.fill.Load() {
			c.wait()
		}
	}
	return Slot{}, false
}

// ReadFromAddrPort and WriteToAddrPort pass addresses without allocating.
func (c *Conn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return c.ReadFromUDPAddrPort(b)
}

// WriteToAddrPort sends b at once.
func (c *Conn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.WriteToUDPAddrPort(b, to)
}

// SetWriteDeadline does nothing: it would abort the writes of all users of the socket.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// Stats are counters since the socket was opened.
type Stats struct {
	Packets uint64 // sent out of bursts
	Calls   uint64 // system calls for them
	Failed  uint64 // packets that the system refused
	Offload bool   // packets leave in runs that the kernel splits
}

// Stats returns the counters.
func (c *Conn) Stats() Stats {
	c.sending.Lock()
	offload := c.offload
	c.sending.Unlock()
	return Stats{Packets: c.sent.Load(), Calls: c.calls.Load(), Failed: c.failed.Load(), Offload: offload}
}

func (c *Conn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// lingerer flushes what waits for longer than a millisecond.
func (c *Conn) lingerer() {
	defer c.late.Stop()
	for {
		select {
		case <-c.late.C:
			c.Flush()
		case <-c.closed:
			return
		}
	}
}

// Flush sees to it that everything leaves that was reserved before it was called. When somebody else is sending already,
// it returns at once and that one goes on with it.
func (c *Conn) Flush() {
	c.wanted.Store(true)
	for c.wanted.Load() && c.sending.TryLock() {
		if c.wanted.Swap(false) {
			c.flush()
		}
		c.sending.Unlock()
	}
}

// wait is Flush for whoever needs room.
func (c *Conn) wait() {
	c.sending.Lock()
	c.flush()
	c.sending.Unlock()
	if c.wanted.Load() {
		c.Flush() // somebody has left it to us
	}
}

// flush sends what was reserved. The caller holds sending.
func (c *Conn) flush() {
	if c.fill.Load().state.Load() == 0 {
		return
	}
	c.late.Stop() // before there is a new burst, whose first packet starts it again
	c.out.open()
	c.out = c.fill.Swap(c.out)
	c.send(c.out.seal())
}
