package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the CPU time that a process has used in user and system mode, to the nanosecond. /proc/<pid>/stat
// tells it to 10 ms only, too coarse for one stream.
func cpuTime(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED: the clock id of a process is built as clock_getcpuclockid(3) does it
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// residentBytes returns the physical memory that a process holds and the most that it has ever held.
func residentBytes(pid int) (now, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	return kilobytes(field(status, "VmRSS")) << 10, kilobytes(field(status, "VmHWM")) << 10, nil
}
