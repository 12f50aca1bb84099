package burst

import (
	"encoding/binary"
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// canOffload asks the kernel whether it splits messages (Linux 4.18 and later).
func canOffload(c *net.UDPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	err = raw.Control(func(fd uintptr) {
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

// appendSegmentSize appends the control message that gives the size of segments.
func appendSegmentSize(b []byte, size int) []byte {
	header, space := unix.CmsgLen(0), unix.CmsgSpace(2)
	start := len(b)
	b = append(b, make([]byte, space)...)
	m := b[start:]
	word := header - 8 // the length field: four bytes of level and four of type follow it
	if word == 8 {
		binary.NativeEndian.PutUint64(m, uint64(unix.CmsgLen(2)))
	} else {
		binary.NativeEndian.PutUint32(m, uint32(unix.CmsgLen(2)))
	}
	binary.NativeEndian.PutUint32(m[word:], unix.IPPROTO_UDP)
	binary.NativeEndian.PutUint32(m[word+4:], unix.UDP_SEGMENT)
	binary.NativeEndian.PutUint16(m[header:], uint16(size))
	return b
}
