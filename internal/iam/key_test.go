package iam_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	sdksts "github.com/aws/aws-sdk-go-v2/service/sts"
)

// TestAccessKeyLife: a key is good from its answer until it is turned off or deleted, and not a call longer.
func TestAccessKeyLife(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	u := e.user(t, "alice")
	k := e.key(t, "alice")
	if len(*k.AccessKeyId) != 20 || !strings.HasPrefix(*k.AccessKeyId, "AKIA") || len(*k.SecretAccessKey) != 40 ||
		k.Status != types.StatusTypeActive || *k.UserName != "alice" {
		t.Errorf("%s of %s, %s", *k.AccessKeyId, *k.UserName, k.Status)
	}
	alice := e.sts(*k.AccessKeyId, *k.SecretAccessKey, "")
	who, err := alice.GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
	check(t, err)
	if *who.Arn != *u.Arn || *who.UserId != *u.UserId || *who.Account != account {
		t.Errorf("%s, %s, %s", *who.Arn, *who.UserId, *who.Account)
	}
	set := func(status types.StatusType) {
		t.Helper()
		_, err := c.UpdateAccessKey(ctx, &sdk.UpdateAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: k.AccessKeyId, Status: status})
		check(t, err)
	}
	set(types.StatusTypeInactive)
	_, err = alice.GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
	wantCode(t, err, "InvalidClientTokenId")
	set(types.StatusTypeActive)
	_, err = alice.GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
	check(t, err)

	listed, err := c.ListAccessKeys(ctx, &sdk.ListAccessKeysInput{UserName: aws.String("alice")})
	check(t, err)
	if m := listed.AccessKeyMetadata; len(m) != 1 || *m[0].AccessKeyId != *k.AccessKeyId || m[0].Status != types.StatusTypeActive || !m[0].CreateDate.Equal(*k.CreateDate) {
		t.Errorf("%+v", m)
	}
	_, err = c.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: aws.String("alice")})
	wantError(t, err, "DeleteConflict", "Cannot delete entity, must remove referenced objects first.")
	_, err = c.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: k.AccessKeyId})
	check(t, err)
	_, err = alice.GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
	wantCode(t, err, "InvalidClientTokenId")
	_, err = c.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: k.AccessKeyId})
	wantError(t, err, "NoSuchEntity", "The Access Key with id "+*k.AccessKeyId+" cannot be found.")
	_, err = c.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: aws.String("alice")})
	check(t, err)
}

func TestTwoKeys(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.user(t, "alice")
	e.key(t, "alice")
	second := e.key(t, "alice")
	_, err := e.root().CreateAccessKey(t.Context(), &sdk.CreateAccessKeyInput{UserName: aws.String("alice")})
	wantError(t, err, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
	e.user(t, "bob")
	_, err = e.root().DeleteAccessKey(t.Context(), &sdk.DeleteAccessKeyInput{UserName: aws.String("bob"), AccessKeyId: second.AccessKeyId})
	wantCode(t, err, "NoSuchEntity") // it is alice's
}

// TestSecretIsShownOnce: no answer but the first has the secret, and no record has it at all.
func TestSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.user(t, "alice")
	k := e.key(t, "alice")
	r, err := e.opts.Records.Users.Find(t.Context(), "accessKey", *k.AccessKeyId)
	check(t, err)
	if text := jsonOf(t, r.Value); strings.Contains(text, *k.SecretAccessKey) || !strings.Contains(text, *k.AccessKeyId) {
		t.Errorf("the record is %s", text)
	}
}

func TestAccessKeyLastUsed(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	e.user(t, "alice")
	k := e.key(t, "alice")
	ask := func() *types.AccessKeyLastUsed {
		t.Helper()
		out, err := c.GetAccessKeyLastUsed(ctx, &sdk.GetAccessKeyLastUsedInput{AccessKeyId: k.AccessKeyId})
		check(t, err)
		if *out.UserName != "alice" {
			t.Errorf("it is said to be %s's", *out.UserName)
		}
		return out.AccessKeyLastUsed
	}
	if u := ask(); u.LastUsedDate != nil || *u.ServiceName != "N/A" || *u.Region != "N/A" {
		t.Errorf("never used: %+v", u)
	}
	e.advance(time.Second)
	_, err := e.as(*k.AccessKeyId, *k.SecretAccessKey, "").ListUsers(ctx, &sdk.ListUsersInput{})
	check(t, err)
	if u := ask(); u.LastUsedDate == nil || *u.ServiceName != "iam" || *u.Region != region {
		t.Errorf("used: %+v", u)
	}
	_, err = c.GetAccessKeyLastUsed(ctx, &sdk.GetAccessKeyLastUsedInput{AccessKeyId: aws.String("AKIAQQQQQQQQQQQQQQQQ")})
	wantCode(t, err, "NoSuchEntity")
}

// TestSessionToken: temporary keys of a user are the user's for a while, but not for IAM and not for more of them.
func TestSessionToken(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	u := e.user(t, "alice")
	k := e.key(t, "alice")
	out, err := e.sts(*k.AccessKeyId, *k.SecretAccessKey, "").GetSessionToken(ctx, &sdksts.GetSessionTokenInput{DurationSeconds: aws.Int32(900)})
	check(t, err)
	s := out.Credentials
	temporary := e.sts(*s.AccessKeyId, *s.SecretAccessKey, *s.SessionToken)
	who, err := temporary.GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
	if err != nil || *who.Arn != *u.Arn || *who.UserId != *u.UserId {
		t.Fatalf("%+v, %v", who, err)
	}
	_, err = temporary.GetSessionToken(ctx, &sdksts.GetSessionTokenInput{})
	wantError(t, err, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	_, err = e.as(*s.AccessKeyId, *s.SecretAccessKey, *s.SessionToken).ListUsers(ctx, &sdk.ListUsersInput{})
	wantCode(t, err, "AccessDenied")
	_, err = e.sts(*s.AccessKeyId, *s.SecretAccessKey, "").GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
	wantCode(t, err, "InvalidClientTokenId")
	_, err = e.sts(*k.AccessKeyId, *k.SecretAccessKey, *s.SessionToken).GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
	wantCode(t, err, "InvalidClientTokenId")
	e.advance(899 * time.Second)
	if _, err = temporary.GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{}); err != nil {
		t.Errorf("before its end: %v", err)
	}
	e.advance(time.Second)
	_, err = temporary.GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
	wantError(t, err, "ExpiredToken", "The security token included in the request is expired")
}

// TestSessionEndsWithItsUser: a session does not outlive the user, nor is it that of one who has the name later.
func TestSessionEndsWithItsUser(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	e.user(t, "alice")
	k := e.key(t, "alice")
	out, err := e.sts(*k.AccessKeyId, *k.SecretAccessKey, "").GetSessionToken(ctx, &sdksts.GetSessionTokenInput{})
	check(t, err)
	s := out.Credentials
	if want := e.opts.Clock().Add(12 * time.Hour); s.Expiration.Sub(want).Abs() > time.Second {
		t.Errorf("it expires at %v, want %v", s.Expiration, want)
	}
	_, err = e.root().DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: k.AccessKeyId})
	check(t, err)
	who := func() error {
		_, err := e.sts(*s.AccessKeyId, *s.SecretAccessKey, *s.SessionToken).GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
		return err
	}
	check(t, who()) // sessions outlive the key they were begun with
	_, err = e.root().DeleteUser(ctx, &sdk.DeleteUserInput{UserName: aws.String("alice")})
	check(t, err)
	wantCode(t, who(), "InvalidClientTokenId")
	e.user(t, "alice")
	wantCode(t, who(), "InvalidClientTokenId")
}

// TestOwnersSession: the owner's last an hour, whatever is asked for, and the owner is not noted anywhere.
func TestOwnersSession(t *testing.T) {
	t.Parallel()
	e := start(t)
	out, err := e.sts(rootID, rootSecret, "").GetSessionToken(context.Background(), &sdksts.GetSessionTokenInput{DurationSeconds: aws.Int32(40000)})
	check(t, err)
	if want := e.opts.Clock().Add(time.Hour); out.Credentials.Expiration.Sub(want).Abs() > time.Second {
		t.Errorf("it expires at %v, want %v", out.Credentials.Expiration, want)
	}
}
