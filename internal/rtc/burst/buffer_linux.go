package burst

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// grow makes room for n bytes that wait to be read, and as many to be sent: beyond the system's limits where the process
// may do that, else up to them.
func grow(raw syscall.RawConn, n int) {
	_ = raw.Control(func(fd uintptr) {
		for _, options := range [][2]int{{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF}} {
			if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, options[0], n) != nil {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, options[1], n)
			}
		}
	})
}

// overflown returns how many datagrams found no room (SO_MEMINFO, Linux 4.12 and later; before, always 0).
func overflown(raw syscall.RawConn) uint64 {
	var info [9]uint32
	size := uint32(unsafe.Sizeof(info))
	err := raw.Control(func(fd uintptr) {
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno != 0 {
			info[unix.SK_MEMINFO_DROPS] = 0
		}
	})
	if err != nil {
		return 0
	}
	return uint64(info[unix.SK_MEMINFO_DROPS])
}
