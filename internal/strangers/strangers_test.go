package strangers_test

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/rivus-live/rivus/internal/strangers"
)

func TestCounter(t *testing.T) {
	t.Parallel()
	ip := netip.MustParseAddr
	c := strangers.NewCounter(2, func(a netip.Addr) bool { return a.IsLoopback() })
	for _, places := range [][]string{ // three addresses of one place: the third is one too many
		{"192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:db8::1", "2001:db8::2%eth0", "2001:db8::ffff:1"},
	} {
		first, second := c.Enter(ip(places[0])), c.Enter(ip(places[1]))
		if first == nil || second == nil || c.Enter(ip(places[2])) != nil {
			t.Fatalf("%v: %v %v", places, first, second)
		}
		first.End()
		first.End() // twice is once
		third := c.Enter(ip(places[2]))
		if third == nil || c.Enter(ip(places[0])) != nil {
			t.Fatalf("%v: after one has gone", places)
		}
		second.End()
		third.End()
	}
	if c.Enter(ip("192.0.2.1")) == nil || c.Enter(ip("192.0.2.2")) == nil || c.Enter(ip("2001:db8:0:1::1")) == nil || c.Present() != 3 {
		t.Errorf("%d from three places", c.Present())
	}
	for range 10 {
		if v := c.Enter(ip("::ffff:127.0.0.1")); v == nil {
			t.Fatal("loopback is not free")
		} else {
			v.End()
		}
	}
	if c.Present() != 3 {
		t.Errorf("%d present", c.Present())
	}
}

// TestCounterIsExact: whoever comes and goes at the same time, there are never too many and nobody is left over.
func TestCounterIsExact(t *testing.T) {
	t.Parallel()
	c := strangers.NewCounter(3, nil)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 1000 {
				if v := c.Enter(netip.MustParseAddr("192.0.2.1")); v != nil {
					if c.Present() > 3 {
						t.Error("too many")
					}
					v.End()
				}
			}
		})
	}
	group.Wait()
	if c.Present() != 0 {
		t.Errorf("%d left", c.Present())
	}
}

// counted is a connection that somebody counts.
type counted struct {
	net.Conn
	proved int
}

func (c *counted) Prove() { c.proved++ }

func TestProve(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer far.Close()
	c := &counted{Conn: near}
	strangers.Prove(tls.Server(c, nil))
	strangers.ProveRequest(strangers.With(t.Context(), c))
	strangers.ProveRequest(t.Context())
	strangers.Prove(far)
	strangers.Prove(nil)
	if c.proved != 2 {
		t.Errorf("proved %d times", c.proved)
	}
}
