package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/store"
)

type light struct {
	On bool `json:"on"`
}

func TestEventsReachTheOutboxOnce(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	conn, err := natsd.Start(t.Context(), natsd.Options{Dir: t.TempDir(), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	s, err := store.Open(t.Context(), conn, store.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	lights, err := store.OpenEventTable(t.Context(), s, store.Definition[light]{Name: "light", Class: store.Facts})
	if err != nil {
		t.Fatal(err)
	}
	relay, err := NewRelay(t.Context(), Options{Store: s, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { _ = relay.Run(ctx) })

	const resources, switches = 5, 10
	for r := range resources {
		wg.Go(func() {
			key := store.Key{Scope: arn.Scope{Region: "eu-west-1", Account: "000000000000"}, ID: fmt.Sprint("light", r)}
			if _, err := lights.Create(ctx, key, light{}); err != nil {
				t.Error(err)
			}
			for i := range switches {
				_, err := lights.Update(ctx, key, func(l light) (light, error) { l.On = !l.On; return l, nil }, store.Event{
					ID: fmt.Sprint(r, "-", i), Type: "Light Change", Source: "aws.ivs", Time: time.Now(), Detail: json.RawMessage(fmt.Sprintf(`{"light":%d,"step":%d}`, r, i)),
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}

	enough := errors.New("enough")
	seen := map[string]bool{}
	next := map[int]int{}
	err = relay.Follow(ctx, 0, func(e store.Entry[store.Event]) error {
		var d struct{ Light, Step int }
		if err := json.Unmarshal(e.Value.Detail, &d); err != nil {
			return err
		}
		if seen[e.Value.ID] {
			return fmt.Errorf("event %s came twice", e.Value.ID)
		}
		if next[d.Light] != d.Step {
			return fmt.Errorf("light %d: step %d came where %d was due", d.Light, d.Step, next[d.Light])
		}
		seen[e.Value.ID] = true
		next[d.Light]++
		if len(seen) == resources*switches {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
}
