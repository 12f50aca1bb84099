package app_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // version 1 of the signature
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/config"
)

// sent is a message that an endpoint got.
type sent struct {
	header http.Header
	body   string
	fields map[string]any // of the body, nil when it is no JSON object
}

func (m sent) field(name string) string {
	s, _ := m.fields[name].(string)
	return s
}

// endpoint is a receiver of messages; answer decides what it says to one.
func endpoint(t *testing.T, answer func(sent) int) (url string, got chan sent) {
	t.Helper()
	got = make(chan sent, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m := sent{header: r.Header, body: string(body)}
		_ = json.Unmarshal(body, &m.fields)
		if answer != nil {
			w.WriteHeader(answer(m))
		}
		got <- m
	}))
	t.Cleanup(srv.Close)
	return srv.URL, got
}

// visit does a GET, as somebody who follows a link in a message.
func visit(t *testing.T, link string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// verify checks the signature of a message, as a receiver does who knows nothing but the message (errata.md A5).
func verify(t *testing.T, m sent) {
	t.Helper()
	names := []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	if m.field("Type") != "Notification" {
		names = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	}
	var text strings.Builder
	for _, name := range names {
		if _, ok := m.fields[name]; ok {
			text.WriteString(name + "\n" + m.field(name) + "\n")
		}
	}
	status, certificate := visit(t, m.field("SigningCertURL"))
	block, _ := pem.Decode([]byte(certificate))
	if status != http.StatusOK || block == nil {
		t.Fatalf("the certificate: %d %s", status, certificate)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(m.field("Signature"))
	if err != nil {
		t.Fatal(err)
	}
	key, _ := c.PublicKey.(*rsa.PublicKey)
	if m.field("SignatureVersion") == "2" {
		sum := sha256.Sum256([]byte(text.String()))
		err = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
	} else {
		sum := sha1.Sum([]byte(text.String())) //nolint:gosec // as above
		err = rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], signature)
	}
	if err != nil {
		t.Errorf("%s: %v", m.body, err)
	}
}

// subscribe makes a topic with one endpoint, which has confirmed that it wants messages.
func subscribe(t *testing.T, s *apptest.Server, url string, got chan sent, attributes map[string]string) (topic, subscription string) {
	t.Helper()
	api := s.SNS(t)
	made, err := api.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("news")})
	if err != nil {
		t.Fatal(err)
	}
	out, err := api.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: made.TopicArn, Protocol: aws.String("http"), Endpoint: &url, Attributes: attributes})
	if err != nil || *out.SubscriptionArn != "pending confirmation" {
		t.Fatalf("%+v %v", out, err)
	}
	m := <-got
	if m.header.Get("X-Amz-Sns-Message-Type") != "SubscriptionConfirmation" || m.header.Get("X-Amz-Sns-Subscription-Arn") != "" || len(m.field("Token")) != 288 {
		t.Errorf("%v %s", m.header, m.body)
	}
	verify(t, m)
	status, body := visit(t, m.field("SubscribeURL"))
	_, rest, _ := strings.Cut(body, "<SubscriptionArn>")
	subscription, _, ok := strings.Cut(rest, "</SubscriptionArn>")
	if status != http.StatusOK || !ok {
		t.Fatalf("%d %s", status, body)
	}
	return *made.TopicArn, subscription
}

func publish(t *testing.T, s *apptest.Server, in *sns.PublishInput) string {
	t.Helper()
	out, err := s.SNS(t).Publish(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return *out.MessageId
}

// TestTopicTellsEndpoint: an endpoint confirms, gets what is published, signed in both versions, ends its subscription by the
// link in a message, and takes that back by the link in the farewell.
func TestTopicTellsEndpoint(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	url, got := endpoint(t, nil)
	topic, subscription := subscribe(t, s, url, got, nil)
	first := publish(t, s, &sns.PublishInput{
		TopicArn: &topic, Message: aws.String("a <b> & \"c\"\né"), Subject: aws.String("hello"),
		MessageAttributes: map[string]types.MessageAttributeValue{"n": {DataType: aws.String("Number"), StringValue: aws.String("7")}},
	})
	m := <-got
	if m.field("MessageId") != first || m.field("Message") != "a <b> & \"c\"\né" || m.field("Subject") != "hello" ||
		m.header.Get("X-Amz-Sns-Subscription-Arn") != subscription || m.header.Get("Content-Type") != "text/plain; charset=UTF-8" ||
		!strings.Contains(m.body, `"MessageAttributes":{"n":{"Type":"Number","Value":"7"}}`) {
		t.Errorf("%v %s", m.header, m.body)
	}
	verify(t, m)
	set := func(in *sns.SetTopicAttributesInput) {
		t.Helper()
		in.TopicArn = &topic
		if _, err := s.SNS(t).SetTopicAttributes(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	set(&sns.SetTopicAttributesInput{AttributeName: aws.String("SignatureVersion"), AttributeValue: aws.String("2")})
	publish(t, s, &sns.PublishInput{TopicArn: &topic, Message: aws.String("two")})
	m = <-got
	if m.field("SignatureVersion") != "2" {
		t.Error(m.body)
	}
	verify(t, m)
	if status, body := visit(t, m.field("UnsubscribeURL")); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	farewell := <-got
	if farewell.field("Type") != "UnsubscribeConfirmation" {
		t.Fatal(farewell.body)
	}
	verify(t, farewell)
	publish(t, s, &sns.PublishInput{TopicArn: &topic, Message: aws.String("to nobody")})
	if status, body := visit(t, farewell.field("SubscribeURL")); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	publish(t, s, &sns.PublishInput{TopicArn: &topic, Message: aws.String("back")})
	if m := <-got; m.field("Message") != "back" {
		t.Error(m.body)
	}
}

// TestFiltersAndRawMessages: what a filter policy does not let through is not sent, and a raw message is the message alone.
func TestFiltersAndRawMessages(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	url, got := endpoint(t, nil)
	topic, subscription := subscribe(t, s, url, got, map[string]string{"RawMessageDelivery": "true", "FilterPolicy": `{"kind":["good"]}`})
	kind := func(k string) map[string]types.MessageAttributeValue {
		return map[string]types.MessageAttributeValue{"kind": {DataType: aws.String("String"), StringValue: &k}}
	}
	publish(t, s, &sns.PublishInput{TopicArn: &topic, Message: aws.String("none")})
	publish(t, s, &sns.PublishInput{TopicArn: &topic, Message: aws.String("bad"), MessageAttributes: kind("bad")})
	publish(t, s, &sns.PublishInput{TopicArn: &topic, Message: aws.String("good"), MessageAttributes: kind("good")})
	if m := <-got; m.body != "good" || m.header.Get("X-Amz-Sns-Rawdelivery") != "true" {
		t.Errorf("%v %s", m.header, m.body)
	}
	for _, set := range [][2]string{{"FilterPolicyScope", "MessageBody"}, {"FilterPolicy", `{"a":{"b":[{"numeric":[">",1]}]}}`}} {
		_, err := s.SNS(t).SetSubscriptionAttributes(t.Context(), &sns.SetSubscriptionAttributesInput{
			SubscriptionArn: &subscription, AttributeName: &set[0], AttributeValue: &set[1],
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	publish(t, s, &sns.PublishInput{TopicArn: &topic, Message: aws.String(`{"a":{"b":1}}`)})
	publish(t, s, &sns.PublishInput{TopicArn: &topic, Message: aws.String(`{"a":{"b":2}}`)})
	if m := <-got; m.body != `{"a":{"b":2}}` {
		t.Error(m.body)
	}
}

// TestEventReachesTopic: an event goes by a rule to a topic, and from there to its endpoint.
func TestEventReachesTopic(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	url, got := endpoint(t, nil)
	topic, _ := subscribe(t, s, url, got, nil)
	api := s.EventBridge(t)
	if _, err := api.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("r"), EventPattern: aws.String(`{"source":["app"]}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("r"), Targets: []eventtypes.Target{{Id: aws.String("t"), Arn: &topic}}}); err != nil {
		t.Fatal(err)
	}
	_, err := api.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{
		{Source: aws.String("app"), DetailType: aws.String("T"), Detail: aws.String(`{"x":1}`), Resources: []string{"r"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	m := <-got
	var event struct {
		Source string
		Detail struct{ X int }
	}
	if err := json.Unmarshal([]byte(m.field("Message")), &event); err != nil || event.Source != "app" || event.Detail.X != 1 {
		t.Errorf("%s %v", m.body, err)
	}
}

// TestDeadLetters: what an endpoint refuses for good goes to the queue that its subscription names for that.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	queueURL, letters := endpoint(t, nil)
	s := apptest.Start(t, func(c *config.Config) {
		c.AWSEndpoints, c.AWSCredentials, c.AllowTargets = []string{"sqs=" + queueURL}, []string{"sqs=AKID:secret"}, []string{"arn:aws:sqs:*:*:dead"}
	})
	url, got := endpoint(t, func(m sent) int {
		if m.header.Get("X-Amz-Sns-Message-Type") == "Notification" {
			return http.StatusBadRequest
		}
		return http.StatusOK
	})
	topic, _ := subscribe(t, s, url, got, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-west-2:` + s.AccountID + `:dead"}`})
	publish(t, s, &sns.PublishInput{TopicArn: &topic, Message: aws.String("unwanted")})
	<-got
	letter := <-letters
	if !strings.Contains(letter.field("MessageBody"), `"Message":"unwanted"`) || letter.header.Get("X-Amz-Target") != "AmazonSQS.SendMessage" {
		t.Errorf("%v %s", letter.header, letter.body)
	}
}
