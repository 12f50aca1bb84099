package origin

import (
	"strconv"
	"sync"
	"testing"
	"time"
)

// viewer returns a distinct viewer for every n, spread over the shards.
func viewer(n int) (id viewerID) {
	copy(id[1:], strconv.Itoa(n))
	id[0] = byte(n)
	return id
}

// hand is a clock that a test moves.
type hand struct {
	mu  sync.Mutex
	now time.Time
}

func (c *hand) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *hand) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// TestAudience: a viewer counts at once and as long as it asks, and is forgotten within a minute.
func TestAudience(t *testing.T) {
	t.Parallel()
	for _, target := range []time.Duration{2 * time.Second, 6 * time.Second, 30 * time.Second} {
		clock := &hand{now: time.Unix(1e9, 0)}
		a := newAudiences(100, clock.time)
		if a.seen("st-1", viewer(0)) {
			t.Error("a stranger is known")
		}
		for n := range 40 {
			a.addViewer("st-1", viewer(n), target)
			a.addViewer("st-1", viewer(n), target)
		}
		if got := a.count("st-1"); got != 40 {
			t.Errorf("%v: %d viewers, want 40", target, got)
		}
		for range 20 { // ten of them stay
			clock.pass(min(target, 6*time.Second))
			for n := range 10 {
				if !a.seen("st-1", viewer(n)) {
					t.Fatalf("%v: a viewer who stayed is forgotten", target)
				}
			}
		}
		if target < 30*time.Second && clock.time().Sub(time.Unix(1e9, 0)) < 40*time.Second {
			t.Fatal("the test is too short")
		}
		clock.pass(20 * time.Second)
		if got := a.count("st-1"); got > 10 {
			t.Errorf("%v: %d viewers are left, want 10 at most", target, got)
		}
		clock.pass(40 * time.Second)
		if got := a.count("st-1"); got != 0 {
			t.Errorf("%v: %d viewers a minute after the last request", target, got)
		}
		if got := a.size.Load(); got != 0 {
			t.Errorf("%v: %d viewers remembered, want none", target, got)
		}
	}
}

// TestAudienceBounds: no more viewers are remembered than allowed, and streams that are over are forgotten.
func TestAudienceBounds(t *testing.T) {
	t.Parallel()
	clock := &hand{now: time.Unix(1e9, 0)}
	a := newAudiences(25, clock.time)
	for n := range 100 {
		a.addViewer("st-"+strconv.Itoa(n%2), viewer(n), 2*time.Second)
	}
	if got := a.count("st-0") + a.count("st-1"); got != 25 || a.size.Load() != 25 {
		t.Errorf("%d viewers, %d remembered, want 25", got, a.size.Load())
	}
	clock.pass(2 * time.Minute)
	a.addViewer("st-2", viewer(1), 2*time.Second)
	if len(a.streams) != 1 || a.size.Load() != 1 {
		t.Errorf("%d streams and %d viewers remembered, want 1", len(a.streams), a.size.Load())
	}
}

// TestAudienceRace counts from many goroutines at once.
func TestAudienceRace(t *testing.T) {
	t.Parallel()
	a := newAudiences(1e6, time.Now)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for n := range 500 {
				a.addViewer("st-1", viewer(n), 2*time.Second)
				a.seen("st-1", viewer(n+g))
				a.count("st-1")
			}
		})
	}
	all.Wait()
	if got := a.count("st-1"); got != 500 {
		t.Errorf("%d viewers, want 500", got)
	}
}

func TestMint(t *testing.T) {
	t.Parallel()
	m := mint{[]byte("key")}
	s := m.new("st-1")
	id, proof, ok := split(s)
	if !ok || !m.valid("st-1", id, proof) {
		t.Fatalf("%s is not valid", s)
	}
	if m.valid("st-2", id, proof) || (mint{[]byte("other")}).valid("st-1", id, proof) {
		t.Error("valid for another stream or another key")
	}
	if _, _, ok := split(s + "x"); ok {
		t.Error("an id of the wrong length is taken")
	}
	if again := m.new("st-1"); again == s {
		t.Error("two viewers have one id")
	}
}
