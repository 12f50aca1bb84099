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
//
// The timer is left alone by waits that come and go while it runs; it looks how old the wait is that it finds.
type patience struct {
	gone func() bool // called between begin and end only

	mu      sync.Mutex
	timer   *time.Timer
	armed   bool
	waiting bool
	began   time.Time
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
	now := time.Now()
	p.waiting, p.began, p.limit = true, now, now.Add(limit)
	if !p.armed || limit < lookEvery {
		p.arm(min(limit, lookEvery))
	}
}

func (p *patience) arm(d time.Duration) {
	p.armed = true
	if p.timer == nil {
		p.timer = time.AfterFunc(d, p.look)
	} else {
		p.timer.Reset(d)
	}
}

// end ends the wait; a second call does nothing. When it returns, nobody calls gone.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = false
}

// stop ends the last wait.
func (p *patience) stop() {
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
	p.armed = false
	if !p.waiting || p.err != nil {
		return
	}
	next := lookEvery - time.Since(p.began) // a young wait is let alone
	if next <= 0 {
		next = lookEvery
		if p.gone() {
			p.finish(context.Canceled)
			return
		}
	}
	if left := time.Until(p.limit); left > 0 {
		p.arm(min(left, next))
	} else {
		p.finish(context.DeadlineExceeded)
	}
}

func (p *patience) finish(err error) {
	p.err = err
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
