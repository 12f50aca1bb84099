package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

const (
	stageUpdate = "IVS Stage Update"
	eventSource = "aws.ivs"
)

// busNames are the names under which the world is told of what happens to participants; of the rest it is not (spec
// ivs-realtime.md 14.1).
var busNames = map[string]string{ //nolint:gochecknoglobals // a constant table
	resource.EventPublishStarted: "Participant Published",
	resource.EventPublishStopped: "Participant Unpublished",
	resource.EventPublishError:   "Participant Publish Error",
	resource.EventTokenExchanged: "Token Exchanged",
}

// busDetail is the "detail" member of an event on the bus.
type busDetail struct {
	SessionID        string    `json:"session_id"`
	EventName        string    `json:"event_name"`
	EventTime        string    `json:"event_time"`
	EventTimePrecise string    `json:"event_time_precise,omitempty"`
	UserID           string    `json:"user_id"`
	ParticipantID    string    `json:"participant_id"`
	ErrorCode        string    `json:"error_code,omitempty"`
	PreviousToken    *busToken `json:"previous_token,omitempty"`
	NewToken         *busToken `json:"new_token,omitempty"`
}

// busToken is what an event shows of a token that was exchanged (14.4).
type busToken struct {
	Capabilities   []string          `json:"capabilities"`
	Attributes     map[string]string `json:"attributes"`
	UserID         string            `json:"user_id"`
	ExpirationTime string            `json:"expiration_time"`
}

func busTokenOf(t *resource.ExchangedToken) *busToken {
	if t == nil {
		return nil
	}
	out := &busToken{Capabilities: []string{}, Attributes: t.Attributes, UserID: t.UserID, ExpirationTime: t.Expires.UTC().Format(time.RFC3339)}
	if out.Attributes == nil {
		out.Attributes = map[string]string{}
	}
	if t.Subscribe {
		out.Capabilities = append(out.Capabilities, "SUBSCRIBE")
	}
	if t.Publish {
		out.Capabilities = append(out.Capabilities, "PUBLISH")
	}
	return out
}

// busEvent forms the event that the world is told of, and says whether there is one. The id names what happened; the event's
// own is a UUID made of it, so it stays the same however often it is told.
func busEvent(stage arn.ARN, sessionID, userID, id string, e *resource.ParticipantEvent) (store.Event, bool) {
	name, told := busNames[e.Name]
	if !told {
		return store.Event{}, false
	}
	d := busDetail{
		SessionID: sessionID, EventName: name, EventTime: e.Time.UTC().Format(time.RFC3339), UserID: userID, ParticipantID: e.ParticipantID,
		ErrorCode: e.ErrorCode, PreviousToken: busTokenOf(e.PreviousToken), NewToken: busTokenOf(e.NewToken),
	}
	switch e.Name {
	case resource.EventPublishStarted, resource.EventPublishStopped:
		d.EventTimePrecise = e.Time.UTC().Format("2006-01-02T15:04:05.000000Z")
	case resource.EventTokenExchanged:
		d.UserID = e.NewToken.UserID
	}
	detail, _ := json.Marshal(d) // strings cannot fail to marshal
	return store.Event{
		ID: arn.NamedUUID(id), Type: stageUpdate, Source: eventSource, Time: e.Time, Scope: stage.Scope, Resources: []string{stage.String()}, Detail: detail,
	}, true
}

// maxTold is how many events one put of the session carries.
const maxTold = 100

// tell puts events on the bus with a put of the open session that they happened in. Those of a session that is gone have no
// place any more.
func (m *Manager) tell(ctx context.Context, stage arn.ARN, sessionID string, events []store.Event) error {
	for len(events) > 0 {
		some := events[:min(maxTold, len(events))]
		_, err := m.opt.Records.Sessions.Update(ctx, keyOf(stage), func(open resource.StageSession) (resource.StageSession, error) {
			if open.SessionID != sessionID {
				return open, errOther
			}
			return open, nil
		}, some...)
		if fault.Is(err, fault.NotFound) || err == errOther { //nolint:errorlint // returned as it is
			m.opt.Logger.Warn("nobody is told of what happened in a session that others have ended", "stage_arn", stage.String(), "events", len(events))
			return nil
		}
		if err != nil {
			return fmt.Errorf("tell of events: %w", err)
		}
		events = events[len(some):]
	}
	return nil
}

// publishes tells whether a participant had begun to publish and not ended when its node went, as its history knows.
func (m *Manager) publishes(ctx context.Context, key store.Key, participantID string) (bool, error) {
	const page = 100
	entries, err := m.opt.Records.ParticipantEvents.ListNewestFirst(ctx, key, participantID, 0, page)
	if err != nil {
		return false, fmt.Errorf("read the events of a participant: %w", err)
	}
	for _, e := range entries {
		switch e.Value.Name {
		case resource.EventPublishStarted:
			return true, nil
		case resource.EventPublishStopped:
			return false, nil
		}
	}
	return false, nil
}
