package eventbridge_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/config"
)

const account = "000000000000"

// queue is an SQS queue that the tests' servers may deliver to, in theory.
const queue = "arn:aws:sqs:" + apptest.Region + ":" + account + ":q"

func withQueues(c *config.Config) {
	c.AWSEndpoints, c.AWSCredentials = []string{"sqs=http://127.0.0.1:9"}, []string{"sqs=ID:secret"}
	c.AllowTargets = []string{"arn:aws:sqs:*"}
}

// wantError checks the code and the text of an error.
func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Errorf("%v, want %s: %s", err, code, text)
	}
}

// TestRuleLife is what Terraform calls for a rule and a target, and what it expects (errata.md A4).
func TestRuleLife(t *testing.T) {
	t.Parallel()
	api := apptest.Start(t, withQueues).EventBridge(t)
	ctx, name := t.Context(), aws.String("rule-1")
	if _, err := api.DescribeRule(ctx, &sdk.DescribeRuleInput{Name: name}); err != nil {
		wantError(t, err, "ResourceNotFoundException", "Rule rule-1 does not exist on EventBus default.")
	}
	put, err := api.PutRule(ctx, &sdk.PutRuleInput{
		Name: name, EventPattern: aws.String(`{"source":["aws.ivs"]}`), Description: aws.String("d"),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("x")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantARN := "arn:aws:events:" + apptest.Region + ":" + account + ":rule/rule-1"
	if *put.RuleArn != wantARN {
		t.Error(*put.RuleArn)
	}
	tags, err := api.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceARN: put.RuleArn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "x" {
		t.Errorf("%+v %v", tags, err)
	}
	target := types.Target{
		Id: aws.String("t1"), Arn: aws.String(queue),
		InputTransformer: &types.InputTransformer{InputPathsMap: map[string]string{"n": "$.detail.event_name"}, InputTemplate: aws.String(`{"n":<n>}`)},
		RetryPolicy:      &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(3), MaximumEventAgeInSeconds: aws.Int32(60)},
		DeadLetterConfig: &types.DeadLetterConfig{Arn: aws.String(queue)},
	}
	done, err := api.PutTargets(ctx, &sdk.PutTargetsInput{Rule: name, Targets: []types.Target{target}})
	if err != nil || done.FailedEntryCount != 0 || done.FailedEntries == nil {
		t.Fatalf("%+v %v", done, err)
	}
	// A rule that is put again keeps its targets and tags.
	if _, err = api.PutRule(ctx, &sdk.PutRuleInput{Name: name, EventPattern: aws.String(`{"source":["aws.ivs","x"]}`), State: types.RuleStateDisabled}); err != nil {
		t.Fatal(err)
	}
	rule, err := api.DescribeRule(ctx, &sdk.DescribeRuleInput{Name: name, EventBusName: aws.String("default")})
	if err != nil || rule.State != types.RuleStateDisabled || *rule.CreatedBy != account || rule.Description != nil || rule.RoleArn != nil || *rule.EventBusName != "default" {
		t.Errorf("%+v %v", rule, err)
	}
	listed, err := api.ListTargetsByRule(ctx, &sdk.ListTargetsByRuleInput{Rule: name, Limit: aws.Int32(100)})
	if err != nil || len(listed.Targets) != 1 || *listed.Targets[0].InputTransformer.InputTemplate != `{"n":<n>}` || *listed.Targets[0].RetryPolicy.MaximumRetryAttempts != 3 {
		t.Errorf("%+v %v", listed, err)
	}
	names, err := api.ListRuleNamesByTarget(ctx, &sdk.ListRuleNamesByTargetInput{TargetArn: aws.String(queue)})
	if err != nil || !slices.Equal(names.RuleNames, []string{"rule-1"}) {
		t.Errorf("%+v %v", names, err)
	}
	_, err = api.DeleteRule(ctx, &sdk.DeleteRuleInput{Name: name})
	wantError(t, err, "ValidationException", "Rule can't be deleted since it has targets.")
	removed, err := api.RemoveTargets(ctx, &sdk.RemoveTargetsInput{Rule: name, Ids: []string{"t1", "unknown"}})
	if err != nil || removed.FailedEntryCount != 0 {
		t.Errorf("%+v %v", removed, err)
	}
	for range 2 {
		if _, err = api.DeleteRule(ctx, &sdk.DeleteRuleInput{Name: name}); err != nil {
			t.Error(err)
		}
	}
	_, err = api.ListTargetsByRule(ctx, &sdk.ListTargetsByRuleInput{Rule: name})
	wantError(t, err, "ResourceNotFoundException", "Rule rule-1 does not exist on EventBus default.")
}

// TestRuleRefusals: the faults of a call, in the words that clients look for.
func TestRuleRefusals(t *testing.T) {
	t.Parallel()
	api := apptest.Start(t, withQueues, func(c *config.Config) { c.Quotas = "aws" }).EventBridge(t)
	ctx := t.Context()
	rule := func(change func(*sdk.PutRuleInput)) error {
		in := &sdk.PutRuleInput{Name: aws.String("r"), EventPattern: aws.String(`{"a":["x"]}`)}
		change(in)
		_, err := api.PutRule(ctx, in)
		return err
	}
	if err := rule(func(*sdk.PutRuleInput) {}); err != nil {
		t.Fatal(err)
	}
	wantError(t, rule(func(in *sdk.PutRuleInput) { in.EventPattern = aws.String(`{"a":"x"}`) }), "InvalidEventPatternException", `Event pattern is not valid. Reason: "a" must be an object or an array`)
	wantError(t, rule(func(in *sdk.PutRuleInput) { in.EventPattern = nil }), "ValidationException", "EventPattern or ScheduleExpression must be specified")
	wantError(t, rule(func(in *sdk.PutRuleInput) { in.ScheduleExpression = aws.String("rate(1 minute)") }), "ValidationException", "ScheduleExpression")
	wantError(t, rule(func(in *sdk.PutRuleInput) { in.EventBusName = aws.String("other") }), "ResourceNotFoundException", "Event bus other does not exist.")
	put := func(targets ...types.Target) error {
		_, err := api.PutTargets(ctx, &sdk.PutTargetsInput{Rule: aws.String("r"), Targets: targets})
		return err
	}
	target := func(change func(*types.Target)) types.Target {
		out := types.Target{Id: aws.String("X"), Arn: aws.String(queue)}
		change(&out)
		return out
	}
	for _, c := range []struct {
		target     types.Target
		code, text string
	}{
		{target(func(t *types.Target) { t.Id = aws.String("a b") }), "ValidationException", "targets.1.member.id"},
		{target(func(t *types.Target) { t.Input, t.InputPath = aws.String(`{}`), aws.String("$.x") }), "ValidationException", "Only one of Input, InputPath, or InputTransformer must be provided for target X."},
		{target(func(t *types.Target) {
			t.InputTransformer = &types.InputTransformer{InputTemplate: aws.String(`{"a":<b>}`)}
		}), "ValidationException", "InputTemplate for target X contains invalid placeholder b."},
		{target(func(t *types.Target) { t.Arn = aws.String("arn:aws:sqs:us-west-2:111111111111:q") }), "ValidationException", "another account"},
		{target(func(t *types.Target) { t.Arn = aws.String("arn:aws:lambda:us-west-2:000000000000:function:f") }), "ValidationException", "--aws-endpoint"},
		{target(func(t *types.Target) { t.Arn = aws.String("nonsense") }), "ValidationException", "Provided Arn is not in correct format."},
		{target(func(t *types.Target) {
			t.KinesisParameters = &types.KinesisParameters{PartitionKeyPath: aws.String("$.x")}
		}), "ValidationException", "KinesisParameters"},
		{target(func(t *types.Target) {
			t.DeadLetterConfig = &types.DeadLetterConfig{Arn: aws.String("arn:aws:sns:us-west-2:000000000000:t")}
		}), "ValidationException", "SQS queue"},
	} {
		wantError(t, put(c.target), c.code, c.text)
	}
	var six []types.Target
	for i := range 6 {
		six = append(six, types.Target{Id: aws.String(fmt.Sprint("t", i)), Arn: aws.String(queue)})
	}
	wantError(t, put(six...), "LimitExceededException", "The requested resource exceeds the maximum number allowed.")
	if err := put(six[:5]...); err != nil {
		t.Error(err)
	}
	wantError(t, put(six[5]), "LimitExceededException", "The requested resource exceeds the maximum number allowed.")
	_, err := api.PutTargets(ctx, &sdk.PutTargetsInput{Rule: aws.String("unknown"), Targets: six[:1]})
	wantError(t, err, "ResourceNotFoundException", "Rule unknown does not exist on EventBus default.")
}

func TestListRules(t *testing.T) {
	t.Parallel()
	api := apptest.Start(t).EventBridge(t)
	empty, err := api.ListRules(t.Context(), &sdk.ListRulesInput{})
	if err != nil || empty.Rules == nil || len(empty.Rules) != 0 {
		t.Errorf("%+v %v", empty, err)
	}
	for _, name := range []string{"a1", "b1", "b2", "b3", "c1"} {
		if _, err := api.PutRule(t.Context(), &sdk.PutRuleInput{Name: &name, EventPattern: aws.String(`{"a":[1]}`)}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	in := &sdk.ListRulesInput{NamePrefix: aws.String("b"), Limit: aws.Int32(2)}
	for pages := 0; ; pages++ {
		out, err := api.ListRules(t.Context(), in)
		if err != nil || pages > 5 {
			t.Fatal(err, pages)
		}
		for _, r := range out.Rules {
			names = append(names, *r.Name)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if !slices.Equal(names, []string{"b1", "b2", "b3"}) {
		t.Error(names)
	}
}

func TestTestEventPattern(t *testing.T) {
	t.Parallel()
	api := apptest.Start(t).EventBridge(t)
	const event = `{"id":"1","account":"1","source":"s","time":"2024-01-01T00:00:00Z","region":"r","resources":[],"detail-type":"d","detail":{"a":[1,2]}}`
	ask := func(pattern, event string) (bool, error) {
		out, err := api.TestEventPattern(t.Context(), &sdk.TestEventPatternInput{EventPattern: &pattern, Event: &event})
		return out != nil && out.Result, err
	}
	if ok, err := ask(`{"detail":{"a":[2]}}`, event); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := ask(`{"detail":{"a":[3]}}`, event); ok || err != nil {
		t.Error(ok, err)
	}
	_, err := ask(`{"a":[1]}`, `[]`)
	wantError(t, err, "ValidationException", "Parameter Event is not valid.")
	_, err = ask(`{"a":[1]}`, strings.Replace(event, `"id"`, `"no"`, 1))
	wantError(t, err, "ValidationException", "Parameter Event is not valid.")
	_, err = ask(`{"a":[]}`, event)
	wantError(t, err, "InvalidEventPatternException", "Event pattern is not valid. Reason: Empty arrays are not allowed")
}

// receiver takes what API destinations send.
type receiver struct {
	*httptest.Server
	got chan string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{got: make(chan string, 1000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.got <- string(body)
	}))
	t.Cleanup(r.Close)
	return r
}

// webhook makes a connection, an API destination for a URL, and a rule that sends events there.
func webhook(t *testing.T, api *sdk.Client, url, pattern string) {
	t.Helper()
	c, err := api.CreateConnection(t.Context(), &sdk.CreateConnectionInput{
		Name: aws.String("c"), AuthorizationType: types.ConnectionAuthorizationTypeApiKey,
		AuthParameters: &types.CreateConnectionAuthRequestParameters{
			ApiKeyAuthParameters: &types.CreateConnectionApiKeyAuthRequestParameters{ApiKeyName: aws.String("X-Key"), ApiKeyValue: aws.String("very-secret")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := api.CreateApiDestination(t.Context(), &sdk.CreateApiDestinationInput{
		Name: aws.String("d"), ConnectionArn: c.ConnectionArn, InvocationEndpoint: &url, HttpMethod: types.ApiDestinationHttpMethodPost,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.PutRule(t.Context(), &sdk.PutRuleInput{Name: aws.String("hook"), EventPattern: &pattern}); err != nil {
		t.Fatal(err)
	}
	_, err = api.PutTargets(t.Context(), &sdk.PutTargetsInput{Rule: aws.String("hook"), Targets: []types.Target{{Id: aws.String("t"), Arn: d.ApiDestinationArn}}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestConnectionLife: nothing secret comes back, and what Terraform waits for comes true.
func TestConnectionLife(t *testing.T) {
	t.Parallel()
	api := apptest.Start(t).EventBridge(t)
	ctx := t.Context()
	webhook(t, api, "http://127.0.0.1:9/hook", `{"source":["x"]}`)
	c, err := api.DescribeConnection(ctx, &sdk.DescribeConnectionInput{Name: aws.String("c")})
	if err != nil || c.ConnectionState != types.ConnectionStateAuthorized || *c.AuthParameters.ApiKeyAuthParameters.ApiKeyName != "X-Key" || c.SecretArn == nil || c.LastAuthorizedTime == nil {
		t.Errorf("%+v %v", c, err)
	}
	if text, _ := json.Marshal(c); strings.Contains(string(text), "very-secret") {
		t.Error("the secret comes back")
	}
	_, err = api.UpdateConnection(ctx, &sdk.UpdateConnectionInput{
		Name: aws.String("c"), AuthorizationType: types.ConnectionAuthorizationTypeBasic,
		AuthParameters: &types.UpdateConnectionAuthRequestParameters{
			BasicAuthParameters: &types.UpdateConnectionBasicAuthRequestParameters{Username: aws.String("u"), Password: aws.String("very-secret")},
			InvocationHttpParameters: &types.ConnectionHttpParameters{HeaderParameters: []types.ConnectionHeaderParameter{
				{Key: aws.String("A"), Value: aws.String("shown")}, {Key: aws.String("B"), Value: aws.String("very-secret"), IsValueSecret: true},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err = api.DescribeConnection(ctx, &sdk.DescribeConnectionInput{Name: aws.String("c")})
	if err != nil || c.AuthParameters.ApiKeyAuthParameters != nil || *c.AuthParameters.BasicAuthParameters.Username != "u" {
		t.Errorf("%+v %v", c, err)
	}
	headers := c.AuthParameters.InvocationHttpParameters.HeaderParameters
	if len(headers) != 2 || *headers[0].Value != "shown" || headers[1].Value != nil || !headers[1].IsValueSecret {
		t.Errorf("%+v", headers)
	}
	d, err := api.DescribeApiDestination(ctx, &sdk.DescribeApiDestinationInput{Name: aws.String("d")})
	if err != nil || d.ApiDestinationState != types.ApiDestinationStateActive || *d.ConnectionArn != *c.ConnectionArn || *d.InvocationRateLimitPerSecond != 300 {
		t.Errorf("%+v %v", d, err)
	}
	_, err = api.CreateConnection(ctx, &sdk.CreateConnectionInput{
		Name: aws.String("c"), AuthorizationType: types.ConnectionAuthorizationTypeBasic,
		AuthParameters: &types.CreateConnectionAuthRequestParameters{
			BasicAuthParameters: &types.CreateConnectionBasicAuthRequestParameters{Username: aws.String("u"), Password: aws.String("p")},
		},
	})
	wantError(t, err, "ResourceAlreadyExistsException", "Connection c already exists.")
	gone, err := api.DeleteConnection(ctx, &sdk.DeleteConnectionInput{Name: aws.String("c")})
	if err != nil || gone.ConnectionState != types.ConnectionStateDeleting {
		t.Errorf("%+v %v", gone, err)
	}
	_, err = api.DescribeConnection(ctx, &sdk.DescribeConnectionInput{Name: aws.String("c")})
	wantError(t, err, "ResourceNotFoundException", "Failed to describe the connection(s). Connection 'c' does not exist.")
	if d, err = api.DescribeApiDestination(ctx, &sdk.DescribeApiDestinationInput{Name: aws.String("d")}); err != nil || d.ApiDestinationState != types.ApiDestinationStateInactive {
		t.Errorf("%+v %v", d, err)
	}
	if _, err = api.DeleteApiDestination(ctx, &sdk.DeleteApiDestinationInput{Name: aws.String("d")}); err != nil {
		t.Error(err)
	}
	_, err = api.DescribeApiDestination(ctx, &sdk.DescribeApiDestinationInput{Name: aws.String("d")})
	wantError(t, err, "ResourceNotFoundException", "Failed to describe the api-destination(s). An api-destination 'd' does not exist.")
}

// TestForbiddenEndpoints: a URL that leads inside is refused when it is named.
func TestForbiddenEndpoints(t *testing.T) {
	t.Parallel()
	api := apptest.Start(t).EventBridge(t)
	webhook(t, api, "http://127.0.0.1:9/", `{"source":["x"]}`)
	c, err := api.DescribeConnection(t.Context(), &sdk.DescribeConnectionInput{Name: aws.String("c")})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{
		"http://169.254.169.254/latest/", "https://10.0.0.1/", "https://[fd00::1]/", "http://example.com/", "https://0.0.0.0/", "https://*.example.com/", "ftp://example.com/",
	} {
		_, err := api.CreateApiDestination(t.Context(), &sdk.CreateApiDestinationInput{
			Name: aws.String("e"), ConnectionArn: c.ConnectionArn, InvocationEndpoint: &url, HttpMethod: types.ApiDestinationHttpMethodPost,
		})
		wantError(t, err, "ValidationException", "")
	}
}

// TestPutEvents: events of an application go where rules say, each entry for itself, and outlive the server.
func TestPutEvents(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	r := newReceiver(t)
	webhook(t, s.EventBridge(t), r.URL, `{"source":["app"],"detail":{"n":[{"numeric":[">",0]}]}}`)
	out, err := s.EventBridge(t).PutEvents(t.Context(), &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		{Source: aws.String("app"), DetailType: aws.String("T"), Detail: aws.String(`{"n":1}`), Resources: []string{"arn:x"}},
		{Source: aws.String("app"), DetailType: aws.String("T"), Detail: aws.String(`{"n":0}`)},
		{Source: aws.String("app"), DetailType: aws.String("T")},
		{Source: aws.String("app"), DetailType: aws.String("T"), Detail: aws.String(`[1]`)},
		{Source: aws.String("app"), DetailType: aws.String("T"), Detail: aws.String(`{"n":5}`), EventBusName: aws.String("unknown")},
		{Source: aws.String("app"), DetailType: aws.String("T"), Detail: aws.String(`{"n":2}`), Resources: []string{"arn:x"}},
	}})
	if err != nil || out.FailedEntryCount != 2 || *out.Entries[2].ErrorCode != "InvalidArgument" ||
		*out.Entries[2].ErrorMessage != "Parameter Detail is not valid. Reason: Detail is a required argument." || *out.Entries[3].ErrorCode != "MalformedDetail" || out.Entries[4].EventId == nil {
		t.Fatalf("%+v %v", out, err)
	}
	for _, want := range []int{1, 2} {
		var got struct {
			ID     string `json:"id"`
			Type   string `json:"detail-type"`
			Detail struct{ N int }
		}
		if err := json.Unmarshal([]byte(<-r.got), &got); err != nil || got.Detail.N != want || got.ID == "" || got.Type != "T" {
			t.Errorf("%+v %v, want %d", got, err, want)
		}
	}
	big := strings.Repeat("x", 150_000)
	var entries []types.PutEventsRequestEntry
	for range 7 {
		entries = append(entries, types.PutEventsRequestEntry{Source: aws.String("app"), DetailType: aws.String("T"), Detail: aws.String(`{"n":"` + big + `"}`)})
	}
	if _, err = s.EventBridge(t).PutEvents(t.Context(), &sdk.PutEventsInput{Entries: entries}); err == nil {
		t.Error("a megabyte and more is taken")
	}
}

// TestRestart: what could not be delivered before the server stopped is delivered by the next one.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	away := httptest.NewUnstartedServer(nil) // it has an address, and nobody answers
	url := "http://" + away.Listener.Addr().String()
	address := away.Listener.Addr().String()
	_ = away.Listener.Close()
	webhook(t, s.EventBridge(t), url, `{"source":["app"]}`)
	for i := range 3 {
		_, err := s.EventBridge(t).PutEvents(t.Context(), &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{
			{Source: aws.String("app"), DetailType: aws.String("T"), Detail: aws.String(fmt.Sprintf(`{"n":%d}`, i))},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Stop()
	got := make(chan string, 10)
	back := listenAgain(t, address, func(body string) { got <- body })
	defer back()
	s.Restart(t)
	var seen []string
	for range 3 {
		var e struct{ Detail struct{ N int } }
		if err := json.Unmarshal([]byte(<-got), &e); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, fmt.Sprint(e.Detail.N))
	}
	slices.Sort(seen)
	if !slices.Equal(seen, []string{"0", "1", "2"}) {
		t.Error(seen)
	}
}
