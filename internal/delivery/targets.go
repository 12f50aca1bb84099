package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/policy"
)

// TopicPublisher takes messages for the topics of this server. It is fault.NotFound when there is no such topic here.
type TopicPublisher interface {
	// PublishEvent publishes a message. The id is that of the event and stays the same when it is tried again.
	PublishEvent(ctx context.Context, topicARN, id string, message []byte) error
}

// Targets knows who delivers to which target.
type Targets struct {
	APIDestinations *APIDestinations
	Topics          TopicPublisher      // nil: there are none of ours
	Endpoints       map[string]Endpoint // by service: "sqs", "sns", "events", "lambda", "logs"
	Allow           []string            // patterns of the ARNs that may be reached at Endpoints
}

// kinds of targets, by what their ARNs begin with behind the account.
const (
	serviceEvents = "events"
	serviceSNS    = "sns"
	serviceSQS    = "sqs"
	serviceLambda = "lambda"
	serviceLogs   = "logs"
)

// name is an ARN of something in a region and an account, with what names it there as one text.
type name struct{ service, region, account, resource string }

func parseARN(s string) (name, bool) {
	a, err := arn.ParseAny(s)
	if err != nil || a.Region == "" || a.Account == "" {
		return name{}, false
	}
	n := name{service: a.Service, region: a.Region, account: a.Account, resource: a.ID}
	if a.Type != "" {
		n.resource = a.Type + "/" + a.ID
	}
	return n, true
}

// Check tells whether a rule of an account may have a target. The error is fault.Invalid, with a text for the caller.
func (t *Targets) Check(account, target string) error {
	n, ok := parseARN(target)
	if !ok {
		return fault.New(fault.Invalid, "Parameter %s is not valid. Reason: Provided Arn is not in correct format.", target)
	}
	if n.account != account {
		return fault.New(fault.Invalid, "Parameter %s is not valid. Reason: the target belongs to another account.", target)
	}
	if n.isAPIDestination() {
		return nil
	}
	if n.service == serviceSNS && t.Topics != nil {
		return nil
	}
	return t.checkEndpoint(n, target)
}

// checkEndpoint tells whether a target may be reached with the operator's credentials.
func (t *Targets) checkEndpoint(n name, target string) error {
	switch n.service {
	case serviceSQS, serviceSNS, serviceLambda, serviceLogs, serviceEvents:
	default:
		return fault.New(fault.Invalid, "Provided Arn %s is of the service %s, which this server cannot deliver to.", target, n.service)
	}
	if n.service == serviceEvents && !strings.HasPrefix(n.resource, "event-bus/") {
		return fault.New(fault.Invalid, "Provided Arn %s is neither an API destination nor an event bus.", target)
	}
	if _, ok := t.Endpoints[n.service]; !ok {
		return fault.New(fault.Invalid, "This server knows no endpoint of %s for %s (--aws-endpoint %s=URL).", n.service, target, n.service)
	}
	if !slices.ContainsFunc(t.Allow, func(pattern string) bool { return policy.Like(pattern, target, false) }) {
		return fault.New(fault.Invalid, "This server may not deliver to %s (--allow-targets).", target)
	}
	return nil
}

func (n name) isAPIDestination() bool {
	return n.service == serviceEvents && strings.HasPrefix(n.resource, "api-destination/")
}

// Of returns who delivers to a target. Whoever may not be reached any more is a final failure.
func (t *Targets) Of(target string) (Deliverer, error) {
	n, ok := parseARN(target)
	if !ok {
		return nil, &Failure{Code: codeNoResource, Message: "the target has no ARN", Final: true}
	}
	if n.isAPIDestination() {
		return t.APIDestinations, nil
	}
	elsewhere, err := t.elsewhere(n, target)
	if n.service == serviceSNS && t.Topics != nil {
		return topics{publisher: t.Topics, elsewhere: elsewhere}, nil
	}
	return elsewhere, err
}

func (t *Targets) elsewhere(n name, target string) (Deliverer, error) {
	if err := t.checkEndpoint(n, target); err != nil {
		return nil, &Failure{Code: codeNoPermissions, Message: fault.Message(err), Final: true}
	}
	endpoint := t.Endpoints[n.service]
	if endpoint.Client == nil {
		return nil, &Failure{Code: codeNoResource, Message: "the endpoint has no client", Final: true}
	}
	return &remote{endpoint: endpoint, name: n}, nil
}

// topics delivers to a topic of ours, and to one elsewhere when there is no such topic here.
type topics struct {
	publisher TopicPublisher
	elsewhere Deliverer // nil: nowhere else
}

func (t topics) Deliver(ctx context.Context, d *Delivery, payload []byte) error {
	err := t.publisher.PublishEvent(ctx, d.destination(), d.EventID, payload)
	switch {
	case fault.Is(err, fault.NotFound) && t.elsewhere != nil:
		return t.elsewhere.Deliver(ctx, d, payload)
	case fault.Is(err, fault.NotFound):
		return &Failure{Code: codeNoResource, Message: "there is no such topic", Final: true}
	case fault.Is(err, fault.Invalid):
		return &Failure{Code: codeClientError, Message: fault.Message(err), Final: true}
	case err != nil:
		return fmt.Errorf("delivery: publish: %w", err)
	}
	return nil
}
