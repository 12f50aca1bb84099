package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/rivus-live/rivus/internal/apptest"
)

// TestTopics goes through what Terraform asks of a topic: make, read, tag, change, make again, list, delete.
func TestTopics(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	api, ctx := s.SNS(t), t.Context()
	made, err := api.CreateTopic(ctx, &sns.CreateTopicInput{
		Name: aws.String("a"), Attributes: map[string]string{"DisplayName": "A"}, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("x")}},
	})
	if err != nil || *made.TopicArn != "arn:aws:sns:us-west-2:"+s.AccountID+":a" {
		t.Fatal(made, err)
	}
	again, err := api.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("a")})
	if err != nil || *again.TopicArn != *made.TopicArn {
		t.Error(again, err)
	}
	_, err = api.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("a"), Attributes: map[string]string{"DisplayName": "B"}})
	refused(t, err, "InvalidParameter", "Topic already exists with different attributes")
	_, err = api.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("a.fifo")})
	refused(t, err, "InvalidParameter", "FIFO")
	_, err = api.SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{TopicArn: made.TopicArn, AttributeName: aws.String("DeliveryPolicy"), AttributeValue: aws.String(
		`{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":2,"numRetries":4}}}`)})
	if err != nil {
		t.Error(err)
	}
	got, err := api.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: made.TopicArn})
	if err != nil {
		t.Fatal(err)
	}
	var policy, effective map[string]any
	if json.Unmarshal([]byte(got.Attributes["Policy"]), &policy) != nil || json.Unmarshal([]byte(got.Attributes["EffectiveDeliveryPolicy"]), &effective) != nil ||
		policy["Id"] != "__default_policy_ID" || got.Attributes["DisplayName"] != "A" || got.Attributes["SubscriptionsConfirmed"] != "0" ||
		!strings.Contains(got.Attributes["EffectiveDeliveryPolicy"], `"numRetries":4`) {
		t.Errorf("%v", got.Attributes)
	}
	if _, err := api.TagResource(ctx, &sns.TagResourceInput{ResourceArn: made.TopicArn, Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("1")}}}); err != nil {
		t.Error(err)
	}
	if _, err := api.UntagResource(ctx, &sns.UntagResourceInput{ResourceArn: made.TopicArn, TagKeys: []string{"team"}}); err != nil {
		t.Error(err)
	}
	tags, err := api.ListTagsForResource(ctx, &sns.ListTagsForResourceInput{ResourceArn: made.TopicArn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "b" {
		t.Errorf("%+v %v", tags, err)
	}
	if list, err := api.ListTopics(ctx, &sns.ListTopicsInput{}); err != nil || len(list.Topics) != 1 {
		t.Errorf("%+v %v", list, err)
	}
	for range 2 { // to delete what is gone is no error
		if _, err := api.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: made.TopicArn}); err != nil {
			t.Error(err)
		}
	}
	_, err = api.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: made.TopicArn})
	refused(t, err, "NotFound", "Topic does not exist")
	_, err = api.Publish(ctx, &sns.PublishInput{TopicArn: made.TopicArn, Message: aws.String("x")})
	refused(t, err, "NotFound", "Topic does not exist")
}

// TestSubscriptions: attributes, the same endpoint again, tokens, and what is refused.
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	api, ctx := s.SNS(t), t.Context()
	url, got := endpoint(t, nil)
	topic, subscription := subscribe(t, s, url, got, map[string]string{"FilterPolicy": `{"a":["b"]}`})
	again, err := api.Subscribe(ctx, &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("http"), Endpoint: &url})
	if err != nil || *again.SubscriptionArn != subscription {
		t.Errorf("%+v %v", again, err)
	}
	_, err = api.Subscribe(ctx, &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("http"), Endpoint: &url, Attributes: map[string]string{"RawMessageDelivery": "true"}})
	refused(t, err, "InvalidParameter", "Subscription already exists with different attributes")
	for what, in := range map[string]*sns.SubscribeInput{
		"does not support this protocol string: email": {Protocol: aws.String("email"), Endpoint: aws.String("a@b")},
		"must match the specified protocol":            {Protocol: aws.String("https"), Endpoint: aws.String("http://example.com/")},
		"not an address of the public internet":        {Protocol: aws.String("http"), Endpoint: aws.String("http://169.254.169.254/")},
		"FilterPolicy":                                 {Protocol: aws.String("http"), Endpoint: &url, Attributes: map[string]string{"FilterPolicy": "{"}},
		"more than 5 keys":                             {Protocol: aws.String("http"), Endpoint: aws.String(url + "/x"), Attributes: map[string]string{"FilterPolicy": `{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}`}},
		"SQS endpoint ARN":                             {Protocol: aws.String("sqs"), Endpoint: aws.String("arn:aws:sqs:us-west-2:" + s.AccountID + ":q")},
	} {
		in.TopicArn = &topic
		_, err := api.Subscribe(ctx, in)
		refused(t, err, "InvalidParameter", what)
	}
	attributes, err := api.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &subscription})
	if err != nil || attributes.Attributes["FilterPolicyScope"] != "MessageAttributes" || attributes.Attributes["PendingConfirmation"] != "false" ||
		attributes.Attributes["ConfirmationWasAuthenticated"] != "false" || !strings.Contains(attributes.Attributes["EffectiveDeliveryPolicy"], `"numRetries":3`) {
		t.Errorf("%+v %v", attributes, err)
	}
	pending, err := api.Subscribe(ctx, &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("http"), Endpoint: aws.String(url + "/2"), ReturnSubscriptionArn: true})
	if err != nil || !strings.HasPrefix(*pending.SubscriptionArn, topic+":") {
		t.Fatalf("%+v %v", pending, err)
	}
	_, err = api.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: pending.SubscriptionArn})
	refused(t, err, "InvalidParameter", "Cannot unsubscribe a subscription that is pending confirmation")
	list, err := api.ListSubscriptionsByTopic(ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: &topic})
	if err != nil || len(list.Subscriptions) != 2 {
		t.Errorf("%+v %v", list, err)
	}
	token := (<-got).field("Token")
	_, err = api.ConfirmSubscription(ctx, &sns.ConfirmSubscriptionInput{TopicArn: &topic, Token: aws.String(token[1:] + "0")})
	refused(t, err, "InvalidParameter", "Token")
	confirmed, err := api.ConfirmSubscription(ctx, &sns.ConfirmSubscriptionInput{TopicArn: &topic, Token: &token, AuthenticateOnUnsubscribe: aws.String("true")})
	if err != nil || *confirmed.SubscriptionArn != *pending.SubscriptionArn {
		t.Fatalf("%+v %v", confirmed, err)
	}
	status, body := visit(t, s.PublicURL+"/?Action=Unsubscribe&SubscriptionArn="+*confirmed.SubscriptionArn)
	if status != http.StatusForbidden || !strings.Contains(body, "AuthorizationError") {
		t.Errorf("unsigned: %d %s", status, body)
	}
	for range 2 {
		if _, err := api.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: confirmed.SubscriptionArn}); err != nil {
			t.Error(err)
		}
	}
	_, err = api.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: confirmed.SubscriptionArn})
	refused(t, err, "NotFound", "Subscription does not exist")
}

// TestPublishRefusals: what no message may be.
func TestPublishRefusals(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	made, err := s.SNS(t).CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("a")})
	if err != nil {
		t.Fatal(err)
	}
	for what, in := range map[string]*sns.PublishInput{
		"Empty message":    {Message: aws.String("")},
		"Message too long": {Message: aws.String(strings.Repeat("x", 256<<10+1))},
		"Subject":          {Message: aws.String("m"), Subject: aws.String(" x")},
		"failed to parse":  {Message: aws.String("m"), MessageStructure: aws.String("json")},
		"No default entry": {Message: aws.String(`{"http":"x"}`), MessageStructure: aws.String("json")},
		"invalid message attribute type": {Message: aws.String("m"), MessageAttributes: map[string]types.MessageAttributeValue{
			"a": {DataType: aws.String("Blob"), StringValue: aws.String("x")},
		}},
	} {
		in.TopicArn = made.TopicArn
		_, err := s.SNS(t).Publish(t.Context(), in)
		refused(t, err, "InvalidParameter", what)
	}
}
