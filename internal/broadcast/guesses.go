package broadcast

import (
	"crypto/sha256"
	"sync"
	"time"
)

// Limits of wrong secrets for one key id from one address.
const (
	guessBurst   = 20              // in a row
	guessRefill  = 3 * time.Second // one more after so long
	guessEntries = 8192            // guessers remembered
)

// guesserID is one address trying one key id, so that an encoder with an old key blocks itself and not its neighbours
// behind the same address.
type guesserID [sha256.Size]byte

func guesser(address, id string) guesserID { return sha256.Sum256([]byte(address + " " + id)) }

// guesses counts wrong stream keys and stops comparing for those who have tried too many. A right key costs nothing.
// Safe for use from many goroutines.
type guesses struct {
	mu   sync.Mutex
	full map[guesserID]time.Time // when it has its whole burst again
}

// allowed reports whether a key may be tried now.
func (g *guesses) allowed(who guesserID, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.full[who].Sub(now) < guessBurst*guessRefill
}

// failed counts a wrong key.
func (g *guesses) failed(who guesserID, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.full == nil {
		g.full = make(map[guesserID]time.Time)
	}
	if _, known := g.full[who]; !known && len(g.full) >= guessEntries {
		g.forget(now)
	}
	at := g.full[who]
	if at.Before(now) {
		at = now
	}
	g.full[who] = at.Add(guessRefill)
}

// forget makes room for a quarter of the entries at least, so that it is seldom called: those who have their burst again
// go, then anybody.
func (g *guesses) forget(now time.Time) {
	for who, at := range g.full {
		if at.Before(now) {
			delete(g.full, who)
		}
	}
	for who := range g.full {
		if len(g.full) <= guessEntries*3/4 {
			return
		}
		delete(g.full, who)
	}
}
