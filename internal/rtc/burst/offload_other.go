//go:build !linux

package burst

import "net"

func canOffload(*net.UDPConn) bool { return false }

func refusesOffload(error) bool { return false }

func hasNoOffload(error) bool { return false }

func appendSegmentSize(b []byte, _ int) []byte { return b }
