package awsapi_test

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/sigv4"
	"github.com/rivus-live/rivus/internal/sns"
)

// links is a service whose subscriptions are confirmed by a link.
func links(t *testing.T, seen *awsapi.Caller) rows {
	t.Helper()
	return rows{
		awsapi.Op("ConfirmSubscription", func(_ context.Context, c awsapi.Caller, in *sns.ConfirmSubscriptionInput) (*sns.ConfirmSubscriptionResponse, error) {
			*seen = c
			if in.Token != "good" {
				return nil, fault.New(fault.Invalid, "Invalid parameter: Token")
			}
			return &sns.ConfirmSubscriptionResponse{SubscriptionArn: new(in.TopicArn + ":sub")}, nil
		}, func(in *sns.ConfirmSubscriptionInput) []awsapi.Target { return awsapi.Targets("", nil, in.TopicArn) }).Unsigned(),
		awsapi.Op("Unsubscribe", func(_ context.Context, c awsapi.Caller, in *sns.UnsubscribeInput) (*sns.UnsubscribeResponse, error) {
			a, err := c.Own(in.SubscriptionArn)
			if c.Anonymous() {
				err = c.May(a, nil) // as one would that needs a signature
			}
			return nil, err
		}, func(in *sns.UnsubscribeInput) []awsapi.Target { return awsapi.Targets("", nil, in.SubscriptionArn) }).Unsigned(),
		awsapi.Op("DeleteTopic", func(context.Context, awsapi.Caller, *sns.DeleteTopicInput) (*sns.DeleteTopicResponse, error) {
			t.Error("DeleteTopic ran")
			return nil, nil
		}, func(in *sns.DeleteTopicInput) []awsapi.Target { return awsapi.Targets("", nil, in.TopicArn) }),
	}
}

// TestLinks: what a message links to works without a signature, and nothing else does.
func TestLinks(t *testing.T) {
	t.Parallel()
	var seen awsapi.Caller
	api := newAPI(t, awsapi.Options{Services: []awsapi.Service{links(t, &seen)}})
	const topic = "&TopicArn=arn%3Aaws%3Asns%3Aus-west-2%3A111122223333%3At"
	for _, c := range []struct {
		name, query string
		status      int
		want        string
	}{
		{"confirmed", "Action=ConfirmSubscription&Token=good" + topic, 200, "<SubscriptionArn>arn:aws:sns:us-west-2:111122223333:t:sub</SubscriptionArn>"},
		{"action behind", "Token=good&Action=ConfirmSubscription" + topic, 200, "<ConfirmSubscriptionResult>"},
		{"bad token", "Action=ConfirmSubscription&Token=bad" + topic, 400, "<Code>InvalidParameter</Code><Message>Invalid parameter: Token</Message>"},
		{"no token", "Action=ConfirmSubscription" + topic, 400, "<Code>InvalidParameter</Code><Message>Invalid parameter: 1 validation error detected: Value null at &#39;token&#39;"},
		{"nobody may touch a resource", "Action=Unsubscribe&SubscriptionArn=arn%3Aaws%3Asns%3Aus-west-2%3A111122223333%3At%3As", 403, "<Code>AuthorizationError</Code>"},
		{"no link", "Action=DeleteTopic" + topic, 403, "<Code>MissingAuthenticationToken</Code>"},
		{"no operation", "Action=Nothing", 403, "<Code>MissingAuthenticationToken</Code>"},
		{"of another service", "Action=GetCallerIdentity&Version=2011-06-15", 403, "<Code>MissingAuthenticationToken</Code>"},
		{"no form", "Action=ConfirmSubscription&Token=%zz", 400, "<Code>MalformedInput</Code>"},
		{"half a signature", "Action=DeleteTopic&X-Amz-Signature=x" + topic, 400, "<Code>IncompleteSignature</Code>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://api.test:8080/?"+c.query, nil)
			if !api.Handles(r) {
				t.Error("it is nobody's")
			}
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || w.Header().Get("Content-Type") != "text/xml" {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	if !seen.Anonymous() || seen.Account != "" || seen.Region != "" || seen.BaseURL != "http://api.test:8080" || !seen.Request.Address.IsValid() || seen.Action != "sns:ConfirmSubscription" {
		t.Errorf("%+v", seen)
	}
	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodGet, "/?Reaction=1", nil), httptest.NewRequest(http.MethodGet, "/watch?Action=x", nil),
		httptest.NewRequest(http.MethodHead, "/?Action=ConfirmSubscription", nil),
	} {
		if api.Handles(r) {
			t.Errorf("%s %s", r.Method, r.URL)
		}
	}
}

// TestSignedLinks: a presigned URL is a request like any other, as those who prove their identity to others send it.
func TestSignedLinks(t *testing.T) {
	t.Parallel()
	var seen awsapi.Caller
	api := newAPI(t, awsapi.Options{Services: []awsapi.Service{links(t, &seen)}})
	r := httptest.NewRequest(http.MethodGet, "http://api.test:8080/?"+whoAmI, nil)
	sigv4.Signer{AccessKeyID: testKey, Secret: testSecret, Region: testRegion, Service: "sts"}.Presign(r, sigv4.HashBody(nil), time.Now(), time.Minute)
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	var a queryAnswer
	if err := xml.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 || a.Account != testAccount {
		t.Errorf("%d %s %v", w.Code, w.Body, err)
	}
	status, q := askQuery(t, api, call{
		body:    "Action=ConfirmSubscription&Version=2010-03-31&Token=good&TopicArn=arn:aws:sns:us-west-2:111122223333:t",
		service: "sns",
	})
	if status != 200 || seen.Anonymous() || seen.Account != testAccount {
		t.Errorf("signed: %d %+v", status, q)
	}
	status, q = askQuery(t, api, call{body: "Action=ConfirmSubscription&Version=2010-03-31&Token=good&TopicArn=arn:aws:sns:us-west-2:111122223333:t", unsigned: true})
	if status != 403 || q.Code != "MissingAuthenticationToken" {
		t.Errorf("an unsigned form: %d %+v", status, q)
	}
}

// TestLinksAreOfTheQueryProtocol: a row of another protocol has no link.
func TestLinksAreOfTheQueryProtocol(t *testing.T) {
	t.Parallel()
	op := row[ivs.ListChannelsRequest, ivs.ListChannelsResponse]("ListChannels", nil, nil).Unsigned()
	if _, err := awsapi.New(awsapi.Options{Credentials: keys{}, Authorizer: awsapi.Owner{}, Services: []awsapi.Service{rows{op}}}); err == nil {
		t.Error("no error")
	}
}
