package iam_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
)

// owner is a type of resource that has policies, with the calls about them.
type owner struct {
	kind, quota string
	room        int
	make        func(tb testing.TB, e *env, name string)
	put         func(ctx context.Context, c *sdk.Client, name, policy, document string) error
	get         func(ctx context.Context, c *sdk.Client, name, policy string) (string, error)
	list        func(ctx context.Context, c *sdk.Client, name string, marker *string, items *int32) ([]string, *string, error)
	remove      func(ctx context.Context, c *sdk.Client, name, policy string) error
	attach      func(ctx context.Context, c *sdk.Client, name, arn string) error
	detach      func(ctx context.Context, c *sdk.Client, name, arn string) error
	delete      func(ctx context.Context, c *sdk.Client, name string) error
}

func owners() []owner {
	return []owner{userOwner(), groupOwner(), roleOwner()}
}

func userOwner() owner {
	return owner{
		kind: "user", quota: "PoliciesPerUser", room: 2048,
		make: func(tb testing.TB, e *env, name string) { tb.Helper(); e.user(tb, name) },
		put: func(ctx context.Context, c *sdk.Client, name, policy, document string) error {
			return second(c.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: &name, PolicyName: &policy, PolicyDocument: &document}))
		},
		get: func(ctx context.Context, c *sdk.Client, name, policy string) (string, error) {
			out, err := c.GetUserPolicy(ctx, &sdk.GetUserPolicyInput{UserName: &name, PolicyName: &policy})
			if err != nil {
				return "", err
			}
			return *out.PolicyDocument, nil
		},
		list: func(ctx context.Context, c *sdk.Client, name string, marker *string, items *int32) ([]string, *string, error) {
			out, err := c.ListUserPolicies(ctx, &sdk.ListUserPoliciesInput{UserName: &name, Marker: marker, MaxItems: items})
			if err != nil {
				return nil, nil, err
			}
			return out.PolicyNames, out.Marker, nil
		},
		remove: func(ctx context.Context, c *sdk.Client, name, policy string) error {
			return second(c.DeleteUserPolicy(ctx, &sdk.DeleteUserPolicyInput{UserName: &name, PolicyName: &policy}))
		},
		attach: func(ctx context.Context, c *sdk.Client, name, arn string) error {
			return second(c.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: &name, PolicyArn: &arn}))
		},
		detach: func(ctx context.Context, c *sdk.Client, name, arn string) error {
			return second(c.DetachUserPolicy(ctx, &sdk.DetachUserPolicyInput{UserName: &name, PolicyArn: &arn}))
		},
		delete: func(ctx context.Context, c *sdk.Client, name string) error {
			return second(c.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: &name}))
		},
	}
}

func groupOwner() owner {
	return owner{
		kind: "group", quota: "PoliciesPerGroup", room: 5120,
		make: func(tb testing.TB, e *env, name string) { tb.Helper(); e.group(tb, name) },
		put: func(ctx context.Context, c *sdk.Client, name, policy, document string) error {
			return second(c.PutGroupPolicy(ctx, &sdk.PutGroupPolicyInput{GroupName: &name, PolicyName: &policy, PolicyDocument: &document}))
		},
		get: func(ctx context.Context, c *sdk.Client, name, policy string) (string, error) {
			out, err := c.GetGroupPolicy(ctx, &sdk.GetGroupPolicyInput{GroupName: &name, PolicyName: &policy})
			if err != nil {
				return "", err
			}
			return *out.PolicyDocument, nil
		},
		list: func(ctx context.Context, c *sdk.Client, name string, marker *string, items *int32) ([]string, *string, error) {
			out, err := c.ListGroupPolicies(ctx, &sdk.ListGroupPoliciesInput{GroupName: &name, Marker: marker, MaxItems: items})
			if err != nil {
				return nil, nil, err
			}
			return out.PolicyNames, out.Marker, nil
		},
		remove: func(ctx context.Context, c *sdk.Client, name, policy string) error {
			return second(c.DeleteGroupPolicy(ctx, &sdk.DeleteGroupPolicyInput{GroupName: &name, PolicyName: &policy}))
		},
		attach: func(ctx context.Context, c *sdk.Client, name, arn string) error {
			return second(c.AttachGroupPolicy(ctx, &sdk.AttachGroupPolicyInput{GroupName: &name, PolicyArn: &arn}))
		},
		detach: func(ctx context.Context, c *sdk.Client, name, arn string) error {
			return second(c.DetachGroupPolicy(ctx, &sdk.DetachGroupPolicyInput{GroupName: &name, PolicyArn: &arn}))
		},
		delete: func(ctx context.Context, c *sdk.Client, name string) error {
			return second(c.DeleteGroup(ctx, &sdk.DeleteGroupInput{GroupName: &name}))
		},
	}
}

func roleOwner() owner {
	return owner{
		kind: "role", quota: "PoliciesPerRole", room: 10240,
		make: func(tb testing.TB, e *env, name string) { tb.Helper(); e.role(tb, name) },
		put: func(ctx context.Context, c *sdk.Client, name, policy, document string) error {
			return second(c.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: &name, PolicyName: &policy, PolicyDocument: &document}))
		},
		get: func(ctx context.Context, c *sdk.Client, name, policy string) (string, error) {
			out, err := c.GetRolePolicy(ctx, &sdk.GetRolePolicyInput{RoleName: &name, PolicyName: &policy})
			if err != nil {
				return "", err
			}
			return *out.PolicyDocument, nil
		},
		list: func(ctx context.Context, c *sdk.Client, name string, marker *string, items *int32) ([]string, *string, error) {
			out, err := c.ListRolePolicies(ctx, &sdk.ListRolePoliciesInput{RoleName: &name, Marker: marker, MaxItems: items})
			if err != nil {
				return nil, nil, err
			}
			return out.PolicyNames, out.Marker, nil
		},
		remove: func(ctx context.Context, c *sdk.Client, name, policy string) error {
			return second(c.DeleteRolePolicy(ctx, &sdk.DeleteRolePolicyInput{RoleName: &name, PolicyName: &policy}))
		},
		attach: func(ctx context.Context, c *sdk.Client, name, arn string) error {
			return second(c.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: &name, PolicyArn: &arn}))
		},
		detach: func(ctx context.Context, c *sdk.Client, name, arn string) error {
			return second(c.DetachRolePolicy(ctx, &sdk.DetachRolePolicyInput{RoleName: &name, PolicyArn: &arn}))
		},
		delete: func(ctx context.Context, c *sdk.Client, name string) error {
			return second(c.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: &name}))
		},
	}
}

func TestInlinePolicies(t *testing.T) {
	t.Parallel()
	for _, o := range owners() {
		t.Run(o.kind, func(t *testing.T) {
			t.Parallel()
			e, ctx := start(t), t.Context()
			c := e.root()
			o.make(t, e, "Ann")
			for _, name := range []string{"c", "a", "b"} {
				check(t, o.put(ctx, c, "ann", name, readAll))
			}
			check(t, o.put(ctx, c, "Ann", "b", awkward)) // in the place of the other
			document, err := o.get(ctx, c, "Ann", "b")
			check(t, err)
			wantDocument(t, document, awkward)
			first, marker, err := o.list(ctx, c, "Ann", nil, aws.Int32(2))
			check(t, err)
			rest, none, err := o.list(ctx, c, "Ann", marker, nil)
			check(t, err)
			if !slices.Equal(append(first, rest...), []string{"a", "b", "c"}) || len(first) != 2 || none != nil {
				t.Errorf("%v, then %v", first, rest)
			}
			wantCode(t, o.delete(ctx, c, "Ann"), "DeleteConflict")
			for _, name := range []string{"a", "b", "c"} {
				check(t, o.remove(ctx, c, "Ann", name))
			}
			missing := "The " + o.kind + " policy with name a cannot be found."
			wantError(t, o.remove(ctx, c, "Ann", "a"), "NoSuchEntity", missing)
			_, err = o.get(ctx, c, "Ann", "a")
			wantError(t, err, "NoSuchEntity", missing)
			check(t, o.delete(ctx, c, "Ann"))
			wantCode(t, o.put(ctx, c, "Ann", "a", readAll), "NoSuchEntity")
		})
	}
}

func TestInlinePolicyErrors(t *testing.T) {
	t.Parallel()
	for _, o := range owners() {
		t.Run(o.kind, func(t *testing.T) {
			t.Parallel()
			e, ctx := start(t), t.Context()
			c := e.root()
			o.make(t, e, "ann")
			wantError(t, o.put(ctx, c, "ann", "p", "x"), "MalformedPolicyDocument", "This policy contains invalid Json")
			wantCode(t, o.put(ctx, c, "ann", "p", `{"Version":"2012-10-17"}`), "MalformedPolicyDocument")
			half := strings.Replace(readAll, `"Effect"`, `"Sid":"`+strings.Repeat("a", o.room/2)+`","Effect"`, 1)
			check(t, o.put(ctx, c, "ann", "p", half))
			check(t, o.put(ctx, c, "ann", "p", half)) // itself is not in its way
			wantCode(t, o.put(ctx, c, "ann", "q", half), "LimitExceeded")
			if all, _, err := o.list(ctx, c, "ann", nil, nil); err != nil || len(all) != 1 {
				t.Errorf("%v, %v", all, err)
			}
		})
	}
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	for _, o := range owners() {
		t.Run(o.kind, func(t *testing.T) {
			t.Parallel()
			e, ctx := start(t), t.Context()
			c := e.root()
			o.make(t, e, "ann")
			arn := *e.policy(t, "p")
			check(t, o.attach(ctx, c, "ann", arn))
			check(t, o.attach(ctx, c, "ann", arn)) // once more
			_, err := c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: &arn})
			wantError(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
			wantCode(t, o.delete(ctx, c, "ann"), "DeleteConflict")
			check(t, o.detach(ctx, c, "ann", arn))
			wantError(t, o.detach(ctx, c, "ann", arn), "NoSuchEntity", "Policy "+arn+" was not found.")
			for _, unknown := range []string{
				"arn:aws:iam::111122223333:policy/none", "arn:aws:iam::999922223333:policy/p", "arn:aws:iam::aws:policy/none",
				"arn:aws:iam::111122223333:policy/P", "arn:aws:iam::111122223333:policy/x/p",
			} {
				wantError(t, o.attach(ctx, c, "ann", unknown), "NoSuchEntity", "Policy "+unknown+" does not exist or is not attachable.")
			}
			wantError(t, o.attach(ctx, c, "ann", "arn:aws:ivs:us-west-2:111122223333:x"), "ValidationError", "Invalid ARN:  Could not be parsed!")
			wantCode(t, o.attach(ctx, c, "nobody", arn), "NoSuchEntity")
			for i := range 11 {
				err = o.attach(ctx, c, "ann", *e.policy(t, "p"+string(rune('a'+i))))
				if i < 10 {
					check(t, err)
				}
			}
			wantError(t, err, "LimitExceeded", "Cannot exceed quota for "+o.quota+": 10")
		})
	}
}
