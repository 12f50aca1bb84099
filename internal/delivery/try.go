package delivery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/rivus-live/rivus/internal/store"
)

// try makes one attempt and writes down what came of it, before it tells the worker.
func (w *worker) try(ctx context.Context, a *attempt) {
	defer func() { w.results <- a }()
	a.asked, a.err = false, nil
	d := &a.item.Value
	now := w.opt.Clock()
	if a.first.IsZero() {
		a.first = now
	}
	if why := d.exhausted(now); why != "" && !d.Dead {
		w.bury(ctx, a, why)
		return
	}
	err := w.deliver(ctx, d)
	switch {
	case err == nil:
		a.asked = true
		w.finish(ctx, a)
		if d.Dead {
			w.dead.Add(1)
		} else {
			w.delivered.Add(1)
		}
	case ctx.Err() != nil: // it will be tried again, by whoever goes on
	default:
		a.asked, a.err = true, err
		w.failedOnce(ctx, a, failureOf(err))
	}
}

// deliver makes one attempt. A panic in a deliverer is a defect that must cost one attempt and no more.
func (w *worker) deliver(ctx context.Context, d *Delivery) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.opt.Logger.Error("panic while delivering", "event", d.EventID, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	target, err := w.opt.Targets(d.destination())
	if err != nil {
		return err
	}
	payload := []byte(d.Event)
	if !d.Dead {
		if payload, err = d.payload(); err != nil {
			return err
		}
	}
	return target.Deliver(ctx, d, payload)
}

// destination is the ARN of where the delivery goes now.
func (d *Delivery) destination() string {
	if d.Dead {
		return d.Target.DeadLetterARN
	}
	return d.Target.ARN
}

// lastPatience is how long a delivery that is over may take to leave its queue when the engine of deliveries stops. One that
// stays is delivered again.
const lastPatience = 5 * time.Second

// finish takes a delivery that is over out of its queue.
func (w *worker) finish(ctx context.Context, a *attempt) {
	removing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastPatience, cancel) })
	defer stop()
	w.remove(removing, a.item.Sequence)
	a.over = true
}

// failedOnce decides what becomes of a delivery after a failure.
func (w *worker) failedOnce(ctx context.Context, a *attempt, f *Failure) {
	d, now := &a.item.Value, w.opt.Clock()
	if d.Dead {
		w.stayDead(ctx, a, f, now)
		return
	}
	d.Attempts++
	d.Code, d.Message = f.Code, f.Message
	if f.Final {
		w.bury(ctx, a, "")
		return
	}
	if why := d.exhausted(now); why != "" {
		w.bury(ctx, a, why)
		return
	}
	w.retried.Add(1)
	pace := w.opt.Pace
	wait := max(jitter(backoff(d.Attempts-1, pace.Retry, pace.RetryMost)), f.After)
	if a.item.Lane == laneFront && d.Attempts < pace.Attempts && now.Add(wait).Sub(a.first) < pace.Patience {
		a.next = now.Add(wait)
		return
	}
	w.stepAside(ctx, a, now.Add(wait))
}

// stepAside lets those behind a delivery pass: it goes, or goes again, among those that are retried beside the others.
func (w *worker) stepAside(ctx context.Context, a *attempt, due time.Time) {
	if w.put(ctx, a, laneAside, due) && a.item.Lane == laneFront {
		w.aside.Add(1)
		w.finish(ctx, a)
	}
}

// put puts a delivery as it is now into a lane of its queue. What cannot be put before ctx ends stays where it was.
func (w *worker) put(ctx context.Context, a *attempt, lane string, due time.Time) (done bool) {
	at := store.Place{Key: w.key, Lane: lane, ID: a.item.ID}
	w.insist(ctx, "write down what became of a delivery", func() error {
		_, err := w.opt.Queue.Put(ctx, at, a.item.Value, due)
		done = err == nil
		return err
	})
	return done
}

// bury gives a delivery up: to the dead-letter queue of its target, if it has one and that takes it, else to the list.
func (w *worker) bury(ctx context.Context, a *attempt, why string) {
	d := &a.item.Value
	d.Exhausted = why
	w.opt.Logger.Warn("an event could not be delivered", "rule", d.RuleName, "target", d.Target.ARN, "event", d.EventID,
		"attempts", d.Attempts, "code", d.Code, "reason", d.Message)
	if d.Target.DeadLetterARN == "" {
		w.list(ctx, a)
		return
	}
	d.Dead = true
	err := w.deliver(ctx, d)
	switch {
	case err == nil:
		w.dead.Add(1)
		w.finish(ctx, a)
	case failureOf(err).Final:
		w.list(ctx, a)
	default:
		w.stepAside(ctx, a, w.opt.Clock().Add(w.opt.Pace.Retry))
	}
}

// deadPatience is how long a dead-letter queue that does not answer is waited for.
const deadPatience = 24 * time.Hour

// stayDead decides what becomes of a delivery that its dead-letter queue did not take.
func (w *worker) stayDead(ctx context.Context, a *attempt, f *Failure, now time.Time) {
	d := &a.item.Value
	if f.Final || now.Sub(d.Matched) > d.maxAge()+deadPatience {
		w.list(ctx, a)
		return
	}
	w.stepAside(ctx, a, now.Add(max(jitter(w.opt.Pace.RetryMost), f.After)))
}

// list puts a delivery into the list of those that failed.
func (w *worker) list(ctx context.Context, a *attempt) {
	if w.put(ctx, a, laneFailed, time.Time{}) {
		w.failed.Add(1)
		w.finish(ctx, a)
	}
}

// jitter spreads retries over the second half of a time.
func jitter(d time.Duration) time.Duration {
	if d <= 1 {
		return d
	}
	return d/2 + rand.N(d/2) //nolint:gosec // no secret
}
