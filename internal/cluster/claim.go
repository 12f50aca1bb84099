package cluster

import (
	"context"

	"github.com/rivus-live/rivus/internal/store"
)

// Claim is the stored form of who runs a thing.
type Claim[T any] struct {
	Node        string `json:"node"`
	Incarnation string `json:"incarnation"`
	Epoch       uint64 `json:"epoch"`
	Released    bool   `json:"released,omitempty"`
	Value       T      `json:"value"`
}

// Claims is the table of who runs the things of one kind.
type Claims[T any] struct{}

// OpenClaims opens the claims of a definition of class Presence. Its indexes apply to values of unreleased claims.
func OpenClaims[T any](ctx context.Context, s *store.Store, n *Node, def store.Definition[T]) (*Claims[T], error) {
	return nil, nil
}

// Take claims a key: it must have no claim, a released one, or one whose node is gone. fault.Conflict otherwise.
func (c *Claims[T]) Take(ctx context.Context, key store.Key, value T) (*Hold[T], error) {
	return nil, nil
}

// Get returns the value of an unreleased claim, whether or not its node is alive.
func (c *Claims[T]) Get(ctx context.Context, key store.Key) (T, bool, error) {
	var zero T
	return zero, false, nil
}

// List returns a page of the values of unreleased claims.
func (c *Claims[T]) List(ctx context.Context, q store.Query) (store.Page[T], error) {
	return store.Page[T]{}, nil
}

// Orphan is a claim whose owner is gone.
type Orphan[T any] struct {
	Key   store.Key
	Value T
}

// Orphans returns the unreleased claims of earlier incarnations of this node.
func (c *Claims[T]) Orphans() []Orphan[T] { return nil }

// Recover takes every orphan, calls end with its last value and releases it with what end returns. It stops at the
// first error of end.
func (c *Claims[T]) Recover(ctx context.Context, end func(context.Context, store.Key, T) (T, error)) error {
	return nil
}

// Hold is a claim that this node has. Its methods may be called from any goroutine, one write at a time.
type Hold[T any] struct{}

// Put writes a new value; fault.Fenced when the claim is lost.
func (h *Hold[T]) Put(ctx context.Context, value T) error { return nil }

// Release gives the claim up with a last value. The hold must not be used afterwards.
func (h *Hold[T]) Release(ctx context.Context, value T) error { return nil }

// Epoch returns the number of this ownership; a later owner of the same key has a higher one.
func (h *Hold[T]) Epoch() uint64 { return 0 }

// Lost is closed when another owner has taken the claim.
func (h *Hold[T]) Lost() <-chan struct{} { return nil }
