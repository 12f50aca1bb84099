// Package cluster says which node is alive, which node runs what, and carries commands between nodes.
//
// A node holds one lease. What it runs it claims, by compare-and-set, under an epoch that grows with every new owner;
// an owner that lost its claim finds out at its next write, or sooner through Lost, and must stop.
//
// Imports: fault, natsd, store.
package cluster

import (
	"context"
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/store"
)

// Options configure a node.
type Options struct {
	Store     *store.Store
	Conn      *natsd.Conn
	NodeID    string            // stays the same over restarts
	Addresses map[string]string // how other nodes reach this one, by purpose
	LeaseTTL  time.Duration     // whole seconds; 0 means 20 s
	Renew     time.Duration     // 0 means 3 s
	Logger    *slog.Logger      // nil discards
}

// Node is this process as a member of the cluster.
type Node struct{}

// Join takes the node's lease. A lease of an earlier incarnation of the same NodeID is taken over at once.
func Join(ctx context.Context, opt Options) (*Node, error) { return nil, nil }

// Run renews the lease until ctx ends. It returns fault.Fenced when another process has taken the same NodeID.
func (n *Node) Run(ctx context.Context) error { return nil }

// Close gives up the lease and waits for the commands being served.
func (n *Node) Close() {}

// ID returns the node's name.
func (n *Node) ID() string { return "" }

// Incarnation returns what tells this run of the node from earlier ones.
func (n *Node) Incarnation() string { return "" }

// Request sends a command and decodes the answer into out, which may be nil. The kind and message of a fault on the
// other side arrive as a fault here; when nobody serves the subject or no answer comes, it is fault.Unavailable.
func (n *Node) Request(ctx context.Context, subject string, in, out any) error { return nil }

// Serve answers commands on a subject, each in a goroutine of its own, until stop is called; stop waits for them.
func (n *Node) Serve(subject string, h func(ctx context.Context, data []byte) (any, error)) (stop func(), err error) {
	return func() {}, nil
}
