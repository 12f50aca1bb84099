package awsapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/eventbridge"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/iam"
	"github.com/rivus-live/rivus/internal/sns"
	"github.com/rivus-live/rivus/internal/sts"
)

// neighbours is a tiny service with rows of each protocol beside those of the three services.
func neighbours() rows {
	rule := func(in *eventbridge.DescribeRuleRequest) []awsapi.Target {
		return []awsapi.Target{awsapi.Named("rule", nil, in.Name)}
	}
	connection := awsapi.Op("DescribeConnection",
		func(_ context.Context, c awsapi.Caller, in *eventbridge.DescribeConnectionRequest) (*eventbridge.DescribeConnectionResponse, error) {
			a, err := c.Own(in.Name)
			return &eventbridge.DescribeConnectionResponse{
				Name: &in.Name, ConnectionArn: new(a.String()), CreationTime: restjson.EpochOf(time.UnixMilli(1700000000250)),
			}, err
		}, func(in *eventbridge.DescribeConnectionRequest) []awsapi.Target {
			return []awsapi.Target{awsapi.Named("connection", nil, in.Name)}
		})
	return rows{
		connection,
		awsapi.Op("DescribeRule", func(_ context.Context, _ awsapi.Caller, in *eventbridge.DescribeRuleRequest) (*eventbridge.DescribeRuleResponse, error) {
			return nil, fault.New(fault.NotFound, "Rule %s does not exist on EventBus default.", in.Name)
		}, rule),
		awsapi.Op("DeleteRule", func(context.Context, awsapi.Caller, *eventbridge.DeleteRuleRequest) (*eventbridge.DeleteRuleResponse, error) {
			return nil, nil
		}, func(in *eventbridge.DeleteRuleRequest) []awsapi.Target {
			return []awsapi.Target{awsapi.Named("rule", nil, in.Name)}
		}),
		row[eventbridge.ListRulesRequest, eventbridge.ListRulesResponse]("ListRules", nil, context.DeadlineExceeded),
		row[eventbridge.PutTargetsRequest, eventbridge.PutTargetsResponse]("PutTargets", nil, nil),
		awsapi.Op("GetUser", getUser, func(in *iam.GetUserRequest) []awsapi.Target {
			if in.UserName == nil {
				return []awsapi.Target{awsapi.ByName("user", nil, "")}
			}
			return []awsapi.Target{awsapi.ByName("user", nil, *in.UserName)}
		}),
		awsapi.Op("GetPolicy", func(_ context.Context, c awsapi.Caller, in *iam.GetPolicyRequest) (*iam.GetPolicyResponse, error) {
			a, err := c.Own(in.PolicyArn)
			return &iam.GetPolicyResponse{Policy: &iam.Policy{Arn: new(a.String())}}, err
		}, func(in *iam.GetPolicyRequest) []awsapi.Target { return awsapi.Targets("policy", nil, in.PolicyArn) }),
		awsapi.Op("DeleteUser", func(_ context.Context, _ awsapi.Caller, _ *iam.DeleteUserRequest) (*iam.DeleteUserResponse, error) {
			return nil, fault.New(fault.InUse, "Cannot delete entity, must remove referenced objects first.")
		}, func(in *iam.DeleteUserRequest) []awsapi.Target {
			return []awsapi.Target{awsapi.ByName("user", nil, in.UserName)}
		}),
		awsapi.Op("PutUserPolicy", func(_ context.Context, c awsapi.Caller, in *iam.PutUserPolicyRequest) (*iam.PutUserPolicyResponse, error) {
			if !strings.HasPrefix(in.PolicyDocument, "{") {
				return nil, fault.New(fault.Malformed, "This policy contains invalid Json")
			}
			a, err := c.Own(in.UserName)
			if err == nil {
				err = c.May(a, nil)
			}
			return nil, err
		}, func(in *iam.PutUserPolicyRequest) []awsapi.Target {
			return []awsapi.Target{awsapi.ByName("user", nil, in.UserName)}
		}),
		awsapi.Op("AssumeRole", func(_ context.Context, c awsapi.Caller, in *sts.AssumeRoleRequest) (*sts.AssumeRoleResponse, error) {
			_, err := c.Own(in.RoleArn)
			return &sts.AssumeRoleResponse{AssumedRoleUser: &sts.AssumedRoleUser{Arn: in.RoleArn, AssumedRoleId: "AROAX:" + in.RoleSessionName}}, err
		}, func(in *sts.AssumeRoleRequest) []awsapi.Target { return awsapi.Targets("role", nil, in.RoleArn) }),
		awsapi.Op("Publish", func(_ context.Context, c awsapi.Caller, in *sns.PublishInput) (*sns.PublishResponse, error) {
			a, err := c.Own(*in.TopicArn)
			if err == nil && in.Message == "" {
				err = fault.New(fault.Invalid, "Invalid parameter: Empty message")
			}
			return &sns.PublishResponse{MessageId: new(a.ID + " " + string(in.MessageAttributes["n"].BinaryValue))}, err
		}, func(in *sns.PublishInput) []awsapi.Target {
			if in.TopicArn == nil {
				return awsapi.Targets("", nil, "")
			}
			return awsapi.Targets("", nil, *in.TopicArn)
		}),
		awsapi.Op("GetTopicAttributes", func(context.Context, awsapi.Caller, *sns.GetTopicAttributesInput) (*sns.GetTopicAttributesResponse, error) {
			return &sns.GetTopicAttributesResponse{Attributes: map[string]string{"TopicArn": "t", "Policy": `{"a":"<"}`}}, nil
		}, func(in *sns.GetTopicAttributesInput) []awsapi.Target { return awsapi.Targets("", nil, in.TopicArn) }),
	}
}

// getUser knows users of a team by its path, and some who are not there or whom it forgets to judge.
func getUser(_ context.Context, c awsapi.Caller, in *iam.GetUserRequest) (*iam.GetUserResponse, error) {
	a, name := arn.ARN{Service: "iam", Scope: arn.Scope{Account: c.Account}, Type: "user", ID: "team/"}, ""
	if in.UserName != nil {
		name = *in.UserName
	}
	a.ID += name
	tags := map[string]string{"team": "video"}
	var err error
	switch name {
	case "":
		a, err = arn.ParseAny(c.Principal.ARN())
	case "nobody":
		return nil, fault.New(fault.NotFound, "The user with name nobody cannot be found.")
	case "mallory":
		tags = nil
	}
	if err == nil && name != "forgotten" {
		err = c.May(a, tags)
	}
	return &iam.GetUserResponse{User: &iam.User{
		Path: "/team/", UserName: name, UserId: "AIDAX", Arn: a.String(), CreateDate: restjson.Time(time.Unix(1700000000, 0)),
		Tags: []iam.Tag{{Key: "a", Value: "<&>"}, {Key: "b"}},
	}}, err
}

// askTarget sends a body to an operation of awsJson.
func askTarget(tb testing.TB, api http.Handler, target string, c call) answer {
	tb.Helper()
	c.path = "/"
	if c.service == "" {
		c.service = "events"
	}
	c.header = http.Header{"X-Amz-Target": {target}, "Content-Type": {"application/x-amz-json-1.1"}}
	return do(tb, api, c)
}

func TestTargets(t *testing.T) {
	t.Parallel()
	api := newAPI(t, awsapi.Options{Services: []awsapi.Service{neighbours()}})
	a := askTarget(t, api, "AWSEvents.DescribeConnection", call{body: `{"Name":"c"}`})
	if a.status != 200 || a.header.Get("Content-Type") != "application/x-amz-json-1.1" || a.fields["CreationTime"] != 1700000000.25 ||
		a.fields["ConnectionArn"] != "arn:aws:events:us-west-2:111122223333:connection/c" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a := askTarget(t, api, "AWSEvents.DeleteRule", call{body: `{"Name":"r"}`}); a.status != 200 || string(a.body) != "{}" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, c := range []struct {
		name, target string
		call         call
		status       int
		code, text   string
	}{
		{"not found", "AWSEvents.DescribeRule", call{body: `{"Name":"r"}`}, 400, "ResourceNotFoundException", "Rule r does not exist on EventBus default."},
		{"constraint", "AWSEvents.PutTargets", call{body: `{"Rule":"r","Targets":[{"Id":"a b","Arn":"a"}]}`}, 400, "ValidationException", "Value 'a b' at 'targets.1.member.id' failed to satisfy constraint"},
		{"no JSON", "AWSEvents.DescribeRule", call{body: `x`}, 400, "SerializationException", "JSON"},
		{"not built", "AWSEvents.PutRule", call{body: `{"Name":"r"}`}, 400, "NotImplementedException", "PutRule"},
		{"not of the subset", "AWSEvents.CreateArchive", call{}, 400, "UnknownOperationException", "AWSEvents.CreateArchive"},
		{"of nobody", "DynamoDB_20120810.PutItem", call{}, 400, "UnknownOperationException", "DynamoDB_20120810.PutItem"},
		{"unsigned", "AWSEvents.DescribeRule", call{unsigned: true}, 400, "MissingAuthenticationTokenException", "Missing"},
		{"unsigned and unknown", "x", call{unsigned: true}, 400, "MissingAuthenticationTokenException", "Missing"},
		{"wrong secret", "AWSEvents.DescribeRule", call{secret: "x"}, 400, "InvalidSignatureException", "does not match"},
		{"other service", "AWSEvents.DescribeRule", call{service: "sns"}, 400, "InvalidSignatureException", "'events'"},
		{"defect", "AWSEvents.ListRules", call{}, 500, "InternalException", "log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := askTarget(t, api, c.target, c.call)
			text, _ := a.fields["message"].(string)
			if a.status != c.status || a.fields["__type"] != c.code || a.header.Get("X-Amzn-Errortype") != c.code || !strings.Contains(text, c.text) || len(a.fields) != 2 {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
		})
	}
}

// TestNeighboursAreAuthorized: what rows of the neighbours touch has the ARNs that their policies name, in whatever region
// the request is signed, and a refusal is told in each protocol's own way.
func TestNeighboursAreAuthorized(t *testing.T) {
	t.Parallel()
	const why = "because no identity-based policy allows it"
	for _, c := range []struct {
		name, service, body, target string
		action, resource            string
		status                      int
		code                        string
	}{
		{"iam, by name", "iam", "Action=GetUser&Version=2010-05-08&UserName=alice", "", "iam:GetUser", "arn:aws:iam::111122223333:user/team/alice", 403, "AccessDenied"},
		{"iam, the caller", "iam", "Action=GetUser&Version=2010-05-08", "", "iam:GetUser", "arn:aws:iam::111122223333:root", 403, "AccessDenied"},
		{"iam, of AWS", "iam", "Action=GetPolicy&Version=2010-05-08&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess", "", "iam:GetPolicy", "arn:aws:iam::aws:policy/ReadOnlyAccess", 403, "AccessDenied"},
		{"sts", "sts", "Action=AssumeRole&Version=2011-06-15&RoleSessionName=me&RoleArn=arn:aws:iam::111122223333:role/a/b", "", "sts:AssumeRole", "arn:aws:iam::111122223333:role/a/b", 403, "AccessDenied"},
		{"sns", "sns", "Action=Publish&Version=2010-03-31&Message=m&TopicArn=arn:aws:sns:us-west-2:111122223333:t", "", "SNS:Publish", "arn:aws:sns:us-west-2:111122223333:t", 403, "AuthorizationError"},
		{"events", "events", `{"Name":"r"}`, "AWSEvents.DescribeRule", "events:DescribeRule", "arn:aws:events:us-west-2:111122223333:rule/r", 400, "AccessDeniedException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := &judge{answer: func(resource string) error {
				if resource != c.resource {
					t.Errorf("asked about %s, want %s", resource, c.resource)
				}
				return fault.New(fault.Denied, why)
			}}
			api := newBare(t, awsapi.Options{Services: []awsapi.Service{neighbours()}, Authorizer: j})
			want := "User: arn:aws:iam::111122223333:root is not authorized to perform: " + c.action + " on resource: " + c.resource + " " + why
			if c.target != "" {
				if a := askTarget(t, api, c.target, call{body: c.body}); a.status != c.status || a.fields["__type"] != c.code || a.fields["message"] != want {
					t.Errorf("%d %s", a.status, a.body)
				}
				return
			}
			for _, region := range []string{"us-west-2", "eu-north-1"} {
				if region != "us-west-2" && c.service == "sns" {
					continue // its resources are in regions
				}
				if status, a := askQuery(t, api, call{body: c.body, service: c.service, region: region}); status != c.status || a.Code != c.code || a.Message != want {
					t.Errorf("%s: %d %+v", region, status, a)
				}
			}
		})
	}
}

// TestNeighboursElsewhere: what is another account's, of another service or in another region is out of reach.
func TestNeighboursElsewhere(t *testing.T) {
	t.Parallel()
	api := newAPI(t, awsapi.Options{Services: []awsapi.Service{neighbours()}})
	for _, c := range []struct{ service, body, code string }{
		{"iam", "Action=GetPolicy&Version=2010-05-08&PolicyArn=arn:aws:iam::999999999999:policy/x", "AccessDenied"},
		{"iam", "Action=GetPolicy&Version=2010-05-08&PolicyArn=arn:aws:iam::111122223333:role/x", "ValidationError"},
		{"iam", "Action=GetPolicy&Version=2010-05-08&PolicyArn=arn:aws:ivs::111122223333:policy/x", "ValidationError"},
		{"sts", "Action=AssumeRole&Version=2011-06-15&RoleSessionName=me&RoleArn=arn:aws:iam::aws:role/b", "AccessDenied"},
		{"sns", "Action=Publish&Version=2010-03-31&Message=m&TopicArn=arn:aws:sns:us-west-2:999999999999:t", "AuthorizationError"},
		{"sns", "Action=Publish&Version=2010-03-31&Message=m&TopicArn=arn:aws:sns:us-east-1:111122223333:t", "NotFound"},
		{"sns", "Action=Publish&Version=2010-03-31&Message=m&TopicArn=nonsense", "InvalidParameter"},
		{"sns", "Action=Publish&Version=2010-03-31&Message=&TopicArn=arn:aws:sns:us-west-2:111122223333:t", "InvalidParameter"},
		{"iam", "Action=GetUser&Version=2010-05-08&UserName=nobody", "NoSuchEntity"},
		{"iam", "Action=DeleteUser&Version=2010-05-08&UserName=alice", "DeleteConflict"},
		{"iam", "Action=PutUserPolicy&Version=2010-05-08&UserName=alice&PolicyName=p&PolicyDocument=x", "MalformedPolicyDocument"},
		{"iam", "Action=PutUserPolicy&Version=2010-05-08&UserName=alice&PolicyName=p", "ValidationError"},
	} {
		if _, a := askQuery(t, api, call{body: c.body, service: c.service}); a.Code != c.code || c.code == "InvalidParameter" && !strings.HasPrefix(a.Message, "Invalid parameter: ") {
			t.Errorf("%s: %+v, want %s", c.body, a, c.code)
		}
	}
	if status, a := askQuery(t, api, call{body: "Action=PutUserPolicy&Version=2010-05-08&UserName=alice&PolicyName=p&PolicyDocument=%7B%7D", service: "iam"}); status != 200 || a.Metadata == "" {
		t.Errorf("%d %+v", status, a)
	}
}

// wrong is an input of one protocol with the name of an operation of another.
type wrong struct{ eventbridge.ListRulesRequest }

func (*wrong) Operation() restjson.Operation {
	return restjson.Operation{Service: "iam", Name: "ListUsers"}
}

// TestRowsSpeakTheirProtocol: a row whose input and output are of two protocols, or of the wrong one, does not even start.
func TestRowsSpeakTheirProtocol(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]awsapi.Operation{
		"of two":   row[eventbridge.ListRulesRequest, iam.ListUsersResponse]("ListRules", nil, nil),
		"of wrong": row[wrong, eventbridge.ListRulesResponse]("ListUsers", nil, nil),
	} {
		_, err := awsapi.New(awsapi.Options{Credentials: keys{}, Authorizer: awsapi.Owner{}, Services: []awsapi.Service{rows{op}}})
		if err == nil || !strings.Contains(err.Error(), "does not speak the protocol") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
