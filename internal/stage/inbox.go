package stage

import (
	"sync"
	"time"
)

const (
	inboxRoom = 256              // items waiting for a writer; more is a writer that is behind
	maxBurst  = 48               // items that a writer takes at once
	gather    = time.Millisecond // how long a frame's first packets wait for the rest of it
)

// inbox is what waits for a writer. The feeds of a track put in, and wake the writer when a frame is complete; so it
// wakes once a frame, not once a packet.
type inbox struct {
	mu     sync.Mutex
	items  [inboxRoom]item
	head   int // of items
	count  int
	missed bool // there was no room for some
}

// put adds an item, and tells how many there are now; false when there is no room.
func (b *inbox) put(it *item) (count int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.count == inboxRoom {
		b.missed = true
		return b.count, false
	}
	b.items[(b.head+b.count)%inboxRoom] = *it
	b.count++
	return b.count, true
}

// take moves the oldest items to dst, and tells whether some have been missed since it was last called.
func (b *inbox) take(dst []item) (list []item, missed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range min(b.count, maxBurst) {
		dst = append(dst, b.items[b.head])
		b.head = (b.head + 1) % inboxRoom
		b.count--
	}
	missed, b.missed = b.missed, false
	return dst, missed
}

// empty reports whether nothing waits.
func (b *inbox) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count == 0
}
