package burst

import (
	"net/netip"
	"sync/atomic"
)

// Route is a destination. Keep one for each, so that its packets find one another.
type Route struct {
	to    netip.AddrPort
	name  sockaddr    // the same as the system has it
	plain atomic.Bool // the system refused to split a message for this route
}

// NewRoute returns the route to an address.
func NewRoute(to netip.AddrPort) *Route {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	return &Route{to: to, name: newSockaddr(to)}
}

// Addr returns the destination.
func (r *Route) Addr() netip.AddrPort { return r.to }

// Batch is packets that leave together, back to back. The nil batch is empty and stays so.
type Batch struct {
	conn    *Conn
	buf     []byte
	used    int // of buf
	packets int
	runs    []run
	system  messages // of a run each
}

// run is packets of one route, one after the other, that leave as one message.
type run struct {
	to         *Route
	begin, end int // in the batch
	size       int // of the first packet
	packets    int
}

func newBatch(c *Conn) *Batch {
	return &Batch{conn: c, buf: make([]byte, batchBytes), runs: make([]run, 0, batchPackets)}
}

// Reserve makes room for the next packet, of n bytes, all of which the caller writes before it calls anything else of the
// batch. Nil: the packet is longer than MaxPacket.
func (b *Batch) Reserve(to *Route, n int) []byte {
	if b == nil || n > MaxPacket {
		return nil
	}
	if b.packets == batchPackets || b.used+n > len(b.buf) {
		b.send()
	}
	begin := b.used
	b.used += n
	b.packets++
	if last := len(b.runs) - 1; last >= 0 && b.runs[last].takes(to, n) && b.conn.offload.Load() {
		b.runs[last].end = b.used
		b.runs[last].packets++
	} else {
		b.runs = append(b.runs, run{to: to, begin: begin, end: b.used, size: n, packets: 1})
	}
	return b.buf[begin:b.used:b.used]
}

// takes tells whether a packet of n bytes may join: all have the size of the first, but the last may be shorter.
func (r *run) takes(to *Route, n int) bool {
	whole := r.end-r.begin == r.packets*r.size
	return r.to == to && whole && n <= r.size && r.packets < runSegments && r.end-r.begin+n <= runBytes && !to.plain.Load()
}

// End sends the packets and gives up the batch. What cannot be sent is lost, as on any network.
func (b *Batch) End() {
	if b == nil {
		return
	}
	b.send()
	c := b.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.spare) < spareBatches {
		c.spare = append(c.spare, b)
	}
}

// send hands everything to the system.
func (b *Batch) send() {
	if b.packets == 0 {
		return
	}
	b.conn.sent.Add(uint64(b.packets))
	b.transmit()
	b.used, b.packets, b.runs = 0, 0, b.runs[:0]
}

// refused deals with a run that the system did not take: when the offload is to blame, its packets leave one by one.
func (b *Batch) refused(r *run, err error) {
	c := b.conn
	if r.packets == 1 || !refusesOffload(err) {
		c.failed.Add(uint64(r.packets))
		return
	}
	if hasNoOffload(err) {
		c.offload.Store(false)
	}
	r.to.plain.Store(true)
	b.single(r)
}

// single sends the packets of a run one by one.
func (b *Batch) single(r *run) {
	for rest := b.buf[r.begin:r.end]; len(rest) > 0; {
		n := min(len(rest), r.size)
		if _, err := b.conn.WriteToAddrPort(rest[:n], r.to.to); err != nil {
			b.conn.failed.Add(1)
		}
		rest = rest[n:]
	}
}
