// Package burst sends RTP packets of many streams through one UDP socket in as few system calls as the system allows.
//
// Whoever has packets takes a Batch, reserves room for each packet and writes it there; nothing is copied afterwards.
// Ending the batch hands it to the system: packets of one route and one size as one message that the kernel splits
// (UDP_SEGMENT), the messages of all routes in one sendmmsg. A batch that is full leaves by itself. Packets leave in the
// order in which room was reserved. What is written with WriteToAddrPort leaves at once. A Reader takes what comes, also
// many datagrams in one system call.
//
// A Batch belongs to one goroutine, as does a Reader; everything else may be called from any. Batches of several
// goroutines leave at the same time. When the socket takes no more, whoever sends waits.
//
// Imports: nothing of Rivus.
package burst

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
)

// Bounds of a batch. A run is what one segmentation-offload message may hold: the kernel takes up to 64 segments and
// 64 KiB; a run also bounds how much a slow receiver gets back to back.
const (
	batchPackets = 128
	batchBytes   = batchPackets * 1300
	runSegments  = 48
	runBytes     = 60_000
	spareBatches = 16 // kept for those who come next

	// MaxPacket is the longest packet that can be reserved: the payload of a datagram on Ethernet.
	MaxPacket = 1472
)

// Conn is the socket.
type Conn struct {
	*net.UDPConn
	raw     syscall.RawConn
	offload atomic.Bool

	mu    sync.Mutex
	spare []*Batch

	sent, calls, failed atomic.Uint64
}

// Buffer is how many bytes of datagrams may wait in the socket, in each direction, if the system allows it: about 20 ms of
// a gigabit a second, for which the reader may not get a processor.
const Buffer = 4 << 20

// New returns a Conn that owns c, with the offload if it is wanted and the system has it.
func New(c *net.UDPConn, offload bool) *Conn {
	raw, _ := c.SyscallConn() // fails for no socket only
	conn := &Conn{UDPConn: c, raw: raw}
	grow(raw, Buffer)
	conn.offload.Store(offload && canOffload(raw))
	return conn
}

// Batch returns an empty batch.
func (c *Conn) Batch() *Batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.spare) - 1; last >= 0 {
		b := c.spare[last]
		c.spare = c.spare[:last]
		return b
	}
	return newBatch(c)
}

// WriteToAddrPort sends b at once, without allocating.
func (c *Conn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.WriteToUDPAddrPort(b, to)
}

// Stats are counters since the socket was opened.
type Stats struct {
	Packets uint64 // sent out of batches
	Calls   uint64 // system calls for them
	Failed  uint64 // packets that the system refused
	Unread  uint64 // datagrams that came faster than they were read, and are lost
	Offload bool   // packets leave in runs that the kernel splits
}

// Stats returns the counters.
func (c *Conn) Stats() Stats {
	return Stats{
		Packets: c.sent.Load(), Calls: c.calls.Load(), Failed: c.failed.Load(), Unread: overflown(c.raw), Offload: c.offload.Load(),
	}
}
