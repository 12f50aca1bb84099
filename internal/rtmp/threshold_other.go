//go:build !linux

package rtmp

import "net"

// threshold is for Linux only; elsewhere every byte wakes its connection.
type threshold struct{}

func newThreshold(net.Conn) *threshold { return nil }

func (*threshold) wait(int) {}
