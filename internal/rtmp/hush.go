package rtmp

import (
	"sync"
	"time"
)

const (
	hushLines    = 100 // about connections that came to nothing
	hushInterval = 10 * time.Second
)

// hush bounds the lines about connections that published nothing, because anybody can make any number of those.
type hush struct {
	mu     sync.Mutex
	begun  time.Time
	lines  int
	silent int // connections without a line since the last one that got one
}

// line reports whether a connection gets a line, and how many before it did not.
func (h *hush) line(now time.Time) (silent int, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.begun) >= hushInterval {
		h.begun, h.lines = now, 0
	}
	if h.lines >= hushLines {
		h.silent++
		return 0, false
	}
	h.lines++
	silent, h.silent = h.silent, 0
	return silent, true
}
