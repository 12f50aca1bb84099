package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/natsd/natsdtest"
)

// Parts of the subjects of requests.
const (
	writes = ".thing."
	looks  = "STREAM.MSG.GET"
)

// startFaulty is start on an engine that fails on purpose.
func startFaulty(t *testing.T) (*natsdtest.Faults, *Store) {
	t.Helper()
	faults := &natsdtest.Faults{}
	_, s := startOn(t, natsd.Options{Dir: t.TempDir(), Between: faults.Between})
	return faults, s
}

func increment(o thing) (thing, error) { o.Count++; return o, nil }

// TestWriteHappensOnce: whatever becomes of the request or its answer, a write that was told to have succeeded has happened
// once.
func TestWriteHappensOnce(t *testing.T) {
	t.Parallel()
	faults, s := startFaulty(t)
	ctx, ok := t.Context(), must[Record[thing]](t)
	for _, class := range []Class{Facts, Presence} {
		table := things(t, s, class)
		for kind, name := range map[natsdtest.Kind]string{
			natsdtest.Lost: "lost", natsdtest.Doubled: "doubled", natsdtest.Dropped: "dropped", natsdtest.Late: "late",
		} {
			t.Run(fmt.Sprint(class, name), func(t *testing.T) {
				key := keyOf(name)
				faults.Inject(kind, writes, 1)
				created := ok(table.Create(ctx, key, thing{Count: 1}))
				faults.Inject(kind, writes, 1)
				if r := ok(table.Update(ctx, key, increment)); r.Value.Count != 2 || r.Revision <= created.Revision {
					t.Errorf("updated %+v after %+v", r, created)
				}
				faults.Inject(kind, writes, 1)
				r := ok(table.Get(ctx, key))
				r = ok(table.Put(ctx, key, thing{Count: 10}, r.Revision))
				r = ok(table.Put(ctx, key, thing{Count: 11}, r.Revision)) // the revision is the true one
				if now := ok(table.Get(ctx, key)); now.Value.Count != 11 || now.Revision != r.Revision {
					t.Errorf("got %+v", now)
				}
				faults.Inject(kind, writes, 1)
				if last := ok(table.Delete(ctx, key, nil)); last.Value.Count != 11 {
					t.Errorf("deleted %+v", last)
				}
				_, err := table.Get(ctx, key)
				wantKind(t, err, fault.NotFound)
			})
		}
	}
}

// TestLateWriteComesToNothing: a write that was repeated is there once, also when the first request arrives in the end.
func TestLateWriteComesToNothing(t *testing.T) {
	t.Parallel()
	faults, s := startFaulty(t)
	table, ctx, ok := things(t, s, Facts), t.Context(), must[Record[thing]](t)
	ok(table.Create(ctx, keyOf("a"), thing{}))
	late := faults.Inject(natsdtest.Late, writes, 1)
	ok(table.Update(ctx, keyOf("a"), increment))
	faults.Deliver(t, late)
	if r := ok(table.GetNewest(ctx, keyOf("a"))); r.Value.Count != 1 {
		t.Errorf("got %+v", r)
	}
}

// TestSilentEngine: a write is given up in the end, its error is Unavailable, and of its requests at most one is ever
// carried out.
func TestSilentEngine(t *testing.T) {
	t.Parallel()
	faults, s := startFaulty(t)
	table, ctx, ok := things(t, s, Facts), t.Context(), must[Record[thing]](t)
	ok(table.Create(ctx, keyOf("a"), thing{}))
	late := faults.Inject(natsdtest.Late, writes, 2)
	_, err := table.Update(ctx, keyOf("a"), increment)
	wantKind(t, err, fault.Unavailable)
	faults.Deliver(t, late)
	if r := ok(table.GetNewest(ctx, keyOf("a"))); r.Value.Count != 1 {
		t.Errorf("got %+v", r)
	}
}

// TestFoundUnderAnotherWrite: an answer is lost, and before the writer looks, another process writes on top.
func TestFoundUnderAnotherWrite(t *testing.T) {
	t.Parallel()
	var top func()
	conn, s := startOn(t, natsd.Options{Dir: t.TempDir(), Between: func(next natsd.Exchange) natsd.Exchange {
		return func(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
			answer, err := next(ctx, m)
			if on := top; on != nil {
				top = nil
				on()
				return nil, nats.ErrTimeout
			}
			return answer, err
		}
	}})
	elsewhere, err := Open(t.Context(), conn, Options{Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(elsewhere.Close)
	here, there := things(t, s, Facts), things(t, elsewhere, Facts)
	ctx, ok := t.Context(), must[Record[thing]](t)
	top = func() { ok(there.Update(ctx, keyOf("a"), increment)) }
	r := ok(here.Create(ctx, keyOf("a"), thing{Count: 1}))
	if r.Value.Count != 1 {
		t.Errorf("created %+v", r)
	}
	_, err = here.Put(ctx, keyOf("a"), thing{}, r.Revision)
	wantKind(t, err, fault.Fenced)
	if r := ok(here.GetNewest(ctx, keyOf("a"))); r.Value.Count != 2 {
		t.Errorf("got %+v", r)
	}
}

// TestCallerLeavesDuringAWrite: a write that was sent is answered also to a caller whose context ends meanwhile.
func TestCallerLeavesDuringAWrite(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	_, s := startOn(t, natsd.Options{Dir: t.TempDir(), Between: func(next natsd.Exchange) natsd.Exchange {
		return func(asking context.Context, m *nats.Msg) (*nats.Msg, error) {
			leave()
			return next(asking, m)
		}
	}})
	table := things(t, s, Facts)
	if _, err := table.Create(ctx, keyOf("a"), thing{}); err != nil {
		t.Fatal(err)
	}
	_, err := table.Create(ctx, keyOf("b"), thing{})
	if err == nil {
		t.Fatal("a write was sent for a caller who had gone")
	}
	_, err = table.Get(t.Context(), keyOf("b"))
	wantKind(t, err, fault.NotFound)
}

// TestLostAnswerTellsOnce: the engine took a write with an event, could neither say so nor be asked, and the caller tries
// again.
func TestLostAnswerTellsOnce(t *testing.T) {
	t.Parallel()
	faults, s := startFaulty(t)
	table, ctx, ok := eventThings(t, s), t.Context(), must[Record[thing]](t)
	ok(table.Create(ctx, keyOf("a"), thing{}))
	set := func(o thing) (thing, error) { o.Count = 5; return o, nil }
	event := eventOf("edge")
	faults.Inject(natsdtest.Lost, writes, 1)
	faults.Inject(natsdtest.Dropped, looks, 1)
	_, err := table.Update(ctx, keyOf("a"), set, event)
	wantKind(t, err, fault.Unavailable)
	ok(table.Update(ctx, keyOf("a"), set, event))
	var told []Event
	if err := s.facts.relayAll(ctx, func(_ context.Context, events []Event) error {
		told = append(told, events...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0].ID != event.ID {
		t.Errorf("told %+v", told)
	}
}

func TestEventsNeedAPlaceAndAName(t *testing.T) {
	t.Parallel()
	_, s := start(t, t.TempDir())
	if _, err := OpenEventTable(t.Context(), s, thingDefinition(Presence)); err == nil {
		t.Error("a table in memory tells events, which nothing delivers")
	}
	table, unnamed := eventThings(t, s), Event{Type: "edge"}
	_, err := table.Create(t.Context(), keyOf("a"), thing{}, unnamed)
	if err == nil {
		t.Error("an event without an ID was taken")
	}
	must[Record[thing]](t)(table.Create(t.Context(), keyOf("a"), thing{}))
	if _, err := table.Update(t.Context(), keyOf("a"), increment, unnamed); err == nil {
		t.Error("an event without an ID was taken")
	}
	if _, err := table.Delete(t.Context(), keyOf("a"), nil, unnamed); err == nil {
		t.Error("an event without an ID was taken")
	}
}

// TestEntryIsAppendedOnce: lost answers, late and doubled requests, and a retry after longer than the engine remembers.
func TestEntryIsAppendedOnce(t *testing.T) {
	t.Parallel()
	faults, s := startFaulty(t)
	ctx := t.Context()
	log := must[*Log[thing]](t)(OpenLog[thing](ctx, s, "things"))
	const entries = "rivus.log.things."
	n := 0
	for _, kind := range []natsdtest.Kind{natsdtest.Lost, natsdtest.Doubled, natsdtest.Dropped, natsdtest.Late} {
		rule := faults.Inject(kind, entries, 1)
		if err := log.Append(ctx, keyOf("a"), "s", thing{Count: n}); err != nil {
			t.Fatal(err)
		}
		if kind == natsdtest.Late {
			faults.Deliver(t, rule)
		}
		n++
	}
	list := must[[]Entry[thing]](t)(log.ListNewestFirst(ctx, keyOf("a"), "s", 0, 100))
	if len(list) != n {
		t.Errorf("%d entries of %d", len(list), n)
	}
	// As it is after ten minutes without the engine: it has forgotten the ID, the log has not.
	id := Once{ID: "edge", Since: time.Now().Add(-10 * time.Minute)}
	if err := log.append(ctx, keyOf("b"), "s", id.ID, thing{Count: 1}); err != nil {
		t.Fatal(err)
	}
	if err := log.Append(ctx, keyOf("b"), "s", thing{Count: 2}); err != nil {
		t.Fatal(err)
	}
	forgetIDs(t, s, log)
	if err := log.AppendOnce(ctx, keyOf("b"), "s", id, thing{Count: 1}); err != nil {
		t.Fatal(err)
	}
	if list := must[[]Entry[thing]](t)(log.ListNewestFirst(ctx, keyOf("b"), "s", 0, 100)); len(list) != 2 {
		t.Errorf("%d entries of 2", len(list))
	}
}

// forgetIDs makes the engine forget the IDs of what was appended, as it does after two minutes.
func forgetIDs(t *testing.T, s *Store, log *Log[thing]) {
	t.Helper()
	cfg := log.cfg
	cfg.Duplicates = 100 * time.Millisecond
	if _, err := s.conn.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the engine forgets", func() bool {
		if err := log.append(t.Context(), keyOf("probe"), "s", "probe", thing{}); err != nil {
			t.Fatal(err)
		}
		return len(must[[]Entry[thing]](t)(log.ListNewestFirst(t.Context(), keyOf("probe"), "s", 0, 2))) == 2
	})
}
