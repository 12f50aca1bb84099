package delivery

import (
	"container/heap"
	"time"

	"github.com/rivus-live/rivus/internal/store"
)

// aside are the deliveries that stepped aside, the one that is due first in front. Of each only its place is known.
type aside struct {
	byDue dueHeap
	known map[string]uint64 // by ID: the sequence of those that wait or are under way
}

func newAside() aside { return aside{known: map[string]uint64{}} }

func (a *aside) len() int { return len(a.byDue) }

// add adds an item that the queue tells of. Of one that is known already only a later putting counts.
func (a *aside) add(h store.Head) {
	if a.known[h.ID] >= h.Sequence {
		return
	}
	a.known[h.ID] = h.Sequence
	heap.Push(&a.byDue, h)
}

func (a *aside) due() time.Time { return a.byDue[0].Due }

func (a *aside) take() store.Head { return heap.Pop(&a.byDue).(store.Head) } //nolint:forcetypeassert // of our own heap

func (a *aside) putBack(h store.Head, due time.Time) {
	h.Due = due
	heap.Push(&a.byDue, h)
}

// stale tells whether an item that was taken has been put again meanwhile, and so waits a second time.
func (a *aside) stale(h store.Head) bool { return a.known[h.ID] != h.Sequence }

// finish forgets an item that was taken, unless it was put again meanwhile.
func (a *aside) finish(h store.Head) {
	if !a.stale(h) {
		delete(a.known, h.ID)
	}
}

type dueHeap []store.Head

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].Due.Before(h[j].Due) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(store.Head)) } //nolint:forcetypeassert // of our own heap
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
