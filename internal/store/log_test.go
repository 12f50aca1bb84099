package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
)

func TestLogNewestFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conn, s := start(t, dir)
	ctx := t.Context()
	log := must[*Log[thing]](t)(OpenLog[thing](ctx, s, "ended"))
	// Sessions of two resources interleave; session 3 gets a late entry after session 4 has begun.
	for _, step := range []struct {
		id, session string
		count       int
	}{
		{"a", "1", 10},
		{"a", "1", 11},
		{"b", "1", 90},
		{"a", "2", 20},
		{"a", "3", 30},
		{"b", "2", 91},
		{"a", "4", 40},
		{"a", "3", 31},
		{"a", "4", 41},
	} {
		if err := log.Append(ctx, keyOf(step.id), step.session, thing{Count: step.count}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(id, session string, want ...int) {
		t.Helper()
		var got []int
		before := uint64(0)
		for {
			page, err := log.ListNewestFirst(ctx, keyOf(id), session, before, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				got = append(got, e.Value.Count)
				before = e.Sequence
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("resource %s session %q: %v, want %v", id, session, got, want)
		}
	}
	check("a", "", 41, 31, 20, 11)
	check("b", "", 91, 90)
	check("c", "")
	check("a", "1", 11, 10)
	check("a", "3", 31, 30)
	_, err := log.Last(ctx, keyOf("a"), "9")
	wantKind(t, err, fault.NotFound)

	enough := errors.New("enough")
	var followed []int
	err = log.Follow(ctx, 4, func(e Entry[thing]) error {
		followed = append(followed, e.Value.Count)
		if len(followed) == 5 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || fmt.Sprint(followed) != "[30 91 40 31 41]" {
		t.Errorf("followed %v, %v", followed, err)
	}
	s.Close()
	conn.Close()
	_, s = start(t, dir)
	log = must[*Log[thing]](t)(OpenLog[thing](ctx, s, "ended"))
	check("a", "", 41, 31, 20, 11)
}

func TestLogTakesAnIDOnce(t *testing.T) {
	t.Parallel()
	_, s := start(t, t.TempDir())
	ctx := t.Context()
	log := must[*Log[thing]](t)(OpenLog[thing](ctx, s, "outbox"))
	for range 3 {
		if err := log.AppendOnce(ctx, keyOf("a"), "s", Once{ID: "event-1", Since: time.Now()}, thing{}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := log.ListNewestFirst(context.WithoutCancel(ctx), keyOf("a"), "s", 0, 10)
	if err != nil || len(page) != 1 {
		t.Fatalf("%d entries, %v", len(page), err)
	}
}
