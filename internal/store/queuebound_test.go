package store

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/natsd"
)

// TestBoundedQueue: what is more than a queue may hold costs the oldest items.
func TestBoundedQueue(t *testing.T) {
	t.Parallel()
	conn, err := natsd.Start(t.Context(), natsd.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	s, err := Open(t.Context(), conn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	const size, room = 1 << 10, 1 << 16
	q, err := OpenBoundedQueue[string](t.Context(), s, "bounded", time.Hour, room)
	if err != nil {
		t.Fatal(err)
	}
	const items = 2 * room / size
	for i := range items {
		at := Place{Key: Key{ID: "q"}, Lane: "l", ID: strconv.Itoa(i)}
		if _, err := q.Put(t.Context(), at, strings.Repeat("x", size), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	first, err := q.Next(t.Context(), Key{ID: "q"}, "l", 0)
	if err != nil || first == nil || first.Sequence <= items/4 {
		t.Errorf("the first is %+v, %v", first, err)
	}
	last, err := q.Get(t.Context(), Place{Key: Key{ID: "q"}, Lane: "l", ID: strconv.Itoa(items - 1)})
	if err != nil || last == nil {
		t.Errorf("the last: %v, %v", last, err)
	}
}
