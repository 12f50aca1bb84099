package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func place(queue, lane, id string) Place { return Place{Key: keyOf(queue), Lane: lane, ID: id} }

// TestQueue: items come in the order in which they were put, each place holds one, and what is removed is gone, also for the
// next process.
func TestQueue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conn, s := start(t, dir)
	q := must[*Queue[thing]](t)(OpenQueue[thing](t.Context(), s, "jobs", time.Hour))
	put := func(at Place, n int) uint64 {
		return must[uint64](t)(q.Put(t.Context(), at, thing{Count: n}, time.Time{}))
	}
	put(place("a.b/c", "front", "1"), 1)
	put(place("other", "front", "x"), 9)
	put(place("a.b/c", "aside", "y"), 8)
	second := put(place("a.b/c", "front", "2"), 2)
	put(place("a.b/c", "front", "1"), 3) // takes the place of the first, behind the second
	for range 2 {
		if err := q.PutOnce(t.Context(), place("a.b/c", "front", "4"), thing{Count: 4}); err != nil {
			t.Fatal(err)
		}
	}
	counts := func(q *Queue[thing], queue, lane string) (out []int) {
		for after := uint64(0); ; {
			item, err := q.Next(t.Context(), keyOf(queue), lane, after)
			if err != nil {
				t.Fatal(err)
			}
			if item == nil {
				return out
			}
			after = item.Sequence
			out = append(out, item.Value.Count)
		}
	}
	if got := counts(q, "a.b/c", "front"); !slices.Equal(got, []int{2, 3, 4}) {
		t.Error(got)
	}
	for range 2 { // the second time it is gone already
		if err := q.Remove(t.Context(), second); err != nil {
			t.Fatal(err)
		}
	}
	if item, err := q.Get(t.Context(), place("a.b/c", "front", "2")); item != nil || err != nil {
		t.Errorf("%+v %v", item, err)
	}
	s.Close()
	conn.Close()
	_, s = start(t, dir)
	q = must[*Queue[thing]](t)(OpenQueue[thing](t.Context(), s, "jobs", time.Hour))
	if got := counts(q, "a.b/c", "front"); !slices.Equal(got, []int{3, 4}) {
		t.Error(got)
	}
	if got := counts(q, "a.b/c", "aside"); !slices.Equal(got, []int{8}) {
		t.Error(got)
	}
}

// TestQueueFollow: who follows is told of what waits, with the time at which it is due, and of what is put later.
func TestQueueFollow(t *testing.T) {
	t.Parallel()
	_, s := start(t, t.TempDir())
	q := must[*Queue[thing]](t)(OpenQueue[thing](t.Context(), s, "jobs", time.Hour))
	due := time.UnixMilli(1_700_000_000_000)
	for i := range 3 {
		if _, err := q.Put(t.Context(), place("a", "front", fmt.Sprint(i)), thing{}, due); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	enough, settled := errors.New("enough"), make(chan struct{})
	putting := make(chan error, 1)
	go func() {
		<-settled
		_, err := q.Put(context.Background(), place("a", "front", "later"), thing{}, time.Time{})
		putting <- err
	}()
	err := q.Follow(t.Context(), func(h Head) error {
		told = append(told, h.ID)
		switch {
		case h.ID == "later":
			return enough
		case !h.Due.Equal(due):
			t.Errorf("%s is due at %v", h.ID, h.Due)
		}
		return nil
	}, func() { close(settled) })
	if !errors.Is(err, enough) || !slices.Equal(told, []string{"0", "1", "2", "later"}) {
		t.Errorf("%q %v", told, err)
	}
	if err := <-putting; err != nil {
		t.Error(err)
	}
}
