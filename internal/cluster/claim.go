package cluster

import (
	"context"
	"fmt"
	"sync"

	"github.com/rivus-live/rivus/internal/fault"
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
type Claims[T any] struct {
	node  *Node
	table *store.Table[Claim[T]]

	mu     sync.Mutex
	holds  map[store.Key]*Hold[T]
	taking map[store.Key]chan struct{} // closed when the Take of a key is over
	left   map[store.Key]*T            // claims of ours without a hold, with their last value if it is known
	swept  chan struct{}               // holds a token when left may have grown
}

// indexUnreleased is the index that lists when the caller names none: claims under one value, released ones absent.
const indexUnreleased = "unreleased"

// OpenClaims opens the claims of a definition of class Presence. Its indexes apply to values of unreleased claims.
func OpenClaims[T any](ctx context.Context, s *store.Store, n *Node, def store.Definition[T]) (*Claims[T], error) {
	if def.Class != store.Presence {
		return nil, fmt.Errorf("cluster: claims of %s must be presence records", def.Name)
	}
	table, err := store.OpenTable(ctx, s, claimDefinition(def))
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	c := &Claims[T]{
		node: n, table: table, holds: map[store.Key]*Hold[T]{}, taking: map[store.Key]chan struct{}{},
		left: map[store.Key]*T{}, swept: make(chan struct{}, 1),
	}
	n.running.Go(func() { table.Watch(n.ctx, c.changed) })
	n.running.Go(c.sweep)
	return c, nil
}

func claimDefinition[T any](def store.Definition[T]) store.Definition[Claim[T]] {
	out := store.Definition[Claim[T]]{Name: def.Name, Class: def.Class, Version: def.Version}
	add := func(name string, values func(T) []string) {
		out.Indexes = append(out.Indexes, store.Index[Claim[T]]{Name: name, Values: func(c Claim[T]) []string {
			if c.Released {
				return nil
			}
			return values(c.Value)
		}})
	}
	add(indexUnreleased, func(T) []string { return []string{"yes"} })
	for _, i := range def.Indexes {
		add(i.Name, i.Values)
	}
	return out
}

// changed tells the holder of a claim that another owner has it, and finds claims of ours that nobody holds. It judges the
// claim as it is now: what is told may be older than the hold.
func (c *Claims[T]) changed(change store.Change[Claim[T]]) {
	if change.New == nil { // a claim that is gone was forgotten by the engine; the next write brings it back
		return
	}
	h := c.holder(change.Key)
	if h == nil {
		if c.ours(*change.New) {
			c.leave(change.Key, nil)
		}
		return
	}
	if !h.owns(*change.New) {
		c.check(c.node.ctx, h)
	}
}

// check looks whether another owner has the claim of a hold, and tells the hold.
func (c *Claims[T]) check(ctx context.Context, h *Hold[T]) {
	now, revision, err := c.newest(ctx, h.key)
	if err == nil && revision > 0 && !h.owns(now) {
		h.lose()
	}
}

func (c *Claims[T]) holder(key store.Key) *Hold[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holds[key]
}

// ours tells whether this process has a claim.
func (c *Claims[T]) ours(claim Claim[T]) bool {
	n := c.node
	return claim.Node == n.opt.NodeID && claim.Incarnation == n.incarnation && !claim.Released
}

// Take claims a key: it must have no claim, a released one, one whose node is gone, or one of this process that nobody
// holds, because the answer to its writing was lost. fault.Conflict otherwise. After an error, what may have been
// claimed all the same is given up again.
func (c *Claims[T]) Take(ctx context.Context, key store.Key, value T) (*Hold[T], error) {
	leave, err := c.enter(ctx, key)
	if err != nil {
		return nil, err
	}
	defer leave()
	for look := c.current; ; look = c.newest { // the index may be behind, or ahead of an engine that has forgotten
		old, revision, err := look(ctx, key)
		if err != nil {
			return nil, err
		}
		if err := c.free(ctx, key, old, revision); err != nil {
			return nil, err
		}
		h := newHold(c, key, old.Epoch+1)
		r, err := c.table.Put(ctx, key, h.claim(value, false), revision)
		if err == nil {
			h.revision = r.Revision
			c.hold(ctx, h)
			return h, nil
		}
		if !fault.Is(err, fault.Fenced) {
			defer c.leave(key, nil)
			return nil, err
		}
	}
}

// enter waits until no other caller takes the key: between the writing of a claim and its hold nobody may take it for one
// that was left.
func (c *Claims[T]) enter(ctx context.Context, key store.Key) (leave func(), err error) {
	for {
		c.mu.Lock()
		before := c.taking[key]
		if before == nil {
			mine := make(chan struct{})
			c.taking[key] = mine
			c.mu.Unlock()
			return func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				delete(c.taking, key)
				close(mine)
			}, nil
		}
		c.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, fmt.Errorf("cluster: wait for another claim of %s: %w", key.ID, ctx.Err())
		}
	}
}

// free tells whether a claim may be taken.
func (c *Claims[T]) free(ctx context.Context, key store.Key, old Claim[T], revision uint64) error {
	if revision == 0 || old.Released || c.ours(old) && c.holder(key) == nil {
		return nil
	}
	gone, err := c.node.Departed(ctx, old.Node, old.Incarnation)
	if err == nil && !gone {
		err = fault.New(fault.Conflict, "node %s holds it already", old.Node)
	}
	return err
}

// hold lists a new hold. The claim may have gone to another owner before it was listed.
func (c *Claims[T]) hold(ctx context.Context, h *Hold[T]) {
	c.mu.Lock()
	c.holds[h.key] = h
	c.mu.Unlock()
	if now, revision, err := c.current(ctx, h.key); err == nil && revision > 0 && !h.owns(now) {
		c.check(ctx, h)
	}
}

// forget takes a hold out of the list.
func (c *Claims[T]) forget(key store.Key, h *Hold[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holds[key] == h {
		delete(c.holds, key)
	}
}

// current returns the claim of a key and its revision, 0 when there is none.
func (c *Claims[T]) current(ctx context.Context, key store.Key) (Claim[T], uint64, error) {
	r, err := c.table.Get(ctx, key)
	if fault.Is(err, fault.NotFound) {
		return Claim[T]{}, 0, nil
	}
	return r.Value, r.Revision, err
}

// newest is current that asks the engine in any case.
func (c *Claims[T]) newest(ctx context.Context, key store.Key) (Claim[T], uint64, error) {
	r, err := c.table.GetNewest(ctx, key)
	if fault.Is(err, fault.NotFound) {
		return Claim[T]{}, 0, nil
	}
	return r.Value, r.Revision, err
}

// Get returns the value of an unreleased claim, whether or not its node is alive.
func (c *Claims[T]) Get(ctx context.Context, key store.Key) (T, bool, error) {
	claim, revision, err := c.current(ctx, key)
	if err != nil || revision == 0 || claim.Released {
		var none T
		return none, false, err
	}
	return claim.Value, true, nil
}

// Owner returns the claim of a key, released or not, and whether its node is alive; fault.NotFound without a claim.
func (c *Claims[T]) Owner(ctx context.Context, key store.Key) (claim Claim[T], alive bool, err error) {
	r, err := c.table.Get(ctx, key)
	if err != nil {
		return claim, false, err
	}
	alive, err = c.node.Alive(ctx, r.Value.Node, r.Value.Incarnation)
	return r.Value, alive, err
}

// List returns a page of the values of unreleased claims.
func (c *Claims[T]) List(ctx context.Context, q store.Query) (store.Page[T], error) {
	if q.Index == "" {
		q.Index, q.Value = indexUnreleased, "yes"
	}
	p, err := c.table.List(ctx, q)
	if err != nil {
		return store.Page[T]{}, err
	}
	out := store.Page[T]{Records: make([]store.Record[T], len(p.Records)), More: p.More}
	for i, r := range p.Records {
		out.Records[i] = store.Record[T]{Key: r.Key, Value: r.Value.Value, Revision: r.Revision}
	}
	return out, nil
}
