package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/event"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// TestBusEvents: every event of a stage, as it is on the bus, byte for byte (spec ivs-realtime.md 14.1 and 14.4).
func TestBusEvents(t *testing.T) {
	t.Parallel()
	stage := arn.ARN{Service: "ivs", Scope: arn.Scope{Region: "eu-west-1", Account: "000000000000"}, Type: "stage", ID: "Ab12Cd34Ef56"}
	at := time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC)
	for name, e := range map[string]resource.ParticipantEvent{
		"published":     {Name: resource.EventPublishStarted},
		"unpublished":   {Name: resource.EventPublishStopped},
		"publish_error": {Name: resource.EventPublishError, ErrorCode: resource.ErrorInsufficientCapabilities},
		"token_exchanged": {
			Name:          resource.EventTokenExchanged,
			PreviousToken: &resource.ExchangedToken{Subscribe: true, UserID: "alice", Expires: at},
			NewToken:      &resource.ExchangedToken{Subscribe: true, Publish: true, UserID: "bob", Attributes: map[string]string{"role": "host"}, Expires: at.Add(time.Hour)},
		},
	} {
		e.ParticipantID, e.Time = "Zz11Yy22Xx33", at
		told, ok := busEvent(stage, "st-0a1b2c3d4e5f6", "alice", "x", &e)
		if !ok {
			t.Errorf("%s is not told", name)
			continue
		}
		got, err := event.JSON(told)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("testdata", "events", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(string(want)) != string(got) {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
	}
	for _, name := range []string{resource.EventJoined, resource.EventLeft, resource.EventSubscribeStarted, resource.EventSubscribeStopped, resource.EventSubscribeError} {
		if _, ok := busEvent(stage, "st-", "", "x", &resource.ParticipantEvent{Name: name}); ok {
			t.Errorf("%s is told, and there is no such event", name)
		}
	}
}

// TestWorldIsTold: who publishes is told of with the records, and so is the end of that when the node is gone, once each.
func TestWorldIsTold(t *testing.T) {
	t.Parallel()
	var st *store.Store
	var conn *natsd.Conn
	e := newEnvWith(t, natsd.Options{Dir: t.TempDir()}, nil, func(s *store.Store, c *natsd.Conn) { st, conn = s, c })
	relay, err := event.NewRelay(t.Context(), event.Options{Store: st})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var relaying sync.WaitGroup
	defer relaying.Wait()
	defer cancel()
	relaying.Go(func() { _ = relay.Run(ctx) })

	two, crash := lone(t, e, st, conn, "two")
	r := has(t, two, e.stage, "dave")
	r.event("user-of-dave", resource.ParticipantEvent{Name: resource.EventPublishStarted, ParticipantID: "dave", Time: time.Now()})
	r.event("", resource.ParticipantEvent{Name: resource.EventSubscribeStarted, ParticipantID: "dave", Time: time.Now()})
	if _, err := r.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	crash()
	if ended := e.endedSession(t, e.stage); ended != r.session.SessionID {
		t.Errorf("session %s has ended", ended)
	}
	var told []string
	enough := errors.New("enough")
	err = relay.Follow(t.Context(), 0, func(entry store.Entry[store.Event]) error {
		var d busDetail
		if err := json.Unmarshal(entry.Value.Detail, &d); err != nil {
			return err
		}
		if d.SessionID != r.session.SessionID || d.ParticipantID != "dave" || entry.Value.Resources[0] != e.stage.String() {
			return fmt.Errorf("%+v of %v", d, entry.Value.Resources)
		}
		if told = append(told, d.EventName); len(told) == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || !slices.Equal(told, []string{"Participant Published", "Participant Unpublished"}) {
		t.Errorf("%q %v", told, err)
	}
}
