package faults

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/event"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	stored "github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// records reads what the nodes keep, as one more process of the engine that is never killed.
type records struct {
	sessions *store.Table[resource.Session]
	history  *store.Log[resource.Session]
	relay    *event.Relay
}

func openRecords(t *testing.T, engine string) *records {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	conn, err := natsd.Start(t.Context(), natsd.Options{ExternalURL: engine})
	check(err)
	t.Cleanup(conn.Close)
	st, err := store.Open(t.Context(), conn, store.Options{Replicas: conn.Replicas(0)})
	check(err)
	t.Cleanup(st.Close)
	r := &records{}
	r.sessions, err = store.OpenTable(t.Context(), st, stored.SessionDefinition())
	check(err)
	r.history, err = store.OpenLog[resource.Session](t.Context(), st, stored.SessionLog)
	check(err)
	r.relay, err = event.NewRelay(t.Context(), event.Options{Store: st})
	check(err)
	return r
}

func keyOf(channel string) (store.Key, error) {
	a, err := arn.Parse(channel)
	return store.Key{Scope: a.Scope, ID: a.ID}, err
}

// open returns the stream ID of a channel's open session, "" when none is open.
func (r *records) open(ctx context.Context, channel string) (string, error) {
	key, err := keyOf(channel)
	if err != nil {
		return "", err
	}
	s, err := r.sessions.Get(ctx, key)
	if fault.Is(err, fault.NotFound) {
		return "", nil
	}
	return s.Value.StreamID, err
}

// ended counts how often each session of a channel stands in the history.
func (r *records) ended(ctx context.Context, channel string) (map[string]int, error) {
	key, err := keyOf(channel)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for before := uint64(0); ; {
		page, err := r.history.ListNewestFirst(ctx, key, "", before, 100)
		if err != nil || len(page) == 0 {
			return count, err
		}
		for _, newest := range page {
			entries, err := r.history.ListNewestFirst(ctx, key, newest.Value.StreamID, 0, 2)
			if err != nil {
				return nil, err
			}
			count[newest.Value.StreamID] = len(entries)
			before = newest.Sequence
		}
	}
}

// once are the events that a stream has at most one of.
var once = []string{"Session Created", "Stream Start", "Session Ended", "Stream End"} //nolint:gochecknoglobals // a constant table

// quiet is how long nothing may come before the outbox counts as read.
const quiet = 2 * time.Second

// told reads the outbox from its beginning until nothing more comes, and counts its events by ID, and by stream and name with
// a stroke between.
func (r *records) told(ctx context.Context) (map[string]int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := time.AfterFunc(quiet, cancel)
	told := map[string]int{}
	err := r.relay.Follow(ctx, 0, func(e store.Entry[store.Event]) error {
		over.Reset(quiet)
		told[e.Value.ID]++
		var detail struct {
			Name   string `json:"event_name"`
			Stream string `json:"stream_id"`
		}
		if err := json.Unmarshal(e.Value.Detail, &detail); err != nil {
			return err
		}
		told[detail.Stream+"/"+detail.Name]++
		return nil
	})
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return told, err
}
