package iam_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"
)

// codeOf returns the name of an API error, "" for none.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return err.Error()
}

// together runs functions at the same time and returns the names of their errors.
func together(calls ...func() error) []string {
	codes := make([]string, len(calls))
	begin := make(chan struct{})
	var running sync.WaitGroup
	for i, call := range calls {
		running.Go(func() {
			<-begin
			codes[i] = codeOf(call())
		})
	}
	close(begin)
	running.Wait()
	return codes
}

const rounds = 20

// TestAttachWhileDeleted: a policy is attached, or it is deleted; never both.
func TestAttachWhileDeleted(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	e.user(t, "alice")
	for i := range rounds {
		arn := e.policy(t, fmt.Sprint("p", i))
		codes := together(
			func() error {
				return second(c.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: aws.String("alice"), PolicyArn: arn}))
			},
			func() error { return second(c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: arn})) },
		)
		_, err := c.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: arn})
		attached, lerr := c.ListAttachedUserPolicies(ctx, &sdk.ListAttachedUserPoliciesInput{UserName: aws.String("alice")})
		check(t, lerr)
		exists, is := err == nil, len(attached.AttachedPolicies) == 1
		switch {
		case codes[0] == "" && codes[1] == "DeleteConflict" && exists && is:
			_, err := c.DetachUserPolicy(ctx, &sdk.DetachUserPolicyInput{UserName: aws.String("alice"), PolicyArn: arn})
			check(t, err)
		case codes[0] == "NoSuchEntity" && codes[1] == "" && !exists && !is:
		default:
			t.Fatalf("attach %q, delete %q; then it exists: %v, is attached: %v", codes[0], codes[1], exists, is)
		}
	}
}

// TestJoinWhileDeleted: a user is in a group, or the group is deleted; never both.
func TestJoinWhileDeleted(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	e.user(t, "alice")
	for i := range rounds {
		name := fmt.Sprint("g", i)
		e.group(t, name)
		codes := together(
			func() error {
				return second(c.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{UserName: aws.String("alice"), GroupName: &name}))
			},
			func() error { return second(c.DeleteGroup(ctx, &sdk.DeleteGroupInput{GroupName: &name})) },
		)
		of, err := c.ListGroupsForUser(ctx, &sdk.ListGroupsForUserInput{UserName: aws.String("alice")})
		check(t, err)
		switch is := len(of.Groups) == 1; {
		case codes[0] == "" && codes[1] == "DeleteConflict" && is:
			_, err := c.RemoveUserFromGroup(ctx, &sdk.RemoveUserFromGroupInput{UserName: aws.String("alice"), GroupName: &name})
			check(t, err)
		case codes[0] == "NoSuchEntity" && codes[1] == "" && !is:
		default:
			t.Fatalf("add %q, delete %q; then the user is in it: %v", codes[0], codes[1], is)
		}
	}
}

// TestOneNameOnce: of many who want a name, in any case of letters, one gets it.
func TestOneNameOnce(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	for i := range rounds {
		var calls []func() error
		for _, name := range []string{"team%d", "Team%d", "TEAM%d"} {
			name := fmt.Sprintf(name, i)
			calls = append(calls, func() error { return second(c.CreateUser(ctx, &sdk.CreateUserInput{UserName: &name})) })
		}
		made := 0
		for _, code := range together(calls...) {
			switch code {
			case "":
				made++
			case "EntityAlreadyExists":
			default:
				t.Errorf("CreateUser: %s", code)
			}
		}
		if made != 1 {
			t.Fatalf("%d users have one name", made)
		}
	}
}

// TestTwoWriters: changes of one record by several at once all count, and none of them sees a conflict.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	e.user(t, "alice")
	var calls []func() error
	for i := range 10 {
		calls = append(calls, func() error {
			return second(c.TagUser(ctx, &sdk.TagUserInput{
				UserName: aws.String("alice"), Tags: []types.Tag{{Key: aws.String(fmt.Sprint("k", i)), Value: aws.String("v")}},
			}))
		}, func() error {
			return second(c.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{
				UserName: aws.String("alice"), PolicyName: aws.String(fmt.Sprint("p", i)), PolicyDocument: aws.String(readAll),
			}))
		}, func() error {
			return second(c.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: aws.String("alice")}))
		})
	}
	refused := 0
	for _, code := range together(calls...) {
		switch code {
		case "":
		case "LimitExceeded":
			refused++
		default:
			t.Errorf("a call fails: %s", code)
		}
	}
	user, err := c.GetUser(ctx, &sdk.GetUserInput{UserName: aws.String("alice")})
	check(t, err)
	policies, err := c.ListUserPolicies(ctx, &sdk.ListUserPoliciesInput{UserName: aws.String("alice")})
	check(t, err)
	keys, err := c.ListAccessKeys(ctx, &sdk.ListAccessKeysInput{UserName: aws.String("alice")})
	check(t, err)
	if len(user.User.Tags) != 10 || len(policies.PolicyNames) != 10 || len(keys.AccessKeyMetadata) != 2 || refused != 8 {
		t.Errorf("%d tags, %d policies, %d keys and %d refused", len(user.User.Tags), len(policies.PolicyNames), len(keys.AccessKeyMetadata), refused)
	}
}
