package eventbridge

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/store"
)

// defaultBus is the only event bus.
const defaultBus = "default"

func busARN(c awsapi.Caller, name string) string {
	return "arn:aws:events:" + c.Region + ":" + c.Account + ":" + typeBus + "/" + name
}

func isDefault(c awsapi.Caller, name *string) bool {
	return name == nil || *name == defaultBus || *name == busARN(c, defaultBus)
}

// checkBus refuses every bus but the default one.
func checkBus(c awsapi.Caller, name *string) error {
	if isDefault(c, name) {
		return nil
	}
	return fault.New(fault.NotFound, "Event bus %s does not exist.", *name)
}

// DescribeEventBus describes the default bus.
func (s *Service) DescribeEventBus(_ context.Context, c awsapi.Caller, in *DescribeEventBusRequest) (*DescribeEventBusResponse, error) {
	if err := checkBus(c, in.Name); err != nil {
		return nil, err
	}
	if err := c.May(named(c, typeBus, defaultBus), nil); err != nil {
		return nil, err
	}
	return &DescribeEventBusResponse{Arn: new(busARN(c, defaultBus)), Name: new(defaultBus)}, nil
}

// ListEventBuses lists the default bus.
func (s *Service) ListEventBuses(_ context.Context, c awsapi.Caller, in *ListEventBusesRequest) (*ListEventBusesResponse, error) {
	out := &ListEventBusesResponse{EventBuses: []EventBus{}}
	if strings.HasPrefix(defaultBus, restjson.Value(in.NamePrefix)) {
		out.EventBuses = append(out.EventBuses, EventBus{Arn: new(busARN(c, defaultBus)), Name: new(defaultBus)})
	}
	return out, nil
}

// maxPut is the greatest size of the entries of a call together (spec neighbours.md 4).
const maxPut = 1 << 20

// PutEvents puts events of an application on the bus. Each entry has a result of its own.
func (s *Service) PutEvents(ctx context.Context, c awsapi.Caller, in *PutEventsRequest) (*PutEventsResponse, error) {
	size := 0
	for i := range in.Entries {
		size += sizeOf(&in.Entries[i])
	}
	if size > maxPut {
		return nil, fault.New(fault.Invalid, "Total size of the entries in the request is over the limit.")
	}
	if err := c.May(named(c, typeBus, defaultBus), nil); err != nil {
		return nil, err
	}
	out := &PutEventsResponse{Entries: make([]PutEventsResultEntry, len(in.Entries)), FailedEntryCount: new(int32(0))}
	var events []store.Event
	for i := range in.Entries {
		entry, result := &in.Entries[i], &out.Entries[i]
		if *result = refuse(c, entry); result.ErrorCode != nil {
			*out.FailedEntryCount++
			continue
		}
		id := arn.NewUUID()
		result.EventId = &id
		if isDefault(c, entry.EventBusName) { // what is put on a bus that does not exist is gone
			events = append(events, s.eventOf(c, entry, id))
		}
	}
	return out, s.opts.Bus.Put(ctx, events...)
}

// sizeOf counts an entry as the service does.
func sizeOf(e *PutEventsRequestEntry) int {
	size := len(restjson.Value(e.Source)) + len(restjson.Value(e.DetailType)) + len(restjson.Value(e.Detail))
	if e.Time != nil {
		size += 14
	}
	for _, r := range e.Resources {
		size += len(r)
	}
	return size
}

// refuse returns a result that says why an entry cannot be an event, the zero result when it can.
func refuse(c awsapi.Caller, e *PutEventsRequestEntry) PutEventsResultEntry {
	fail := func(code, text string) PutEventsResultEntry {
		return PutEventsResultEntry{ErrorCode: &code, ErrorMessage: &text}
	}
	for _, f := range []struct {
		name  string
		value *string
	}{{"Source", e.Source}, {"DetailType", e.DetailType}, {"Detail", e.Detail}} {
		if restjson.Value(f.value) == "" {
			return fail("InvalidArgument", fmt.Sprintf("Parameter %s is not valid. Reason: %s is a required argument.", f.name, f.name))
		}
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(*e.Detail), &object) != nil || object == nil {
		return fail("MalformedDetail", "Detail is malformed.")
	}
	if strings.HasPrefix(*e.Source, "aws.") && c.Principal.Kind != awsapi.PrincipalRoot {
		return fail("NotAuthorizedForSourceException", "Not authorized for the source.")
	}
	return PutEventsResultEntry{}
}

func (s *Service) eventOf(c awsapi.Caller, e *PutEventsRequestEntry, id string) store.Event {
	at := s.opts.Clock()
	if e.Time != nil {
		at = time.Time(*e.Time)
	}
	return store.Event{
		ID: id, Type: *e.DetailType, Source: *e.Source, Time: at, Scope: c.Scope, Resources: e.Resources, Detail: json.RawMessage(*e.Detail),
	}
}
