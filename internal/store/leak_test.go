package store

import (
	"runtime"
	"strings"
	"time"
)

// leftGoroutines returns the stacks of goroutines that outlive the tests: anything of ours or of the engine.
func leftGoroutines() string {
	var left string
	for range 100 { // goroutines that have been told to end need a moment
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		left = ""
		for _, g := range strings.Split(string(buf), "\n\n") {
			if strings.Contains(g, "nats-server/v2/server/ats.Register") {
				continue // the engine's one clock: a stream that it could not open keeps it going
			}
			if strings.Contains(g, "leftGoroutines") || !strings.Contains(g, "rivus") && !strings.Contains(g, "nats") {
				continue
			}
			left += g + "\n\n"
		}
		if left == "" {
			return ""
		}
		<-time.After(50 * time.Millisecond)
	}
	return left
}
