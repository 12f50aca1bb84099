package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The heap of a server is mostly media that must be kept: large, without pointers, and cheap to mark. So the collector
// may come often when there is a lot of it, which keeps the resident size close to what is kept; and it should come
// seldom while there is little, where Go's default would collect every few megabytes of API answers.
const (
	heapRoom      = 64 << 20 // bytes that may be allocated between two collections, at least
	heapMinShare  = 20       // percent of the live heap that may be, when that is more
	heapMaxShare  = 400
	heapLookEvery = time.Second
)

// tuneHeap sets the collector's target as the live heap grows and shrinks, until ctx ends. It is for the whole process,
// so main runs it and no server does. An operator who sets GOGC decides alone.
func tuneHeap(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	before := debug.SetGCPercent(heapMaxShare)
	defer debug.SetGCPercent(before)
	tick := time.NewTicker(heapLookEvery)
	defer tick.Stop()
	for now := heapMaxShare; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		metrics.Read(sample)
		// Setting the target stops the world for a moment: not for nothing.
		if want := heapShare(sample[0].Value.Uint64()); want*10 < now*9 || want*10 > now*11 {
			debug.SetGCPercent(want)
			now = want
		}
	}
}

// heapShare returns the GOGC percentage for a live heap of the given size.
func heapShare(live uint64) int {
	share := heapMaxShare
	if live > 0 {
		share = int(min(heapRoom*100/live, heapMaxShare))
	}
	return max(share, heapMinShare)
}
