package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
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

// overflows returns how many datagrams the machine has dropped because the process that they were for did not read them
// in time, 0 when it does not say.
func overflows() int64 {
	file, _ := os.ReadFile("/proc/net/snmp") // as above
	var names []string
	for lines := bufio.NewScanner(bytes.NewReader(file)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || words[0] != "Udp:" {
			continue
		}
		if names == nil {
			names = words
			continue
		}
		if i := slices.Index(names, "RcvbufErrors"); i >= 0 && i < len(words) {
			n, _ := strconv.ParseInt(words[i], 10, 64) // as above
			return n
		}
	}
	return 0
}
