package store

import (
	"fmt"
	"sync"
	"testing"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/natsd/natsdtest"
)

// twoNodes opens the tables of things and of their uses on two stores of one engine.
func twoNodes(t *testing.T, faults *natsdtest.Faults) (sides [2]struct{ things, uses *Table[thing] }) {
	t.Helper()
	conn, first := startOn(t, natsd.Options{Dir: t.TempDir(), Between: faults.Between})
	second, err := Open(t.Context(), conn, Options{Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)
	for i, s := range []*Store{first, second} {
		sides[i].things = things(t, s, Facts)
		uses := thingDefinition(Facts)
		uses.Name = "use"
		if sides[i].uses, err = OpenTable(t.Context(), s, uses); err != nil {
			t.Fatal(err)
		}
	}
	return sides
}

// TestGuardedRules: two nodes make things up to a limit, both at once, on an engine
// that loses, doubles and drops requests. There are never more.
func TestGuardedRules(t *testing.T) {
	t.Parallel()
	const limit = 5
	faults := &natsdtest.Faults{}
	sides, ctx, guard := twoNodes(t, faults), t.Context(), keyOf("rules")
	var mu sync.Mutex
	made, refused := 0, 0
	for round := range 12 {
		for _, subject := range []string{".thing.", ".use.", ".guard."} {
			faults.Inject([]natsdtest.Kind{natsdtest.Lost, natsdtest.Doubled, natsdtest.Dropped}[round%3], subject, 1)
		}
		var all sync.WaitGroup
		for i, side := range sides {
			all.Go(func() { // at most so many: of the two one may be the last
				_, err := side.things.Under(guard).Create(ctx, keyOf(fmt.Sprint("thing", round, "-", i)), thing{}, func() error {
					if side.things.Count(scope) >= limit {
						return fault.New(fault.Quota, "enough")
					}
					return nil
				})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					made++
				} else if refused++; !fault.Is(err, fault.Quota) && !fault.Is(err, fault.Unavailable) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := sides[0].things.Count(scope); n > limit {
			t.Fatalf("%d things", n)
		}
	}
	if refused == 0 || made == 0 {
		t.Errorf("%d made, %d refused", made, refused)
	}
}

// TestInUseAndDeleted: while one node refers to a thing, another deletes it. One of the two fails.
func TestInUseAndDeleted(t *testing.T) {
	t.Parallel()
	faults := &natsdtest.Faults{}
	sides, ctx, guard := twoNodes(t, faults), t.Context(), keyOf("rules")
	outcomes := map[string]int{}
	for round := range 40 {
		key := keyOf(fmt.Sprint("thing", round))
		if _, err := sides[0].things.Create(ctx, key, thing{Name: key.ID}); err != nil {
			t.Fatal(err)
		}
		if round%2 == 0 {
			faults.Inject([]natsdtest.Kind{natsdtest.Lost, natsdtest.Doubled, natsdtest.Dropped}[round/2%3], ".guard.", 1)
		}
		var both sync.WaitGroup
		var use, deletion error
		both.Go(func() {
			_, use = sides[round%2].uses.Under(guard).Create(ctx, key, thing{Refs: []string{key.ID}}, func() error {
				_, err := sides[round%2].things.Get(ctx, key)
				return err
			})
		})
		both.Go(func() {
			other := sides[1-round%2]
			_, deletion = other.things.Under(guard).Delete(ctx, key, func(thing) error {
				p, err := other.uses.List(ctx, Query{Scope: scope, Index: "refs", Value: key.ID})
				if err == nil && len(p.Records) > 0 {
					err = fault.New(fault.Conflict, "in use")
				}
				return err
			})
		})
		both.Wait()
		_, there := sides[0].things.GetNewest(ctx, key)
		_, used := sides[0].uses.GetNewest(ctx, key)
		switch {
		case used == nil && there != nil:
			t.Fatalf("round %d: what is in use is gone: %v, %v", round, use, deletion)
		case use == nil && !fault.Is(deletion, fault.Conflict), deletion == nil && !fault.Is(use, fault.NotFound):
			t.Fatalf("round %d: %v, %v", round, use, deletion)
		}
		outcomes[fmt.Sprint(use == nil)]++
	}
	t.Log(outcomes)
}
