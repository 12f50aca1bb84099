package app_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/config"
)

func (a *actor) sns(s *apptest.Server) *sns.Client {
	return sns.New(sns.Options{
		Region: apptest.Region, BaseEndpoint: &s.PublicURL, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(a.id, a.secret, a.token),
	})
}

// topicCalls are all operations of SNS on a topic and a subscription, by name.
func topicCalls(t *testing.T, api *sns.Client, topic, subscription string) map[string]func() error {
	t.Helper()
	ctx := t.Context()
	does := func(_ any, err error) error { return err }
	tag := types.Tag{Key: aws.String("k"), Value: aws.String("v")}
	return map[string]func() error{
		"CreateTopic":        func() error { return does(api.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("other")})) },
		"ListTopics":         func() error { return does(api.ListTopics(ctx, &sns.ListTopicsInput{})) },
		"GetTopicAttributes": func() error { return does(api.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &topic})) },
		"SetTopicAttributes": func() error {
			return does(api.SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{TopicArn: &topic, AttributeName: aws.String("DisplayName"), AttributeValue: aws.String("x")}))
		},
		"Subscribe": func() error {
			return does(api.Subscribe(ctx, &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("http"), Endpoint: aws.String("http://127.0.0.1:9/")}))
		},
		"ConfirmSubscription": func() error {
			return does(api.ConfirmSubscription(ctx, &sns.ConfirmSubscriptionInput{TopicArn: &topic, Token: aws.String("x")}))
		},
		"ListSubscriptions": func() error { return does(api.ListSubscriptions(ctx, &sns.ListSubscriptionsInput{})) },
		"ListSubscriptionsByTopic": func() error {
			return does(api.ListSubscriptionsByTopic(ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: &topic}))
		},
		"GetSubscriptionAttributes": func() error {
			return does(api.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &subscription}))
		},
		"SetSubscriptionAttributes": func() error {
			return does(api.SetSubscriptionAttributes(ctx, &sns.SetSubscriptionAttributesInput{SubscriptionArn: &subscription, AttributeName: aws.String("RawMessageDelivery"), AttributeValue: aws.String("true")}))
		},
		"Publish": func() error {
			return does(api.Publish(ctx, &sns.PublishInput{TopicArn: &topic, Message: aws.String("m")}))
		},
		"TagResource": func() error {
			return does(api.TagResource(ctx, &sns.TagResourceInput{ResourceArn: &topic, Tags: []types.Tag{tag}}))
		},
		"UntagResource": func() error {
			return does(api.UntagResource(ctx, &sns.UntagResourceInput{ResourceArn: &topic, TagKeys: []string{"k"}}))
		},
		"ListTagsForResource": func() error {
			return does(api.ListTagsForResource(ctx, &sns.ListTagsForResourceInput{ResourceArn: &topic}))
		},
		"Unsubscribe": func() error { return does(api.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: &subscription})) },
		"DeleteTopic": func() error { return does(api.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &topic})) },
	}
}

// TestNoPolicyNoTopics: every operation is refused to a user without a policy, with its name, also on what is not there, and to
// one whose policy is about topics with another tag.
func TestNoPolicyNoTopics(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	url, got := endpoint(t, nil)
	topic, subscription := subscribe(t, s, url, got, nil)
	const ofTeam = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sns:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"x"}}}}`
	for name, u := range map[string]*actor{"nobody": user(t, s, "nobody", ""), "stranger": user(t, s, "stranger", ofTeam)} {
		for _, at := range []struct{ topic, subscription string }{
			{topic, subscription}, {topic + "2", topic + "2:01234567-89ab-cdef-0123-456789abcdef"},
		} {
			for operation, call := range topicCalls(t, u.sns(s), at.topic, at.subscription) {
				t.Run(name+"/"+operation, func(t *testing.T) {
					refused(t, call(), "AuthorizationError", "is not authorized to perform: SNS:"+operation+" on resource:")
				})
			}
		}
	}
	if _, err := s.SNS(t).TagResource(t.Context(), &sns.TagResourceInput{ResourceArn: &topic, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("x")}}}); err != nil {
		t.Fatal(err)
	}
	member := user(t, s, "member", ofTeam)
	calls := topicCalls(t, member.sns(s), topic, subscription)
	for _, operation := range []string{
		"GetTopicAttributes", "SetTopicAttributes", "ListSubscriptionsByTopic", "GetSubscriptionAttributes", "SetSubscriptionAttributes", "Publish",
		"TagResource", "UntagResource", "ListTagsForResource", "Unsubscribe", "DeleteTopic",
	} {
		if err := calls[operation](); err != nil {
			t.Errorf("%s with the tag: %v", operation, err)
		}
	}
}

// TestQueuesOfOthers: who may not send to a queue has no topic do it.
func TestQueuesOfOthers(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, func(c *config.Config) {
		c.AWSEndpoints, c.AWSCredentials, c.AllowTargets = []string{"sqs=http://127.0.0.1:9"}, []string{"sqs=AKID:secret"}, []string{"arn:aws:sqs:*"}
	})
	topic, err := s.SNS(t).CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("news")})
	if err != nil {
		t.Fatal(err)
	}
	queue := "arn:aws:sqs:" + apptest.Region + ":" + s.AccountID + ":q"
	const all = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sns:*","Resource":"*"}}`
	alice := user(t, s, "alice", all)
	subscribe := func(in *sns.SubscribeInput) error {
		in.TopicArn = topic.TopicArn
		_, err := alice.sns(s).Subscribe(t.Context(), in)
		return err
	}
	toQueue := &sns.SubscribeInput{Protocol: aws.String("sqs"), Endpoint: &queue}
	dead := &sns.SubscribeInput{
		Protocol: aws.String("http"), Endpoint: aws.String("http://127.0.0.1:9/"), Attributes: map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + queue + `"}`},
	}
	refused(t, subscribe(toQueue), "AuthorizationError", "sqs:SendMessage on resource: "+queue)
	refused(t, subscribe(dead), "AuthorizationError", "sqs:SendMessage on resource: "+queue)
	allow(t, s, "alice", strings.Replace(all, `"sns:*"`, `["sns:*","sqs:SendMessage"]`, 1))
	ok(t, subscribe(toQueue))
	ok(t, subscribe(dead))
}
