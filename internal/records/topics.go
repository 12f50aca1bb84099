package records

import (
	"context"
	"errors"
	"fmt"

	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// Topics is what is known of SNS topics:
//
//	what                   kept in  table                   key                  written by
//	topics                 facts    TopicDefinition         name                 API
//	subscriptions          facts    SubscriptionDefinition  SubscriptionKey      API
//	the key that signs     facts    SigningKeyDefinition    "sns", empty scope   who needs it first
//
// A subscription is made and a topic is deleted under TopicGuard, so that none is left without its topic.
type Topics struct {
	Topics        *store.Table[resource.Topic]
	Subscriptions *store.Table[resource.Subscription]
	SigningKeys   *store.Table[resource.SigningKey]
}

// OpenTopics opens the records of topics.
func OpenTopics(ctx context.Context, s *store.Store) (Topics, error) {
	var r Topics
	err := errors.Join(
		keep(&r.Topics)(store.OpenTable(ctx, s, TopicDefinition())),
		keep(&r.Subscriptions)(store.OpenTable(ctx, s, SubscriptionDefinition())),
		keep(&r.SigningKeys)(store.OpenTable(ctx, s, SigningKeyDefinition())),
	)
	if err != nil {
		return r, fmt.Errorf("records of topics: %w", err)
	}
	return r, nil
}

// TopicKey is the key of a topic, and TopicGuard its guard.
func TopicKey(t resource.Topic) store.Key { return store.Key{Scope: t.ARN.Scope, ID: t.ARN.ID} }

// TopicGuard is the guard of all writes that depend on a topic's being there.
func TopicGuard(topic store.Key) store.Key {
	return store.Key{Scope: topic.Scope, ID: "topic/" + topic.ID}
}

// SubscriptionKey is the key of a subscription.
func SubscriptionKey(s resource.Subscription) store.Key {
	return store.Key{Scope: s.ARN.Scope, ID: s.ARN.ID}
}

// TopicDefinition is the table of topics, keyed by name.
func TopicDefinition() store.Definition[resource.Topic] {
	return store.Definition[resource.Topic]{Name: "topic", Class: store.Facts}
}

// SubscriptionDefinition is the table of subscriptions. Its index "topic" finds those of a topic, by its name; "endpoint" the one
// that EndpointValue names; "confirmed" those of a topic that get messages. What is gone is only in "gone", under its topic.
func SubscriptionDefinition() store.Definition[resource.Subscription] {
	in := func(value func(resource.Subscription) string, states ...resource.SubscriptionState) func(resource.Subscription) []string {
		return func(s resource.Subscription) []string {
			for _, state := range states {
				if s.State == state {
					return []string{value(s)}
				}
			}
			return nil
		}
	}
	topic := func(s resource.Subscription) string { return s.Topic.ID }
	endpoint := func(s resource.Subscription) string { return EndpointValue(s.Topic.ID, s.Protocol, s.Endpoint) }
	const pending, confirmed = resource.SubscriptionPending, resource.SubscriptionConfirmed
	return store.Definition[resource.Subscription]{Name: "subscription", Class: store.Facts, Indexes: []store.Index[resource.Subscription]{
		{Name: "topic", Values: in(topic, pending, confirmed)},
		{Name: "confirmed", Values: in(topic, confirmed)},
		{Name: "gone", Values: in(topic, resource.SubscriptionGone)},
		{Name: "endpoint", Values: in(endpoint, pending, confirmed)},
	}}
}

// EndpointValue is a value of the index "endpoint" of SubscriptionDefinition.
func EndpointValue(topic, protocol, endpoint string) string {
	return topic + "\n" + protocol + "\n" + endpoint
}

// SigningKeyDefinition is the table of keys that sign what is sent.
func SigningKeyDefinition() store.Definition[resource.SigningKey] {
	return store.Definition[resource.SigningKey]{Name: "signingkey", Class: store.Facts}
}
