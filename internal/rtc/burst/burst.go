// Package burst sends RTP packets of many streams through one UDP socket in as few system calls as the system allows.
//
// Whoever has a packet for a Route reserves room for it, writes it there and commits; nothing is copied afterwards.
// Flush hands everything that was committed to the system: packets of one route and one size as one message that the
// kernel splits (UDP_SEGMENT), the messages of all routes in one sendmmsg. What nobody flushes leaves after a
// millisecond. Packets of one route leave in the order in which room was reserved. What is written with
// WriteToAddrPort leaves at once.
//
// Everything may be called from any goroutine. When the socket takes no more, whoever reserves waits: the bound is two
// bursts.
//
// Imports: nothing of Rivus.
package burst

import (
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

	// MaxPacket is the longest packet that can be reserved: the payload of a datagram on Ethernet.
	MaxPacket = 1472

	// The lingerer sends what nobody flushed. Writers flush at the end of their burst, so it seldom has work.
	linger = time.Millisecond
)

// Conn is the socket.
type Conn struct {
	*net.UDPConn
	batch *ipv4.PacketConn // the same socket; works for both address families

	wanted  atomic.Bool // somebody has asked for a flush that has not begun
	sending sync.Mutex  // held while a burst leaves; guards out and the state below
	out     *burst
	number  uint64 // of the burst that leaves
	msgs    []ipv4.Message
	runs    []run
	offload bool

	mu   sync.Mutex // guards fill; taken after sending
	fill *burst

	wake   chan struct{} // the lingerer's
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

// burst is packets on their way, back to back.
type burst struct {
	buf     []byte
	packets []outgoing
	writing sync.WaitGroup // room that is reserved and not committed
}

type outgoing struct {
	to         *Route
	start, end int
}

func newBurst() *burst {
	return &burst{buf: make([]byte, burstBytes), packets: make([]outgoing, 0, burstPackets)}
}

// New returns a Conn that owns c, with the offload if it is wanted and the system has it.
func New(c *net.UDPConn, offload bool) *Conn {
	b := &Conn{
		UDPConn: c,
		batch:   ipv4.NewPacketConn(c),
		out:     newBurst(),
		fill:    newBurst(),
		msgs:    make([]ipv4.Message, 0, burstPackets),
		runs:    make([]run, 0, burstPackets),
		offload: offload && canOffload(c),
		wake:    make(chan struct{}, 1),
		closed:  make(chan struct{}),
	}
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
func (s Slot) Commit() { s.burst.writing.Done() }

// Reserve makes room for a packet of n bytes, at most MaxPacket; false when the socket is closed.
func (c *Conn) Reserve(to *Route, n int) (Slot, bool) {
	for {
		s, first, ok := c.room(to, n)
		if ok {
			if first {
				c.nudge()
			}
			return s, true
		}
		if c.isClosed() || n > MaxPacket {
			return Slot{}, false
		}
		c.wait()
	}
}

// room takes the next n bytes of the burst being filled.
func (c *Conn) room(to *Route, n int) (s Slot, first, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, begin := c.fill, 0
	if i := len(f.packets); i > 0 {
		begin = f.packets[i-1].end
	}
	if len(f.packets) == burstPackets || begin+n > burstBytes {
		return Slot{}, false, false
	}
	f.packets = append(f.packets, outgoing{to: to, start: begin, end: begin + n})
	f.writing.Add(1)
	return Slot{B: f.buf[begin : begin+n : begin+n], burst: f}, begin == 0, true
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

func (c *Conn) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
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
	c.mu.Lock()
	c.out, c.fill = c.fill, c.out
	c.mu.Unlock()
	if len(c.out.packets) == 0 {
		return
	}
	c.out.writing.Wait()
	c.send()
	c.out.packets = c.out.packets[:0]
}
