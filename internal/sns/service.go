// Package sns answers the operations of SNS: topics, who subscribes to them, and what is published (spec neighbours.md 5,
// errata.md A5). The wire types are generated from api/model/sns.json.
//
// A handler checks what the model does not, and writes one record, or publishes; what becomes of a message is the business of
// package notification. FIFO topics, and protocols other than HTTP and SQS, are refused by name.
//
// Imports: arn, awsapi, awsapi/queryxml, awsapi/restjson, delivery, egress, eventpattern, fault, notification, records,
// resource, store, tagging.
package sns

import (
	"time"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/delivery"
	"github.com/rivus-live/rivus/internal/egress"
	"github.com/rivus-live/rivus/internal/notification"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/tagging"
)

// Options are the parts that a Service works with. All are needed unless they say otherwise.
type Options struct {
	Records   records.Topics
	Publisher *notification.Publisher
	Tokens    *notification.Tokens
	Egress    *egress.Client    // where messages may be sent
	Queues    *delivery.Targets // which SQS queues may be named
	Pager     *awsapi.Pager
	Tags      *tagging.Registry // where New adds what this service has

	// Quotas enforces the quotas of an account in a region.
	Quotas bool
	// Clock tells the time; nil means time.Now.
	Clock func() time.Time
}

// Service has the operations. It is safe for concurrent use.
type Service struct{ opts Options }

// New returns a Service.
func New(o Options) *Service {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Tags == nil {
		o.Tags = tagging.NewRegistry()
	}
	s := &Service{opts: o}
	o.Tags.Add("sns", "", tagging.In[resource.Topic]{
		Table: o.Records.Topics, Of: func(t *resource.Topic) *map[string]string { return &t.Tags },
	})
	return s
}

// Operations returns the rows of the service: name, handler and the resources that a request touches. Topics and subscriptions
// have ARNs without a type.
func (s *Service) Operations() []awsapi.Operation {
	return append(s.topicOperations(), s.subscriptionOperations()...)
}

func (s *Service) topicOperations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("CreateTopic", s.CreateTopic, func(in *CreateTopicInput) []awsapi.Target {
			return []awsapi.Target{awsapi.Named("", tagMap(in.Tags), in.Name)}
		}),
		awsapi.Op("DeleteTopic", s.DeleteTopic, func(in *DeleteTopicInput) []awsapi.Target { return awsapi.Targets("", nil, in.TopicArn) }),
		awsapi.Op("ListTopics", s.ListTopics, func(*ListTopicsInput) []awsapi.Target { return []awsapi.Target{{Type: "topic"}} }),
		awsapi.Op("GetTopicAttributes", s.GetTopicAttributes, func(in *GetTopicAttributesInput) []awsapi.Target {
			return awsapi.Targets("", nil, in.TopicArn)
		}),
		awsapi.Op("SetTopicAttributes", s.SetTopicAttributes, func(in *SetTopicAttributesInput) []awsapi.Target {
			return awsapi.Targets("", nil, in.TopicArn)
		}),
		awsapi.Op("Publish", s.Publish, func(in *PublishInput) []awsapi.Target { return awsapi.Targets("", nil, destination(in)) }),
		awsapi.Op("TagResource", s.TagResource, func(in *TagResourceRequest) []awsapi.Target {
			return awsapi.Targets("", tagMap(in.Tags), in.ResourceArn)
		}),
		awsapi.Op("UntagResource", s.UntagResource, func(in *UntagResourceRequest) []awsapi.Target {
			targets := awsapi.Targets("", nil, in.ResourceArn)
			targets[0].TagKeys = in.TagKeys
			return targets
		}),
		awsapi.Op("ListTagsForResource", s.ListTagsForResource, func(in *ListTagsForResourceRequest) []awsapi.Target {
			return awsapi.Targets("", nil, in.ResourceArn)
		}),
	}
}

func (s *Service) subscriptionOperations() []awsapi.Operation {
	one := func(subscription string) []awsapi.Target { return awsapi.Targets("", nil, subscription) }
	return []awsapi.Operation{
		awsapi.Op("Subscribe", s.Subscribe, func(in *SubscribeInput) []awsapi.Target { return awsapi.Targets("", nil, in.TopicArn) }),
		awsapi.Op("ConfirmSubscription", s.ConfirmSubscription, func(in *ConfirmSubscriptionInput) []awsapi.Target {
			return awsapi.Targets("", nil, in.TopicArn)
		}).Unsigned(),
		awsapi.Op("Unsubscribe", s.Unsubscribe, func(in *UnsubscribeInput) []awsapi.Target { return one(in.SubscriptionArn) }).Unsigned(),
		awsapi.Op("GetSubscriptionAttributes", s.GetSubscriptionAttributes, func(in *GetSubscriptionAttributesInput) []awsapi.Target {
			return one(in.SubscriptionArn)
		}),
		awsapi.Op("SetSubscriptionAttributes", s.SetSubscriptionAttributes, func(in *SetSubscriptionAttributesInput) []awsapi.Target {
			return one(in.SubscriptionArn)
		}),
		awsapi.Op("ListSubscriptions", s.ListSubscriptions, func(*ListSubscriptionsInput) []awsapi.Target {
			return []awsapi.Target{{Type: "subscription"}}
		}),
		awsapi.Op("ListSubscriptionsByTopic", s.ListSubscriptionsByTopic, func(in *ListSubscriptionsByTopicInput) []awsapi.Target {
			return awsapi.Targets("", nil, in.TopicArn)
		}),
	}
}
