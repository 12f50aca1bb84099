package iam_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	sdksts "github.com/aws/aws-sdk-go-v2/service/sts"
)

// TestRestart: everything is there after a restart, and every key works: also temporary ones, which have no record.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	var id, secret, session, sessionSecret, token, before string
	t.Run("before", func(t *testing.T) {
		e := startIn(t, dir)
		c := e.root()
		e.user(t, "alice")
		k := e.key(t, "alice")
		id, secret = *k.AccessKeyId, *k.SecretAccessKey
		e.group(t, "editors")
		e.role(t, "ops")
		arn := e.policy(t, "p")
		for _, err := range []error{
			second(c.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: aws.String("editors"), UserName: aws.String("alice")})),
			second(c.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: aws.String("alice"), PolicyArn: arn})),
			second(c.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: aws.String("ops"), PolicyName: aws.String("in"), PolicyDocument: aws.String(awkward)})),
			second(c.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: aws.String(awkward), SetAsDefault: true})),
		} {
			check(t, err)
		}
		out, err := e.sts(id, secret, "").GetSessionToken(ctx, &sdksts.GetSessionTokenInput{})
		check(t, err)
		session, sessionSecret, token = *out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken
		before = everything(t, e)
	})
	t.Run("after", func(t *testing.T) {
		e := startIn(t, dir)
		if after := everything(t, e); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
		for _, c := range []*sdksts.Client{e.sts(id, secret, ""), e.sts(session, sessionSecret, token)} {
			who, err := c.GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
			if err != nil || *who.Arn != "arn:aws:iam::111122223333:user/alice" {
				t.Errorf("%+v, %v", who, err)
			}
		}
	})
}

// everything returns all records of identities.
func everything(tb testing.TB, e *env) string {
	tb.Helper()
	r := e.opts.Records
	return jsonOf(tb, []any{r.Users.All(), r.Roles.All(), r.Groups.All(), r.Policies.All()})
}
