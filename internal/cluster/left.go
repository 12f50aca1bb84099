package cluster

import (
	"maps"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/store"
)

// A write of a claim may come true although its writer was told that it failed: the answer was lost, or the request was
// late. Nobody holds such a claim, and nobody else may take it while this process lives. So claims of this process without
// a hold are given up, as soon as they are seen and the engine answers.

// sweepRetry is the time between two attempts while the engine does not answer.
const sweepRetry = time.Second

// leave notes a key whose claim may be ours without a hold. last is the value to give it up with, nil for the one that it
// has.
func (c *Claims[T]) leave(key store.Key, last *T) {
	c.note(key, last)
	select {
	case c.swept <- struct{}{}:
	default:
	}
}

func (c *Claims[T]) note(key store.Key, last *T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last != nil || c.left[key] == nil {
		c.left[key] = last
	}
}

// sweep gives up the claims that were left, until the node closes.
func (c *Claims[T]) sweep() {
	for {
		retry := (<-chan time.Time)(nil)
		if !c.sweepAll() {
			retry = time.After(sweepRetry)
		}
		select {
		case <-c.swept:
		case <-retry:
		case <-c.node.ctx.Done():
			return
		}
	}
}

// sweepAll goes once through the claims that were left, and tells whether none is left to look at again.
func (c *Claims[T]) sweepAll() bool {
	c.mu.Lock()
	all := maps.Clone(c.left)
	c.mu.Unlock()
	for key := range all {
		if err := c.giveUp(key); err != nil {
			return false
		}
	}
	return true
}

// giveUp releases the claim of a key if it is ours and nobody holds it. Who takes the key waits meanwhile, or has it.
func (c *Claims[T]) giveUp(key store.Key) error {
	leave, err := c.enter(c.node.ctx, key)
	if err != nil {
		return err
	}
	defer leave()
	c.mu.Lock()
	last, held := c.left[key], c.holds[key] != nil
	delete(c.left, key) // before the look: what arrives behind it is noted anew
	c.mu.Unlock()
	if held {
		return nil
	}
	if err := c.release(key, last); err != nil {
		c.note(key, last)
		return err
	}
	return nil
}

// release releases the claim of a key if it is ours.
func (c *Claims[T]) release(key store.Key, last *T) error {
	claim, revision, err := c.newest(c.node.ctx, key)
	if err != nil || revision == 0 || !c.ours(claim) {
		return err
	}
	claim.Released = true
	if last != nil {
		claim.Value = *last
	}
	_, err = c.table.PutTTL(c.node.ctx, key, claim, revision, releasedTTL)
	if fault.Is(err, fault.Fenced) {
		return fault.Wrap(fault.Unavailable, err, "the claim of %s changes", key.ID)
	}
	if err == nil {
		c.node.opt.Logger.Info("a claim without a holder was given up", "claim", key.ID)
	}
	return err
}
