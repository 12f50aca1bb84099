package delivery

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/store"
)

const (
	windowSize = 64     // deliveries of the front that are looked at
	asideAtOne = 4      // retries of one target at once
	maxAside   = 10_000 // deliveries of one target that may have stepped aside; the front waits when there are more
)

// worker brings the deliveries of one queue to their target. One goroutine has its state; attempts have one each.
type worker struct {
	*Engine
	key  store.Key
	away atomic.Bool // the target does not answer
	wake chan struct{}

	mu    sync.Mutex
	heads []store.Head // told and not yet looked at: of the front only the newest, of those aside all

	// The goroutine's.
	cursor  uint64     // of the front, as far as it was read
	front   uint64     // the newest item of it that is known
	window  []*attempt // of the front, oldest first
	waiting aside
	results chan *attempt
	aloft   int       // attempts under way
	besides int       // of these, those of deliveries that stepped aside
	unread  time.Time // when the queue may be asked again, after it did not answer
	health
}

// attempt is a delivery with what its attempts have come to.
type attempt struct {
	item    *store.Item[Delivery]
	told    store.Head // by which it was found aside
	first   time.Time  // of the first attempt; zero before it
	next    time.Time  // no attempt before
	running bool
	over    bool // it has left the front
	asked   bool // the target was, and err is its answer
	err     error
}

func newWorker(e *Engine, key store.Key) *worker {
	return &worker{
		Engine: e, key: key, wake: make(chan struct{}, 1), results: make(chan *attempt),
		waiting: newAside(), health: newHealth(e.opt.Pace),
	}
}

// note tells the worker of an item in its queue.
func (w *worker) note(h store.Head) {
	w.mu.Lock()
	if n := len(w.heads); h.Lane == laneFront && n > 0 && w.heads[n-1].Lane == laneFront {
		w.heads[n-1] = h
	} else {
		w.heads = append(w.heads, h)
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) told() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.heads) > 0
}

// run delivers until ctx ends or there has been nothing to do for a while.
func (w *worker) run(ctx context.Context) {
	var attempts sync.WaitGroup
	defer attempts.Wait()
	defer w.drain()
	start := func(a *attempt) {
		a.running = true
		w.aloft++
		w.inFlight.Add(1)
		attempts.Go(func() { w.try(ctx, a) })
	}
	for ctx.Err() == nil {
		w.listen()
		w.read(ctx)
		var next time.Time
		if w.asideFirst() {
			next = w.startAside(ctx, start)
			next = earlier(next, w.startFront(start))
		} else {
			next = w.startFront(start)
			next = earlier(next, w.startAside(ctx, start))
		}
		next = earlier(next, w.unread)
		idle := w.aloft == 0 && len(w.window) == 0 && w.waiting.len() == 0 && w.front <= w.cursor
		if idle {
			next = w.opt.Clock().Add(w.opt.Pace.IdleWorker)
		}
		if w.await(ctx, next) && idle && w.retire(w) {
			return
		}
	}
}

// drain takes the results of attempts that end with the worker.
func (w *worker) drain() {
	for w.aloft > 0 {
		w.take(<-w.results)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// await waits until something happens, and tells whether it was the clock.
func (w *worker) await(ctx context.Context, until time.Time) (clock bool) {
	var timer <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(max(0, until.Sub(w.opt.Clock())))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-w.wake:
	case a := <-w.results:
		w.take(a)
	case <-timer:
		return true
	case <-ctx.Done():
	}
	return false
}

// listen looks at what the worker was told.
func (w *worker) listen() {
	w.mu.Lock()
	heads := w.heads
	w.heads = nil
	w.mu.Unlock()
	for _, h := range heads {
		if h.Lane == laneFront {
			w.front = max(w.front, h.Sequence)
		} else {
			w.waiting.add(h)
		}
	}
}

// read fills the window from the queue.
func (w *worker) read(ctx context.Context) {
	if !w.unread.IsZero() && w.opt.Clock().Before(w.unread) {
		return
	}
	w.unread = time.Time{}
	for len(w.window) < windowSize && w.front > w.cursor {
		item, err := w.opt.Queue.Next(ctx, w.key, laneFront, w.cursor)
		if bad, ok := errors.AsType[*store.UnreadableError](err); ok {
			w.opt.Logger.Error("a delivery is damaged and lost", "queue", w.key.ID, "event", bad.Head.ID, "error", err)
			w.cursor = bad.Head.Sequence
			w.remove(ctx, bad.Head.Sequence)
			continue
		}
		if err != nil {
			w.unread = w.opt.Clock().Add(retryLongest)
			return
		}
		if item == nil {
			w.cursor = w.front
			return
		}
		w.cursor = item.Sequence
		w.window = append(w.window, &attempt{item: item})
	}
}

// startFront starts the first attempts that are due, one for a resource at a time, and returns when the next will be.
func (w *worker) startFront(start func(*attempt)) (next time.Time) {
	if w.waiting.len() >= maxAside {
		return time.Time{} // a result will come
	}
	now, busy := w.opt.Clock(), map[string]bool{}
	for _, a := range w.window {
		resource := a.item.Value.Resource
		if busy[resource] {
			continue
		}
		busy[resource] = true
		if a.running { // until its result is taken, it is the attempt's
			continue
		}
		if at := w.notBefore(a.next); at.After(now) {
			next = earlier(next, at)
		} else if w.aloft < w.allowed() {
			start(a)
		}
	}
	return next
}

// startAside starts the retries of those that stepped aside, and returns when the next will be due.
func (w *worker) startAside(ctx context.Context, start func(*attempt)) (next time.Time) {
	now := w.opt.Clock()
	for w.waiting.len() > 0 {
		at := w.notBefore(w.waiting.due())
		if at.After(now) {
			return at
		}
		if w.aloft >= w.allowed() || w.besides >= asideAtOne {
			return time.Time{} // a result will come
		}
		h := w.waiting.take()
		if w.waiting.stale(h) {
			continue
		}
		item, err := w.opt.Queue.Get(ctx, h.Place)
		if bad, ok := errors.AsType[*store.UnreadableError](err); ok {
			w.opt.Logger.Error("a delivery is damaged and lost", "queue", w.key.ID, "event", h.ID, "error", err)
			w.remove(ctx, bad.Head.Sequence)
			w.waiting.finish(h)
			continue
		}
		if err != nil {
			w.waiting.putBack(h, now.Add(retryLongest))
			return now.Add(retryLongest)
		}
		if item == nil { // it was delivered, and we are told late
			w.waiting.finish(h)
			continue
		}
		w.besides++
		start(&attempt{item: item, told: h})
	}
	return time.Time{}
}

// take takes the result of an attempt.
func (w *worker) take(a *attempt) {
	a.running = false
	w.aloft--
	w.inFlight.Add(-1)
	if a.item.Lane == laneAside {
		w.besides--
		w.waiting.finish(a.told)
	} else if a.over {
		w.window = slices.DeleteFunc(w.window, func(b *attempt) bool { return a == b })
	}
	if a.asked {
		w.judge(a.err, w.opt.Clock())
		w.away.Store(w.down())
	}
}

// remove takes an item out of the queue, as often as it takes.
func (w *worker) remove(ctx context.Context, sequence uint64) {
	w.insist(ctx, "take a delivery out of its queue", func() error { return w.opt.Queue.Remove(ctx, sequence) })
}

// insist does something until it succeeds or ctx ends.
func (w *worker) insist(ctx context.Context, what string, do func() error) {
	for pause := retryFirst; ; pause = min(2*pause, retryLongest) {
		err := do()
		if err == nil || ctx.Err() != nil {
			return
		}
		w.opt.Logger.Warn("a delivery waits for the state engine; will try again", "to", what, "queue", w.key.ID, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}
