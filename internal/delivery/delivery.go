// Package delivery brings events to the targets of the rules that are about them.
//
// An Engine reads the outbox, finds the rules of an event's account and region that match it, and puts a Delivery for each of
// their targets into that target's queue, whole: what a rule says later changes nothing about what it matched. Each target has
// one worker, in the one process of the cluster in which the Engine runs (cluster.Node.Singleton), so that whoever sends to a
// target knows all that was sent before, how fast it may go, and which token it holds. When that node dies, another goes on.
//
// Promises:
//
//   - At least once. A delivery leaves its queue after its target has taken it, or after it was put among the dead. Twice
//     only behind a crash, or when the target took it and could not say so.
//   - First attempts for one resource and one target go out in the order of the events. A delivery that failed three times,
//     or for ten seconds, steps aside and is retried beside the others, which pass it.
//   - A target that is away delays no other. Nothing of what waits for it is in memory but the next few; while it stays away
//     one attempt at a time asks whether it is back, and when it is, attempts grow from one to as many as are allowed.
//   - What is given up goes to the dead-letter queue of the target, or to the list of failed deliveries.
//
// It is of the state layer: it serves no API and knows no media, and both the API of rules and the wiring use it.
//
// Imports: arn, egress, event, eventinput, eventpattern, fault, policy, resource, seal, sigv4, store.
package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/eventinput"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// Delivery is an event on its way to one target.
type Delivery struct {
	EventID  string              `json:"eventId"`
	Event    json.RawMessage     `json:"event"`    // as it is on the bus
	Resource string              `json:"resource"` // deliveries of one resource are in order
	Number   uint64              `json:"number"`   // grows with the events of a resource
	Ingested time.Time           `json:"ingested"` // when it came to the bus
	Matched  time.Time           `json:"matched"`  // when it was put into the queue: its age counts from here
	RuleARN  string              `json:"ruleArn"`
	RuleName string              `json:"ruleName"`
	Target   resource.RuleTarget `json:"target"`

	Attributes map[string]Attribute `json:"-"` // of a message to an SQS queue

	Attempts  int    `json:"attempts,omitempty"`
	Code      string `json:"code,omitempty"`      // of the last failure
	Message   string `json:"message,omitempty"`   // of the last failure
	Exhausted string `json:"exhausted,omitempty"` // the condition by which it was given up; "" when it was not to be retried
	Dead      bool   `json:"dead,omitempty"`      // it is on its way to the dead-letter queue
}

// Attribute is an attribute of a message of SQS: its type, and its value, base64 of a binary one.
type Attribute struct{ Type, Value string }

// FirstPlace is where a delivery begins, in the queue of a key.
func FirstPlace(queue store.Key, id string) store.Place {
	return store.Place{Key: queue, Lane: laneFront, ID: id}
}

// The lanes of a target's queue.
const (
	laneFront  = "front"  // in order
	laneAside  = "aside"  // stepped aside, each with a time at which it is due
	laneFailed = "failed" // given up
)

const (
	queueName = "deliveries"
	// queueAge is how long a failed delivery stays in the list. Nothing else waits as long.
	queueAge = 14 * 24 * time.Hour
)

// OpenQueue opens the queue of deliveries.
func OpenQueue(ctx context.Context, s *store.Store) (*store.Queue[Delivery], error) {
	q, err := store.OpenQueue[Delivery](ctx, s, queueName, queueAge)
	if err != nil {
		return nil, fmt.Errorf("delivery: %w", err)
	}
	return q, nil
}

// queueKey names the queue of a rule's target.
func queueKey(rule store.Key, target string) store.Key {
	return store.Key{Scope: rule.Scope, ID: rule.ID + "/" + target}
}

// Defaults and limits of a target's retry policy (spec neighbours.md 4).
const (
	defaultMaxAge     = 24 * time.Hour
	defaultMaxRetries = 185
)

func (d *Delivery) maxAge() time.Duration {
	if d.Target.MaxAge == nil {
		return defaultMaxAge
	}
	return time.Duration(*d.Target.MaxAge) * time.Second
}

func (d *Delivery) maxRetries() int {
	if d.Target.MaxRetries == nil {
		return defaultMaxRetries
	}
	return *d.Target.MaxRetries
}

// The conditions by which a delivery is given up.
const (
	exhaustedAge      = "MaximumEventAgeInSeconds"
	exhaustedAttempts = "MaximumRetryAttempts"
)

// exhausted returns why there must be no further attempt, "" when there may be one.
func (d *Delivery) exhausted(now time.Time) string {
	switch {
	case now.Sub(d.Matched) >= d.maxAge():
		return exhaustedAge
	case d.Attempts > d.maxRetries():
		return exhaustedAttempts
	}
	return ""
}

// payload returns what the target is sent.
func (d *Delivery) payload() ([]byte, error) {
	spec := eventinput.Spec{Input: d.Target.Input, Path: d.Target.InputPath}
	if t := d.Target.Transformer; t != nil {
		spec.Transformer = &eventinput.Transformer{Paths: t.Paths, Template: t.Template}
	}
	out, err := spec.Of(eventinput.Event{JSON: d.Event, RuleARN: d.RuleARN, RuleName: d.RuleName, Ingested: d.Ingested})
	if err != nil {
		return nil, &Failure{Code: codeBadInput, Message: err.Error(), Final: true}
	}
	return out, nil
}

// Failure says why a delivery did not arrive.
type Failure struct {
	Code    string        // one of the codes below, or the target's own
	Message string        // without secrets
	Final   bool          // a retry would not help
	After   time.Duration // a retry must not come sooner
}

// Error returns the code and the message.
func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// Codes of failures (errata.md A4, "DLQ").
const (
	codeNoPermissions = "NO_PERMISSIONS"
	codeNoResource    = "NO_RESOURCE"
	codeThrottled     = "THROTTLING"
	codeTimeout       = "TIMEOUT"
	codeClientError   = "SDK_CLIENT_ERROR"
	codeBadInput      = "INVALID_JSON"
)

// failureOf makes a failure of any error of a deliverer. What is not known to be final is retried.
func failureOf(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Failure{Code: codeTimeout, Message: "the target did not answer in time"}
	}
	return &Failure{Code: codeClientError, Message: err.Error()}
}

// Deliverer brings deliveries to targets of one kind. It bounds the time of an attempt itself. An error that is no *Failure is
// one that a retry may help.
type Deliverer interface {
	Deliver(ctx context.Context, d *Delivery, payload []byte) error
}
