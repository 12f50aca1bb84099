package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/natsd/natsdtest"
)

const taskWrites = "rivus-presence.task."

// stint is one run of a task on a node.
type stint struct {
	node string
	end  context.CancelFunc // has it fail
}

// crew runs one task on several nodes and sees to it that never two of them have it.
type crew struct {
	t       *testing.T
	at      atomic.Int32
	stints  chan stint
	running sync.WaitGroup
}

var errStint = errors.New("the stint is over")

func newCrew(t *testing.T) *crew {
	t.Helper()
	c := &crew{t: t, stints: make(chan stint, 100)}
	t.Cleanup(c.running.Wait)
	return c
}

func (c *crew) add(ctx context.Context, n *Node) <-chan error {
	done := make(chan error, 1)
	c.running.Go(func() {
		done <- n.Singleton(ctx, "work", func(ctx context.Context) error {
			if c.at.Add(1) != 1 {
				c.t.Error("two nodes have the task")
			}
			defer c.at.Add(-1)
			failing, end := context.WithCancel(context.Background())
			defer end()
			c.stints <- stint{n.ID(), end}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-failing.Done():
				return errStint
			}
		})
	})
	return done
}

func (c *crew) next() stint {
	c.t.Helper()
	select {
	case s := <-c.stints:
		return s
	case <-time.After(30 * time.Second):
		c.t.Fatal("nobody has the task")
	}
	return stint{}
}

// TestSingletonOutlivesItsNode: a node that can renew its lease no more stops its task before another one begins with it.
func TestSingletonOutlivesItsNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nodes, crashes := map[string]*Node{}, map[string]func(){}
	ctx, cancel := context.WithCancel(t.Context())
	c := newCrew(t)
	for _, id := range []string{"a", "b", "c"} {
		nodes[id], crashes[id] = w.join(t, id)
		c.add(ctx, nodes[id])
	}
	seen := map[string]bool{}
	for range 3 {
		s := c.next()
		if seen[s.node] {
			t.Fatalf("%s has the task again", s.node)
		}
		seen[s.node] = true
		crashes[s.node]()
	}
	cancel()
	c.running.Wait()
}

// TestSingletonThatFails: its error is told where it ran, and another node takes over.
func TestSingletonThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _ := w.join(t, "a")
	b, _ := w.join(t, "b")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := newCrew(t)
	done := map[string]<-chan error{"a": c.add(ctx, a), "b": c.add(ctx, b)}
	first := c.next()
	first.end()
	if err := <-done[first.node]; !errors.Is(err, errStint) {
		t.Fatalf("got %v", err)
	}
	second := c.next()
	if second.node == first.node {
		t.Fatalf("%s has it again", second.node)
	}
	cancel()
	if err := <-done[second.node]; err != nil {
		t.Errorf("the end of ctx is an error: %v", err)
	}
}

// TestSingletonWhateverBecomesOfTheAnswer: claims that were taken or given up without an answer, or late, bring neither two
// runs nor none.
func TestSingletonWhateverBecomesOfTheAnswer(t *testing.T) {
	t.Parallel()
	for _, kind := range []natsdtest.Kind{natsdtest.Lost, natsdtest.Doubled, natsdtest.Dropped, natsdtest.Late} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			w, faults := newFaultyWorld(t)
			a, _ := w.join(t, "a")
			b, _ := w.join(t, "b")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := newCrew(t)
			rule := faults.Inject(kind, taskWrites, 3)
			done := map[string]<-chan error{"a": c.add(ctx, a), "b": c.add(ctx, b)}
			s := c.next()
			<-rule.Hit()
			if kind == natsdtest.Late {
				faults.Deliver(t, rule)
			}
			faults.Inject(kind, taskWrites, 2)
			s.end()
			if err := <-done[s.node]; !errors.Is(err, errStint) {
				t.Fatalf("got %v", err)
			}
			if other := c.next(); other.node == s.node {
				t.Fatalf("%s has it again", s.node)
			}
		})
	}
}

// TestForgottenLeaseIsNoDeath: an engine that did not answer for long has forgotten all leases when it is back. A node is gone
// only when its lease stays away while others do renew theirs, or when a later life has its name.
func TestForgottenLeaseIsNoDeath(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	var nodes [2]*Node
	for i, id := range []string{"a", "b"} {
		n, err := Join(ctx, Options{Store: w.store, Conn: w.conn, NodeID: id})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		nodes[i] = n
	}
	a, b := nodes[0], nodes[1]
	departed := func(incarnation string) bool {
		gone, err := a.Departed(ctx, "b", incarnation)
		if err != nil {
			t.Fatal(err)
		}
		return gone
	}
	forget := func() {
		if _, err := a.leases.Delete(ctx, b.key(), nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the lease is known to be away", func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			_, away := a.members.away["b"]
			return away
		})
	}
	renew := func(n *Node, times int) {
		for range times {
			if err := n.renew(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 3 {
		forget()
		renew(a, awayRenewals-1)
		if departed(b.incarnation) {
			t.Fatal("gone too early")
		}
		renew(b, 1)
		eventually(t, "the lease is known again", func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return len(a.members.away) == 0
		})
	}
	forget()
	changed := a.Changed()
	renew(a, awayRenewals)
	<-changed
	if !departed(b.incarnation) {
		t.Fatal("a node that stays away is not gone")
	}
	if departed("somebody") != true || departed(b.incarnation) != true {
		t.Fatal("an earlier life is not gone")
	}
	changed = a.Changed()
	renew(b, 1)
	<-changed
	if departed(b.incarnation) || !departed("earlier") {
		t.Fatal("a node that is back is gone, or its earlier life is not")
	}
}
