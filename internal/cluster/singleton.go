package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/store"
)

// task is the value of the claim under which a singleton runs.
type task struct{}

func taskDefinition() store.Definition[task] {
	return store.Definition[task]{Name: "task", Class: store.Presence}
}

// takeRetry is the time between two attempts to take a task while the engine does not answer.
const takeRetry = time.Second

// Singleton keeps a task running on one node of the cluster: run is called when this node has the task, and its ctx ends
// when it loses it, be it to another node or because it has not reached the engine for as long as a lease lasts. From then
// on the task is up for all nodes again, this one included. Singleton returns nil when ctx ends, and what run returns when it
// ends by itself. The node must be renewing its lease (Run).
func (n *Node) Singleton(ctx context.Context, name string, run func(context.Context) error) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	key, free := store.Key{ID: name}, make(chan struct{}, 1)
	watching.Go(func() {
		n.tasks.table.Watch(ctx, func(c store.Change[Claim[task]]) {
			if c.Key != key || c.New != nil && !c.New.Released {
				return
			}
			select {
			case free <- struct{}{}:
			default:
			}
		})
	})
	for ctx.Err() == nil {
		changed, retry := n.Changed(), (<-chan time.Time)(nil)
		err := errCutOff // until the lease is renewed
		var hold *Hold[task]
		if n.connected() {
			hold, err = n.tasks.Take(ctx, key, task{})
		}
		if err == nil {
			if over, err := n.perform(ctx, hold, run); over {
				return err
			}
			continue
		}
		if !fault.Is(err, fault.Conflict) {
			retry = time.After(takeRetry)
		}
		select {
		case <-free:
		case <-changed:
		case <-retry:
		case <-ctx.Done():
		}
	}
	return nil
}

// perform runs a task while this node has it, and gives it up. It tells whether run has ended by itself, and how.
func (n *Node) perform(ctx context.Context, hold *Hold[task], run func(context.Context) error) (over bool, err error) {
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var guard sync.WaitGroup
	guard.Go(func() {
		if why := n.guard(running, hold); why != nil {
			cancel(why)
		}
	})
	n.opt.Logger.Info("this node has the task", "task", hold.key.ID)
	err = run(running)
	if over = running.Err() == nil; !over {
		n.opt.Logger.Info("this node has the task no more", "task", hold.key.ID, "cause", context.Cause(running))
		err = nil
	}
	cancel(nil)
	guard.Wait()
	releasing, stop := context.WithTimeout(context.WithoutCancel(ctx), releasePatience)
	defer stop()
	if failed := hold.Release(releasing, task{}); failed != nil && !fault.Is(failed, fault.Fenced) {
		n.opt.Logger.Warn("a task is given up later", "task", hold.key.ID, "error", failed)
	}
	return over, err
}

// releasePatience bounds the giving up of a task; what fails is made good by the sweep of claims.
const releasePatience = time.Second

var (
	errTaken  = errors.New("another node has taken it")
	errCutOff = errors.New("this node has not reached the state engine for as long as its lease lasts")
)

// guard returns why a task must stop, or nil when ctx ends.
func (n *Node) guard(ctx context.Context, hold *Hold[task]) error {
	for {
		left := time.Until(n.cutOff())
		if left <= 0 {
			return errCutOff
		}
		select {
		case <-hold.Lost():
			return errTaken
		case <-time.After(left):
		case <-ctx.Done():
			return nil
		}
	}
}
