package event

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/store"
)

// envelope is an event as rules and targets see it (spec ivs.md 13.1).
type envelope struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// JSON returns an event as it is on the bus.
func JSON(e store.Event) ([]byte, error) {
	out := envelope{
		Version: "0", ID: e.ID, DetailType: e.Type, Source: e.Source, Account: e.Scope.Account,
		Time: e.Time.UTC().Format(time.RFC3339), Region: e.Scope.Region, Resources: e.Resources, Detail: e.Detail,
	}
	if out.Resources == nil {
		out.Resources = []string{}
	}
	if len(out.Detail) == 0 {
		out.Detail = json.RawMessage("{}")
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("event: encode %s: %w", e.ID, err)
	}
	return b, nil
}
