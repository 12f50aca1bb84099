package sns

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/notification"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

const (
	attributePolicy   = "Policy"
	attributeDelivery = "DeliveryPolicy"
	maxPolicy         = 30 << 10 // bytes, of a text that is kept as it is
)

// checkTopicAttribute checks an attribute that a topic is to have.
func checkTopicAttribute(name, value string) error {
	switch name {
	case "DisplayName":
		if len(value) > 100 {
			return invalid("DisplayName Reason: must be at most 100 characters long")
		}
	case attributePolicy:
		var policy struct{ Statement json.RawMessage }
		if len(value) > maxPolicy || json.Unmarshal([]byte(value), &policy) != nil || policy.Statement == nil {
			return invalid("Policy failed to parse")
		}
	case attributeDelivery:
		_, err := notification.ParseTopicPolicy(value)
		return err
	case "SignatureVersion":
		if value != "1" && value != "2" {
			return invalid("SignatureVersion")
		}
	case "TracingConfig":
		if value != "PassThrough" && value != "Active" {
			return invalid("TracingConfig")
		}
	case "FifoTopic", "ContentBasedDeduplication", "ArchivePolicy", "FifoThroughputScope":
		if value == "" || value == "false" {
			return nil
		}
		return invalid("%s Reason: this server has no FIFO topics", name)
	case "KmsMasterKeyId":
		if value == "" {
			return nil
		}
		return invalid("KmsMasterKeyId Reason: this server has no key management service")
	default:
		return invalid("AttributeName")
	}
	return nil
}

// setAttribute keeps an attribute; an empty value takes it away.
func setAttribute(attributes map[string]string, name, value string) {
	if value == "" || name == "FifoTopic" || name == "ContentBasedDeduplication" {
		delete(attributes, name)
		return
	}
	attributes[name] = value
}

// SetTopicAttributes changes one attribute of a topic.
func (s *Service) SetTopicAttributes(ctx context.Context, c awsapi.Caller, in *SetTopicAttributesInput) (*SetTopicAttributesResponse, error) {
	a, err := c.Own(in.TopicArn)
	if err != nil {
		return nil, err
	}
	value := restjson.Value(in.AttributeValue)
	if value != "" || in.AttributeName == "DisplayName" {
		err = checkTopicAttribute(in.AttributeName, value)
	}
	if err != nil {
		return nil, err
	}
	_, err = s.opts.Records.Topics.Update(ctx, keyOf(a), func(t resource.Topic) (resource.Topic, error) {
		if t.Attributes == nil {
			t.Attributes = map[string]string{}
		}
		setAttribute(t.Attributes, in.AttributeName, value)
		return t, c.May(a, t.Tags)
	})
	return nil, noTopic(err)
}

// GetTopicAttributes returns the attributes of a topic, those that were never set too.
func (s *Service) GetTopicAttributes(ctx context.Context, c awsapi.Caller, in *GetTopicAttributesInput) (*GetTopicAttributesResponse, error) {
	t, err := s.named(ctx, c, in.TopicArn)
	if err != nil {
		return nil, err
	}
	effective, err := effectiveTopicPolicy(&t)
	if err != nil {
		return nil, err
	}
	counts, err := s.count(ctx, t.ARN)
	if err != nil {
		return nil, err
	}
	out := map[string]string{
		"TopicArn": t.ARN.String(), "Owner": t.ARN.Account, "DisplayName": "", attributePolicy: defaultPolicy(t.ARN),
		"EffectiveDeliveryPolicy": effective, "SubscriptionsConfirmed": strconv.Itoa(counts[resource.SubscriptionConfirmed]),
		"SubscriptionsPending": strconv.Itoa(counts[resource.SubscriptionPending]),
		"SubscriptionsDeleted": strconv.Itoa(counts[resource.SubscriptionGone]),
	}
	for name, value := range t.Attributes {
		out[name] = value
	}
	return &GetTopicAttributesResponse{Attributes: out}, nil
}

// count counts the subscriptions of a topic by state.
func (s *Service) count(ctx context.Context, topic arn.ARN) (map[resource.SubscriptionState]int, error) {
	counts := map[resource.SubscriptionState]int{}
	for _, index := range [...]string{"topic", "gone"} {
		q := store.Query{Scope: topic.Scope, Index: index, Value: topic.ID, Limit: 1000}
		for {
			page, err := s.opts.Records.Subscriptions.List(ctx, q)
			if err != nil {
				return nil, err
			}
			for i := range page.Records {
				if sub := &page.Records[i].Value; index == "gone" || sub.Known(s.opts.Clock()) {
					counts[sub.State]++
				}
			}
			if !page.More {
				break
			}
			q.After = page.Records[len(page.Records)-1].Key.ID
		}
	}
	return counts, nil
}

// defaultPolicy is the policy of a topic that has none: its account may do everything (errata.md A5).
func defaultPolicy(topic arn.ARN) string {
	type condition struct {
		StringEquals map[string]string
	}
	type statement struct {
		Sid, Effect string
		Principal   map[string]string
		Action      []string
		Resource    string
		Condition   condition
	}
	b, _ := json.Marshal(struct { // strings cannot fail to marshal
		Version, Id string //nolint:revive,staticcheck // the wire's name
		Statement   []statement
	}{"2008-10-17", "__default_policy_ID", []statement{{
		Sid: "__default_statement_ID", Effect: "Allow", Principal: map[string]string{"AWS": "*"},
		Action: []string{
			"SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission", "SNS:DeleteTopic",
			"SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish",
		},
		Resource: topic.String(), Condition: condition{map[string]string{"AWS:SourceOwner": topic.Account}},
	}}})
	return string(b)
}

// effectiveTopicPolicy is what counts for subscriptions that say nothing of their own.
func effectiveTopicPolicy(t *resource.Topic) (string, error) {
	own, err := notification.ParseTopicPolicy(t.Attributes[attributeDelivery])
	if err != nil {
		return "", err
	}
	p, err := notification.EffectivePolicy(t.Attributes[attributeDelivery], "")
	if err != nil {
		return "", err
	}
	own.SetEffective(p)
	b, _ := json.Marshal(own) // numbers and strings cannot fail to marshal
	return string(b), nil
}
