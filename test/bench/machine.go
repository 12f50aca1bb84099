package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// describeMachine tells on what the figures were measured, and how busy it was with other things.
func describeMachine() string {
	info, _ := os.ReadFile("/proc/cpuinfo") // an unknown processor is no reason not to measure
	cpu := field(info, "model name")
	if cpu == "" {
		cpu = "unknown CPU (" + runtime.GOARCH + ")"
	}
	memory, _ := os.ReadFile("/proc/meminfo")
	load, _ := os.ReadFile("/proc/loadavg")
	busy, _, _ := strings.Cut(string(load), " ")
	var u unix.Utsname
	kernel := "unknown"
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	return fmt.Sprintf("%s, %d cores, %d MB memory, %s, %s; load average %s before the run",
		cpu, runtime.NumCPU(), kilobytes(field(memory, "MemTotal"))>>10, kernel, runtime.Version(), busy)
}

// field returns the value of the first "name: value" line of a file from /proc, "" when there is none.
func field(file []byte, name string) string {
	for lines := bufio.NewScanner(bytes.NewReader(file)); lines.Scan(); {
		key, value, ok := strings.Cut(lines.Text(), ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// kilobytes reads a "123 kB" value of /proc, 0 when it is none.
func kilobytes(value string) int64 {
	var n int64
	if _, err := fmt.Sscanf(value, "%d kB", &n); err != nil {
		return 0
	}
	return n
}

// overflows returns how many datagrams the system has dropped at some UDP ports because nobody read them in time, 0 when
// it does not say.
func overflows(ports ...uint16) int64 {
	file, _ := os.ReadFile("/proc/net/udp") // as above
	wanted := map[string]bool{}
	for _, port := range ports {
		wanted[fmt.Sprintf("%04X", port)] = true
	}
	var sum int64
	for lines := bufio.NewScanner(bytes.NewReader(file)); lines.Scan(); {
		const local, drops = 1, 12 // columns
		words := strings.Fields(lines.Text())
		if len(words) <= drops {
			continue
		}
		if _, port, _ := strings.Cut(words[local], ":"); wanted[port] {
			n, _ := strconv.ParseInt(words[drops], 10, 64) // as above
			sum += n
		}
	}
	return sum
}

// queueDrops returns how many packets the system has dropped before any socket saw them, because its queues between
// processors were full (net.core.netdev_max_backlog); 0 when it does not say.
func queueDrops() int64 {
	file, _ := os.ReadFile("/proc/net/softnet_stat") // as above
	var sum int64
	for lines := bufio.NewScanner(bytes.NewReader(file)); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) > 1 {
			n, _ := strconv.ParseInt(words[1], 16, 64) // as above
			sum += n
		}
	}
	return sum
}
