package awsapi_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdkevents "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	sdkiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	sdksns "github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	sdksts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/eventbridge"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/iam"
	"github.com/rivus-live/rivus/internal/sns"
)

// echoes is a service that says in its answers what it has read, in shapes of every kind.
func echoes() rows {
	users := []awsapi.Target{{Type: "user"}}
	return rows{
		awsapi.Op("ListUsers", func(_ context.Context, _ awsapi.Caller, in *iam.ListUsersRequest) (*iam.ListUsersResponse, error) {
			out := &iam.ListUsersResponse{Users: []iam.User{}, IsTruncated: new(false)}
			if in.Marker == nil {
				out.IsTruncated, out.Marker = new(true), new("page 2")
				out.Users = append(out.Users, iam.User{UserName: "a<&>", Path: "/", CreateDate: restjson.Time(time.Unix(1700000000, 0)), Tags: []iam.Tag{}})
			} else if *in.Marker != "page 2" || in.MaxItems == nil || *in.MaxItems != 1 {
				return nil, fault.New(fault.Invalid, "marker %q", *in.Marker)
			}
			return out, nil
		}, func(*iam.ListUsersRequest) []awsapi.Target { return users }),
		awsapi.Op("SimulateCustomPolicy", func(_ context.Context, _ awsapi.Caller, in *iam.SimulateCustomPolicyRequest) (*iam.SimulatePolicyResponse, error) {
			out := &iam.SimulatePolicyResponse{}
			for i, name := range in.ActionNames {
				out.EvaluationResults = append(out.EvaluationResults, iam.EvaluationResult{
					EvalActionName: name, EvalDecision: "allowed", EvalResourceName: &in.PolicyInputList[i],
					EvalDecisionDetails: map[string]string{"IAM Policy": "allowed"}, MissingContextValues: in.ContextEntries[i].ContextKeyValues,
					MatchedStatements: []iam.Statement{{SourcePolicyId: new("p"), StartPosition: &iam.Position{Line: new(int32(1)), Column: new(int32(-2))}}},
				})
			}
			return out, nil
		}, func(*iam.SimulateCustomPolicyRequest) []awsapi.Target { return users }),
		awsapi.Op("CreateTopic", func(_ context.Context, _ awsapi.Caller, in *sns.CreateTopicInput) (*sns.CreateTopicResponse, error) {
			if !reflect.DeepEqual(in.Attributes, map[string]string{"DisplayName": "a.b", "Policy": `{"x":"é"}`}) {
				return nil, fault.New(fault.Invalid, "attributes %v", in.Attributes)
			}
			if len(in.Tags) == 0 {
				return nil, fault.New(fault.Quota, "no more topics")
			}
			return &sns.CreateTopicResponse{TopicArn: new(in.Tags[1].Key)}, nil
		}, func(in *sns.CreateTopicInput) []awsapi.Target { return []awsapi.Target{awsapi.Named("", nil, in.Name)} }),
		awsapi.Op("PutRule", func(_ context.Context, _ awsapi.Caller, in *eventbridge.PutRuleRequest) (*eventbridge.PutRuleResponse, error) {
			switch in.Name {
			case "pattern":
				return nil, fault.New(fault.Malformed, "Event pattern is not valid. Reason: x")
			case "many":
				return nil, fault.New(fault.Quota, "The requested resource exceeds the maximum number allowed.")
			}
			return &eventbridge.PutRuleResponse{RuleArn: new(in.Tags[0].Value)}, nil
		}, func(in *eventbridge.PutRuleRequest) []awsapi.Target {
			return []awsapi.Target{awsapi.Named("rule", nil, in.Name)}
		}),
		awsapi.Op("PutEvents", func(_ context.Context, _ awsapi.Caller, in *eventbridge.PutEventsRequest) (*eventbridge.PutEventsResponse, error) {
			return &eventbridge.PutEventsResponse{FailedEntryCount: new(int32(0)), Entries: []eventbridge.PutEventsResultEntry{
				{EventId: new(time.Time(*in.Entries[0].Time).UTC().Format(time.RFC3339Nano) + in.Entries[0].Resources[0])},
			}}, nil
		}, func(*eventbridge.PutEventsRequest) []awsapi.Target {
			return []awsapi.Target{awsapi.Named("event-bus", nil, "default")}
		}),
	}
}

// neighbourhood serves both services on a port of its own.
func neighbourhood(t *testing.T) aws.Config {
	t.Helper()
	all := echoes()
	for _, op := range neighbours() {
		if op.Name() != "DescribeConnection" {
			all = append(all, op)
		}
	}
	srv := httptest.NewServer(newAPI(t, awsapi.Options{Services: []awsapi.Service{all}}))
	t.Cleanup(srv.Close)
	cfg := sdkConfig()
	cfg.BaseEndpoint = &srv.URL
	return cfg
}

func TestSDKIAM(t *testing.T) {
	t.Parallel()
	client, ctx := sdkiam.NewFromConfig(neighbourhood(t)), t.Context()
	got, err := client.GetUser(ctx, &sdkiam.GetUserInput{UserName: aws.String("alice")})
	if err != nil {
		t.Fatal(err)
	}
	if *got.User.Arn != "arn:aws:iam::111122223333:user/team/alice" || got.User.CreateDate.Unix() != 1700000000 || len(got.User.Tags) != 2 || *got.User.Tags[0].Value != "<&>" {
		t.Errorf("%+v", got.User)
	}
	_, err = client.GetUser(ctx, &sdkiam.GetUserInput{UserName: aws.String("nobody")})
	if e, ok := errors.AsType[*iamtypes.NoSuchEntityException](err); !ok || *e.Message != "The user with name nobody cannot be found." {
		t.Errorf("GetUser: %v", err)
	}
	_, err = client.DeleteUser(ctx, &sdkiam.DeleteUserInput{UserName: aws.String("alice")})
	if _, ok := errors.AsType[*iamtypes.DeleteConflictException](err); !ok {
		t.Errorf("DeleteUser: %v", err)
	}
	_, err = client.PutUserPolicy(ctx, &sdkiam.PutUserPolicyInput{UserName: aws.String("a"), PolicyName: aws.String("p"), PolicyDocument: aws.String("x")})
	if _, ok := errors.AsType[*iamtypes.MalformedPolicyDocumentException](err); !ok {
		t.Errorf("PutUserPolicy: %v", err)
	}
	if _, err = client.PutUserPolicy(ctx, &sdkiam.PutUserPolicyInput{UserName: aws.String("a"), PolicyName: aws.String("p"), PolicyDocument: aws.String("{ }")}); err != nil {
		t.Errorf("an answer without a result: %v", err)
	}
	_, err = client.CreateServiceLinkedRole(ctx, &sdkiam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("ivs.amazonaws.com")})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "InvalidAction" || !strings.Contains(e.ErrorMessage(), "CreateServiceLinkedRole") {
		t.Errorf("outside the subset: %v", err)
	}
	_, err = client.ListRoles(ctx, nil)
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "NotImplemented" || !strings.Contains(e.ErrorMessage(), "ListRoles") {
		t.Errorf("not built: %v", err)
	}
	pages, names := sdkiam.NewListUsersPaginator(client, &sdkiam.ListUsersInput{MaxItems: aws.Int32(1)}), ""
	for n := 0; pages.HasMorePages() && n < 5; n++ {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Users {
			names += *u.UserName
		}
	}
	if names != "a<&>" || pages.HasMorePages() {
		t.Errorf("pages have %q", names)
	}
}

// TestSDKNested sends lists of structures that hold lists, and reads lists of structures that hold maps and structures.
func TestSDKNested(t *testing.T) {
	t.Parallel()
	client := sdkiam.NewFromConfig(neighbourhood(t))
	out, err := client.SimulateCustomPolicy(t.Context(), &sdkiam.SimulateCustomPolicyInput{
		ActionNames: []string{"ivs:GetChannel", "ivs:StopStream"}, PolicyInputList: []string{`{"a":"b&c=d+e%20f"}`, "{ \n}"},
		ContextEntries: []iamtypes.ContextEntry{
			{ContextKeyName: aws.String("aws:TagKeys"), ContextKeyType: iamtypes.ContextKeyTypeEnumStringList, ContextKeyValues: []string{"x", "y"}},
			{ContextKeyName: aws.String("aws:username"), ContextKeyType: iamtypes.ContextKeyTypeEnumString, ContextKeyValues: []string{}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.EvaluationResults) != 2 {
		t.Fatalf("%+v", out)
	}
	first, second := out.EvaluationResults[0], out.EvaluationResults[1]
	if *first.EvalActionName != "ivs:GetChannel" || *first.EvalResourceName != `{"a":"b&c=d+e%20f"}` || first.EvalDecision != "allowed" || first.EvalDecisionDetails["IAM Policy"] != "allowed" ||
		!reflect.DeepEqual(first.MissingContextValues, []string{"x", "y"}) || first.MatchedStatements[0].StartPosition.Column != -2 {
		t.Errorf("%+v", first)
	}
	if *second.EvalActionName != "ivs:StopStream" || *second.EvalResourceName != "{ \n}" || len(second.MissingContextValues) != 0 {
		t.Errorf("%+v", second)
	}
}

func TestSDKSTS(t *testing.T) {
	t.Parallel()
	cfg := neighbourhood(t)
	client, ctx := sdksts.NewFromConfig(cfg), t.Context()
	who, err := client.GetCallerIdentity(ctx, nil)
	if err != nil || *who.Arn != "arn:aws:iam::111122223333:root" || *who.UserId != testAccount {
		t.Errorf("%+v %v", who, err)
	}
	role, err := client.AssumeRole(ctx, &sdksts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/a/b"), RoleSessionName: aws.String("me")})
	if err != nil || *role.AssumedRoleUser.AssumedRoleId != "AROAX:me" {
		t.Errorf("%+v %v", role, err)
	}
	cfg.Credentials = credentials.NewStaticCredentialsProvider(testKey, testSecret, "token")
	_, err = sdksts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "InvalidClientTokenId" {
		t.Errorf("a token beside a permanent key: %v", err)
	}
}

func TestSDKSNS(t *testing.T) {
	t.Parallel()
	client, ctx := sdksns.NewFromConfig(neighbourhood(t)), t.Context()
	attributes := map[string]string{"DisplayName": "a.b", "Policy": `{"x":"é"}`}
	tags := []snstypes.Tag{{Key: aws.String("a"), Value: aws.String("")}, {Key: aws.String("b"), Value: aws.String("c")}}
	made, err := client.CreateTopic(ctx, &sdksns.CreateTopicInput{Name: aws.String("t"), Attributes: attributes, Tags: tags})
	if err != nil || *made.TopicArn != "b" {
		t.Errorf("%+v %v", made, err)
	}
	_, err = client.CreateTopic(ctx, &sdksns.CreateTopicInput{Name: aws.String("t"), Attributes: attributes})
	if _, ok := errors.AsType[*snstypes.TopicLimitExceededException](err); !ok {
		t.Errorf("CreateTopic: %v", err)
	}
	topic := aws.String("arn:aws:sns:us-west-2:111122223333:t")
	sent, err := client.Publish(ctx, &sdksns.PublishInput{
		TopicArn: topic, Message: aws.String("m"),
		MessageAttributes: map[string]snstypes.MessageAttributeValue{"n": {DataType: aws.String("Binary"), BinaryValue: []byte("bytes")}},
	})
	if err != nil || *sent.MessageId != "t bytes" {
		t.Errorf("%+v %v", sent, err)
	}
	_, err = client.Publish(ctx, &sdksns.PublishInput{TopicArn: topic, Message: aws.String("")})
	if e, ok := errors.AsType[*snstypes.InvalidParameterException](err); !ok || *e.Message != "Invalid parameter: Empty message" {
		t.Errorf("Publish: %v", err)
	}
	_, err = client.Publish(ctx, &sdksns.PublishInput{TopicArn: aws.String("arn:aws:sns:us-west-2:999999999999:t"), Message: aws.String("m")})
	if e, ok := errors.AsType[*snstypes.AuthorizationErrorException](err); !ok || !strings.Contains(*e.Message, "is not authorized to perform: SNS:Publish on resource") {
		t.Errorf("Publish: %v", err)
	}
	read, err := client.GetTopicAttributes(ctx, &sdksns.GetTopicAttributesInput{TopicArn: topic})
	if err != nil || read.Attributes["Policy"] != `{"a":"<"}` {
		t.Errorf("%+v %v", read, err)
	}
}

func TestSDKEventBridge(t *testing.T) {
	t.Parallel()
	client, ctx := sdkevents.NewFromConfig(neighbourhood(t)), t.Context()
	rule := func(name string) (*sdkevents.PutRuleOutput, error) {
		return client.PutRule(ctx, &sdkevents.PutRuleInput{
			Name: &name, EventPattern: aws.String(`{"source":["aws.ivs"]}`), Tags: []eventtypes.Tag{{Key: aws.String("k"), Value: aws.String(`v"\`)}},
		})
	}
	if out, err := rule("r"); err != nil || *out.RuleArn != `v"\` {
		t.Errorf("%+v %v", out, err)
	}
	_, err := rule("pattern")
	if _, ok := errors.AsType[*eventtypes.InvalidEventPatternException](err); !ok {
		t.Errorf("PutRule: %v", err)
	}
	_, err = rule("many")
	if _, ok := errors.AsType[*eventtypes.LimitExceededException](err); !ok {
		t.Errorf("PutRule: %v", err)
	}
	_, err = client.DescribeRule(ctx, &sdkevents.DescribeRuleInput{Name: aws.String("r")})
	if _, ok := errors.AsType[*eventtypes.ResourceNotFoundException](err); !ok {
		t.Errorf("DescribeRule: %v", err)
	}
	_, err = client.PutTargets(ctx, &sdkevents.PutTargetsInput{Rule: aws.String("r"), Targets: []eventtypes.Target{{Id: aws.String("a b"), Arn: aws.String("a")}}})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "ValidationException" || !strings.Contains(e.ErrorMessage(), "'targets.1.member.id'") {
		t.Errorf("PutTargets: %v", err)
	}
	_, err = client.CreateArchive(ctx, &sdkevents.CreateArchiveInput{ArchiveName: aws.String("a"), EventSourceArn: aws.String("b")})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "UnknownOperationException" || !strings.Contains(e.ErrorMessage(), "CreateArchive") {
		t.Errorf("outside the subset: %v", err)
	}
	at := time.Date(2026, 5, 5, 21, 55, 38, 123456789, time.UTC)
	put, err := client.PutEvents(ctx, &sdkevents.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{{
		Source: aws.String("app"), DetailType: aws.String("t"), Detail: aws.String("{}"), Time: &at, Resources: []string{"r"},
	}}})
	if err != nil || *put.Entries[0].EventId != "2026-05-05T21:55:38.123Zr" {
		t.Errorf("%+v %v", put, err)
	}
}

// TestCommandLineOfNeighbours drives botocore against each protocol: it writes empty lists and reads errors in its own way.
func TestCommandLineOfNeighbours(t *testing.T) {
	t.Parallel()
	run := commandLine(t, *neighbourhood(t).BaseEndpoint)
	for _, c := range []struct {
		args []string
		want string // in the output
		fail bool
	}{
		{[]string{"sts", "get-caller-identity"}, `"Arn": "arn:aws:iam::111122223333:root"`, false},
		{[]string{"iam", "get-user", "--user-name", "alice"}, `"CreateDate": "2023-11-14T22:13:20`, false},
		{[]string{"iam", "get-user", "--user-name", "nobody"}, "(NoSuchEntity) when calling the GetUser operation: The user with name nobody cannot be found.", true},
		{[]string{"iam", "list-roles"}, "(NotImplemented) when calling the ListRoles operation: ListRoles is not implemented", true},
		{[]string{"sns", "create-topic", "--name", "t", "--attributes", `{"DisplayName":"a.b","Policy":"{\"x\":\"é\"}"}`, "--tags", "[]"}, "(TopicLimitExceeded)", true},
		{[]string{"events", "describe-rule", "--name", "r"}, "(ResourceNotFoundException) when calling the DescribeRule operation: Rule r does not exist", true},
		{[]string{"events", "put-rule", "--name", "r", "--event-pattern", "{}", "--tags", "Key=k,Value=v w"}, `"RuleArn": "v w"`, false},
	} {
		out, err := run(c.args...)
		if (err != nil) != c.fail || !strings.Contains(out, c.want) {
			t.Errorf("aws %v: %v\n%s", c.args, err, out)
		}
	}
}
