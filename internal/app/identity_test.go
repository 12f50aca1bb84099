package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/ivs"
	ivstypes "github.com/aws/aws-sdk-go-v2/service/ivs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/rivus-live/rivus/internal/apptest"
)

// actor is a principal with clients.
type actor struct {
	id, secret, token string
	ivs               *ivs.Client
	iam               *iam.Client
	sts               *sts.Client
}

func actorOf(s *apptest.Server, id, secret, token string) *actor {
	keys := credentials.NewStaticCredentialsProvider(id, secret, token)
	return &actor{
		id: id, secret: secret, token: token,
		ivs: ivs.New(ivs.Options{Region: apptest.Region, BaseEndpoint: &s.PublicURL, Credentials: keys, Retryer: aws.NopRetryer{}}),
		iam: iam.New(iam.Options{Region: "us-east-1", BaseEndpoint: &s.PublicURL, Credentials: keys, Retryer: aws.NopRetryer{}}),
		sts: sts.New(sts.Options{Region: apptest.Region, BaseEndpoint: &s.PublicURL, Credentials: keys, Retryer: aws.NopRetryer{}}),
	}
}

func owner(s *apptest.Server) *actor { return actorOf(s, s.AccessKeyID, s.SecretAccessKey, "") }

// user makes a user with a key and a policy.
func user(t *testing.T, s *apptest.Server, name, policy string) *actor {
	t.Helper()
	root := owner(s)
	_, err := root.iam.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name})
	ok(t, err)
	k, err := root.iam.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
	ok(t, err)
	if policy != "" {
		allow(t, s, name, policy)
	}
	return actorOf(s, *k.AccessKey.AccessKeyId, *k.AccessKey.SecretAccessKey, "")
}

func allow(t *testing.T, s *apptest.Server, name, policy string) {
	t.Helper()
	_, err := owner(s).iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("own"), PolicyDocument: &policy})
	ok(t, err)
}

func role(t *testing.T, s *apptest.Server, name, trust, policy string, change ...func(*iam.CreateRoleInput)) *string {
	t.Helper()
	in := &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust}
	for _, c := range change {
		c(in)
	}
	made, err := owner(s).iam.CreateRole(t.Context(), in)
	ok(t, err)
	if policy != "" {
		_, err = owner(s).iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("own"), PolicyDocument: &policy})
		ok(t, err)
	}
	return made.Role.Arn
}

// assume begins a session.
func (a *actor) assume(t *testing.T, s *apptest.Server, role *string, change ...func(*sts.AssumeRoleInput)) (*actor, error) {
	t.Helper()
	in := &sts.AssumeRoleInput{RoleArn: role, RoleSessionName: aws.String("me")}
	for _, c := range change {
		c(in)
	}
	out, err := a.sts.AssumeRole(t.Context(), in)
	if err != nil {
		return nil, err
	}
	return actorOf(s, *out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken), nil
}

func (a *actor) arn(t *testing.T) string {
	t.Helper()
	out, err := a.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	ok(t, err)
	return *out.Arn
}

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// refused checks the name of an error, and that its text has a part.
func refused(tb testing.TB, err error, code, text string) {
	tb.Helper()
	var api smithy.APIError
	message := ""
	if errors.As(err, &api) {
		message = api.ErrorMessage()
	}
	if denied, ok := errors.AsType[*ivstypes.AccessDeniedException](err); ok { // whose text has another name
		message = aws.ToString(denied.ExceptionMessage)
	}
	if api == nil || api.ErrorCode() != code || !strings.Contains(message, text) {
		tb.Errorf("error %v, want %s: %s", err, code, text)
	}
}

func statement(format string, args ...any) string {
	return `{"Version":"2012-10-17","Statement":{` + fmt.Sprintf(format, args...) + `}}`
}

func trusting(principal string) string {
	return statement(`"Effect":"Allow","Principal":{"AWS":%q},"Action":["sts:AssumeRole","sts:TagSession"]`, principal)
}

const everything = `"Effect":"Allow","Action":"*","Resource":"*"`

// TestUsersAct: a user may do what policies say, from the moment they do, and is told why when they do not.
func TestUsersAct(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	alice := user(t, s, "alice", "")
	arn := "arn:aws:iam::" + s.AccountID + ":user/alice"
	if got := alice.arn(t); got != arn {
		t.Errorf("she is %s", got)
	}
	create := func() error {
		_, err := alice.ivs.CreateChannel(t.Context(), &ivs.CreateChannelInput{Name: aws.String("hers")})
		return err
	}
	refused(t, create(), "AccessDeniedException", "User: "+arn+" is not authorized to perform: ivs:CreateChannel on resource: arn:aws:ivs:"+
		apptest.Region+":"+s.AccountID+":channel/* because no identity-based policy allows the ivs:CreateChannel action")
	_, err := alice.iam.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("bob")})
	refused(t, err, "AccessDenied", "iam:CreateUser on resource: arn:aws:iam::"+s.AccountID+":user/bob because no identity-based policy")
	allow(t, s, "alice", statement(`"Effect":"Allow","Action":"ivs:*","Resource":"*"`))
	ok(t, create())
	allow(t, s, "alice", statement(`"Effect":"Deny","Action":"ivs:Create*","Resource":"*"`))
	refused(t, create(), "AccessDeniedException", "with an explicit deny in an identity-based policy")
	_, err = owner(s).iam.DeleteUserPolicy(t.Context(), &iam.DeleteUserPolicyInput{UserName: aws.String("alice"), PolicyName: aws.String("own")})
	ok(t, err)
	_, err = owner(s).iam.AttachUserPolicy(t.Context(), &iam.AttachUserPolicyInput{UserName: aws.String("alice"), PolicyArn: aws.String("arn:aws:iam::aws:policy/IVSFullAccess")})
	ok(t, err)
	ok(t, create())
	_, err = owner(s).iam.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: &alice.id})
	ok(t, err)
	refused(t, create(), "UnrecognizedClientException", "")
}

// TestPathsAndTagsInPolicies: what policies say of the path and the tags of a user is asked of the record.
func TestPathsAndTagsInPolicies(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	root := owner(s)
	admin := user(t, s, "admin", fmt.Sprintf(`{"Version":"2012-10-17","Statement":[`+
		`{"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:iam::%s:user/team/*"},`+
		`{"Effect":"Allow","Action":"iam:*AccessKey*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"live"}}}]}`, s.AccountID))
	for _, u := range []iam.CreateUserInput{
		{UserName: aws.String("in"), Path: aws.String("/team/")}, {UserName: aws.String("out")},
	} {
		_, err := root.iam.CreateUser(t.Context(), &u)
		ok(t, err)
	}
	_, err := admin.iam.GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("in")})
	ok(t, err)
	_, err = admin.iam.GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("out")})
	refused(t, err, "AccessDenied", ":user/out because")
	_, err = admin.iam.GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("nobody")})
	refused(t, err, "AccessDenied", ":user/nobody because")
	_, err = admin.iam.UpdateUser(t.Context(), &iam.UpdateUserInput{UserName: aws.String("in"), NewPath: aws.String("/")})
	refused(t, err, "AccessDenied", ":user/in because") // he may not put one where he may not

	keys := func() error {
		_, err := admin.iam.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String("out")})
		return err
	}
	refused(t, keys(), "AccessDenied", "iam:ListAccessKeys")
	_, err = root.iam.TagUser(t.Context(), &iam.TagUserInput{UserName: aws.String("out"), Tags: tags("team", "live")})
	ok(t, err)
	ok(t, keys())
}

// TestAssumeRole: the trust policy and the caller's own decide together.
func TestAssumeRole(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	alice, bob := user(t, s, "alice", ""), user(t, s, "bob", "")
	account := "arn:aws:iam::" + s.AccountID + ":root"
	read := statement(`"Effect":"Allow","Action":"ivs:List*","Resource":"*"`)
	named := role(t, s, "named", trusting("arn:aws:iam::"+s.AccountID+":user/alice"), read)
	open := role(t, s, "open", trusting(account), read)

	session, err := alice.assume(t, s, named)
	ok(t, err)
	if got, want := session.arn(t), "arn:aws:sts::"+s.AccountID+":assumed-role/named/me"; got != want {
		t.Errorf("it is %s, want %s", got, want)
	}
	_, err = session.ivs.ListChannels(t.Context(), &ivs.ListChannelsInput{})
	ok(t, err)
	_, err = session.ivs.CreateChannel(t.Context(), &ivs.CreateChannelInput{})
	refused(t, err, "AccessDeniedException", "User: arn:aws:sts::"+s.AccountID+":assumed-role/named/me is not authorized to perform: ivs:CreateChannel")

	_, err = bob.assume(t, s, named)
	refused(t, err, "AccessDenied", "sts:AssumeRole on resource: "+*named)
	_, err = bob.assume(t, s, open)
	refused(t, err, "AccessDenied", "because no identity-based policy allows the sts:AssumeRole action")
	allow(t, s, "bob", statement(`"Effect":"Allow","Action":"sts:AssumeRole","Resource":%q`, *open))
	_, err = bob.assume(t, s, open)
	ok(t, err)
	allow(t, s, "alice", statement(`"Effect":"Deny","Action":"sts:*","Resource":"*"`))
	_, err = alice.assume(t, s, named)
	refused(t, err, "AccessDenied", "with an explicit deny in an identity-based policy")
	alice.arn(t) // which nobody can be denied

	_, err = owner(s).assume(t, s, open)
	ok(t, err)
	_, err = owner(s).assume(t, s, named)
	refused(t, err, "AccessDenied", "sts:AssumeRole on resource: "+*named)
	none := strings.Replace(*open, "open", "none", 1)
	_, err = bob.assume(t, s, &none)
	refused(t, err, "AccessDenied", "sts:AssumeRole on resource: "+none)
	_, err = bob.assume(t, s, aws.String("arn:aws:iam::nonsense:role"))
	refused(t, err, "ValidationError", "arn:aws:iam::nonsense:role is invalid")
}

// TestAssumeRoleConditions: what a trust policy asks of the request.
func TestAssumeRoleConditions(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	alice := user(t, s, "alice", "")
	principal := fmt.Sprintf(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:user/alice"},"Action":"sts:AssumeRole"`, s.AccountID)
	external := role(t, s, "external", statement(`%s,"Condition":{"StringEquals":{"sts:ExternalId":"deal-17"}}`, principal), "")
	_, err := alice.assume(t, s, external)
	refused(t, err, "AccessDenied", "")
	_, err = alice.assume(t, s, external, func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("deal-18") })
	refused(t, err, "AccessDenied", "")
	_, err = alice.assume(t, s, external, func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("deal-17") })
	ok(t, err)
	own := role(t, s, "own", statement(`%s,"Condition":{"StringEquals":{"sts:RoleSessionName":"${aws:username}"}}`, principal), "")
	_, err = alice.assume(t, s, own)
	refused(t, err, "AccessDenied", "")
	_, err = alice.assume(t, s, own, func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("alice") })
	ok(t, err)
	tagged := func(in *sts.AssumeRoleInput) {
		in.ExternalId, in.Tags = aws.String("deal-17"), sessionTags("Team", "live")
	}
	_, err = alice.assume(t, s, external, tagged)
	refused(t, err, "AccessDenied", "sts:TagSession")
}

// TestSessionPolicies: they narrow what the role may do, and its tags are the session's.
func TestSessionPolicies(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	alice := user(t, s, "alice", "")
	arn := role(t, s, "ops", trusting("arn:aws:iam::"+s.AccountID+":user/alice"), statement(everything))
	list := func(a *actor) error {
		_, err := a.ivs.ListChannels(t.Context(), &ivs.ListChannelsInput{})
		return err
	}
	create := func(a *actor) error {
		_, err := a.ivs.CreateChannel(t.Context(), &ivs.CreateChannelInput{})
		return err
	}
	narrow, err := alice.assume(t, s, arn, func(in *sts.AssumeRoleInput) {
		in.Policy = aws.String(statement(`"Effect":"Allow","Action":"ivs:List*","Resource":"*"`))
	})
	ok(t, err)
	ok(t, list(narrow))
	refused(t, create(narrow), "AccessDeniedException", "because no session policy allows the ivs:CreateChannel action")
	managed, err := alice.assume(t, s, arn, func(in *sts.AssumeRoleInput) {
		in.PolicyArns = []ststypes.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/IVSReadOnlyAccess")}}
	})
	ok(t, err)
	ok(t, list(managed))
	refused(t, create(managed), "AccessDeniedException", "session policy")
	_, err = alice.assume(t, s, arn, func(in *sts.AssumeRoleInput) { in.Policy = aws.String("{") })
	refused(t, err, "MalformedPolicyDocument", "")
	_, err = alice.assume(t, s, arn, func(in *sts.AssumeRoleInput) { in.SourceIdentity = aws.String("alice") })
	refused(t, err, "NotImplemented", "")

	_, err = owner(s).iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{
		RoleName: aws.String("ops"), PolicyName: aws.String("own"),
		PolicyDocument: aws.String(statement(`"Effect":"Allow","Action":"ivs:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/Team":"live"}}`)),
	})
	ok(t, err)
	plain, err := alice.assume(t, s, arn)
	ok(t, err)
	refused(t, list(plain), "AccessDeniedException", "")
	tagged, err := alice.assume(t, s, arn, func(in *sts.AssumeRoleInput) { in.Tags = sessionTags("Team", "live") })
	ok(t, err)
	ok(t, list(tagged))
}

// TestRoleChaining: a session begins another, for an hour at most, and hands down its tags.
func TestRoleChaining(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	alice := user(t, s, "alice", "")
	long := func(in *iam.CreateRoleInput) { in.MaxSessionDuration = aws.Int32(43200) }
	first := role(t, s, "first", trusting("arn:aws:iam::"+s.AccountID+":user/alice"), "", long)
	next := role(t, s, "next", trusting(*first), statement(`"Effect":"Allow","Action":"ivs:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/Team":"live"}}`), long)
	session, err := alice.assume(t, s, first, func(in *sts.AssumeRoleInput) {
		in.DurationSeconds, in.Tags, in.TransitiveTagKeys = aws.Int32(43200), sessionTags("Team", "live"), []string{"Team"}
	})
	ok(t, err)
	_, err = session.assume(t, s, next, func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(3601) })
	refused(t, err, "ValidationError", "role chaining")
	_, err = session.assume(t, s, next, func(in *sts.AssumeRoleInput) { in.Tags = sessionTags("team", "other") })
	refused(t, err, "ValidationError", "transitive")
	chained, err := session.assume(t, s, next)
	ok(t, err)
	_, err = chained.ivs.ListChannels(t.Context(), &ivs.ListChannelsInput{})
	ok(t, err)
	_, err = alice.assume(t, s, next)
	refused(t, err, "AccessDenied", "")

	for _, name := range []string{"next", "first"} {
		_, _ = owner(s).iam.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: aws.String("own")})
		_, err = owner(s).iam.DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: &name})
		ok(t, err)
	}
	_, err = chained.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	refused(t, err, "InvalidClientTokenId", "") // a session ends with its role
}

// TestIdentitiesSurviveRestart: users, policies and keys of all kinds work after a restart.
func TestIdentitiesSurviveRestart(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	alice := user(t, s, "alice", statement(`"Effect":"Allow","Action":["ivs:List*","sts:*"],"Resource":"*"`))
	arn := role(t, s, "ops", trusting("arn:aws:iam::"+s.AccountID+":root"), statement(everything))
	session, err := alice.assume(t, s, arn)
	ok(t, err)
	s.Stop()
	s = s.Restart(t)
	for _, before := range []*actor{alice, session} {
		a := actorOf(s, before.id, before.secret, before.token)
		_, err := a.ivs.ListChannels(t.Context(), &ivs.ListChannelsInput{})
		ok(t, err)
	}
	_, err = actorOf(s, alice.id, alice.secret, "").ivs.CreateChannel(t.Context(), &ivs.CreateChannelInput{})
	refused(t, err, "AccessDeniedException", "")
}

// TestSimulationAgrees: what a simulation says of a user is what happens.
func TestSimulationAgrees(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	alice := user(t, s, "alice", statement(`"Effect":"Allow","Action":["ivs:ListChannels","ivs:CreateChannel"],"Resource":"*"`))
	out, err := owner(s).iam.SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String(alice.arn(t)), ActionNames: []string{"ivs:ListChannels", "ivs:ListStreams"},
	})
	ok(t, err)
	_, listed := alice.ivs.ListChannels(t.Context(), &ivs.ListChannelsInput{})
	_, streams := alice.ivs.ListStreams(t.Context(), &ivs.ListStreamsInput{})
	for i, err := range []error{listed, streams} {
		if r := out.EvaluationResults[i]; (r.EvalDecision == "allowed") != (err == nil) {
			b, _ := json.Marshal(r)
			t.Errorf("%v, and the simulation says %s", err, b)
		}
	}
}

// tags returns tags of IAM, given as keys and values in turn.
func tags(pairs ...string) (list []iamtypes.Tag) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, iamtypes.Tag{Key: &pairs[i], Value: &pairs[i+1]})
	}
	return list
}

// sessionTags is tags for STS.
func sessionTags(pairs ...string) (list []ststypes.Tag) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, ststypes.Tag{Key: &pairs[i], Value: &pairs[i+1]})
	}
	return list
}
