//go:build unix

package app

import (
	"math"
	"syscall"
)

// maxDescriptors returns how many file descriptors the process may have, 0 when there is no bound that matters.
func maxDescriptors() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || l.Cur > math.MaxInt32 {
		return 0
	}
	return int(l.Cur) //nolint:gosec // it is in range
}
