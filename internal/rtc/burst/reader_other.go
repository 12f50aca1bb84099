//go:build !linux

package burst

import (
	"net"
	"net/netip"
)

// reader reads one datagram at a time.
type reader struct {
	conn *net.UDPConn
	data []byte
}

func (r *reader) open(c *net.UDPConn) error {
	r.conn, r.data = c, make([]byte, readRoom+1)
	return nil
}

func (r *reader) read(handle func(b []byte, from netip.AddrPort)) error {
	n, from, err := r.conn.ReadFromUDPAddrPort(r.data)
	if err == nil && n <= readRoom {
		handle(r.data[:n:readRoom], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
	return err
}
