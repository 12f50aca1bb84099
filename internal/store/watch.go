package store

import (
	"context"
	"slices"
	"sync"
)

// watcher is the queue between the index and one Watch. The index never waits for it: steps of one record that were not
// taken yet become one, so the queue is never longer than there are records.
type watcher[T any] struct {
	mu      sync.Mutex
	changes []Change[T]
	at      map[Key]int   // where in changes a record has its step
	ready   chan struct{} // holds a token when changes may be there
}

func (w *watcher[T]) add(c Change[T]) {
	w.mu.Lock()
	if i, ok := w.at[c.Key]; ok {
		w.changes[i].New = c.New
	} else {
		w.at[c.Key] = len(w.changes)
		w.changes = append(w.changes, c)
	}
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// drain takes what waits. A record that came and went meanwhile is not told of.
func (w *watcher[T]) drain() []Change[T] {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.DeleteFunc(w.changes, func(c Change[T]) bool { return c.Old == nil && c.New == nil })
	w.changes = nil
	clear(w.at)
	return out
}

// tell passes a change to all watchers. The caller holds the index's lock.
func (x *index[T]) tell(old, next *entry[T]) {
	if len(x.watchers) == 0 {
		return
	}
	c := Change[T]{Key: next.Key}
	if old != nil {
		c.Old = &old.Value
	}
	if !next.gone {
		c.New = &next.Value
	}
	if c.Old == nil && c.New == nil {
		return
	}
	for w := range x.watchers {
		w.add(c)
	}
}

// watch calls fn for what is there and then for every change until ctx ends.
func (x *index[T]) watch(ctx context.Context, fn func(Change[T])) {
	w := &watcher[T]{at: map[Key]int{}, ready: make(chan struct{}, 1)}
	x.mu.Lock()
	x.order.walk("", func(_ string, e *entry[T]) bool {
		w.add(Change[T]{Key: e.Key, New: &e.Value})
		return true
	})
	x.watchers[w] = struct{}{}
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.watchers, w)
	}()
	for {
		for _, c := range w.drain() {
			if ctx.Err() != nil {
				return
			}
			fn(c)
		}
		select {
		case <-w.ready:
		case <-ctx.Done():
			return
		}
	}
}
