package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/delivery"
)

// hook makes a rule that sends what a pattern matches to a URL, and returns the ID of its target.
func hook(t *testing.T, s *apptest.Server, url, pattern string) {
	t.Helper()
	api := s.EventBridge(t)
	c, err := api.CreateConnection(t.Context(), &eventbridge.CreateConnectionInput{
		Name: aws.String("c"), AuthorizationType: types.ConnectionAuthorizationTypeBasic,
		AuthParameters: &types.CreateConnectionAuthRequestParameters{
			BasicAuthParameters: &types.CreateConnectionBasicAuthRequestParameters{Username: aws.String("u"), Password: aws.String("p")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := api.CreateApiDestination(t.Context(), &eventbridge.CreateApiDestinationInput{
		Name: aws.String("d"), ConnectionArn: c.ConnectionArn, InvocationEndpoint: &url, HttpMethod: types.ApiDestinationHttpMethodPost,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("hook"), EventPattern: &pattern}); err != nil {
		t.Fatal(err)
	}
	_, err = api.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("hook"), Targets: []types.Target{{
		Id: aws.String("t"), Arn: d.ApiDestinationArn,
		InputTransformer: &types.InputTransformer{
			InputPathsMap: map[string]string{"n": "$.detail.event_name", "r": "$.resources[0]"}, InputTemplate: aws.String(`{"what":<n>,"where":<r>}`),
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestStreamTellsWebhook: a stream comes and goes, and a webhook hears of it in order.
func TestStreamTellsWebhook(t *testing.T) {
	t.Parallel()
	apptest.Need(t, "ffmpeg")
	s := apptest.Start(t)
	got := make(chan string, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}))
	defer srv.Close()
	ch := s.CreateChannel(t)
	hook(t, s, srv.URL, `{"source":["aws.ivs"],"detail-type":["IVS Stream State Change"],"resources":["`+*ch.Arn+`"]}`)
	pub := s.Publish(t, ch, apptest.Bars(0))
	s.WaitLive(t, ch)
	var heard []string
	next := func() {
		var e struct{ What, Where string }
		if err := json.Unmarshal([]byte(<-got), &e); err != nil || e.Where != *ch.Arn {
			t.Errorf("%+v %v", e, err)
		}
		heard = append(heard, e.What)
	}
	next()
	next()
	pub.Kill()
	next()
	next()
	slices.Sort(heard[2:])
	if !slices.Equal(heard, []string{"Session Created", "Stream Start", "Session Ended", "Stream End"}) {
		t.Error(heard)
	}
}

// TestFailedDeliveries: an operator sees what a webhook refused, and sends it again.
func TestFailedDeliveries(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	refuse, got := make(chan bool, 2), make(chan struct{}, 2)
	refuse <- true
	refuse <- false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if <-refuse {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		got <- struct{}{}
	}))
	defer srv.Close()
	hook(t, s, srv.URL, `{"source":["app"]}`)
	_, err := s.EventBridge(t).PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		{Source: aws.String("app"), DetailType: aws.String("T"), Detail: aws.String(`{"event_name":"x"}`), Resources: []string{"r"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	admin := "http://" + s.Admin + "/events/failed"
	var list []delivery.Failed
	apptest.Eventually(t, "the delivery is in the list", func() error {
		resp, err := http.Get(admin) //nolint:noctx // a test
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || len(list) != 1 {
			return fmt.Errorf("%d entries, %w", len(list), err)
		}
		return nil
	})
	if d := list[0].Delivery; d.Message != "the target answered 422" || d.RuleName != "hook" || d.Attempts != 1 {
		t.Errorf("%+v", d)
	}
	resend := func(kind, id string) int {
		body, _ := json.Marshal(map[string]string{"region": list[0].Region, "account": list[0].Account, "id": id})
		resp, err := http.Post(admin+"/resend", kind, strings.NewReader(string(body))) //nolint:noctx // a test
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if status := resend("text/plain", list[0].ID); status != http.StatusUnsupportedMediaType {
		t.Error(status)
	}
	if status := resend("application/json", "unknown@hook/t"); status != http.StatusNotFound {
		t.Error(status)
	}
	if status := resend("application/json", list[0].ID); status != http.StatusOK {
		t.Error(status)
	}
	<-got
}
