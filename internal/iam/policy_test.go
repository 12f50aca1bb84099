package iam_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/rivus-live/rivus/internal/policy"
	"github.com/rivus-live/rivus/internal/resource"
)

// awkward is a policy whose text does not survive careless encoding.
const awkward = "{\"Version\":\"2012-10-17\",\n\t\"Statement\":[{\"Sid\":\"a1\",\"Effect\":\"Allow\",\"Action\":\"ivs:*\",\"Resource\":\"*\"," +
	"\"Condition\":{\"StringLike\":{\"aws:UserAgent\":\"a+b %0A%2B ü ~&=?#/\"}}}]}"

func TestManagedPolicyLife(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	made, err := c.CreatePolicy(ctx, &sdk.CreatePolicyInput{
		PolicyName: aws.String("Reads"), Path: aws.String("/x/"), PolicyDocument: aws.String(awkward), Description: aws.String("reads"),
		Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}},
	})
	check(t, err)
	p, arn := made.Policy, made.Policy.Arn
	if *arn != "arn:aws:iam::111122223333:policy/x/Reads" || !strings.HasPrefix(*p.PolicyId, "ANPA") || *p.AttachmentCount != 0 ||
		*p.PermissionsBoundaryUsageCount != 0 || *p.DefaultVersionId != "v1" || !p.IsAttachable || p.CreateDate == nil || p.UpdateDate == nil {
		t.Errorf("%+v", p)
	}
	got, err := c.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: arn})
	if err != nil || *got.Policy.Description != "reads" || len(got.Policy.Tags) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	v, err := c.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v1")})
	check(t, err)
	wantDocument(t, *v.PolicyVersion.Document, awkward)

	_, err = c.TagPolicy(ctx, &sdk.TagPolicyInput{PolicyArn: arn, Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}}})
	check(t, err)
	_, err = c.UntagPolicy(ctx, &sdk.UntagPolicyInput{PolicyArn: arn, TagKeys: []string{"A"}})
	check(t, err)
	tags, err := c.ListPolicyTags(ctx, &sdk.ListPolicyTagsInput{PolicyArn: arn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "b" {
		t.Errorf("%+v, %v", tags, err)
	}
	_, err = c.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("reads"), PolicyDocument: aws.String(readAll)})
	wantError(t, err, "EntityAlreadyExists", "A policy called reads already exists. Duplicate names are not allowed.")
	_, err = c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
	check(t, err)
	_, err = c.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: arn})
	wantError(t, err, "NoSuchEntity", "Policy arn:aws:iam::111122223333:policy/x/Reads was not found.")
	_, err = c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
	wantCode(t, err, "NoSuchEntity")
}

// wantDocument checks a document as both kinds of client read it: as a path and as a form.
func wantDocument(tb testing.TB, encoded, want string) {
	tb.Helper()
	path, err1 := url.PathUnescape(encoded)
	form, err2 := url.QueryUnescape(encoded)
	if err1 != nil || err2 != nil || path != want || form != want {
		tb.Errorf("%q, which is %q or %q, want %q", encoded, path, form, want)
	}
}

func TestPolicyVersions(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	arn := e.policy(t, "p")
	create := func(asDefault bool) (*types.PolicyVersion, error) {
		out, err := c.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: aws.String(awkward), SetAsDefault: asDefault})
		if err != nil {
			return nil, err
		}
		return out.PolicyVersion, nil
	}
	for n := 2; n <= 5; n++ {
		v, err := create(n == 3)
		check(t, err)
		if *v.VersionId != fmt.Sprint("v", n) || v.IsDefaultVersion != (n == 3) {
			t.Errorf("%+v", v)
		}
	}
	_, err := create(false)
	wantCode(t, err, "LimitExceeded")
	out, err := c.ListPolicyVersions(ctx, &sdk.ListPolicyVersionsInput{PolicyArn: arn, MaxItems: aws.Int32(3)})
	check(t, err)
	rest, err := c.ListPolicyVersions(ctx, &sdk.ListPolicyVersionsInput{PolicyArn: arn, Marker: out.Marker})
	check(t, err)
	ids := names(append(out.Versions, rest.Versions...), func(v types.PolicyVersion) *string { return v.VersionId })
	if !slices.Equal(ids, []string{"v5", "v4", "v3", "v2", "v1"}) || out.Versions[0].Document != nil {
		t.Errorf("%v", ids)
	}
	_, err = c.DeletePolicyVersion(ctx, &sdk.DeletePolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v3")})
	wantError(t, err, "DeleteConflict", "Cannot delete the default version of a policy.")
	_, err = c.DeletePolicyVersion(ctx, &sdk.DeletePolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v5")})
	check(t, err)
	if v, err := create(false); err != nil || *v.VersionId != "v6" {
		t.Errorf("a number is used twice: %+v, %v", v, err)
	}
	_, err = c.SetDefaultPolicyVersion(ctx, &sdk.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v1")})
	check(t, err)
	got, err := c.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: arn})
	if err != nil || *got.Policy.DefaultVersionId != "v1" {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = c.SetDefaultPolicyVersion(ctx, &sdk.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v5")})
	wantCode(t, err, "NoSuchEntity")
	_, err = c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
	wantCode(t, err, "DeleteConflict")
}

func TestPolicyErrors(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	create := func(document string) error {
		_, err := c.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: &document})
		return err
	}
	wantError(t, create("{"), "MalformedPolicyDocument", "This policy contains invalid Json")
	wantCode(t, create(trust), "MalformedPolicyDocument") // it names principals
	long := strings.Replace(readAll, `"Effect"`, `"Sid":"`+strings.Repeat("a", 6144)+`","Effect"`, 1)
	wantError(t, create(long), "LimitExceeded", "Cannot exceed quota for PolicySize: 6144")
	for _, arn := range []string{"arn:aws:iam::111122223333:user/some/one", "arn:aws:iam::111122223333:policy/", "this is not an ARN at all"} {
		_, err := c.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: &arn})
		wantError(t, err, "ValidationError", "Invalid ARN:  Could not be parsed!")
	}
	_, err := c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: aws.String("arn:aws:iam::aws:policy/IVSFullAccess")})
	wantCode(t, err, "AccessDenied")
}

// TestAWSManagedPolicies: they are there from the start, can be read and attached, and parse.
func TestAWSManagedPolicies(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	e.user(t, "alice")
	out, err := c.ListPolicies(ctx, &sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeAws})
	check(t, err)
	found := names(out.Policies, func(p types.Policy) *string { return p.PolicyName })
	if !slices.Equal(found, []string{"AdministratorAccess", "IVSFullAccess", "IVSReadOnlyAccess", "ReadOnlyAccess"}) {
		t.Errorf("%v", found)
	}
	for _, p := range out.Policies {
		_, err := c.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: aws.String("alice"), PolicyArn: p.Arn})
		check(t, err)
		got, err := c.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyArn: p.Arn, VersionId: p.DefaultVersionId})
		check(t, err)
		document, err := url.PathUnescape(*got.PolicyVersion.Document)
		check(t, err)
		if _, err := policy.Parse(document, policy.Identity); err != nil {
			t.Errorf("%s: %v", *p.Arn, err)
		}
	}
	for _, p := range resource.AWSManagedPolicies() {
		if len(p.ID) != 21 {
			t.Errorf("%s has the ID %s", p.Name, p.ID)
		}
	}
	own := e.policy(t, "IVSFullAccess") // one may have the name
	_, err = c.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: aws.String("alice"), PolicyArn: own})
	check(t, err)
	attached, err := c.ListAttachedUserPolicies(ctx, &sdk.ListAttachedUserPoliciesInput{UserName: aws.String("alice"), MaxItems: aws.Int32(2)})
	check(t, err)
	rest, err := c.ListAttachedUserPolicies(ctx, &sdk.ListAttachedUserPoliciesInput{UserName: aws.String("alice"), Marker: attached.Marker})
	check(t, err)
	if len(attached.AttachedPolicies) != 2 || len(rest.AttachedPolicies) != 3 || *attached.AttachedPolicies[1].PolicyArn != *own {
		t.Errorf("%+v, then %+v", attached.AttachedPolicies, rest.AttachedPolicies)
	}
}

func TestListPolicies(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	b, a := e.policy(t, "bbb"), e.policy(t, "aaa")
	e.group(t, "g")
	_, err := c.AttachGroupPolicy(ctx, &sdk.AttachGroupPolicyInput{GroupName: aws.String("g"), PolicyArn: b})
	check(t, err)
	_, err = c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("alice"), PermissionsBoundary: a})
	check(t, err)
	list := func(in *sdk.ListPoliciesInput) []string {
		t.Helper()
		out, err := c.ListPolicies(ctx, in)
		check(t, err)
		return names(out.Policies, func(p types.Policy) *string { return p.PolicyName })
	}
	for _, c := range []struct {
		in   sdk.ListPoliciesInput
		want []string
	}{
		{sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal}, []string{"aaa", "bbb"}},
		{sdk.ListPoliciesInput{OnlyAttached: true}, []string{"bbb"}},
		{sdk.ListPoliciesInput{PolicyUsageFilter: types.PolicyUsageTypePermissionsBoundary}, []string{"aaa"}},
		{sdk.ListPoliciesInput{PolicyUsageFilter: types.PolicyUsageTypePermissionsPolicy}, []string{"bbb"}},
		{sdk.ListPoliciesInput{PathPrefix: aws.String("/none/")}, []string{}},
		{sdk.ListPoliciesInput{MaxItems: aws.Int32(2)}, []string{"aaa", "AdministratorAccess"}},
	} {
		if got := list(&c.in); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.in, got, c.want)
		}
	}
	got, err := c.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: b})
	if err != nil || *got.Policy.AttachmentCount != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: a})
	wantError(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
}

func TestListEntitiesForPolicy(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	arn := e.policy(t, "p")
	e.user(t, "bob")
	e.user(t, "alice")
	e.role(t, "ops")
	e.group(t, "editors")
	for _, err := range []error{
		second(c.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: aws.String("bob"), PolicyArn: arn})),
		second(c.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: aws.String("alice"), PolicyArn: arn})),
		second(c.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: aws.String("ops"), PolicyArn: arn})),
		second(c.AttachGroupPolicy(ctx, &sdk.AttachGroupPolicyInput{GroupName: aws.String("editors"), PolicyArn: arn})),
		second(c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("carol"), PermissionsBoundary: arn})),
	} {
		check(t, err)
	}
	text := func(out *sdk.ListEntitiesForPolicyOutput) string {
		var all []string
		for _, g := range out.PolicyGroups {
			all = append(all, *g.GroupName)
		}
		for _, r := range out.PolicyRoles {
			all = append(all, *r.RoleName)
		}
		for _, u := range out.PolicyUsers {
			all = append(all, *u.UserName)
		}
		return strings.Join(all, " ")
	}
	for _, test := range []struct {
		in   sdk.ListEntitiesForPolicyInput
		want string
	}{
		{sdk.ListEntitiesForPolicyInput{}, "editors ops alice bob carol"},
		{sdk.ListEntitiesForPolicyInput{EntityFilter: types.EntityTypeUser}, "alice bob carol"},
		{sdk.ListEntitiesForPolicyInput{PolicyUsageFilter: types.PolicyUsageTypePermissionsBoundary}, "carol"},
		{sdk.ListEntitiesForPolicyInput{PolicyUsageFilter: types.PolicyUsageTypePermissionsPolicy, EntityFilter: types.EntityTypeUser}, "alice bob"},
		{sdk.ListEntitiesForPolicyInput{PathPrefix: aws.String("/none/")}, ""},
	} {
		test.in.PolicyArn = arn
		out, err := c.ListEntitiesForPolicy(ctx, &test.in)
		check(t, err)
		if got := text(out); got != test.want {
			t.Errorf("%+v: %s, want %s", test.in, got, test.want)
		}
	}
	first, err := c.ListEntitiesForPolicy(ctx, &sdk.ListEntitiesForPolicyInput{PolicyArn: arn, MaxItems: aws.Int32(3)})
	check(t, err)
	rest, err := c.ListEntitiesForPolicy(ctx, &sdk.ListEntitiesForPolicyInput{PolicyArn: arn, Marker: first.Marker})
	check(t, err)
	if text(first) != "editors ops alice" || text(rest) != "bob carol" {
		t.Errorf("%s, then %s", text(first), text(rest))
	}
}

// second drops the first of two results.
func second[T any](_ T, err error) error { return err }
