package cluster

import (
	"context"
	"sync"
	"testing"
	"time"
)

// TestReap: a duty is done by one node, at first, when the clock says so, after an error, and when a node is gone.
func TestReap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _ := w.join(t, "a")
	b, _ := w.join(t, "b")
	other, crash := w.join(t, "other")
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	calls, answers := make(chan string), make(chan time.Time)
	for _, n := range []*Node{a, b} {
		running.Go(func() {
			err := n.Reap(ctx, func(ctx context.Context) (time.Time, error) {
				select {
				case calls <- n.ID():
				case <-ctx.Done():
					return time.Time{}, ctx.Err()
				}
				select {
				case again := <-answers:
					return again, nil
				case <-ctx.Done():
					return time.Time{}, ctx.Err()
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	first := <-calls
	answers <- time.Now()
	if again := <-calls; again != first {
		t.Fatalf("%s and %s do it", first, again)
	}
	crash()
	answers <- time.Time{}
	for { // a node that came before is told late
		select {
		case again := <-calls:
			gone, err := a.Departed(ctx, "other", other.Incarnation())
			if again != first || err != nil {
				t.Fatalf("%s and %s do it; %v", first, again, err)
			}
			answers <- time.Time{}
			if gone {
				return
			}
		case <-time.After(30 * time.Second):
			t.Fatal("nobody was told that a node is gone")
		}
	}
}
