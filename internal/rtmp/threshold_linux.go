package rtmp

import (
	"net"
	"syscall"
)

// threshold tells the kernel how many bytes must have come before a read of the socket is worth waking up for
// (SO_RCVLOWAT). A read that is made anyway returns what is there.
type threshold struct {
	raw   syscall.RawConn
	set   int
	apply func(fd uintptr) // made once, so that a change allocates nothing
	err   error
}

// newThreshold returns nil for connections that are not plain TCP: what TLS has buffered the kernel cannot count.
func newThreshold(nc net.Conn) *threshold {
	tcp, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	t := &threshold{raw: raw, set: 1}
	t.apply = func(fd uintptr) {
		t.err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, t.set)
	}
	return t
}

// wait makes n the threshold; 1 is how sockets begin. An error of the socket will show when it is read.
func (t *threshold) wait(n int) {
	if t.set != n {
		t.set = n
		_ = t.raw.Control(t.apply)
	}
}
