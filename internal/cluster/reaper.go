package cluster

import (
	"context"
	"time"
)

// Duty ends what nodes that are gone (Departed) have left behind of one kind. It returns when it wants to be called again
// by the clock, the zero time for not at all; it is called anyhow whenever a node is gone. What it did before an error, or
// before ctx ended, must be no trouble to the next call, which may be on another node.
type Duty func(ctx context.Context) (next time.Time, err error)

// reapRetry is the time between two attempts while the engine does not answer.
const reapRetry = time.Second

// Reap does the duties on one node of the cluster, for all of them, until ctx ends. Every node calls it with the same ones.
func (n *Node) Reap(ctx context.Context, duties ...Duty) error {
	return n.Singleton(ctx, "reaper", func(ctx context.Context) error {
		for {
			changed := n.Changed() // before the look: what changes meanwhile is looked at again
			again, stop := n.reapAll(ctx, duties)
			select {
			case <-changed:
			case <-again:
			case <-ctx.Done():
				stop()
				return ctx.Err() //nolint:wrapcheck // the caller's own
			}
			stop()
		}
	})
}

// reapAll does every duty once and returns what fires when one of them is due again, nil for never.
func (n *Node) reapAll(ctx context.Context, duties []Duty) (again <-chan time.Time, stop func()) {
	var due time.Time
	for _, duty := range duties {
		var next time.Time
		err := n.contain(func() (err error) {
			next, err = duty(ctx)
			return err
		})
		if err != nil && ctx.Err() == nil {
			n.opt.Logger.Warn("cannot end what a node has left; will try again", "error", err)
			next = time.Now().Add(reapRetry)
		}
		if !next.IsZero() && (due.IsZero() || next.Before(due)) {
			due = next
		}
	}
	if due.IsZero() {
		return nil, func() {}
	}
	timer := time.NewTimer(time.Until(due))
	return timer.C, func() { timer.Stop() }
}
