package rtctest

import (
	"context"
	"testing"
	"time"
)

// longest is how long a test waits for what has to happen. It is shorter than the 30 s in which a client of stock WebRTC
// notices by itself that nobody answers its checks, so that a goodbye which is not heard fails the test.
const longest = 20 * time.Second

// WaitClosed fails the test when ch is not closed in time.
func WaitClosed(tb testing.TB, what string, ch <-chan struct{}) {
	tb.Helper()
	select {
	case <-ch:
	case <-time.After(longest):
		tb.Fatalf("timeout: %s", what)
	}
}

// Receive returns the next value of a channel, and fails the test when none comes in time.
func Receive[T any](tb testing.TB, what string, from <-chan T) T {
	tb.Helper()
	var v T
	select {
	case v = <-from:
	case <-time.After(longest):
		tb.Fatalf("timeout: %s", what)
	}
	return v
}

// Until polls a condition, and fails the test when it does not come true in time.
func Until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), longest)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("timeout: %s", what)
		}
	}
}
