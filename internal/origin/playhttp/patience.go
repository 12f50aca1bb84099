package playhttp

import (
	"context"
	"sync"
	"time"
)

// lookEvery is how often a client that waits is looked at: most waits are shorter and cost nothing more than the timer.
const lookEvery = time.Second

// patience is the context of one wait after another, so that none has to be allocated: a wait begins and ends, and what
// was given out for it must not be used after that. It ends the wait at its limit, or when the client is gone.
type patience struct {
	gone func() bool // called by the timer between begin and end only

	mu      sync.Mutex
	timer   *time.Timer
	waiting bool
	limit   time.Time
	done    chan struct{}
	err     error // why done is closed
}

func newPatience(gone func() bool) *patience {
	return &patience{gone: gone, done: make(chan struct{})}
}

// begin starts a wait.
func (p *patience) begin(limit time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		p.err, p.done = nil, make(chan struct{})
	}
	p.waiting, p.limit = true, time.Now().Add(limit)
	if first := min(limit, lookEvery); p.timer == nil {
		p.timer = time.AfterFunc(first, p.look)
	} else {
		p.timer.Reset(first)
	}
}

// end ends the wait; a second call does nothing. When it returns, nobody looks.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = false
	if p.timer != nil {
		p.timer.Stop()
	}
}

// look ends the wait if its time has come.
func (p *patience) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.waiting || p.err != nil {
		return
	}
	if p.gone() {
		p.err = context.Canceled
	} else if left := time.Until(p.limit); left > 0 {
		p.timer.Reset(min(left, lookEvery))
		return
	} else {
		p.err = context.DeadlineExceeded
	}
	close(p.done)
}

// Deadline returns when the wait ends at the latest.
func (p *patience) Deadline() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limit, true
}

// Done is closed when the wait has ended without a result.
func (p *patience) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// Err says why.
func (p *patience) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Value returns nothing.
func (p *patience) Value(any) any { return nil }
