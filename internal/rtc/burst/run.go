package burst

import (
	"errors"
	"net"

	"golang.org/x/net/ipv4"
)

// run is packets of one route that leave as one message.
type run struct {
	to      *Route
	addr    net.UDPAddr
	ip      [16]byte // behind addr
	buffers [][]byte // packets that lie back to back share one
	oob     []byte
	end     int // where the last packet ends in the burst
	size    int // of the first packet
	packets int
	bytes   int
	closed  bool // the last packet was shorter than the first
}

// send groups the burst into runs and hands them to the system. What cannot be sent is lost, as on any network.
func (c *Conn) send(packets []outgoing) {
	c.group(packets)
	c.msgs = c.msgs[:0]
	for i := range c.runs {
		c.msgs = append(c.msgs, c.runs[i].message())
	}
	c.sent.Add(uint64(len(packets)))
	for at := 0; at < len(c.msgs); {
		n, err := c.batch.WriteBatch(c.msgs[at:min(len(c.msgs), at+maxMessages)], 0)
		c.calls.Add(1)
		if n > 0 {
			at += n
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		c.refused(&c.runs[at], err)
		at++
	}
}

// refused deals with a run that the system did not take: when the offload is to blame, its packets leave one by one.
func (c *Conn) refused(r *run, err error) {
	if r.packets == 1 || !refusesOffload(err) {
		c.failed.Add(uint64(r.packets))
		return
	}
	if hasNoOffload(err) {
		c.offload = false
	}
	r.to.plain = true
	for _, b := range r.buffers {
		for len(b) > 0 {
			n := min(len(b), r.size)
			if _, err := c.UDPConn.WriteTo(b[:n], &r.addr); err != nil {
				c.failed.Add(1)
			}
			b = b[n:]
		}
	}
}

// group sorts the burst's packets into runs, in order.
func (c *Conn) group(packets []outgoing) {
	c.number++
	c.runs = c.runs[:0]
	for i := range packets {
		p := &packets[i]
		r := p.to
		if r.burst != c.number || r.plain || !c.offload || !c.runs[r.run].takes(p.end-p.start) {
			r.burst, r.run = c.number, c.newRun(r, p.end-p.start)
		}
		c.runs[r.run].add(c.out.buf, p)
	}
}

func (c *Conn) newRun(to *Route, size int) int {
	i := len(c.runs)
	c.runs = c.runs[:i+1] // as many as packets at most
	r := &c.runs[i]
	r.to, r.buffers, r.end, r.size, r.packets, r.bytes, r.closed = to, r.buffers[:0], -1, size, 0, 0, false
	if a := to.to.Addr(); a.Is4() || a.Is4In6() {
		four := a.Unmap().As4()
		r.addr.IP = r.ip[:copy(r.ip[:], four[:])]
	} else {
		r.ip = a.As16()
		r.addr.IP = r.ip[:]
	}
	r.addr.Port, r.addr.Zone = int(to.to.Port()), to.to.Addr().Zone()
	return i
}

// takes tells whether a packet of n bytes may join: all have the size of the first, but the last may be shorter.
func (r *run) takes(n int) bool {
	return !r.closed && n <= r.size && r.packets < runSegments && r.bytes+n <= runBytes
}

func (r *run) add(buf []byte, p *outgoing) {
	n := p.end - p.start
	if last := len(r.buffers) - 1; p.start == r.end {
		r.buffers[last] = buf[p.start-len(r.buffers[last]) : p.end]
	} else {
		r.buffers = append(r.buffers, buf[p.start:p.end])
	}
	r.end = p.end
	r.packets++
	r.bytes += n
	r.closed = n < r.size
}

func (r *run) message() ipv4.Message {
	m := ipv4.Message{Buffers: r.buffers, Addr: &r.addr}
	if r.packets > 1 {
		r.oob = appendSegmentSize(r.oob[:0], r.size)
		m.OOB = r.oob
	}
	return m
}
