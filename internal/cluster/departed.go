package cluster

import (
	"context"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/store"
)

// A lease that is away is not yet a node that is gone. An engine that did not answer for as long as a lease lasts has
// forgotten all of them when it is back, before anybody could renew. So a life of a node counts as gone when a later one
// has its name, or when its lease stayed away while this node renewed its own a few times: that is time in which the engine
// did answer, and nobody needs a clock for it.

// awayRenewals is how many renewals of ours a lease must stay away. A node that finds the engine back renews within one
// interval and the longest time that a question may take, which is less than two intervals more.
const awayRenewals = 4

// members is who is gone, as far as this node knows.
type members struct {
	renewals int               // of our own lease
	renewed  time.Time         // when the last of them was sent
	away     map[string]int    // nodes without a lease, with our renewals at that time
	changed  chan struct{}     // closed, and made anew, when somebody's lease came or somebody is gone
	lives    map[string]string // incarnations by node, as last told
}

func newMembers() members {
	return members{away: map[string]int{}, lives: map[string]string{}, changed: make(chan struct{})}
}

// pulse tells who waits that the members have changed. The caller holds the lock.
func (m *members) pulse() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// told is called for every change of a lease.
func (n *Node) told(c store.Change[Lease]) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m, node := &n.members, c.Key.ID
	if c.New == nil {
		delete(m.lives, node)
		m.away[node] = m.renewals
		return
	}
	delete(m.away, node)
	if m.lives[node] != c.New.Incarnation {
		m.lives[node] = c.New.Incarnation
		m.pulse()
	}
}

// renewedAt notes a renewal that was sent at a time and has succeeded.
func (n *Node) renewedAt(at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := &n.members
	m.renewals++
	m.renewed = at
	for _, since := range m.away {
		if m.renewals-since == awayRenewals {
			m.pulse()
			return
		}
	}
}

// Departed tells whether a life of a node is gone for good, as far as this node knows. What it ran may be ended then, or
// run elsewhere. Of a node that nobody has heard of for long, this one knows only after it has listened for a while.
func (n *Node) Departed(ctx context.Context, node, incarnation string) (bool, error) {
	if node == n.opt.NodeID {
		return incarnation != n.incarnation, nil
	}
	r, err := n.leases.Get(ctx, store.Key{ID: node})
	if err == nil {
		return r.Value.Incarnation != incarnation, nil
	}
	if !fault.Is(err, fault.NotFound) {
		return false, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	m := &n.members
	since, known := m.away[node]
	if !known {
		since = m.renewals
		m.away[node] = since
	}
	return m.renewals-since >= awayRenewals, nil
}

// Changed returns a channel that is closed when the next node comes, or is gone.
func (n *Node) Changed() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.members.changed
}

// cutOff returns the time at which others may begin to think that this node is gone, unless it renews its lease before.
func (n *Node) cutOff() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.members.renewed.Add(n.opt.LeaseTTL)
}

// connected tells that the others cannot think that yet.
func (n *Node) connected() bool { return time.Now().Before(n.cutOff()) }
