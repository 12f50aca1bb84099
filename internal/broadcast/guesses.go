package broadcast

import (
	"sync"
	"time"
)

// Limits of wrong stream keys from one address.
const (
	guessBurst   = 20              // wrong keys in a row
	guessRefill  = 3 * time.Second // one more after so long
	guessEntries = 8192            // addresses remembered
)

// guesses counts wrong stream keys by address and stops answering those that have tried too many. A right key costs
// nothing. Safe for use from many goroutines.
type guesses struct {
	mu   sync.Mutex
	full map[string]time.Time // when the address has its whole burst again
}

// allowed reports whether the address may try a key now.
func (g *guesses) allowed(address string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.full[address].Sub(now) < guessBurst*guessRefill
}

// failed counts a wrong key.
func (g *guesses) failed(address string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.full == nil {
		g.full = make(map[string]time.Time)
	}
	if _, known := g.full[address]; !known && len(g.full) >= guessEntries {
		g.forget(now)
	}
	at := g.full[address]
	if at.Before(now) {
		at = now
	}
	g.full[address] = at.Add(guessRefill)
}

// forget makes room for a quarter of the entries at least, so that it is seldom called: those who have their burst again
// go, then anybody.
func (g *guesses) forget(now time.Time) {
	for address, at := range g.full {
		if at.Before(now) {
			delete(g.full, address)
		}
	}
	for address := range g.full {
		if len(g.full) <= guessEntries*3/4 {
			return
		}
		delete(g.full, address)
	}
}
