package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
)

// thing is the record of the tests.
type thing struct {
	Name  string            `json:"name"`
	Count int               `json:"count"`
	Tags  map[string]string `json:"tags,omitempty"`
	Refs  []string          `json:"refs,omitempty"`
}

func thingDefinition(class Class) Definition[thing] {
	return Definition[thing]{Name: "thing", Class: class, Indexes: []Index[thing]{
		{Name: "name", Values: func(t thing) []string { return []string{t.Name} }},
		{Name: "refs", Values: func(t thing) []string { return t.Refs }},
	}}
}

var scope = arn.Scope{Region: "eu-west-1", Account: "000000000000"} //nolint:gochecknoglobals // a constant

func keyOf(id string) Key { return Key{Scope: scope, ID: id} }

// start opens an engine and a store in dir, closed with the test.
func start(tb testing.TB, dir string) (*natsd.Conn, *Store) {
	tb.Helper()
	return startOn(tb, natsd.Options{Dir: dir, Inspect: Inspect})
}

func startOn(tb testing.TB, opt natsd.Options) (*natsd.Conn, *Store) {
	tb.Helper()
	opt.Logger = testLogger(tb)
	conn, err := natsd.Start(tb.Context(), opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	s, err := Open(tb.Context(), conn, Options{Logger: testLogger(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return conn, s
}

func testLogger(tb testing.TB) *slog.Logger {
	tb.Helper()
	return slog.New(slog.NewTextHandler(tb.Output(), nil))
}

func things(tb testing.TB, s *Store, class Class) *Table[thing] {
	tb.Helper()
	table, err := OpenTable(tb.Context(), s, thingDefinition(class))
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

func eventThings(tb testing.TB, s *Store) *EventTable[thing] {
	tb.Helper()
	table, err := OpenEventTable(tb.Context(), s, thingDefinition(Facts))
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

func eventOf(name string) Event { return Event{ID: rand.Text(), Type: name, Time: time.Now()} }

func must[T any](tb testing.TB) func(T, error) T {
	tb.Helper()
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

func wantKind(tb testing.TB, err error, kind fault.Kind) {
	tb.Helper()
	if !fault.Is(err, kind) {
		tb.Fatalf("got error %v, want kind %v", err, kind)
	}
}

func TestLifeOfARecord(t *testing.T) {
	t.Parallel()
	for _, class := range []Class{Facts, Presence} {
		t.Run(fmt.Sprint(class), func(t *testing.T) {
			t.Parallel()
			_, s := start(t, t.TempDir())
			table, ctx, ok := things(t, s, class), t.Context(), must[Record[thing]](t)
			_, err := table.Get(ctx, keyOf("a"))
			wantKind(t, err, fault.NotFound)
			_, err = table.Update(ctx, keyOf("a"), func(old thing) (thing, error) { return old, nil })
			wantKind(t, err, fault.NotFound)

			made := ok(table.Create(ctx, keyOf("a"), thing{Name: "one", Refs: []string{"x", "y"}}))
			if got := ok(table.Get(ctx, keyOf("a"))); got.Value.Name != "one" || got.Revision != made.Revision {
				t.Fatalf("got %+v, made %+v", got, made)
			}
			_, err = table.Create(ctx, keyOf("a"), thing{})
			wantKind(t, err, fault.Conflict)

			changed := ok(table.Update(ctx, keyOf("a"), func(old thing) (thing, error) {
				old.Name, old.Refs = "two", []string{"y", "z"}
				return old, nil
			}))
			_, err = table.Put(ctx, keyOf("a"), thing{Name: "late"}, made.Revision)
			wantKind(t, err, fault.Fenced)
			for value, want := range map[string]bool{"x": false, "y": true, "z": true} {
				if _, err := table.Find(ctx, "refs", value); (err == nil) != want {
					t.Errorf("find %s: %v", value, err)
				}
			}
			ok(table.Put(ctx, keyOf("a"), thing{Name: "three"}, changed.Revision))

			refuse := errors.New("no")
			if _, err = table.Delete(ctx, keyOf("a"), func(thing) error { return refuse }); !errors.Is(err, refuse) {
				t.Fatal(err)
			}
			if last := ok(table.Delete(ctx, keyOf("a"), nil)); last.Value.Name != "three" {
				t.Fatalf("deleted %+v", last)
			}
			_, err = table.Delete(ctx, keyOf("a"), nil)
			wantKind(t, err, fault.NotFound)
			if n := table.Count(scope); n != 0 {
				t.Fatalf("%d records left", n)
			}
			ok(table.Create(ctx, keyOf("a"), thing{Name: "again"}))
		})
	}
}

func TestManyWritersOfOneRecord(t *testing.T) {
	t.Parallel()
	_, s := start(t, t.TempDir())
	table := things(t, s, Facts)
	must[Record[thing]](t)(table.Create(t.Context(), keyOf("a"), thing{Tags: map[string]string{"first": "set"}}))
	const writers, rounds = 32, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for r := range rounds {
				_, err := table.Update(t.Context(), keyOf("a"), func(old thing) (thing, error) {
					old.Count++
					old.Tags[fmt.Sprintf("%d-%d", w, r)] = "set"
					return old, nil
				})
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	wg.Wait()
	got := must[Record[thing]](t)(table.Get(t.Context(), keyOf("a")))
	if got.Value.Count != writers*rounds || len(got.Value.Tags) != writers*rounds+1 {
		t.Fatalf("count %d, %d tags", got.Value.Count, len(got.Value.Tags))
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	_, s := start(t, t.TempDir())
	table, ctx := things(t, s, Presence), t.Context()
	other := arn.Scope{Region: "eu-west-1", Account: "000000000001"}
	for i := range 300 {
		must[Record[thing]](t)(table.Create(ctx, keyOf(fmt.Sprintf("id%03d", i)), thing{Name: fmt.Sprint("n", i%3)}))
	}
	must[Record[thing]](t)(table.Create(ctx, Key{Scope: other, ID: "id000"}, thing{Name: "n0"}))
	for _, c := range []struct {
		query Query
		want  int
	}{
		{Query{Scope: scope, Limit: 7}, 300},
		{Query{Scope: scope, Index: "name", Value: "n1", Limit: 7}, 100},
		{Query{Scope: scope, Index: "name", Value: "n", Limit: 7}, 0},
		{Query{Scope: other, Limit: 7}, 1},
	} {
		got, last := 0, ""
		for more := true; more; {
			c.query.After = last
			p := must[Page[thing]](t)(table.List(ctx, c.query))
			for _, r := range p.Records {
				if r.Key.ID <= last {
					t.Fatalf("%s after %s", r.Key.ID, last)
				}
				last = r.Key.ID
			}
			got, more = got+len(p.Records), p.More
		}
		if got != c.want {
			t.Errorf("%+v: %d records, want %d", c.query, got, c.want)
		}
	}
	if n := table.Count(scope); n != 300 {
		t.Errorf("count %d", n)
	}
}

func TestRecordsExpire(t *testing.T) {
	t.Parallel()
	_, s := start(t, t.TempDir())
	table, ctx := things(t, s, Presence), t.Context()
	ok := must[Record[thing]](t)
	gone := make(chan struct{})
	watching, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		table.Watch(watching, func(c Change[thing]) {
			if c.New == nil {
				close(gone)
			}
		})
	})
	first := ok(table.PutTTL(ctx, keyOf("a"), thing{}, 0, time.Second))
	ok(table.PutTTL(ctx, keyOf("a"), thing{}, first.Revision, time.Second))
	select {
	case <-gone:
	case <-time.After(20 * time.Second):
		t.Error("the record did not expire")
	}
	stop()
	wg.Wait()
	_, err := table.Get(ctx, keyOf("a"))
	wantKind(t, err, fault.NotFound)
	ok(table.Create(ctx, keyOf("a"), thing{}))
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := make([]byte, 0)
	for round := range 3 {
		conn, s := start(t, dir)
		table := things(t, s, Facts)
		secret, err := s.Secret(t.Context(), "pages", 32)
		if err != nil || len(secret) != 32 || (round > 0 && string(secret) != string(key)) {
			t.Fatalf("secret %x, before %x, %v", secret, key, err)
		}
		key = secret
		for i := range round {
			if got := must[Record[thing]](t)(table.Get(t.Context(), keyOf(fmt.Sprint(i)))); got.Value.Count != i {
				t.Fatalf("got %+v", got)
			}
		}
		must[Record[thing]](t)(table.Create(t.Context(), keyOf(fmt.Sprint(round)), thing{Count: round}))
		must[Record[thing]](t)(table.Create(t.Context(), keyOf("gone"), thing{}))
		must[Record[thing]](t)(table.Delete(t.Context(), keyOf("gone"), nil))
		s.Close()
		conn.Close()
	}
}

func TestEventsTravelWithTheRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conn, s := start(t, dir)
	table, ctx, ok := eventThings(t, s), t.Context(), must[Record[thing]](t)
	count := func(o thing) (thing, error) { o.Count++; return o, nil }
	ok(table.Create(ctx, keyOf("a"), thing{}, eventOf("one")))
	ok(table.Update(ctx, keyOf("a"), count, eventOf("two")))
	ok(table.Delete(ctx, keyOf("a"), nil, eventOf("three")))
	ok(table.Create(ctx, keyOf("a"), thing{Count: 7}, eventOf("four")))
	s.Close()
	conn.Close()

	_, s = start(t, dir)
	table = eventThings(t, s)
	var got []Event
	relaying, stop := context.WithCancel(ctx)
	defer stop()
	tries := 0
	_ = s.Relay(relaying, func(_ context.Context, events []Event) error {
		if tries++; tries == 1 {
			return errors.New("not now")
		}
		got = append(got, events...)
		switch tries {
		case 2: // the record changes between the delivery and the clearing
			ok(table.Update(ctx, keyOf("a"), count, eventOf("five")))
		case 3:
			stop()
		}
		return nil
	})
	var types string
	ids := map[string]bool{}
	for _, e := range got {
		types += e.Type + " "
		ids[e.ID] = true
		if e.Scope != scope || e.Time.IsZero() {
			t.Errorf("event %+v", e)
		}
	}
	if types != "one two three four five " || len(ids) != 5 {
		t.Fatalf("got %s, ids %v", types, ids)
	}
	if r := ok(table.Get(ctx, keyOf("a"))); r.Value.Count != 8 {
		t.Fatalf("the record is %+v", r)
	}
}
