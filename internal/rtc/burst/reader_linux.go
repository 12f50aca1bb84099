package burst

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reader reads with recvmmsg. What the kernel fills in lies in it, and is used again.
type reader struct {
	raw   syscall.RawConn
	heads []messageHeader
	parts []unix.Iovec
	names []unix.RawSockaddrInet6 // the longer of the two kinds of addresses
	data  []byte
	zones map[uint32]string // of link-local addresses, by interface

	receive func(fd uintptr) bool // made once
	n       int                   // what receive has read
	err     error
}

// messageHeader is the kernel's struct mmsghdr. It ends on a word, as Go has it too.
type messageHeader struct {
	header unix.Msghdr
	size   uint32
}

func (r *reader) open(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("read the UDP socket: %w", err)
	}
	*r = reader{
		raw: raw, data: make([]byte, readPackets*readRoom), zones: map[uint32]string{},
		heads: make([]messageHeader, readPackets), parts: make([]unix.Iovec, readPackets),
		names: make([]unix.RawSockaddrInet6, readPackets),
	}
	for i := range r.heads {
		r.parts[i].Base = &r.data[i*readRoom]
		r.parts[i].SetLen(readRoom)
		h := &r.heads[i].header
		h.Name, h.Iov = (*byte)(unsafe.Pointer(&r.names[i])), &r.parts[i]
		h.SetIovlen(1)
	}
	r.rewind(readPackets)
	r.receive = r.recvmmsg
	return nil
}

// rewind prepares the first n headers for the kernel, which has written to them.
func (r *reader) rewind(n int) {
	for i := range r.heads[:n] {
		r.heads[i].header.Namelen = unix.SizeofSockaddrInet6
		r.heads[i].header.Flags = 0
	}
}

// recvmmsg reads what is there; false when nothing is. As sendmmsg, it does not wait.
func (r *reader) recvmmsg(fd uintptr) bool {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.heads[0])), readPackets, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			r.n, r.err = int(n), nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return false
		default:
			r.n, r.err = 0, errno
		}
		return true
	}
}

func (r *reader) read(handle func(b []byte, from netip.AddrPort)) error {
	if err := r.raw.Read(r.receive); err != nil {
		return err //nolint:wrapcheck // it is net.ErrClosed
	}
	for i := range r.heads[:r.n] {
		h := &r.heads[i]
		from, ok := r.from(&r.names[i])
		if ok && h.header.Flags&unix.MSG_TRUNC == 0 {
			begin := i * readRoom
			handle(r.data[begin:begin+int(h.size):begin+readRoom], from)
		}
	}
	r.rewind(r.n)
	return r.err
}

// from reads an address (struct sockaddr_in and sockaddr_in6).
func (r *reader) from(name *unix.RawSockaddrInet6) (netip.AddrPort, bool) {
	var number [2]byte
	binary.NativeEndian.PutUint16(number[:], name.Port)
	port := binary.BigEndian.Uint16(number[:])
	switch name.Family {
	case unix.AF_INET:
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), port), true
	case unix.AF_INET6:
		a := netip.AddrFrom16(name.Addr).Unmap()
		if name.Scope_id != 0 && a.Is6() {
			a = a.WithZone(r.zone(name.Scope_id))
		}
		return netip.AddrPortFrom(a, port), true
	}
	return netip.AddrPort{}, false
}

// zone returns the name of an interface, "" when it is no more.
func (r *reader) zone(index uint32) string {
	name, ok := r.zones[index]
	if !ok {
		if i, err := net.InterfaceByIndex(int(index)); err == nil {
			name = i.Name
		}
		r.zones[index] = name
	}
	return name
}
