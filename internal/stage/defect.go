package stage

import (
	"errors"
	"runtime/debug"
)

var errDefect = errors.New("a defect of the server")

// defect counts a panic that has ended something, and tells the operator of it.
func (m *Manager) defect(v any) {
	m.counters.panics.Add(1)
	m.opt.Logger.Error("stage: a panic ended what it was in", "panic", v, "stack", string(debug.Stack()))
}

// contain runs fn. A panic in it ends fn alone, and then what does without it.
func (e environment) contain(fn, then func()) {
	defer func() {
		if v := recover(); v != nil {
			e.defect(v)
			then()
		}
	}()
	fn()
}

// contained is a callback whose panics end one call of it.
func contained[T any](e environment, fn func(T)) func(T) {
	return func(v T) { e.contain(func() { fn(v) }, func() {}) }
}

// attempt runs fn, which changes the room. When it panics the room may be half changed: everybody is sent away, and whoever
// comes back finds a new one.
func (r *room) attempt(fn func()) {
	r.manager.env.contain(fn, r.sendAway)
}

// sendAway closes the room for a defect.
func (r *room) sendAway() {
	r.closing = true
	r.kickAll(because(defective, ""))
}

// closeSource ends a publication's source without making the room wait.
func (r *room) closeSource(pub *publication) {
	r.group.Go(func() { r.manager.env.contain(pub.source.Close, func() {}) })
}

// guard, deferred by a writer's goroutine, makes a panic the end of the publication whose packets it sends.
func (w *writer) guard() {
	if v := recover(); v != nil {
		p := w.track.pub
		p.defect(v)
		p.group.Go(p.source.Close)
	}
}
