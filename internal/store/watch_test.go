package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
)

// TestSlowWatcher: a watcher that is busy gets steps of one record as one, in the order of the records' first steps, and
// waits behind no more than there are records.
func TestSlowWatcher(t *testing.T) {
	t.Parallel()
	_, s := start(t, t.TempDir())
	table, ctx, ok := things(t, s, Facts), t.Context(), must[Record[thing]](t)
	ok(table.Create(ctx, keyOf("first"), thing{}))
	var wg sync.WaitGroup
	defer wg.Wait()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	busy, free, told := make(chan struct{}), make(chan struct{}), make(chan Change[thing], 100)
	wg.Go(func() {
		table.Watch(watching, func(c Change[thing]) {
			if c.Key.ID == "first" {
				close(busy)
				<-free
				return
			}
			told <- c
		})
	})
	<-busy
	for n := range 20 {
		for _, id := range []string{"a", "b"} {
			if n == 0 {
				ok(table.Create(ctx, keyOf(id), thing{}))
			} else {
				ok(table.Update(ctx, keyOf(id), func(old thing) (thing, error) { old.Count = n; return old, nil }))
			}
		}
	}
	ok(table.Create(ctx, keyOf("brief"), thing{}))
	ok(table.Delete(ctx, keyOf("brief"), nil))
	ok(table.Create(ctx, keyOf("last"), thing{}))
	close(free)
	var got []string
	for c := range told {
		got = append(got, fmt.Sprintf("%s %v %d", c.Key.ID, c.Old == nil, c.New.Count))
		if c.Key.ID == "last" {
			break
		}
	}
	if want := []string{"a true 19", "b true 19", "last true 0"}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
}
