// Package strangers counts connections of those who have proved nothing yet, and says when one address has too many.
//
// A connection costs a file descriptor and a goroutine from the moment it is accepted. Until its other end has proved
// something (a TLS handshake, a stream key, a token, a complete request, a check with a peer's credentials) it is a
// stranger's, and only a bounded number of them may come from one place. Whoever accepts wraps the connection in
// something that has a method Prove; whoever serves it calls Prove when there is a proof.
//
// Imports: nothing of Rivus.
package strangers

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Counter counts strangers by place. It is safe for concurrent use.
type Counter struct {
	most int
	free func(netip.Addr) bool

	mu    sync.Mutex
	from  map[netip.Prefix]int
	total int
}

// NewCounter returns a counter that lets most strangers of one place in at a time. Those of a free address are not
// counted; nil means that none is free.
func NewCounter(most int, free func(netip.Addr) bool) *Counter {
	if free == nil {
		free = func(netip.Addr) bool { return false }
	}
	return &Counter{most: most, free: free, from: map[netip.Prefix]int{}}
}

// Network is what counts as one place: an IPv4 address, or the /64 that one IPv6 host can choose addresses from. An
// address that is neither belongs to a zero network.
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// Free reports whether connections from an address are not counted.
func (c *Counter) Free(a netip.Addr) bool { return c.free(a.Unmap()) }

// Enter lets a stranger in, or returns nil when too many are there from its place. End must follow.
func (c *Counter) Enter(a netip.Addr) *Visit {
	if c.Free(a) {
		v := &Visit{}
		v.over.Store(true)
		return v
	}
	v := &Visit{counter: c, from: Network(a)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from[v.from] >= c.most {
		return nil
	}
	c.from[v.from]++
	c.total++
	return v
}

// Present returns how many strangers there are now.
func (c *Counter) Present() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

// Visit is the time of one connection as a stranger's.
type Visit struct {
	counter *Counter
	from    netip.Prefix
	over    atomic.Bool
}

// End is called when the stranger has proved something, or has gone. Further calls do nothing.
func (v *Visit) End() {
	if v.over.Swap(true) {
		return
	}
	c := v.counter
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total--
	if c.from[v.from]--; c.from[v.from] == 0 {
		delete(c.from, v.from)
	}
}

// Prove tells that the other end of a connection has proved something. It finds the connection that is counted beneath
// TLS; of one that nobody counts there is nothing to tell.
func Prove(c net.Conn) {
	for c != nil {
		switch v := c.(type) {
		case interface{ Prove() }:
			v.Prove()
			return
		case interface{ NetConn() net.Conn }:
			c = v.NetConn()
		default:
			return
		}
	}
}

type contextKey struct{}

// With returns a context of requests on a connection, for ProveRequest.
func With(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// ProveRequest is Prove for the connection of a request.
func ProveRequest(ctx context.Context) {
	if c, ok := ctx.Value(contextKey{}).(net.Conn); ok {
		Prove(c)
	}
}
