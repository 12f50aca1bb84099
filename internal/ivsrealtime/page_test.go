package ivsrealtime_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/rivus-live/rivus/internal/resource"
)

// TestPageTokensAreBound takes the token of each list of a stage to every other list like it: another stage, session or
// participant, another filter, another value of the same filter. None is taken.
func TestPageTokensAreBound(t *testing.T) {
	t.Parallel()
	e := start(t)
	const second = "st-1111111111111"
	st, other := *e.create(t, "one").Arn, *e.create(t, "other").Arn
	for _, stage := range []string{st, other} {
		for _, session := range []string{noSession, second} {
			on := e.openSession(t, &stage, session)
			for _, id := range []string{"a", "b", "c"} {
				on.join(resource.Participant{ParticipantID: id, UserID: "u", Published: true})
				on.happen(resource.ParticipantEvent{Name: resource.EventPublishStarted, ParticipantID: id})
			}
			on.end()
		}
	}
	list := func(operation string, request map[string]any) (token string, ok bool) {
		body, err := json.Marshal(request)
		check(t, err)
		status, answer := e.call(t, operation, string(body))
		var out struct{ NextToken string }
		check(t, json.Unmarshal([]byte(answer), &out))
		return out.NextToken, status == http.StatusOK
	}
	with := func(base map[string]any, name string, value any) map[string]any {
		changed := maps.Clone(base)
		changed[name] = value
		return changed
	}
	session := map[string]any{"stageArn": st, "sessionId": noSession, "maxResults": 1}
	user := with(session, "filterByUserId", "u")
	participant := with(session, "participantId", "a")
	for operation, requests := range map[string][]map[string]any{
		"ListStageSessions": {
			{"stageArn": st, "maxResults": 1}, {"stageArn": other, "maxResults": 1},
		},
		"ListParticipants": {
			session, with(session, "stageArn", other), with(session, "sessionId", second), user,
			with(user, "filterByUserId", "v"), with(session, "filterByPublished", true), with(session, "filterByPublished", false),
			with(session, "filterByState", "CONNECTED"), with(session, "filterByState", "DISCONNECTED"),
			with(session, "filterByRecordingState", "ACTIVE"),
		},
		"ListParticipantEvents": {
			participant, with(participant, "stageArn", other), with(participant, "sessionId", second), with(participant, "participantId", "b"),
		},
	} {
		made := 0
		for i, from := range requests {
			token, ok := list(operation, from)
			if !ok {
				t.Fatalf("%s %v is refused", operation, from)
			}
			if token == "" {
				continue // nobody is selected, so there is no second page
			}
			made++
			for j, to := range requests {
				if _, ok := list(operation, with(to, "nextToken", token)); ok != (i == j) {
					t.Errorf("%s: token of %s for %s: taken %v", operation, fmt.Sprint(from), fmt.Sprint(to), ok)
				}
			}
		}
		if made < 2 {
			t.Errorf("%s: %d tokens", operation, made)
		}
	}
}
