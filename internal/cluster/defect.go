package cluster

import (
	"fmt"
	"runtime/debug"
)

// contain runs fn, which is about one command or one duty. A panic in it is an error of fn, and the process goes on.
func (n *Node) contain(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			n.panics.Add(1)
			n.opt.Logger.Error("cluster: a panic ended what it was in", "panic", v, "stack", string(debug.Stack()))
			err = fmt.Errorf("a defect of the server: %v", v)
		}
	}()
	return fn()
}

// Panics returns how many panics have ended a command that this node served, or a duty.
func (n *Node) Panics() int64 { return n.panics.Load() }
