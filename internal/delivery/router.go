package delivery

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/event"
	"github.com/rivus-live/rivus/internal/eventpattern"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// router reads the outbox and puts what rules match into the queues of their targets.
type router struct {
	*Engine
	patterns map[store.Key]compiled // of enabled rules, as they were when last looked at

	mu    sync.Mutex
	done  uint64 // everything up to here is in the queues
	saved uint64
}

// compiled is the pattern of a rule as of a revision.
type compiled struct {
	revision uint64
	pattern  *eventpattern.Pattern
}

// maxPatterns bounds the patterns that are kept compiled.
const maxPatterns = 20_000

// saveEvery is how often the place in the outbox is written down. What was routed since is routed again after a crash, and
// finds its place in the queues taken if it still waits there.
const saveEvery = 100 * time.Millisecond

func cursorKey() store.Key { return store.Key{ID: "event-router"} }

// run routes until ctx ends.
func (r *router) run(ctx context.Context) error {
	at, err := r.opt.Cursors.Get(ctx, cursorKey())
	if err != nil && !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("delivery: find the place in the outbox: %w", err)
	}
	r.done, r.saved = at.Value.Sequence, at.Value.Sequence
	saving, stop := context.WithCancel(ctx)
	var saver sync.WaitGroup
	saver.Go(func() { r.saveAlways(saving) })
	err = r.opt.Outbox(ctx, r.done, func(e store.Entry[store.Event]) error { return r.route(ctx, e) })
	stop()
	saver.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	r.save(last)
	return err
}

func (r *router) saveAlways(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.save(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// save writes down how far the router has come.
func (r *router) save(ctx context.Context) {
	r.mu.Lock()
	done, saved := r.done, r.saved
	r.mu.Unlock()
	if done == saved {
		return
	}
	forward := func(c resource.Cursor) (resource.Cursor, error) {
		c.Sequence = max(c.Sequence, done)
		return c, nil
	}
	_, err := r.opt.Cursors.Update(ctx, cursorKey(), forward)
	if fault.Is(err, fault.NotFound) {
		_, err = r.opt.Cursors.Create(ctx, cursorKey(), resource.Cursor{Sequence: done})
	}
	if err != nil {
		if ctx.Err() == nil {
			r.opt.Logger.Warn("the place in the outbox is written down later", "error", err)
		}
		return
	}
	r.mu.Lock()
	r.saved = done
	r.mu.Unlock()
}

// route deals with one event. It does not return before every match is on the disk, or ctx ends: what the engine does not
// take now it takes later.
func (r *router) route(ctx context.Context, e store.Entry[store.Event]) error {
	for pause := retryFirst; ; pause = min(2*pause, retryLongest) {
		err := r.match(ctx, e)
		if err == nil {
			break
		}
		r.opt.Logger.Warn("an event waits to be routed", "event", e.Value.ID, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // the caller's own
		}
	}
	r.routed.Add(1)
	r.mu.Lock()
	r.done = e.Sequence
	r.mu.Unlock()
	return nil
}

// match puts a delivery into the queue of every target of every rule that matches. An event that cannot be read as JSON can
// match nothing.
func (r *router) match(ctx context.Context, e store.Entry[store.Event]) error {
	data, err := event.JSON(e.Value)
	if err != nil {
		r.opt.Logger.Error("an event is not JSON and matches nothing", "event", e.Value.ID, "error", err)
		return nil
	}
	if r.opt.Publish != nil {
		r.opt.Publish(e.Value.Scope, data)
	}
	parsed, err := eventpattern.ParseEvent(data)
	if err != nil {
		r.opt.Logger.Error("an event is not JSON and matches nothing", "event", e.Value.ID, "error", err)
		return nil
	}
	q := store.Query{Scope: e.Value.Scope, Index: "state", Value: resource.RuleEnabled, Limit: 1000}
	for {
		page, err := r.opt.Rules.List(ctx, q)
		if err != nil {
			return fmt.Errorf("delivery: list rules: %w", err)
		}
		for _, rule := range page.Records {
			if !r.pattern(rule).Match(parsed) {
				continue
			}
			if err := r.enqueue(ctx, rule, e, data); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		q.After = page.Records[len(page.Records)-1].Key.ID
	}
}

func (r *router) enqueue(ctx context.Context, rule store.Record[resource.Rule], e store.Entry[store.Event], data []byte) error {
	for _, t := range rule.Value.Targets {
		d := Delivery{
			EventID: e.Value.ID, Event: data, Resource: e.Key.ID, Number: e.Sequence, Ingested: e.Time, Matched: r.opt.Clock(),
			RuleARN: RuleARN(rule.Key), RuleName: rule.Value.Name, Target: t,
		}
		at := FirstPlace(queueKey(rule.Key, t.ID), e.Value.ID)
		if err := r.opt.Queue.PutOnce(ctx, at, d); err != nil {
			return fmt.Errorf("delivery: put %s into the queue of %s: %w", e.Value.ID, at.Key.ID, err)
		}
		r.matched.Add(1)
	}
	return nil
}

// RuleARN returns the ARN of a rule on the default bus.
func RuleARN(key store.Key) string {
	return "arn:aws:events:" + key.Region + ":" + key.Account + ":rule/" + key.ID
}

// pattern returns the compiled pattern of a rule. One that has none, or that this version cannot read, matches nothing.
func (r *router) pattern(rule store.Record[resource.Rule]) *eventpattern.Pattern {
	if c, ok := r.patterns[rule.Key]; ok && c.revision == rule.Revision {
		return c.pattern
	}
	if len(r.patterns) >= maxPatterns {
		clear(r.patterns)
	}
	p, err := &eventpattern.Pattern{}, error(nil)
	if rule.Value.Pattern != "" {
		if p, err = eventpattern.Compile([]byte(rule.Value.Pattern), eventpattern.EventBridge()); err != nil {
			r.opt.Logger.Error("a rule's pattern cannot be read", "rule", rule.Key.ID, "error", err)
			p = &eventpattern.Pattern{}
		}
	}
	r.patterns[rule.Key] = compiled{revision: rule.Revision, pattern: p}
	return p
}
