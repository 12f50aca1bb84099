package sns

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/egress"
	"github.com/rivus-live/rivus/internal/eventpattern"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/notification"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
)

// pendingARN is what Subscribe answers in place of an ARN, and listARN what lists do.
const (
	pendingARN = "pending confirmation"
	listARN    = "PendingConfirmation"
)

// Subscribe makes a subscription. A queue of the account gets messages at once, an HTTP endpoint when it has confirmed that it
// wants them.
func (s *Service) Subscribe(ctx context.Context, c awsapi.Caller, in *SubscribeInput) (*SubscribeResponse, error) {
	next, err := s.newSubscription(c, in)
	if err != nil {
		return nil, err
	}
	topic, err := s.named(ctx, c, in.TopicArn)
	if err != nil {
		return nil, err
	}
	now, err := s.subscribeOnce(ctx, &next)
	if err != nil {
		return nil, err
	}
	if now.State == resource.SubscriptionPending { // also of one that was made before: its question may be lost
		if err := s.opts.Publisher.AskToConfirm(ctx, &topic, now); err != nil {
			return nil, err
		}
		if in.ReturnSubscriptionArn == nil || !*in.ReturnSubscriptionArn {
			return &SubscribeResponse{SubscriptionArn: new(pendingARN)}, nil
		}
	}
	return &SubscribeResponse{SubscriptionArn: new(now.ARN.String())}, nil
}

// newSubscription checks a request and makes the subscription that it asks for.
func (s *Service) newSubscription(c awsapi.Caller, in *SubscribeInput) (resource.Subscription, error) {
	topic, err := c.Own(in.TopicArn)
	if err != nil {
		return resource.Subscription{}, err
	}
	now := s.opts.Clock().UTC()
	next := resource.Subscription{
		ARN: arn.ARN{Service: "sns", Scope: topic.Scope, ID: topic.ID + ":" + arn.NewUUID()}, Topic: topic,
		Protocol: in.Protocol, Endpoint: restjson.Value(in.Endpoint), Principal: c.Principal.ARN(), BaseURL: c.BaseURL,
		Attributes: map[string]string{}, CreatedAt: now,
		State: resource.SubscriptionPending, Until: now.Add(notification.PendingTime), Nonce: notification.NewNonce(),
	}
	if err := s.checkEndpoint(c, &next); err != nil {
		return next, err
	}
	for name, value := range in.Attributes {
		if err := s.checkAttribute(c, name, value); err != nil {
			return next, attributesError(err)
		}
		setSubscriptionAttribute(next.Attributes, name, value)
	}
	if next.Protocol == notification.SQS {
		next.State, next.Until, next.Nonce, next.Authenticated = resource.SubscriptionConfirmed, time.Time{}, nil, true
	}
	return next, checkScope(next.Attributes)
}

// attributesError says of an error that it is about the attributes of a new subscription.
func attributesError(err error) error {
	if fault.Is(err, fault.Invalid) {
		return invalid("Attributes Reason: %s", strings.TrimPrefix(fault.Message(err), "Invalid parameter: "))
	}
	return err
}

// checkEndpoint checks where a subscription's messages go.
func (s *Service) checkEndpoint(c awsapi.Caller, sub *resource.Subscription) error {
	switch sub.Protocol {
	case notification.HTTP, notification.HTTPS:
		if !strings.HasPrefix(strings.ToLower(sub.Endpoint), sub.Protocol+"://") {
			return invalid("Endpoint must match the specified protocol")
		}
		err := s.opts.Egress.Check(sub.Endpoint)
		if _, ok := errors.AsType[*egress.ForbiddenError](err); ok {
			return invalid("Endpoint Reason: %s (--allow-private-targets)", err)
		}
		if err != nil {
			return invalid("Endpoint Reason: %s", err)
		}
		return nil
	case notification.SQS:
		if err := s.opts.Queues.Check(c.Account, sub.Endpoint); err != nil {
			return invalid("SQS endpoint ARN: %s", fault.Message(err))
		}
		return maySend(c, sub.Endpoint)
	}
	return invalid("Amazon SNS does not support this protocol string: %.32s", sub.Protocol)
}

// maySend checks that the caller may send to a queue himself: the server does it with the operator's key.
func maySend(c awsapi.Caller, queue string) error {
	a, err := arn.ParseAny(queue)
	if err != nil {
		return err
	}
	sending := c.Doing("sqs:SendMessage")
	return sending.May(a, nil)
}

// subscribeOnce makes a subscription unless its topic has one for the same endpoint, which is returned if it has the same
// attributes.
func (s *Service) subscribeOnce(ctx context.Context, next *resource.Subscription) (*resource.Subscription, error) {
	topic := keyOf(next.Topic)
	same := records.EndpointValue(next.Topic.ID, next.Protocol, next.Endpoint)
	var old *resource.Subscription
	errThere := errors.New("it is there")
	_, err := s.opts.Records.Subscriptions.Under(records.TopicGuard(topic)).Create(ctx, records.SubscriptionKey(*next), *next, func() error {
		old = nil
		if _, err := s.opts.Records.Topics.GetNewest(ctx, topic); err != nil {
			return noTopic(err)
		}
		found, err := s.sameEndpoint(ctx, next, same)
		if err != nil || found == nil {
			return err
		}
		old = found
		return errThere
	})
	switch {
	case old == nil && err != nil:
		return nil, err
	case old == nil:
		return next, nil
	case !errors.Is(err, errThere):
		return nil, err
	}
	for name, value := range next.Attributes {
		if old.Attributes[name] != value {
			return nil, invalid("Attributes Reason: Subscription already exists with different attributes")
		}
	}
	return old, nil
}

// checkAttribute checks an attribute that a subscription is to have.
func (s *Service) checkAttribute(c awsapi.Caller, name, value string) error {
	switch name {
	case "RawMessageDelivery":
		if value != "true" && value != "false" {
			return invalid("RawMessageDelivery: Invalid value [%.32s]. Must be true or false.", value)
		}
	case "FilterPolicy": // with its scope, by checkScope
	case "FilterPolicyScope":
		if value != notification.ScopeAttributes && value != notification.ScopeBody {
			return invalid("FilterPolicyScope: Invalid value [%.32s]. Please use either MessageBody or MessageAttributes", value)
		}
	case attributeDelivery:
		_, err := notification.ParseSubscriptionPolicy(value)
		return err
	case "RedrivePolicy":
		queue, err := notification.ParseRedrivePolicy(value)
		if err != nil || queue == "" {
			return err
		}
		if err := s.opts.Queues.Check(c.Account, queue); err != nil || !strings.HasPrefix(queue, "arn:aws:sqs:") {
			return invalid("RedrivePolicy: %s is no queue that this server may send to", queue)
		}
		return maySend(c, queue)
	default:
		return invalid("AttributeName")
	}
	return nil
}

// setSubscriptionAttribute keeps an attribute. An empty policy takes it away.
func setSubscriptionAttribute(attributes map[string]string, name, value string) {
	if value == "" || name == "FilterPolicy" && strings.TrimSpace(value) == "{}" || name == "RawMessageDelivery" && value == "false" {
		delete(attributes, name)
		return
	}
	attributes[name] = value
}

// checkScope checks a filter policy in the scope that it is to have.
func checkScope(attributes map[string]string) error {
	err := notification.CheckFilter(attributes["FilterPolicy"], attributes["FilterPolicyScope"])
	if bad, ok := errors.AsType[*eventpattern.Error](err); ok {
		return invalid("FilterPolicy: %s", bad.Reason)
	}
	return err
}
