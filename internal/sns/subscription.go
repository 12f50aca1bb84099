package sns

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/notification"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// sameEndpoint returns the subscription that a topic has for an endpoint, nil when it has none.
func (s *Service) sameEndpoint(ctx context.Context, next *resource.Subscription, value string) (*resource.Subscription, error) {
	q := store.Query{Scope: next.Topic.Scope, Index: "endpoint", Value: value, Limit: pageSize}
	page, err := s.opts.Records.Subscriptions.List(ctx, q)
	if err != nil {
		return nil, err
	}
	for i := range page.Records {
		if r := &page.Records[i].Value; r.Known(s.opts.Clock()) {
			return r, nil
		}
	}
	return nil, nil //nolint:nilnil // none is no error
}

// subscription returns a subscription that the caller may do this to. It has the tags of its topic, which has the rights.
func (s *Service) subscription(ctx context.Context, c awsapi.Caller, text string) (resource.Subscription, resource.Topic, error) {
	var none resource.Topic
	if _, err := c.Own(text); err != nil {
		return resource.Subscription{}, none, err
	}
	key, err := notification.SubscriptionKeyOf(text)
	if err != nil {
		return resource.Subscription{}, none, err
	}
	r, err := s.opts.Records.Subscriptions.Get(ctx, key)
	if err == nil && !r.Value.Known(s.opts.Clock()) {
		err = fault.New(fault.NotFound, "Subscription does not exist")
	}
	if err != nil {
		return resource.Subscription{}, none, noSubscription(err)
	}
	t, err := s.opts.Records.Topics.Get(ctx, keyOf(r.Value.Topic))
	if err != nil {
		return resource.Subscription{}, none, noSubscription(err)
	}
	return r.Value, t.Value, c.May(r.Value.ARN, t.Value.Tags)
}

// GetSubscriptionAttributes returns the attributes of a subscription.
func (s *Service) GetSubscriptionAttributes(ctx context.Context, c awsapi.Caller, in *GetSubscriptionAttributesInput) (*GetSubscriptionAttributesResponse, error) {
	sub, topic, err := s.subscription(ctx, c, in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	out := map[string]string{
		"SubscriptionArn": sub.ARN.String(), "TopicArn": sub.Topic.String(), "Protocol": sub.Protocol, "Endpoint": sub.Endpoint,
		"Owner": sub.ARN.Account, "SubscriptionPrincipal": sub.Principal, "RawMessageDelivery": "false",
		"PendingConfirmation":          strconv.FormatBool(sub.State == resource.SubscriptionPending),
		"ConfirmationWasAuthenticated": strconv.FormatBool(sub.Authenticated),
	}
	for name, value := range sub.Attributes {
		out[name] = value
	}
	delete(out, "FilterPolicyScope") // shown while there is a policy
	if sub.Attributes["FilterPolicy"] != "" {
		out["FilterPolicyScope"] = scopeOf(&sub)
	}
	if sub.Protocol != notification.SQS {
		if out["EffectiveDeliveryPolicy"], err = effectivePolicy(&topic, &sub); err != nil {
			return nil, err
		}
	}
	return &GetSubscriptionAttributesResponse{Attributes: out}, nil
}

func scopeOf(sub *resource.Subscription) string {
	if scope := sub.Attributes["FilterPolicyScope"]; scope != "" {
		return scope
	}
	return notification.ScopeAttributes
}

// effectivePolicy is the delivery policy that counts for a subscription, in the form of one.
func effectivePolicy(t *resource.Topic, sub *resource.Subscription) (string, error) {
	p, err := notification.EffectivePolicy(t.Attributes[attributeDelivery], sub.Attributes[attributeDelivery])
	if err != nil {
		return "", err
	}
	b, _ := json.Marshal(p.Subscription()) // numbers and strings cannot fail to marshal
	return string(b), nil
}

// SetSubscriptionAttributes changes one attribute of a subscription.
func (s *Service) SetSubscriptionAttributes(ctx context.Context, c awsapi.Caller, in *SetSubscriptionAttributesInput) (*SetSubscriptionAttributesResponse, error) {
	value := restjson.Value(in.AttributeValue)
	if in.AttributeName == "FilterPolicy" && value == "" {
		value = "{}"
	}
	sub, topic, err := s.subscription(ctx, c, in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	if err := s.checkAttribute(c, in.AttributeName, value); err != nil {
		return nil, err
	}
	_, err = s.opts.Records.Subscriptions.Update(ctx, records.SubscriptionKey(sub), func(now resource.Subscription) (resource.Subscription, error) {
		if err := c.May(now.ARN, topic.Tags); err != nil {
			return now, err
		}
		if now.Attributes == nil {
			now.Attributes = map[string]string{}
		}
		setSubscriptionAttribute(now.Attributes, in.AttributeName, value)
		return now, checkChange(in.AttributeName, now.Attributes)
	})
	return nil, noSubscription(err)
}

// checkChange checks what depends on two attributes. A scope may be set before the policy that is to have it, and after it:
// then the policy is looked at when it is set again.
func checkChange(name string, attributes map[string]string) error {
	if name != "FilterPolicy" {
		return nil
	}
	return checkScope(attributes)
}

// ListSubscriptions returns a page of the caller's subscriptions.
func (s *Service) ListSubscriptions(ctx context.Context, c awsapi.Caller, in *ListSubscriptionsInput) (*ListSubscriptionsResponse, error) {
	out, next, err := s.page(ctx, c, "ListSubscriptions", "", in.NextToken, store.Query{Scope: c.Scope})
	return &ListSubscriptionsResponse{Subscriptions: out, NextToken: next}, err
}

// ListSubscriptionsByTopic returns a page of a topic's subscriptions.
func (s *Service) ListSubscriptionsByTopic(ctx context.Context, c awsapi.Caller, in *ListSubscriptionsByTopicInput) (*ListSubscriptionsByTopicResponse, error) {
	t, err := s.named(ctx, c, in.TopicArn)
	if err != nil {
		return nil, err
	}
	q := store.Query{Scope: t.ARN.Scope, Index: "topic", Value: t.ARN.ID}
	out, next, err := s.page(ctx, c, "ListSubscriptionsByTopic", t.ARN.ID, in.NextToken, q)
	return &ListSubscriptionsByTopicResponse{Subscriptions: out, NextToken: next}, err
}

func (s *Service) page(ctx context.Context, c awsapi.Caller, operation, filter string, token *string, q store.Query) ([]Subscription, *string, error) {
	pages := s.opts.Pager.Pages(c, operation, filter)
	after, err := pages.After(token)
	if err != nil {
		return nil, nil, invalid("NextToken")
	}
	q.After, q.Limit = after, pageSize
	page, err := s.opts.Records.Subscriptions.List(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	out := []Subscription{}
	for i := range page.Records {
		sub := &page.Records[i].Value
		after = page.Records[i].Key.ID
		if sub.Known(s.opts.Clock()) {
			out = append(out, shown(sub))
		}
	}
	return out, pages.Next(page.More, after), nil
}

func shown(sub *resource.Subscription) Subscription {
	name := sub.ARN.String()
	if sub.State == resource.SubscriptionPending {
		name = listARN
	}
	return Subscription{
		SubscriptionArn: &name, TopicArn: new(sub.Topic.String()), Protocol: &sub.Protocol, Endpoint: &sub.Endpoint, Owner: &sub.ARN.Account,
	}
}

// topicOf returns the topic that a request without a signature names: nobody's account and region come with it.
func (s *Service) topicOf(ctx context.Context, text string) (resource.Topic, error) {
	a, err := arn.ParseAny(text)
	if err != nil || a.Service != "sns" {
		return resource.Topic{}, invalid("TopicArn")
	}
	r, err := s.opts.Records.Topics.Get(ctx, keyOf(a))
	return r.Value, noTopic(err)
}
