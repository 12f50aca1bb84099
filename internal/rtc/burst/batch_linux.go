package burst

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// canOffload asks the kernel whether it splits messages (Linux 4.18 and later).
func canOffload(raw syscall.RawConn) bool {
	ok := false
	err := raw.Control(func(fd uintptr) {
		_, optErr := unix.GetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT)
		ok = optErr == nil
	})
	return err == nil && ok
}

// refusesOffload tells whether a failed send is the fault of the offload: a path whose MTU is below the segments' answers
// EMSGSIZE or EINVAL, a network card without checksum offload EIO.
func refusesOffload(err error) bool {
	return hasNoOffload(err) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EMSGSIZE)
}

// hasNoOffload tells whether no route will ever do better.
func hasNoOffload(err error) bool { return errors.Is(err, unix.EIO) }

// sockaddr is the kernel's struct sockaddr_in or sockaddr_in6.
type sockaddr struct {
	bytes [unix.SizeofSockaddrInet6]byte
	size  uint32
}

func newSockaddr(to netip.AddrPort) (s sockaddr) {
	family := uint16(unix.AF_INET)
	if to.Addr().Is4() {
		s.size = unix.SizeofSockaddrInet4
		four := to.Addr().As4()
		copy(s.bytes[4:], four[:])
	} else {
		family, s.size = unix.AF_INET6, unix.SizeofSockaddrInet6
		sixteen := to.Addr().As16()
		copy(s.bytes[8:], sixteen[:])
		binary.NativeEndian.PutUint32(s.bytes[24:], zoneIndex(to.Addr().Zone()))
	}
	binary.NativeEndian.PutUint16(s.bytes[:], family)
	binary.BigEndian.PutUint16(s.bytes[2:], to.Port())
	return s
}

// zoneIndex returns the number of an interface, 0 when there is none.
func zoneIndex(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	n, _ := strconv.ParseUint(zone, 10, 32) // 0 if it is none
	return uint32(n)
}

// messages are what sendmmsg reads.
type messages struct {
	heads [batchPackets]messageHeader
	parts [batchPackets]unix.Iovec
	sizes [batchPackets]segmentSize

	begin, count int // what is to be sent
	n            int // what was
	errno        syscall.Errno
	call         func(fd uintptr)      // sendmmsg, made once
	wait         func(fd uintptr) bool // the same for a socket that was full
}

// segmentSize is a control message of the type UDP_SEGMENT; Go aligns it as the kernel does.
type segmentSize struct {
	header unix.Cmsghdr
	size   uint16
	_      [unsafe.Sizeof(uintptr(0)) - 2]byte
}

// transmit sends the runs, a message each.
func (b *Batch) transmit() {
	m := &b.system
	if m.call == nil {
		m.call, m.wait = m.sendmmsg, m.retry
	}
	for i := range b.runs {
		m.prepare(i, &b.runs[i], b.buf)
	}
	m.begin, m.count = 0, len(b.runs)
	for m.begin < m.count {
		err := b.conn.raw.Control(m.call)
		if m.errno == unix.EAGAIN && err == nil {
			err = b.conn.raw.Write(m.wait)
		}
		if err != nil {
			return // it is closed
		}
		b.conn.calls.Add(1)
		if m.errno != 0 {
			b.refused(&b.runs[m.begin], m.errno)
			m.n = 1
		}
		m.begin += m.n
	}
}

// prepare makes message i of a run.
func (m *messages) prepare(i int, r *run, buf []byte) {
	m.parts[i].Base = &buf[r.begin]
	m.parts[i].SetLen(r.end - r.begin)
	h := &m.heads[i].header
	*h = unix.Msghdr{Name: &r.to.name.bytes[0], Namelen: r.to.name.size, Iov: &m.parts[i]}
	h.SetIovlen(1)
	if r.packets > 1 {
		s := &m.sizes[i]
		s.header.Level, s.header.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		s.header.SetLen(unix.CmsgLen(2))
		s.size = uint16(r.size)
		h.Control = (*byte)(unsafe.Pointer(s))
		h.SetControllen(unix.CmsgSpace(2))
	}
}

// sendmmsg sends what is left, as far as the system takes it. It does not wait, and a batch takes no longer than a
// goroutine may run undisturbed, so the scheduler is not told of it: it would wake its monitor thread to watch the call,
// which costs more than a small batch.
func (m *messages) sendmmsg(fd uintptr) {
	n, errno := uintptr(0), unix.EINTR
	for errno == unix.EINTR {
		n, _, errno = unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&m.heads[m.begin])),
			uintptr(m.count-m.begin), unix.MSG_DONTWAIT, 0, 0)
	}
	m.n, m.errno = int(n), errno
}

// retry is sendmmsg once more; false when the socket is still full.
func (m *messages) retry(fd uintptr) bool {
	m.sendmmsg(fd)
	return m.errno != unix.EAGAIN
}
