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

// attempt runs fn, which changes the room. When it panics the room may be half changed: everybody is sent away, and whoever
// comes back finds a new one.
func (r *room) attempt(fn func()) {
	defer func() {
		if v := recover(); v != nil {
			r.manager.defect(v)
			r.closing = true
			r.kickAll(because(defective, ""))
		}
	}()
	fn()
}

// guard, deferred by a writer's goroutine, makes a panic the end of the publication whose packets it sends.
func (w *writer) guard() {
	if v := recover(); v != nil {
		p := w.track.pub
		p.defect(v)
		p.group.Go(p.source.Close)
	}
}
