package broadcast

import (
	"encoding/json"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// edge is something that happened to a stream and that the world is told (spec ivs.md 13.2).
type edge uint8

const (
	sessionCreated edge = iota
	streamStart
	streamFailure
	starvationStart
	starvationEnd
	takenOver
	takeoverFailed
	sessionEnded
	streamEnd
)

const (
	stateChange  = "IVS Stream State Change"
	healthChange = "IVS Stream Health Change"
	eventSource  = "aws.ivs"
)

// edgeNames holds the detail-type and the event_name of every edge.
var edgeNames = [...]struct{ kind, name string }{ //nolint:gochecknoglobals // a constant table
	sessionCreated:  {stateChange, "Session Created"},
	streamStart:     {stateChange, "Stream Start"},
	streamFailure:   {stateChange, "Stream Failure"},
	starvationStart: {healthChange, "Starvation Start"},
	starvationEnd:   {healthChange, "Starvation End"},
	takenOver:       {stateChange, "Stream Takeover"},
	takeoverFailed:  {stateChange, "Stream Takeover Failure"},
	sessionEnded:    {stateChange, "Session Ended"},
	streamEnd:       {stateChange, "Stream End"},
}

// detail is the "detail" member of an event on the bus.
type detail struct {
	EventName   string `json:"event_name"`
	ChannelName string `json:"channel_name"`
	StreamID    string `json:"stream_id"`
	Code        string `json:"code,omitempty"`
	Reason      string `json:"reason,omitempty"`
}

// once tells of the edges that a stream has at most one of: whoever tells of one, the owner or who ends its session after
// its death, tells of the same event.
func (e edge) once() bool {
	return e == sessionCreated || e == streamStart || e == sessionEnded || e == streamEnd
}

// id returns the name of an event of a stream, a UUID as on the real bus.
func (e edge) id(streamID string) string {
	if e.once() {
		return arn.NamedUUID(streamID + "/" + edgeNames[e].name)
	}
	return arn.NewUUID()
}

// newEvent forms the event of an edge, once: its ID stays with it. The code is empty where none is defined.
func newEvent(e edge, ch *resource.Channel, streamID, code string, now time.Time) store.Event {
	return detail{StreamID: streamID, Code: code}.event(e, ch, now)
}

// newFailure forms the event of a stream that cannot be carried, with the reason in words.
func newFailure(ch *resource.Channel, streamID, reason string, now time.Time) store.Event {
	return detail{StreamID: streamID, Reason: reason}.event(streamFailure, ch, now)
}

func (d detail) event(e edge, ch *resource.Channel, now time.Time) store.Event {
	names := edgeNames[e]
	d.EventName, d.ChannelName = names.name, ch.Name
	data, _ := json.Marshal(d) // strings cannot fail to marshal
	return store.Event{
		ID:        e.id(d.StreamID),
		Type:      names.kind,
		Source:    eventSource,
		Time:      now,
		Scope:     ch.ARN.Scope,
		Resources: []string{ch.ARN.String()},
		Detail:    data,
	}
}
