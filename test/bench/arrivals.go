package main

import (
	"sync"
	"time"
)

// arrivals compares when parts came to viewers with when they were published. All viewers get the same bytes of a part,
// so one of them looks for the stamp in it and the others only tell when they had it.
type arrivals struct {
	mu    sync.Mutex
	parts map[string]*arrival
}

// arrival is one part.
type arrival struct {
	published time.Time // zero until it is known
	duration  time.Duration
	came      []time.Time // since the last collection
}

// claim reports whether the caller is the first to ask for a part; it must find the stamp then.
func (a *arrivals) claim(p listedPart) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.parts[p.uri] != nil {
		return false
	}
	if a.parts == nil {
		a.parts = map[string]*arrival{}
	}
	a.parts[p.uri] = &arrival{duration: p.duration}
	return true
}

// publish notes when a part that was claimed had been published.
func (a *arrivals) publish(uri string, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.parts[uri].published = at
}

// came notes when a viewer had a part, which somebody has claimed, to its last byte.
func (a *arrivals) came(uri string, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.parts[uri]
	p.came = append(p.came, at)
}

// collect returns how long the parts that came since the last time took, and how many took longer than they last.
func (a *arrivals) collect() (took []time.Duration, late int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.parts {
		if p.published.IsZero() {
			continue
		}
		for _, at := range p.came {
			d := at.Sub(p.published)
			took = append(took, d)
			if d > p.duration {
				late++
			}
		}
		p.came = nil
	}
	return took, late
}
