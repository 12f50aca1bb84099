package delivery

import (
	"context"
	"sync"
	"time"
)

// Rates spaces the requests to each destination.
type Rates struct {
	mu   sync.Mutex
	next map[string]time.Time // when the next request may go
}

// maxRates bounds the destinations that are remembered. Those whose time has come are forgotten first.
const maxRates = 10_000

// Wait waits for a destination's turn; a rate of 0 is no limit. It returns only when ctx ends before that.
func (r *Rates) Wait(ctx context.Context, destination string, rate int, clock func() time.Time) error {
	if rate <= 0 {
		return nil
	}
	now := clock()
	r.mu.Lock()
	if r.next == nil {
		r.next = map[string]time.Time{}
	}
	if len(r.next) >= maxRates {
		for k, at := range r.next {
			if at.Before(now) {
				delete(r.next, k)
			}
		}
	}
	at := r.next[destination]
	if at.Before(now) {
		at = now
	}
	r.next[destination] = at.Add(time.Second / time.Duration(rate))
	r.mu.Unlock()
	if at.Equal(now) {
		return nil
	}
	select {
	case <-time.After(at.Sub(now)):
		return nil
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the caller's own
	}
}
