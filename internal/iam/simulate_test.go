package iam_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

const (
	channel     = "arn:aws:ivs:us-west-2:111122223333:channel/abcdABCDefgh"
	ownChannels = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ivs:*","Resource":"arn:aws:ivs:*:*:channel/*",` +
		`"Condition":{"StringEquals":{"aws:ResourceTag/Owner":"${aws:username}"}}}}`
	noDeletion = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ivs:Delete*","Resource":"*"}}`
)

// verdicts returns the decisions of a simulation in order, and whether each answer agrees with itself.
func verdicts(tb testing.TB, results []types.EvaluationResult) string {
	tb.Helper()
	var all []string
	for _, r := range results {
		all = append(all, string(r.EvalDecision))
		one := r.ResourceSpecificResults
		if len(one) != 1 || one[0].EvalResourceDecision != r.EvalDecision || *one[0].EvalResourceName != *r.EvalResourceName || len(r.EvalDecisionDetails) != 0 {
			tb.Errorf("%s on %s: %+v", *r.EvalActionName, *r.EvalResourceName, one)
		}
		if decided := r.EvalDecision != types.PolicyEvaluationDecisionTypeImplicitDeny; decided != (len(r.MatchedStatements) > 0) {
			tb.Errorf("%s on %s is %s by %d statements", *r.EvalActionName, *r.EvalResourceName, r.EvalDecision, len(r.MatchedStatements))
		}
	}
	return strings.Join(all, " ")
}

func owner1(name string) []types.ContextEntry {
	return []types.ContextEntry{{
		ContextKeyName: aws.String("aws:ResourceTag/owner"), ContextKeyType: types.ContextKeyTypeEnumString, ContextKeyValues: []string{name},
	}}
}

func TestSimulateCustomPolicy(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	in := &sdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{ownChannels, noDeletion}, ActionNames: []string{"ivs:GetChannel", "ivs:DeleteChannel", "sns:Publish"},
		ResourceArns: []string{channel, "arn:aws:ivs:us-west-2:111122223333:stage/abcdABCDefgh"},
		ContextEntries: append(owner1("alice"), types.ContextEntry{
			ContextKeyName: aws.String("aws:username"), ContextKeyType: types.ContextKeyTypeEnumString, ContextKeyValues: []string{"alice"},
		}),
	}
	out, err := c.SimulateCustomPolicy(ctx, in)
	check(t, err)
	const want = "allowed implicitDeny explicitDeny explicitDeny implicitDeny implicitDeny"
	if got := verdicts(t, out.EvaluationResults); got != want || out.IsTruncated {
		t.Errorf("%s, want %s", got, want)
	}
	m := out.EvaluationResults[0].MatchedStatements[0]
	if *m.SourcePolicyId != "PolicyInputList.1" || m.SourcePolicyType != "IAM Policy" || m.StartPosition.Line != 1 || m.StartPosition.Column != int32(strings.Index(ownChannels, `{"Effect"`)+1) {
		t.Errorf("%s, %s, %+v", *m.SourcePolicyId, m.SourcePolicyType, m.StartPosition)
	}
	in.ContextEntries = nil
	out, err = c.SimulateCustomPolicy(ctx, in)
	check(t, err)
	if missing := out.EvaluationResults[0].MissingContextValues; len(missing) != 2 || out.EvaluationResults[0].EvalDecision != types.PolicyEvaluationDecisionTypeImplicitDeny {
		t.Errorf("%v", missing)
	}

	in.MaxItems = aws.Int32(4)
	first, err := c.SimulateCustomPolicy(ctx, in)
	check(t, err)
	in.Marker = first.Marker
	rest, err := c.SimulateCustomPolicy(ctx, in)
	check(t, err)
	if len(first.EvaluationResults) != 4 || !first.IsTruncated || len(rest.EvaluationResults) != 2 || rest.IsTruncated || *rest.EvaluationResults[0].EvalActionName != "sns:Publish" {
		t.Errorf("pages of %d and %d", len(first.EvaluationResults), len(rest.EvaluationResults))
	}
}

func TestSimulateErrors(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	_, err := c.SimulateCustomPolicy(ctx, &sdk.SimulateCustomPolicyInput{PolicyInputList: []string{readAll, "{"}, ActionNames: []string{"ivs:GetChannel"}})
	wantError(t, err, "ValidationError", "PolicyInputList.2: This policy contains invalid Json")
	_, err = c.SimulateCustomPolicy(ctx, &sdk.SimulateCustomPolicyInput{PolicyInputList: []string{readAll}, ActionNames: []string{"GetChannel"}})
	wantError(t, err, "ValidationError", "Invalid Action: GetChannel")
	_, err = c.SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String("arn:aws:iam::111122223333:user/nobody"), ActionNames: []string{"ivs:GetChannel"}})
	wantCode(t, err, "NoSuchEntity")
	for _, arn := range []string{"arn:aws:iam::111122223333:policy/p", "arn:aws:ivs:us-west-2:111122223333:channel/a"} {
		_, err = c.SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: &arn, ActionNames: []string{"ivs:GetChannel"}})
		wantCode(t, err, "ValidationError")
	}
}

// TestSimulatePrincipalPolicy: all that bears on a user counts, under the name that it has.
func TestSimulatePrincipalPolicy(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	arn := e.user(t, "alice").Arn
	ask := func(change ...func(*sdk.SimulatePrincipalPolicyInput)) *types.EvaluationResult {
		t.Helper()
		in := &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: arn, ActionNames: []string{"ivs:GetChannel"}, ResourceArns: []string{channel}, ContextEntries: owner1("alice")}
		for _, c := range change {
			c(in)
		}
		out, err := c.SimulatePrincipalPolicy(ctx, in)
		check(t, err)
		verdicts(t, out.EvaluationResults)
		return &out.EvaluationResults[0]
	}
	want := func(r *types.EvaluationResult, decision types.PolicyEvaluationDecisionType, by string) {
		t.Helper()
		if r.EvalDecision != decision || by != "" && *r.MatchedStatements[0].SourcePolicyId != by {
			t.Errorf("%s by %+v, want %s by %s", r.EvalDecision, r.MatchedStatements, decision, by)
		}
	}
	want(ask(), "implicitDeny", "")
	_, err := c.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: aws.String("alice"), PolicyName: aws.String("own"), PolicyDocument: aws.String(ownChannels)})
	check(t, err)
	want(ask(), "allowed", "user_alice_own") // aws:username goes without saying
	want(ask(func(in *sdk.SimulatePrincipalPolicyInput) { in.ContextEntries = owner1("bob") }), "implicitDeny", "")
	want(ask(func(in *sdk.SimulatePrincipalPolicyInput) {
		in.PolicyInputList = []string{strings.Replace(noDeletion, "Delete", "Get", 1)}
	}), "explicitDeny", "PolicyInputList.1")

	e.group(t, "g")
	managed := e.policy(t, "m")
	_, err = c.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: managed, PolicyDocument: aws.String(strings.Replace(noDeletion, "Delete", "Get", 1)), SetAsDefault: true})
	check(t, err)
	_, err = c.AttachGroupPolicy(ctx, &sdk.AttachGroupPolicyInput{GroupName: aws.String("g"), PolicyArn: managed})
	check(t, err)
	_, err = c.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: aws.String("g"), UserName: aws.String("alice")})
	check(t, err)
	want(ask(), "explicitDeny", "m")
	group := "arn:aws:iam::111122223333:group/g"
	want(ask(func(in *sdk.SimulatePrincipalPolicyInput) { in.PolicySourceArn = &group }), "explicitDeny", "m")

	bounded, err := c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("bob"), PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/IVSReadOnlyAccess")})
	check(t, err)
	_, err = c.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: aws.String("bob"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")})
	check(t, err)
	arn = bounded.User.Arn
	r := ask()
	want(r, "allowed", "AdministratorAccess")
	if !r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary {
		t.Error("the boundary is said to forbid it")
	}
	r = ask(func(in *sdk.SimulatePrincipalPolicyInput) { in.ActionNames = []string{"ivs:DeleteChannel"} })
	want(r, "implicitDeny", "")
	if r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary {
		t.Error("the boundary is said to allow it")
	}
	e.role(t, "ops")
	_, err = c.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: aws.String("ops"), PolicyName: aws.String("in"), PolicyDocument: aws.String(readAll)})
	check(t, err)
	role := "arn:aws:iam::111122223333:role/ops"
	want(ask(func(in *sdk.SimulatePrincipalPolicyInput) { in.PolicySourceArn = &role }), "allowed", "role_ops_in")
}
