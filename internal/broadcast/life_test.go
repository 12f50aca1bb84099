package broadcast

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/resource"
)

func epoch() time.Time { return time.Date(2024, 5, 5, 21, 55, 0, 0, time.UTC) }

func TestMovesAreATable(t *testing.T) {
	t.Parallel()
	states := []resource.StreamState{resource.Starting, resource.Live, resource.Stalled, resource.Ended}
	legal := map[[2]resource.StreamState]bool{
		{resource.Starting, resource.Live}:  true,
		{resource.Starting, resource.Ended}: true,
		{resource.Live, resource.Stalled}:   true,
		{resource.Live, resource.Ended}:     true,
		{resource.Stalled, resource.Live}:   true,
		{resource.Stalled, resource.Ended}:  true,
	}
	for _, from := range states {
		for _, to := range states {
			l := life{state: from}
			err := l.to(to)
			if want := legal[[2]resource.StreamState{from, to}]; (err == nil) != want {
				t.Errorf("%s -> %s: %v, legal %v", from, to, err, want)
			}
			if err != nil && l.state != from {
				t.Errorf("%s -> %s was refused and changed the state to %s", from, to, l.state)
			}
		}
	}
}

// step is a moment in a stream's life.
type step struct {
	at       time.Duration // since the key was accepted
	media    time.Duration // when media last came
	playable bool
	end      bool
	edges    []edge
	state    resource.StreamState
	health   resource.Health
	reason   Reason
}

func TestLife(t *testing.T) {
	t.Parallel()
	const s = time.Second
	tests := []struct {
		name  string
		steps []step
	}{
		{"a good stream", []step{
			{at: 1 * s, media: 1 * s, state: resource.Starting, health: resource.Unknown},
			{at: 4 * s, media: 4 * s, playable: true, edges: []edge{streamStart}, state: resource.Live, health: resource.Unknown},
			{at: 5 * s, media: 5 * s, state: resource.Live, health: resource.Unknown},
			{at: 6 * s, media: 6 * s, state: resource.Live, health: resource.Healthy},
			{at: 60 * s, media: 59 * s, state: resource.Live, health: resource.Healthy},
			{at: 61 * s, media: 61 * s, end: true, edges: []edge{sessionEnded, streamEnd}, state: resource.Ended, health: resource.Healthy},
		}},
		{"starving and back", []step{
			{at: 2 * s, media: 2 * s, playable: true, edges: []edge{streamStart}, state: resource.Live, health: resource.Unknown},
			{at: 9 * s, media: 7 * s, state: resource.Live, health: resource.Healthy},
			{at: 10 * s, media: 7 * s, edges: []edge{starvationStart}, state: resource.Stalled, health: resource.Starving},
			{at: 20 * s, media: 7 * s, state: resource.Stalled, health: resource.Starving},
			{at: 21 * s, media: 21 * s, edges: []edge{starvationEnd}, state: resource.Live, health: resource.Healthy},
		}},
		{"starving to the end", []step{
			{at: 2 * s, media: 2 * s, playable: true, edges: []edge{streamStart}, state: resource.Live, health: resource.Unknown},
			{at: 5 * s, media: 2 * s, edges: []edge{starvationStart}, state: resource.Stalled, health: resource.Starving},
			{at: 31 * s, media: 2 * s, state: resource.Stalled, health: resource.Starving},
			{at: 32 * s, media: 2 * s, state: resource.Stalled, health: resource.Starving, reason: Silence},
			{at: 32 * s, media: 2 * s, end: true, edges: []edge{sessionEnded, streamEnd}, state: resource.Ended, health: resource.Starving},
		}},
		{"never playable", []step{
			{at: 5 * s, media: 0, state: resource.Starting, health: resource.Unknown},
			{at: 30 * s, media: 0, state: resource.Starting, health: resource.Unknown, reason: Silence},
			{at: 30 * s, media: 0, end: true, edges: []edge{sessionEnded}, state: resource.Ended, health: resource.Unknown},
		}},
		{"two days", []step{
			{at: 2 * s, media: 2 * s, playable: true, edges: []edge{streamStart}, state: resource.Live, health: resource.Unknown},
			{at: maxDuration - s, media: maxDuration - s, state: resource.Live, health: resource.Healthy},
			{at: maxDuration, media: maxDuration, state: resource.Live, health: resource.Healthy, reason: DurationCap},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLife(epoch())
			for i, st := range tt.steps {
				now, media := epoch().Add(st.at), epoch().Add(st.media)
				if reason, over := l.expired(now, media); reason != st.reason && !st.end || over != (reason != 0) {
					t.Fatalf("step %d: expired for %v, want %v", i, reason, st.reason)
				}
				var edges []edge
				var err error
				switch {
				case st.playable:
					edges, err = l.playable(now)
				case st.end:
					edges, err = l.end(now)
				default:
					edges, _, err = l.tick(now, media)
				}
				if err != nil || !slices.Equal(edges, st.edges) || l.state != st.state || l.health != st.health {
					t.Fatalf("step %d: %v %s %s (%v), want %v %s %s", i, edges, l.state, l.health, err, st.edges, st.state, st.health)
				}
			}
		})
	}
}

// The owner sleeps until next: nothing may be due earlier, and something must be due then.
func TestNextIsWhenSomethingHappens(t *testing.T) {
	t.Parallel()
	media := epoch().Add(time.Minute)
	for _, l := range []life{
		{state: resource.Starting, health: resource.Unknown, created: epoch()},
		{state: resource.Live, health: resource.Unknown, created: epoch(), started: epoch().Add(time.Minute)},
		{state: resource.Live, health: resource.Healthy, created: epoch(), started: epoch()},
		{state: resource.Stalled, health: resource.Starving, created: epoch(), started: epoch()},
		{state: resource.Live, health: resource.Healthy, created: media.Add(time.Second - maxDuration), started: epoch()},
	} {
		due := func(at time.Time) bool {
			c := l
			_, over := c.expired(at, media)
			_, changed, err := c.tick(at, media)
			if err != nil {
				t.Error(err)
			}
			return over || changed
		}
		at := l.next(media)
		if l.state != resource.Stalled && due(at.Add(-time.Millisecond)) || !due(at) {
			t.Errorf("%s %s: next is %v after the last media, and that is not when something is due", l.state, l.health, at.Sub(media))
		}
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	sc := arn.Scope{Region: "us-west-2", Account: "111122223333"}
	ch := resource.Channel{ARN: arn.Channel(sc, "hT4kPz81QmXc"), Name: "demo"}
	tests := []struct {
		edge   edge
		code   string
		kind   string
		detail string
	}{
		{sessionCreated, "", stateChange, `{"event_name":"Session Created","channel_name":"demo","stream_id":"st-1"}`},
		{streamStart, "", stateChange, `{"event_name":"Stream Start","channel_name":"demo","stream_id":"st-1"}`},
		{starvationStart, "", healthChange, `{"event_name":"Starvation Start","channel_name":"demo","stream_id":"st-1"}`},
		{starvationEnd, "", healthChange, `{"event_name":"Starvation End","channel_name":"demo","stream_id":"st-1"}`},
		{takenOver, "", stateChange, `{"event_name":"Stream Takeover","channel_name":"demo","stream_id":"st-1"}`},
		{
			takeoverFailed, codeMismatch, stateChange,
			`{"event_name":"Stream Takeover Failure","channel_name":"demo","stream_id":"st-1","code":"StreamTakeoverMediaMismatch"}`,
		},
		{
			sessionEnded, "MultitrackInputRequired", stateChange,
			`{"event_name":"Session Ended","channel_name":"demo","stream_id":"st-1","code":"MultitrackInputRequired"}`,
		},
		{sessionEnded, "", stateChange, `{"event_name":"Session Ended","channel_name":"demo","stream_id":"st-1"}`},
		{streamEnd, "", stateChange, `{"event_name":"Stream End","channel_name":"demo","stream_id":"st-1"}`},
	}
	for _, tt := range tests {
		e := newEvent(tt.edge, &ch, "st-1", tt.code, epoch())
		if e.Type != tt.kind || e.Source != "aws.ivs" || e.Scope != sc || !e.Time.Equal(epoch()) {
			t.Errorf("%+v", e)
		}
		if len(e.Resources) != 1 || e.Resources[0] != "arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc" {
			t.Errorf("resources %v", e.Resources)
		}
		if again := newEvent(tt.edge, &ch, "st-1", tt.code, epoch()); len(e.ID) != 36 || (again.ID == e.ID) != tt.edge.once() {
			t.Errorf("%s has the ID %q, and another time %q", edgeNames[tt.edge].name, e.ID, again.ID)
		}
		if string(e.Detail) != tt.detail || !json.Valid(e.Detail) {
			t.Errorf("detail %s, want %s", e.Detail, tt.detail)
		}
	}
}

func TestFailureEvent(t *testing.T) {
	t.Parallel()
	ch := resource.Channel{ARN: arn.Channel(arn.Scope{Region: "us-west-2", Account: "111122223333"}, "hT4kPz81QmXc"), Name: "demo"}
	e := newFailure(&ch, "st-1", `no "video" came`, epoch())
	want := `{"event_name":"Stream Failure","channel_name":"demo","stream_id":"st-1","reason":"no \"video\" came"}`
	if e.Type != stateChange || string(e.Detail) != want {
		t.Errorf("%s %s, want %s", e.Type, e.Detail, want)
	}
}
