package main

import "testing"

func TestHeapShare(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{
		0:         heapMaxShare,
		1 << 20:   heapMaxShare, // little is kept: collect seldom
		64 << 20:  100,
		128 << 20: 50,
		1 << 30:   heapMinShare, // a lot is kept: stay close to it
	} {
		if got := heapShare(live); got != want {
			t.Errorf("live heap of %d MiB: %d percent, want %d", live>>20, got, want)
		}
	}
}
