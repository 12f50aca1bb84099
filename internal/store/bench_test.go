package store

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/natsd"
)

func benchThing(i int) thing {
	return thing{
		Name: fmt.Sprint("name", i%1000), Count: i, Refs: []string{fmt.Sprint("ref", i)},
		Tags: map[string]string{"stage": "production", "team": "video", "cost-centre": "4711"},
	}
}

// fill makes n records with several writers; presence costs no fsync and has the same index.
func fill(tb testing.TB, table *Table[thing], n int) {
	tb.Helper()
	var wg sync.WaitGroup
	const writers = 8
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n; i += writers {
				if _, err := table.Create(tb.Context(), keyOf(fmt.Sprintf("id%07d", i)), benchThing(i)); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkGet(b *testing.B) {
	_, s := start(b, b.TempDir())
	table := things(b, s, Presence)
	fill(b, table, 1000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := table.Get(b.Context(), keyOf("id0000500")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	for _, class := range []Class{Facts, Presence} {
		b.Run(fmt.Sprint(class), func(b *testing.B) {
			_, s := start(b, b.TempDir())
			table := things(b, s, class)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := table.Create(b.Context(), keyOf(fmt.Sprint(i)), benchThing(i)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, class := range []Class{Facts, Presence} {
		b.Run(fmt.Sprint(class), func(b *testing.B) {
			_, s := start(b, b.TempDir())
			table := things(b, s, class)
			fill(b, table, 100)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := table.Update(b.Context(), keyOf("id0000050"), func(o thing) (thing, error) { o.Count++; return o, nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUpdateParallel(b *testing.B) {
	_, s := start(b, b.TempDir())
	table := things(b, s, Facts)
	fill(b, table, 100)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := table.Update(b.Context(), keyOf(fmt.Sprintf("id%07d", i%100)), func(o thing) (thing, error) { o.Count++; return o, nil }); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		_, s := start(b, b.TempDir())
		table := things(b, s, Presence)
		fill(b, table, n)
		for name, q := range map[string]Query{
			"page":  {Scope: scope, After: "id0000040", Limit: 50},
			"index": {Scope: scope, Index: "name", Value: "name50", Limit: 50},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := table.List(b.Context(), q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// TestStartWithTenThousand reports how long a start takes with 10,000 records after a kill; it asserts only that they
// are there.
func TestStartWithTenThousand(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("writes 10,000 records")
	}
	dir := t.TempDir()
	const n = 10_000
	conn, s := start(t, dir)
	fill(t, things(t, s, Facts), n)
	s.Close()
	conn.Close()
	began := time.Now()
	conn, err := natsd.Start(t.Context(), natsd.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	engine := time.Since(began)
	s, err = Open(t.Context(), conn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	table := things(t, s, Facts)
	t.Logf("%d records: engine up after %v, table open after %v", n, engine, time.Since(began))
	if got := table.Count(scope); got != n {
		t.Fatalf("%d records", got)
	}
}
