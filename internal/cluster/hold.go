package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/store"
)

// Hold is a claim that this node has. Its methods may be called from any goroutine.
type Hold[T any] struct {
	claims *Claims[T]
	key    store.Key
	epoch  uint64
	lost   chan struct{}
	once   sync.Once

	writing  chan struct{} // holds a token during a write; guards revision
	revision uint64
}

func newHold[T any](c *Claims[T], key store.Key, epoch uint64) *Hold[T] {
	return &Hold[T]{claims: c, key: key, epoch: epoch, lost: make(chan struct{}), writing: make(chan struct{}, 1)}
}

func (h *Hold[T]) claim(value T, released bool) Claim[T] {
	n := h.claims.node
	return Claim[T]{Node: n.opt.NodeID, Incarnation: n.incarnation, Epoch: h.epoch, Released: released, Value: value}
}

// owns tells whether a stored claim is this very hold.
func (h *Hold[T]) owns(c Claim[T]) bool {
	n := h.claims.node
	return c.Node == n.opt.NodeID && c.Incarnation == n.incarnation && c.Epoch == h.epoch && !c.Released
}

// Put writes a new value; fault.Fenced when the claim is lost. An engine that restarted without its memory gets the
// claim anew, so a broadcast outlives it.
func (h *Hold[T]) Put(ctx context.Context, value T) error {
	return h.write(ctx, func(expected uint64) (store.Record[Claim[T]], error) {
		return h.claims.table.Put(ctx, h.key, h.claim(value, false), expected)
	})
}

// Release gives the claim up with a last value. The hold must not be used afterwards. After an error the claim is given up
// as soon as the engine answers again.
func (h *Hold[T]) Release(ctx context.Context, value T) error {
	leave, err := h.claims.enter(ctx, h.key)
	h.claims.forget(h.key, h)
	if err == nil {
		defer leave()
		err = h.write(ctx, func(expected uint64) (store.Record[Claim[T]], error) {
			return h.claims.table.PutTTL(ctx, h.key, h.claim(value, true), expected, releasedTTL)
		})
	}
	if err != nil && !fault.Is(err, fault.Fenced) {
		h.claims.leave(h.key, &value)
	}
	return err
}

// Epoch returns the number of this ownership; a later owner of the same key has a higher one.
func (h *Hold[T]) Epoch() uint64 { return h.epoch }

// Lost is closed when another owner has taken the claim.
func (h *Hold[T]) Lost() <-chan struct{} { return h.lost }

func (h *Hold[T]) lose() { h.once.Do(func() { close(h.lost) }) }

// maxWriteAttempts bounds the repetitions of a write whose expectation failed although the claim is ours.
const maxWriteAttempts = 5

// write does one write at a time. After a failed expectation it looks whose the claim is: an earlier write of ours may
// have arrived although its answer did not.
func (h *Hold[T]) write(ctx context.Context, put func(expected uint64) (store.Record[Claim[T]], error)) error {
	select {
	case h.writing <- struct{}{}:
		defer func() { <-h.writing }()
	case <-ctx.Done():
		return fmt.Errorf("cluster: wait for the write before: %w", ctx.Err())
	}
	for range maxWriteAttempts {
		select {
		case <-h.lost:
			return h.fenced()
		default:
		}
		r, err := put(h.revision)
		if err == nil {
			h.revision = r.Revision
			return nil
		}
		if !fault.Is(err, fault.Fenced) {
			return err
		}
		claim, revision, err := h.claims.newest(ctx, h.key)
		if err != nil {
			return err
		}
		if revision > 0 && !h.owns(claim) {
			h.lose()
			h.claims.forget(h.key, h)
			return h.fenced()
		}
		h.revision = revision
	}
	return fault.New(fault.Unavailable, "the claim of %s changes too often", h.key.ID)
}

func (h *Hold[T]) fenced() error {
	return fault.New(fault.Fenced, "another owner has taken %s", h.key.ID)
}

// Orphan is a claim whose owner is gone.
type Orphan[T any] struct {
	Key   store.Key
	Value T
}

// Orphans returns the unreleased claims of lives of nodes that are gone.
func (c *Claims[T]) Orphans(ctx context.Context) ([]Orphan[T], error) {
	var out []Orphan[T]
	for _, r := range c.table.All() {
		if r.Value.Released {
			continue
		}
		gone, err := c.node.Departed(ctx, r.Value.Node, r.Value.Incarnation)
		if err != nil {
			return nil, err
		}
		if gone {
			out = append(out, Orphan[T]{Key: r.Key, Value: r.Value.Value})
		}
	}
	return out, nil
}

// releasedTTL is how long a released claim is kept: it carries the epoch on to the next owner, and an owner that was
// cut off meanwhile must find it and not think that the engine merely forgot.
const releasedTTL = time.Hour
