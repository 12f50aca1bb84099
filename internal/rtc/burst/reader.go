package burst

import "net/netip"

// Bounds of what is read at once.
const (
	readPackets = 32
	readRoom    = 2048 // bytes of a datagram; longer ones are dropped, as nothing that we speak needs them
)

// Reader reads the socket, many datagrams in one system call where there is such a call. It belongs to one goroutine.
// In steady state it allocates nothing.
type Reader struct {
	reader // the system's

	handle func(b []byte, from netip.AddrPort)
}

// NewReader returns a reader that gives every datagram to handle, together with the address that it came from: an IPv4
// address is never an IPv6 one. handle may destroy b, and keeps nothing of it.
func (c *Conn) NewReader(handle func(b []byte, from netip.AddrPort)) (*Reader, error) {
	r := &Reader{handle: handle}
	return r, r.open(c.UDPConn)
}

// Read waits for datagrams and handles those that are there. The error is net.ErrClosed once the socket is closed;
// others tell of a single datagram, and reading may go on.
func (r *Reader) Read() error { return r.read(r.handle) }
