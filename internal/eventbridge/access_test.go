package eventbridge_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/delivery"
	"github.com/rivus-live/rivus/internal/egress"
	"github.com/rivus-live/rivus/internal/event"
	"github.com/rivus-live/rivus/internal/eventbridge"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/store"
)

// user is the only caller of an API, and a judge decides what it may.
type user struct {
	judge atomic.Pointer[func(awsapi.Access) error]
}

func (*user) Lookup(id string) (string, bool) { return "secret", id == "USER" }

func (*user) Principal(context.Context, string, string) (awsapi.Principal, error) {
	return awsapi.Principal{Account: account, AccessKeyID: "USER", Kind: awsapi.PrincipalUser, Name: "alice", Path: "/", ID: "AIDA"}, nil
}

func (u *user) Authorize(_ context.Context, a awsapi.Access) error { return (*u.judge.Load())(a) }

// decide has the judge allow what a function says; what has tags that are not known yet has to be asked again.
func (u *user) decide(allow func(a awsapi.Access) bool) {
	judge := func(a awsapi.Access) error {
		if !a.TagsKnown && !a.Target.ARN.IsZero() {
			return awsapi.ErrTagsNeeded
		}
		if allow(a) {
			return nil
		}
		return fault.New(fault.Denied, "because no identity-based policy allows the %s action", a.Caller.Action)
	}
	u.judge.Store(&judge)
}

func newUser(t *testing.T) (*user, *sdk.Client) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	conn, err := natsd.Start(t.Context(), natsd.Options{Dir: t.TempDir()})
	check(err)
	t.Cleanup(conn.Close)
	s, err := store.Open(t.Context(), conn, store.Options{})
	check(err)
	t.Cleanup(s.Close)
	rules, err := records.OpenRules(t.Context(), s)
	check(err)
	relay, err := event.NewRelay(t.Context(), event.Options{Store: s})
	check(err)
	vault, err := delivery.OpenVault(t.Context(), s)
	check(err)
	u := &user{}
	service := eventbridge.New(eventbridge.Options{
		Records: rules, Bus: relay, Vault: vault, Egress: egress.New(egress.Options{}), Pager: awsapi.NewPager(make([]byte, 32)),
		Targets: &delivery.Targets{Endpoints: map[string]delivery.Endpoint{"sqs": {URL: "http://x"}}, Allow: []string{"*"}},
	})
	api, err := awsapi.New(awsapi.Options{Services: []awsapi.Service{service}, Credentials: u, Authorizer: u})
	check(err)
	srv := httptest.NewServer(api)
	t.Cleanup(srv.Close)
	return u, sdk.New(sdk.Options{
		Region: apptest.Region, BaseEndpoint: &srv.URL, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("USER", "secret", ""),
	})
}

// TestEveryOperationIsDecided: with a policy that is about tags, each operation on a resource decides, and one that is refused
// has done nothing.
func TestEveryOperationIsDecided(t *testing.T) {
	t.Parallel()
	u, api := newUser(t)
	ctx, name := t.Context(), aws.String("n")
	auth := &types.CreateConnectionAuthRequestParameters{
		BasicAuthParameters: &types.CreateConnectionBasicAuthRequestParameters{Username: aws.String("u"), Password: aws.String("p")},
	}
	putRule := &sdk.PutRuleInput{Name: name, EventPattern: aws.String(`{"a":[1]}`), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("x")}}}
	connection := &sdk.CreateConnectionInput{Name: name, AuthorizationType: types.ConnectionAuthorizationTypeBasic, AuthParameters: auth}
	arn := aws.String("arn:aws:events:" + apptest.Region + ":" + account + ":rule/n")
	targets := &sdk.PutTargetsInput{Rule: name, Targets: []types.Target{{Id: aws.String("t"), Arn: aws.String(queue)}}}
	u.decide(func(awsapi.Access) bool { return true })
	if _, err := api.PutRule(ctx, putRule); err != nil {
		t.Fatal(err)
	}
	made, err := api.CreateConnection(ctx, connection)
	if err != nil {
		t.Fatal(err)
	}
	destination := &sdk.CreateApiDestinationInput{
		Name: name, ConnectionArn: made.ConnectionArn, InvocationEndpoint: aws.String("https://example.com/"), HttpMethod: types.ApiDestinationHttpMethodPost,
	}
	if _, err := api.CreateApiDestination(ctx, destination); err != nil {
		t.Fatal(err)
	}
	calls := map[string]func() error{
		"PutRule":      func() error { _, err := api.PutRule(ctx, putRule); return err },
		"DescribeRule": func() error { _, err := api.DescribeRule(ctx, &sdk.DescribeRuleInput{Name: name}); return err },
		"DeleteRule":   func() error { _, err := api.DeleteRule(ctx, &sdk.DeleteRuleInput{Name: name}); return err },
		"EnableRule":   func() error { _, err := api.EnableRule(ctx, &sdk.EnableRuleInput{Name: name}); return err },
		"DisableRule":  func() error { _, err := api.DisableRule(ctx, &sdk.DisableRuleInput{Name: name}); return err },
		"ListRules":    func() error { _, err := api.ListRules(ctx, &sdk.ListRulesInput{}); return err },
		"PutTargets":   func() error { _, err := api.PutTargets(ctx, targets); return err },
		"RemoveTargets": func() error {
			_, err := api.RemoveTargets(ctx, &sdk.RemoveTargetsInput{Rule: name, Ids: []string{"t"}})
			return err
		},
		"ListTargetsByRule": func() error {
			_, err := api.ListTargetsByRule(ctx, &sdk.ListTargetsByRuleInput{Rule: name})
			return err
		},
		"ListRuleNamesByTarget": func() error {
			_, err := api.ListRuleNamesByTarget(ctx, &sdk.ListRuleNamesByTargetInput{TargetArn: aws.String(queue)})
			return err
		},
		"TagResource": func() error {
			_, err := api.TagResource(ctx, &sdk.TagResourceInput{ResourceARN: arn, Tags: putRule.Tags})
			return err
		},
		"UntagResource": func() error {
			_, err := api.UntagResource(ctx, &sdk.UntagResourceInput{ResourceARN: arn, TagKeys: []string{"k"}})
			return err
		},
		"ListTagsForResource": func() error {
			_, err := api.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceARN: arn})
			return err
		},
		"PutEvents": func() error {
			_, err := api.PutEvents(ctx, &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{{Source: name, DetailType: name, Detail: aws.String("{}")}}})
			return err
		},
		"DescribeEventBus": func() error { _, err := api.DescribeEventBus(ctx, &sdk.DescribeEventBusInput{}); return err },
		"ListEventBuses":   func() error { _, err := api.ListEventBuses(ctx, &sdk.ListEventBusesInput{}); return err },
		"CreateConnection": func() error { _, err := api.CreateConnection(ctx, connection); return err },
		"DescribeConnection": func() error {
			_, err := api.DescribeConnection(ctx, &sdk.DescribeConnectionInput{Name: name})
			return err
		},
		"UpdateConnection":     func() error { _, err := api.UpdateConnection(ctx, &sdk.UpdateConnectionInput{Name: name}); return err },
		"DeleteConnection":     func() error { _, err := api.DeleteConnection(ctx, &sdk.DeleteConnectionInput{Name: name}); return err },
		"ListConnections":      func() error { _, err := api.ListConnections(ctx, &sdk.ListConnectionsInput{}); return err },
		"CreateApiDestination": func() error { _, err := api.CreateApiDestination(ctx, destination); return err },
		"DescribeApiDestination": func() error {
			_, err := api.DescribeApiDestination(ctx, &sdk.DescribeApiDestinationInput{Name: name})
			return err
		},
		"UpdateApiDestination": func() error {
			_, err := api.UpdateApiDestination(ctx, &sdk.UpdateApiDestinationInput{Name: name})
			return err
		},
		"DeleteApiDestination": func() error {
			_, err := api.DeleteApiDestination(ctx, &sdk.DeleteApiDestinationInput{Name: name})
			return err
		},
		"ListApiDestinations": func() error { _, err := api.ListApiDestinations(ctx, &sdk.ListApiDestinationsInput{}); return err },
	}
	u.decide(func(awsapi.Access) bool { return false })
	for operation, call := range calls {
		err := call()
		wantError(t, err, "AccessDeniedException", "events:"+operation)
	}
	u.decide(func(awsapi.Access) bool { return true })
	for operation, call := range calls {
		if strings.HasPrefix(operation, "Delete") || strings.HasPrefix(operation, "Create") {
			continue
		}
		if err := call(); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

// TestTargetsAreTheCallersToSendTo: a rule sends to nothing that who made it could not have sent to.
func TestTargetsAreTheCallersToSendTo(t *testing.T) {
	t.Parallel()
	u, api := newUser(t)
	u.decide(func(a awsapi.Access) bool { return strings.HasPrefix(a.Caller.Action, "events:") })
	if _, err := api.PutRule(t.Context(), &sdk.PutRuleInput{Name: aws.String("r"), EventPattern: aws.String(`{"a":[1]}`)}); err != nil {
		t.Fatal(err)
	}
	put := func() error {
		_, err := api.PutTargets(t.Context(), &sdk.PutTargetsInput{Rule: aws.String("r"), Targets: []types.Target{{Id: aws.String("t"), Arn: aws.String(queue)}}})
		return err
	}
	wantError(t, put(), "AccessDeniedException", "is not authorized to perform: sqs:SendMessage on resource: "+queue)
	u.decide(func(a awsapi.Access) bool {
		return a.Caller.Action == "sqs:SendMessage" && a.Target.ARN.String() == queue || strings.HasPrefix(a.Caller.Action, "events:")
	})
	if err := put(); err != nil {
		t.Error(err)
	}
}

// TestForgedSources: nobody but the owner of the account speaks for the service.
func TestForgedSources(t *testing.T) {
	t.Parallel()
	u, api := newUser(t)
	u.decide(func(awsapi.Access) bool { return true })
	out, err := api.PutEvents(t.Context(), &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		{Source: aws.String("aws.ivs"), DetailType: aws.String("IVS Stream State Change"), Detail: aws.String("{}")},
	}})
	if err != nil || out.FailedEntryCount != 1 || *out.Entries[0].ErrorCode != "NotAuthorizedForSourceException" {
		t.Errorf("%+v %v", out, err)
	}
}
