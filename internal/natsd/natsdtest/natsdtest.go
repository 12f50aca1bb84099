// Package natsdtest makes the state engine fail in the ways that engines do: answers are lost, requests arrive late or
// twice, servers of a cluster die and come back.
//
// Imports: natsd.
package natsdtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/rivus-live/rivus/internal/natsd"
)

// Kind is a way to fail.
type Kind uint8

// The kinds. Whoever asked is told at once that no answer came, as it would be after a while.
const (
	Lost    Kind = iota // the engine did what it was asked to, and its answer was lost
	Late                // the request arrives when Deliver is called
	Doubled             // the request arrives twice, and the second answer counts
	Dropped             // the request never arrives
)

// Faults stands between Rivus and its engine. Its methods may be called from any goroutine.
type Faults struct {
	mu    sync.Mutex
	rules []*Fault
}

// Fault is something that will go wrong, or has.
type Fault struct {
	kind    Kind
	subject string
	left    int
	once    sync.Once
	hit     chan struct{} // closed when it has happened for the first time
	late    []func() error
}

// Between is natsd.Options.Between.
func (f *Faults) Between(next natsd.Exchange) natsd.Exchange {
	return func(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
		rule := f.take(m.Subject)
		if rule == nil {
			return next(ctx, m)
		}
		defer rule.happened()
		switch rule.kind {
		case Lost:
			if _, err := next(ctx, m); err != nil {
				return nil, err
			}
		case Late:
			f.mu.Lock()
			rule.late = append(rule.late, func() error {
				_, err := next(context.Background(), m)
				return err
			})
			f.mu.Unlock()
		case Doubled:
			if _, err := next(ctx, m); err != nil {
				return nil, err
			}
			return next(ctx, m)
		case Dropped:
		}
		return nil, fmt.Errorf("the answer is lost on purpose: %w", nats.ErrTimeout)
	}
}

// Inject makes the next times requests fail whose subject contains a text.
func (f *Faults) Inject(kind Kind, subject string, times int) *Fault {
	rule := &Fault{kind: kind, subject: subject, left: times, hit: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, rule)
	return rule
}

func (f *Faults) take(subject string) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if r.left > 0 && strings.Contains(subject, r.subject) {
			r.left--
			return r
		}
	}
	return nil
}

// Hit is closed when the fault has happened for the first time.
func (r *Fault) Hit() <-chan struct{} { return r.hit }

func (r *Fault) happened() { r.once.Do(func() { close(r.hit) }) }

// Deliver lets the requests arrive that were held up by a fault of the kind Late.
func (f *Faults) Deliver(tb testing.TB, r *Fault) {
	tb.Helper()
	f.mu.Lock()
	late := r.late
	r.late = nil
	f.mu.Unlock()
	if len(late) == 0 {
		tb.Fatal("nothing is late")
	}
	for _, send := range late {
		if err := send(); err != nil {
			tb.Fatalf("deliver what is late: %v", err)
		}
	}
}
