// Package cluster says which node is alive, which node runs what, and carries commands between nodes.
//
// A node holds one lease. What it runs it claims, by compare-and-set, under an epoch that grows with every new owner;
// an owner that lost its claim finds out at its next write, or sooner through Lost, and must stop. What one node is to do for
// all is a Singleton.
//
// Imports: fault, natsd, store.
package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/store"
)

// Defaults of Options. The lease outlives a crashed engine leader, which may take nine seconds to be replaced.
const (
	DefaultLeaseTTL = 20 * time.Second
	DefaultRenew    = 3 * time.Second
)

// Options configure a node.
type Options struct {
	Store     *store.Store
	Conn      *natsd.Conn
	NodeID    string            // stays the same over restarts
	Addresses map[string]string // how other nodes reach this one, by purpose
	LeaseTTL  time.Duration     // whole seconds; 0 means DefaultLeaseTTL
	Renew     time.Duration     // 0 means DefaultRenew
	Logger    *slog.Logger      // nil discards
}

// Lease is the presence record of a node; it disappears when the node no longer renews it.
type Lease struct {
	Incarnation string            `json:"incarnation"`
	Life        int64             `json:"life"` // a later process of the same name has a higher one
	Addresses   map[string]string `json:"addresses,omitempty"`
}

// Node is this process as a member of the cluster.
type Node struct {
	opt         Options
	incarnation string
	life        int64 // set by take
	leases      *store.Table[Lease]
	ctx         context.Context // ends with Close; parent of commands being served and of the claims' watching
	stop        context.CancelFunc
	running     sync.WaitGroup
	tasks       *Claims[task] // of the cluster, each on one node
	panics      atomic.Int64

	mu         sync.Mutex
	revision   uint64 // of our lease
	members    members
	served     map[int]func() // stops what Serve started
	nextServed int
}

// Join takes the node's lease. A lease of an earlier incarnation of the same NodeID is taken over at once.
func Join(ctx context.Context, opt Options) (*Node, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.LeaseTTL == 0 {
		opt.LeaseTTL = DefaultLeaseTTL
	}
	if opt.Renew == 0 {
		opt.Renew = DefaultRenew
	}
	leases, err := store.OpenTable(ctx, opt.Store, store.Definition[Lease]{Name: "node", Class: store.Presence})
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	n := &Node{opt: opt, incarnation: rand.Text(), leases: leases, served: map[int]func(){}, members: newMembers()}
	n.ctx, n.stop = context.WithCancel(context.Background())
	if err := store.AtStart(ctx, opt.Logger, "take the node's lease", n.take); err != nil {
		n.stop()
		return nil, fmt.Errorf("cluster: take the lease of node %s: %w", opt.NodeID, err)
	}
	n.running.Go(func() { leases.Watch(n.ctx, n.told) })
	if n.tasks, err = OpenClaims(ctx, opt.Store, n, taskDefinition()); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

func (n *Node) key() store.Key { return store.Key{ID: n.opt.NodeID} }

// take writes the lease over whatever is there.
func (n *Node) take(ctx context.Context) error {
	for {
		there, err := n.stored(ctx)
		if err != nil {
			return err
		}
		// The clock puts this process behind an earlier one also when the engine has forgotten that one.
		n.life = max(time.Now().UnixNano(), there.Value.Life+1)
		if err = n.write(ctx, there.Revision); !fault.Is(err, fault.Fenced) {
			return err
		}
	}
}

// stored returns the node's lease as the engine has it, the zero record when it has none.
func (n *Node) stored(ctx context.Context) (store.Record[Lease], error) {
	r, err := n.leases.GetNewest(ctx, n.key())
	if fault.Is(err, fault.NotFound) {
		return store.Record[Lease]{}, nil
	}
	return r, err
}

func (n *Node) write(ctx context.Context, expected uint64) error {
	lease, sent := Lease{Incarnation: n.incarnation, Life: n.life, Addresses: n.opt.Addresses}, time.Now()
	r, err := n.leases.PutTTL(ctx, n.key(), lease, expected, n.opt.LeaseTTL)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.revision = r.Revision
	n.mu.Unlock()
	n.renewedAt(sent)
	return nil
}

// Run renews the lease until ctx ends. It returns fault.Fenced when another process has taken the same NodeID.
func (n *Node) Run(ctx context.Context) error {
	tick := time.NewTicker(n.opt.Renew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.ctx.Done():
			return nil
		case <-tick.C:
		}
		err := n.renew(ctx)
		if fault.Is(err, fault.Fenced) {
			return fmt.Errorf("cluster: node %s: %w", n.opt.NodeID, err)
		}
		if err != nil && ctx.Err() == nil {
			n.opt.Logger.Warn("the node's lease could not be renewed", "node", n.opt.NodeID, "error", err)
		}
	}
}

// renew writes the lease again. When the record is not as we left it, it looks whose it is: an earlier renewal of ours may
// have arrived without an answer, and an engine that lost its memory, or that did not hear of us for too long, has none,
// or one from before us. Only the lease of a later process of our name is fault.Fenced; whatever else keeps us from
// writing is fault.Unavailable, and the next renewal tries again.
func (n *Node) renew(ctx context.Context) error {
	n.mu.Lock()
	expected := n.revision
	n.mu.Unlock()
	for range maxWriteAttempts {
		err := n.write(ctx, expected)
		if !fault.Is(err, fault.Fenced) {
			return err
		}
		there, err := n.stored(ctx)
		if err != nil {
			return err
		}
		if there.Value.Incarnation != n.incarnation && there.Value.Life > n.life {
			return fault.New(fault.Fenced, "another process runs under this node's name")
		}
		expected = there.Revision
	}
	return fault.New(fault.Unavailable, "the lease of node %s changes too often", n.opt.NodeID)
}

// Close gives up the lease and waits for the commands being served.
func (n *Node) Close() {
	n.stop()
	n.stopServing()
	n.running.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := n.leases.Delete(ctx, n.key(), func(l Lease) error {
		if l.Incarnation != n.incarnation {
			return errNotOurs
		}
		return nil
	})
	if err != nil && !errors.Is(err, errNotOurs) && !fault.Is(err, fault.NotFound) {
		n.opt.Logger.Warn("the node's lease stays until it expires", "node", n.opt.NodeID, "error", err)
	}
}

var errNotOurs = errors.New("the lease is another process's")

// ID returns the node's name.
func (n *Node) ID() string { return n.opt.NodeID }

// Incarnation returns what tells this run of the node from earlier ones.
func (n *Node) Incarnation() string { return n.incarnation }

// Alive tells whether an incarnation of a node holds its lease, as far as this process knows. This process is.
func (n *Node) Alive(ctx context.Context, node, incarnation string) (bool, error) {
	if node == n.opt.NodeID {
		return incarnation == n.incarnation, nil
	}
	r, err := n.leases.Get(ctx, store.Key{ID: node})
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return r.Value.Incarnation == incarnation, nil
}

// Addresses returns how to reach another node; fault.NotFound when it has no lease.
func (n *Node) Addresses(ctx context.Context, node string) (map[string]string, error) {
	r, err := n.leases.Get(ctx, store.Key{ID: node})
	if err != nil {
		return nil, err
	}
	return r.Value.Addresses, nil
}
