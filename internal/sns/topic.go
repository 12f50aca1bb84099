package sns

import (
	"context"
	"maps"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
)

// maxTopics is the quota of an account in a region.
const maxTopics = 100_000

// pageSize is how many topics or subscriptions a page has.
const pageSize = 100

func keyOf(a arn.ARN) store.Key { return store.Key{Scope: a.Scope, ID: a.ID} }

// checkName checks the name of a topic.
func checkName(name string) error {
	if strings.HasSuffix(name, ".fifo") {
		return invalid("Topic Name: this server has no FIFO topics")
	}
	ok := name != "" && len(name) <= 256
	for i := range len(name) {
		c := name[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	}
	if !ok {
		return invalid("Topic Name")
	}
	return nil
}

// CreateTopic makes a topic. One that is there already is answered, if it has the attributes and tags that are asked for.
func (s *Service) CreateTopic(ctx context.Context, c awsapi.Caller, in *CreateTopicInput) (*CreateTopicResponse, error) {
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	t := resource.Topic{ARN: resource.TopicARN(c.Scope, in.Name), CreatedAt: s.opts.Clock().UTC(), Attributes: map[string]string{}}
	for name, value := range in.Attributes {
		if err := checkTopicAttribute(name, value); err != nil {
			return nil, err
		}
		setAttribute(t.Attributes, name, value)
	}
	var err error
	if t.Tags, err = tagging.Tagged(nil, tagMap(in.Tags)); err != nil {
		return nil, err
	}
	if err := c.May(t.ARN, nil); err != nil {
		return nil, err
	}
	if s.opts.Quotas && s.opts.Records.Topics.Count(c.Scope) >= maxTopics {
		return nil, fault.New(fault.Quota, "Topic limit exceeded")
	}
	_, err = s.opts.Records.Topics.Create(ctx, keyOf(t.ARN), t)
	if fault.Is(err, fault.Conflict) {
		err = s.createAgain(ctx, c, in, &t)
	}
	if err != nil {
		return nil, err
	}
	return &CreateTopicResponse{TopicArn: new(t.ARN.String())}, nil
}

// createAgain answers for a topic that is there.
func (s *Service) createAgain(ctx context.Context, c awsapi.Caller, in *CreateTopicInput, want *resource.Topic) error {
	have, err := s.topic(ctx, c, want.ARN)
	if err != nil {
		return err
	}
	for name := range in.Attributes {
		if have.Attributes[name] != want.Attributes[name] {
			return invalid("Attributes Reason: Topic already exists with different attributes")
		}
	}
	if len(in.Tags) > 0 && !maps.Equal(have.Tags, want.Tags) {
		return invalid("Tags Reason: Topic already exists with different tags")
	}
	return nil
}

// topic returns a topic that the caller may do this to.
func (s *Service) topic(ctx context.Context, c awsapi.Caller, a arn.ARN) (resource.Topic, error) {
	r, err := s.opts.Records.Topics.Get(ctx, keyOf(a))
	if err != nil {
		return resource.Topic{}, noTopic(err)
	}
	return r.Value, c.May(a, r.Value.Tags)
}

// named returns the topic that a request names with a text.
func (s *Service) named(ctx context.Context, c awsapi.Caller, text string) (resource.Topic, error) {
	a, err := c.Own(text)
	if err != nil {
		return resource.Topic{}, err
	}
	return s.topic(ctx, c, a)
}

// DeleteTopic deletes a topic with its subscriptions. One that does not exist is no error.
func (s *Service) DeleteTopic(ctx context.Context, c awsapi.Caller, in *DeleteTopicInput) (*DeleteTopicResponse, error) {
	a, err := c.Own(in.TopicArn)
	if err != nil {
		return nil, err
	}
	key := keyOf(a)
	_, err = s.opts.Records.Topics.Under(records.TopicGuard(key)).Delete(ctx, key, func(t resource.Topic) error { return c.May(a, t.Tags) })
	if fault.Is(err, fault.NotFound) {
		err = c.May(a, nil)
	}
	if err != nil {
		return nil, err
	}
	return nil, s.deleteSubscriptions(ctx, a)
}

// deleteSubscriptions deletes what was subscribed to a topic that is gone.
func (s *Service) deleteSubscriptions(ctx context.Context, topic arn.ARN) error {
	for _, index := range [...]string{"topic", "gone"} {
		for {
			page, err := s.opts.Records.Subscriptions.List(ctx, store.Query{Scope: topic.Scope, Index: index, Value: topic.ID, Limit: pageSize})
			if err != nil {
				return err
			}
			for _, r := range page.Records {
				if _, err := s.opts.Records.Subscriptions.Delete(ctx, r.Key, nil); err != nil && !fault.Is(err, fault.NotFound) {
					return err
				}
			}
			if len(page.Records) == 0 {
				break
			}
		}
	}
	return nil
}

// ListTopics returns a page of the caller's topics.
func (s *Service) ListTopics(ctx context.Context, c awsapi.Caller, in *ListTopicsInput) (*ListTopicsResponse, error) {
	pages := s.opts.Pager.Pages(c, "ListTopics", "")
	after, err := pages.After(in.NextToken)
	if err != nil {
		return nil, invalid("NextToken")
	}
	page, err := s.opts.Records.Topics.List(ctx, store.Query{Scope: c.Scope, After: after, Limit: pageSize})
	if err != nil {
		return nil, err
	}
	out := &ListTopicsResponse{Topics: []Topic{}}
	for _, r := range page.Records {
		out.Topics = append(out.Topics, Topic{TopicArn: new(r.Value.ARN.String())})
		after = r.Key.ID
	}
	out.NextToken = pages.Next(page.More, after)
	return out, nil
}
