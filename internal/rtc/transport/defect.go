package transport

import (
	"errors"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
)

// ErrDefect is why a peer ended whose packets, or whose turn, made the server panic.
var ErrDefect = errors.New("a defect of the server ended the connection")

// defects are the panics that have ended something.
type defects struct {
	count atomic.Int64
	log   atomic.Pointer[slog.Logger]
}

// Panics returns how many panics have ended a peer, or cost a datagram that was not a peer's yet.
func (m *Mux) Panics() int64 { return m.defects.count.Load() }

// SetLogger says who is told of panics; before, nobody is.
func (m *Mux) SetLogger(l *slog.Logger) { m.defects.log.Store(l) }

// note counts a panic and tells of it: of many, the 1st, 2nd, 4th, 8th and so on, for a stranger may have found out what
// causes them.
func (d *defects) note(v any) {
	n := d.count.Add(1)
	if l := d.log.Load(); l != nil && n&(n-1) == 0 {
		l.Error("media: a panic ended a connection", "panic", v, "stack", string(debug.Stack()), "so_far", n)
	}
}

// guard, deferred, makes a panic cost what came from a stranger and no more.
func (m *Mux) guard() {
	if v := recover(); v != nil {
		m.defects.note(v)
	}
}

// guard, deferred, makes a panic the end of the peer. Nothing of it is served any more: its state may be half changed.
func (p *Peer) guard() {
	v := recover()
	if v == nil {
		return
	}
	p.mux.defects.note(v)
	p.life.Lock()
	p.closed = true
	p.life.Unlock()
	p.over(ErrDefect)
}
