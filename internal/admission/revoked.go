package admission

import (
	"context"
	"errors"
	"sync"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
)

// errRevoked is why a viewer who was revoked watches no more.
func errRevoked() error { return refuseToken(Revoked, "the viewer was revoked") }

// isRevoked looks whether the viewer of a session was revoked: hardly anybody is.
func (g *Gate) isRevoked(channel arn.ARN, p *Pass) bool {
	return p.ViewerID != "" && p.SessionVersion <= g.opt.Records.Revocation(channel, p.ViewerID)
}

// waiting are the sessions that wait for something, by whom they can be revoked.
type waiting struct {
	mu sync.Mutex
	by map[string]map[*waiter]struct{}
}

type waiter struct {
	version int64
	end     context.CancelCauseFunc
}

// Attend returns a context for a wait of a session, which ends with the cause of a *Refusal when its viewer is revoked meanwhile
// or was before. done must be called after the wait.
func (g *Gate) Attend(ctx context.Context, channel arn.ARN, p *Pass) (attended context.Context, done func()) {
	if p.ViewerID == "" {
		return ctx, func() {}
	}
	attended, end := context.WithCancelCause(ctx)
	w, name := &waiter{p.SessionVersion, end}, records.RevokedValue(channel, p.ViewerID)
	g.waiting.add(name, w)
	if g.isRevoked(channel, p) { // perhaps since before the waiter was there
		end(errRevoked())
	}
	return attended, func() {
		g.waiting.remove(name, w)
		end(nil)
	}
}

func (l *waiting) add(name string, w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[string]map[*waiter]struct{}{}
	}
	if l.by[name] == nil {
		l.by[name] = map[*waiter]struct{}{}
	}
	l.by[name][w] = struct{}{}
}

func (l *waiting) remove(name string, w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.by[name], w)
	if len(l.by[name]) == 0 {
		delete(l.by, name)
	}
}

// of returns the waits of a viewer's sessions up to a version.
func (l *waiting) of(r resource.ViewerRevocation) (list []*waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.by[records.RevokedValue(r.ChannelARN, r.ViewerID)] {
		if w.version <= r.Version {
			list = append(list, w)
		}
	}
	return list
}

// Run ends the waits of viewers who are revoked, on whatever node that was asked for, until ctx ends.
func (g *Gate) Run(ctx context.Context) error {
	g.opt.Records.WatchRevocations(ctx, func(r resource.ViewerRevocation) {
		for _, w := range g.waiting.of(r) {
			w.end(errRevoked())
		}
	})
	return nil
}

// CauseOf returns the refusal for which a wait was ended, nil when it ended otherwise; it counts it.
func (g *Gate) CauseOf(ctx context.Context) error {
	cause := context.Cause(ctx)
	if _, ok := errors.AsType[*Refusal](cause); ok {
		return g.count(cause)
	}
	return nil
}
