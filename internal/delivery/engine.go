package delivery

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// Pace says how a worker goes about it. The zero value is what the service does.
type Pace struct {
	Lanes      int           // first attempts of one target at once, of different resources; 0 means 8
	Patience   time.Duration // how long a delivery may fail before it steps aside; 0 means ten seconds
	Attempts   int           // how often it may fail before it steps aside; 0 means three
	Retry      time.Duration // before the first retry; doubles with each; 0 means 500 ms
	RetryMost  time.Duration // 0 means five minutes
	ProbeMost  time.Duration // between attempts at a target that is away; 0 means 30 seconds
	IdleWorker time.Duration // until a worker with nothing to do ends; 0 means one minute
}

func (p Pace) filled() Pace {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if p.Lanes == 0 {
		p.Lanes = 8
	}
	if p.Attempts == 0 {
		p.Attempts = 3
	}
	set(&p.Patience, 10*time.Second)
	set(&p.Retry, 500*time.Millisecond)
	set(&p.RetryMost, 5*time.Minute)
	set(&p.ProbeMost, 30*time.Second)
	set(&p.IdleWorker, time.Minute)
	return p
}

// Options of an Engine. Queue and Targets are required; Rules and Cursors are with an Outbox.
type Options struct {
	Queue   *store.Queue[Delivery]
	Rules   *store.Table[resource.Rule]
	Cursors *store.Table[resource.Cursor]
	// Outbox is event.Relay.Follow; nil for an engine whose queue others fill.
	Outbox func(ctx context.Context, cursor uint64, fn func(store.Entry[store.Event]) error) error
	// Targets returns who delivers to a target of this ARN; a *Failure when nobody does.
	Targets func(target string) (Deliverer, error)
	// Publish is told of every event, beside the rules; nil: nobody is.
	Publish func(scope arn.Scope, event []byte)
	Clock   func() time.Time // nil means time.Now
	Pace    Pace
	Logger  *slog.Logger // nil discards
}

// Retries while the state engine does not answer.
const (
	retryFirst   = 100 * time.Millisecond
	retryLongest = 5 * time.Second
)

// Engine routes and delivers. Run it in one process of a cluster at a time.
type Engine struct {
	opt Options

	mu      sync.Mutex
	workers map[store.Key]*worker
	running *sync.WaitGroup // of workers, while Run runs

	routed, matched, delivered, retried, aside, dead, failed atomic.Int64
	inFlight                                                 atomic.Int64
}

// Stats are the figures of an Engine since the process began.
type Stats struct {
	Routed    int64 // events that were shown to all rules
	Matched   int64 // deliveries that came of them
	Delivered int64
	Retried   int64 // attempts that failed and are made again
	Aside     int64 // deliveries that stepped aside
	Dead      int64 // that went to a dead-letter queue
	Failed    int64 // that went to the list of failed ones
	Targets   int   // that something waits for, or just did
	Away      int   // of these, those that do not answer
	InFlight  int64 // attempts now
}

// NewEngine returns an engine.
func NewEngine(opt Options) *Engine {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	opt.Pace = opt.Pace.filled()
	return &Engine{opt: opt, workers: map[store.Key]*worker{}}
}

// Stats returns the figures.
func (e *Engine) Stats() Stats {
	s := Stats{
		Routed: e.routed.Load(), Matched: e.matched.Load(), Delivered: e.delivered.Load(), Retried: e.retried.Load(),
		Aside: e.aside.Load(), Dead: e.dead.Load(), Failed: e.failed.Load(), InFlight: e.inFlight.Load(),
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s.Targets = len(e.workers)
	for _, w := range e.workers {
		if w.away.Load() {
			s.Away++
		}
	}
	return s
}

// Run routes and delivers until ctx ends. When it returns, no attempt is under way any more.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var parts, workers sync.WaitGroup
	e.mu.Lock()
	e.running, e.workers = &workers, map[store.Key]*worker{}
	e.mu.Unlock()
	failures := make(chan error, 2)
	if e.opt.Outbox != nil {
		parts.Go(func() {
			r := &router{Engine: e, patterns: map[store.Key]compiled{}}
			failures <- r.run(ctx)
			cancel()
		})
	}
	parts.Go(func() {
		failures <- e.opt.Queue.Follow(ctx, func(h store.Head) error { e.note(ctx, h); return nil }, func() {})
		cancel()
	})
	parts.Wait()
	cancel()
	workers.Wait()
	return <-failures
}

// note tells the worker of a queue that there is an item, and makes the worker when there is none.
func (e *Engine) note(ctx context.Context, h store.Head) {
	if h.Lane == laneFailed || ctx.Err() != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.workers[h.Key]
	if w == nil {
		w = newWorker(e, h.Key)
		e.workers[h.Key] = w
		e.running.Go(func() { w.run(ctx) })
	}
	w.note(h)
}

// retire ends a worker that has nothing to do, unless it was just told of something.
func (e *Engine) retire(w *worker) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w.told() {
		return false
	}
	delete(e.workers, w.key)
	return true
}
