//go:build !linux

package burst

import (
	"net/netip"
	"syscall"
)

func canOffload(syscall.RawConn) bool { return false }

func refusesOffload(error) bool { return false }

func hasNoOffload(error) bool { return false }

type sockaddr struct{}

func newSockaddr(netip.AddrPort) sockaddr { return sockaddr{} }

type messages struct{}

// transmit sends the packets, a system call each.
func (b *Batch) transmit() {
	for i := range b.runs {
		b.single(&b.runs[i])
		b.conn.calls.Add(uint64(b.runs[i].packets))
	}
}
