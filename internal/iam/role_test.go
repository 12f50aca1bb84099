package iam_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

func TestRoleLife(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	made, err := c.CreateRole(ctx, &sdk.CreateRoleInput{
		RoleName: aws.String("Ops"), Path: aws.String("/x/"), Description: aws.String("runs it"), MaxSessionDuration: aws.Int32(7200),
		AssumeRolePolicyDocument: aws.String(trust), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}},
	})
	check(t, err)
	if r := made.Role; *r.Arn != "arn:aws:iam::111122223333:role/x/Ops" || !strings.HasPrefix(*r.RoleId, "AROA") || len(*r.RoleId) != 21 {
		t.Errorf("%+v", r)
	}
	get := func() *types.Role {
		t.Helper()
		out, err := c.GetRole(ctx, &sdk.GetRoleInput{RoleName: aws.String("ops")})
		check(t, err)
		return out.Role
	}
	r := get()
	document, err := url.PathUnescape(*r.AssumeRolePolicyDocument)
	if err != nil || document != trust || *r.MaxSessionDuration != 7200 || *r.Description != "runs it" || len(r.Tags) != 1 || r.RoleLastUsed.LastUsedDate != nil {
		t.Errorf("%+v, %s, %v", r, document, err)
	}
	_, err = c.UpdateRole(ctx, &sdk.UpdateRoleInput{RoleName: aws.String("Ops"), MaxSessionDuration: aws.Int32(3600)})
	check(t, err)
	out, err := c.UpdateRoleDescription(ctx, &sdk.UpdateRoleDescriptionInput{RoleName: aws.String("Ops"), Description: aws.String("other")})
	if err != nil || *out.Role.Description != "other" {
		t.Errorf("%+v, %v", out, err)
	}
	closed := strings.Replace(trust, "Allow", "Deny", 1)
	_, err = c.UpdateAssumeRolePolicy(ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: aws.String("Ops"), PolicyDocument: &closed})
	check(t, err)
	if r := get(); *r.MaxSessionDuration != 3600 || *r.Description != "other" || !strings.Contains(*r.AssumeRolePolicyDocument, "Deny") {
		t.Errorf("%+v", r)
	}
	_, err = c.TagRole(ctx, &sdk.TagRoleInput{RoleName: aws.String("Ops"), Tags: []types.Tag{{Key: aws.String("A"), Value: aws.String("2")}}})
	check(t, err)
	tags, err := c.ListRoleTags(ctx, &sdk.ListRoleTagsInput{RoleName: aws.String("Ops")})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "A" || *tags.Tags[0].Value != "2" {
		t.Errorf("%+v, %v", tags, err)
	}
	_, err = c.UntagRole(ctx, &sdk.UntagRoleInput{RoleName: aws.String("Ops"), TagKeys: []string{"a"}})
	check(t, err)
	listed, err := c.ListRoles(ctx, &sdk.ListRolesInput{PathPrefix: aws.String("/x/")})
	if err != nil || len(listed.Roles) != 1 || *listed.Roles[0].RoleName != "Ops" || listed.Roles[0].Tags != nil {
		t.Errorf("%+v, %v", listed, err)
	}
	profiles, err := c.ListInstanceProfilesForRole(ctx, &sdk.ListInstanceProfilesForRoleInput{RoleName: aws.String("Ops")})
	if err != nil || len(profiles.InstanceProfiles) != 0 {
		t.Errorf("%+v, %v", profiles, err)
	}
	_, err = c.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: aws.String("Ops")})
	check(t, err)
	_, err = c.GetRole(ctx, &sdk.GetRoleInput{RoleName: aws.String("Ops")})
	wantError(t, err, "NoSuchEntity", "The role with name Ops cannot be found.")
	if _, err := time.Parse(time.RFC3339, made.Role.CreateDate.Format(time.RFC3339)); err != nil {
		t.Error(err)
	}
}

func TestRoleErrors(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	create := func(name, document string) error {
		_, err := c.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &document})
		return err
	}
	wantError(t, create("a", "{"), "MalformedPolicyDocument", "This policy contains invalid Json")
	wantCode(t, create("a", readAll), "MalformedPolicyDocument") // it names nobody
	long := strings.Replace(trust, `"Action"`, `"Sid":"`+strings.Repeat("a", 2048)+`","Action"`, 1)
	wantError(t, create("a", long), "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")
	check(t, create("a", strings.ReplaceAll(trust, ",", ",\n"+strings.Repeat(" ", 1000)))) // white space does not count
	wantError(t, create("A", trust), "EntityAlreadyExists", "Role with name A already exists.")
	_, err := c.UpdateAssumeRolePolicy(ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: aws.String("a"), PolicyDocument: &long})
	wantCode(t, err, "LimitExceeded")
}
