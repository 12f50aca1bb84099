package broadcast

import (
	"encoding/json"
	"time"

	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// edge is something that happened to a stream and that the world is told (spec ivs.md 13.2).
type edge uint8

const (
	sessionCreated edge = iota
	streamStart
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
}

// newEvent forms the event of an edge. The code is empty where none is defined.
func newEvent(e edge, ch *resource.Channel, streamID, code string, now time.Time) store.Event {
	names := edgeNames[e]
	// Three strings and a constant cannot fail to marshal.
	d, _ := json.Marshal(detail{EventName: names.name, ChannelName: ch.Name, StreamID: streamID, Code: code})
	return store.Event{
		Type:      names.kind,
		Source:    eventSource,
		Time:      now,
		Scope:     ch.ARN.Scope,
		Resources: []string{ch.ARN.String()},
		Detail:    d,
	}
}
