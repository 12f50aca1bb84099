package rtmp

import (
	"net/netip"
	"sync"

	"github.com/rivus-live/rivus/internal/strangers"
)

// gate counts connections, all and by network, and says when there are too many.
type gate struct {
	most, mostFrom int

	mu   sync.Mutex
	open int
	from map[netip.Prefix]int
}

func newGate(most, mostFrom int) *gate {
	return &gate{most: most, mostFrom: mostFrom, from: make(map[netip.Prefix]int)}
}

// enter reports whether a connection may come in; leave must follow if it may.
func (g *gate) enter(a netip.Addr) bool {
	n := strangers.Network(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open >= g.most || n.IsValid() && g.from[n] >= g.mostFrom {
		return false
	}
	g.open++
	g.from[n]++
	return true
}

func (g *gate) leave(a netip.Addr) {
	n := strangers.Network(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	if g.from[n]--; g.from[n] == 0 {
		delete(g.from, n)
	}
}

func (g *gate) count() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return int64(g.open)
}
