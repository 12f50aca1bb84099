//go:build !linux

package burst

import "syscall"

// grow and overflown need what other systems have not.
func grow(syscall.RawConn, int) {}

func overflown(syscall.RawConn) uint64 { return 0 }
