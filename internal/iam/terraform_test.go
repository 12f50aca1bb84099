package iam_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// What is here are the calls of Terraform's resources in their order (spec errata.md A3): create, read, update, import, which
// is a read by name, and destroy.

func TestTerraformUser(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	read := func(name string) *types.User {
		t.Helper()
		out, err := c.GetUser(ctx, &sdk.GetUserInput{UserName: &name})
		check(t, err)
		return out.User
	}
	_, err := c.CreateUser(ctx, &sdk.CreateUserInput{
		UserName: aws.String("tf"), Path: aws.String("/"), Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("ci")}},
	})
	check(t, err)
	if u := read("tf"); len(u.Tags) != 1 || *u.Tags[0].Key != "env" || u.PermissionsBoundary != nil {
		t.Errorf("%+v", u)
	}
	_, err = c.UpdateUser(ctx, &sdk.UpdateUserInput{UserName: aws.String("tf"), NewUserName: aws.String("tf2"), NewPath: aws.String("/x/")})
	check(t, err)
	_, err = c.UntagUser(ctx, &sdk.UntagUserInput{UserName: aws.String("tf2"), TagKeys: []string{"env"}})
	check(t, err)
	_, err = c.TagUser(ctx, &sdk.TagUserInput{UserName: aws.String("tf2"), Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("prod")}}})
	check(t, err)
	if u := read("tf2"); *u.Tags[0].Value != "prod" || *u.Path != "/x/" {
		t.Errorf("%+v", u)
	}
	e.key(t, "tf2")
	destroyUser(t, c, "tf2")
	_, err = c.GetUser(ctx, &sdk.GetUserInput{UserName: aws.String("tf2")})
	wantCode(t, err, "NoSuchEntity")
}

// destroyUser is a destroy with force_destroy: everything is asked for that a user may have, and only NoSuchEntity is
// passed over.
func destroyUser(t *testing.T, c *sdk.Client, name string) {
	t.Helper()
	ctx := t.Context()
	groups, err := c.ListGroupsForUser(ctx, &sdk.ListGroupsForUserInput{UserName: &name})
	check(t, err)
	for _, g := range groups.Groups {
		_, err := c.RemoveUserFromGroup(ctx, &sdk.RemoveUserFromGroupInput{UserName: &name, GroupName: g.GroupName})
		check(t, err)
	}
	keys, err := c.ListAccessKeys(ctx, &sdk.ListAccessKeysInput{UserName: &name})
	check(t, err)
	for _, k := range keys.AccessKeyMetadata {
		_, err := c.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{UserName: &name, AccessKeyId: k.AccessKeyId})
		check(t, err)
	}
	ssh, err := c.ListSSHPublicKeys(ctx, &sdk.ListSSHPublicKeysInput{UserName: &name})
	check(t, err)
	virtual, err := c.ListVirtualMFADevices(ctx, &sdk.ListVirtualMFADevicesInput{AssignmentStatus: types.AssignmentStatusTypeAssigned})
	check(t, err)
	mfa, err := c.ListMFADevices(ctx, &sdk.ListMFADevicesInput{UserName: &name})
	check(t, err)
	_, err = c.DeleteLoginProfile(ctx, &sdk.DeleteLoginProfileInput{UserName: &name})
	wantError(t, err, "NoSuchEntity", "Login Profile for User "+name+" cannot be found.")
	certificates, err := c.ListSigningCertificates(ctx, &sdk.ListSigningCertificatesInput{UserName: &name})
	check(t, err)
	services, err := c.ListServiceSpecificCredentials(ctx, &sdk.ListServiceSpecificCredentialsInput{UserName: &name})
	check(t, err)
	if n := len(ssh.SSHPublicKeys) + len(virtual.VirtualMFADevices) + len(mfa.MFADevices) + len(certificates.Certificates) + len(services.ServiceSpecificCredentials); n != 0 {
		t.Errorf("the user has %d things that nobody can have here", n)
	}
	_, err = c.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: &name})
	check(t, err)
}

func TestTerraformUserPolicyAndKey(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	e.user(t, "tf")
	put := &sdk.PutUserPolicyInput{UserName: aws.String("tf"), PolicyName: aws.String("p"), PolicyDocument: aws.String(readAll)}
	get := &sdk.GetUserPolicyInput{UserName: aws.String("tf"), PolicyName: aws.String("p")}
	_, err := c.GetUserPolicy(ctx, get)
	wantCode(t, err, "NoSuchEntity")
	for _, document := range []string{readAll, awkward} {
		put.PolicyDocument = &document
		_, err := c.PutUserPolicy(ctx, put)
		check(t, err)
		out, err := c.GetUserPolicy(ctx, get)
		check(t, err)
		wantDocument(t, *out.PolicyDocument, document)
	}
	k := e.key(t, "tf")
	_, err = c.UpdateAccessKey(ctx, &sdk.UpdateAccessKeyInput{UserName: aws.String("tf"), AccessKeyId: k.AccessKeyId, Status: types.StatusTypeInactive})
	check(t, err)
	listed, err := c.ListAccessKeys(ctx, &sdk.ListAccessKeysInput{UserName: aws.String("tf")})
	if err != nil || listed.AccessKeyMetadata[0].Status != types.StatusTypeInactive {
		t.Errorf("%+v, %v", listed, err)
	}
	_, err = c.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{UserName: aws.String("tf"), AccessKeyId: k.AccessKeyId})
	check(t, err)
	_, err = c.DeleteUserPolicy(ctx, &sdk.DeleteUserPolicyInput{UserName: aws.String("tf"), PolicyName: aws.String("p")})
	check(t, err)
	_, err = c.DeleteUserPolicy(ctx, &sdk.DeleteUserPolicyInput{UserName: aws.String("tf"), PolicyName: aws.String("p")})
	wantCode(t, err, "NoSuchEntity")
	destroyUser(t, c, "tf")
}

func TestTerraformRole(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	name := aws.String("tf")
	_, err := c.CreateRole(ctx, &sdk.CreateRoleInput{
		RoleName: name, Path: aws.String("/"), AssumeRolePolicyDocument: aws.String(trust), MaxSessionDuration: aws.Int32(3600),
	})
	check(t, err)
	read := func() *types.Role {
		t.Helper()
		out, err := c.GetRole(ctx, &sdk.GetRoleInput{RoleName: name})
		check(t, err)
		inline, err := c.ListRolePolicies(ctx, &sdk.ListRolePoliciesInput{RoleName: name})
		check(t, err)
		for _, p := range inline.PolicyNames {
			_, err := c.GetRolePolicy(ctx, &sdk.GetRolePolicyInput{RoleName: name, PolicyName: &p})
			check(t, err)
		}
		_, err = c.ListAttachedRolePolicies(ctx, &sdk.ListAttachedRolePoliciesInput{RoleName: name})
		check(t, err)
		return out.Role
	}
	wantDocument(t, *read().AssumeRolePolicyDocument, trust)
	_, err = c.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("in"), PolicyDocument: aws.String(readAll)})
	check(t, err)
	arn := e.policy(t, "managed")
	_, err = c.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: name, PolicyArn: arn})
	check(t, err)
	_, err = c.UpdateRole(ctx, &sdk.UpdateRoleInput{RoleName: name, MaxSessionDuration: aws.Int32(7200)})
	check(t, err)
	_, err = c.UpdateRoleDescription(ctx, &sdk.UpdateRoleDescriptionInput{RoleName: name, Description: aws.String("d")})
	check(t, err)
	_, err = c.UpdateAssumeRolePolicy(ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String(trust + "\n")})
	check(t, err)
	if r := read(); *r.MaxSessionDuration != 7200 || *r.Description != "d" || *r.Path != "/" {
		t.Errorf("%+v", r)
	}
	_, err = c.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: name})
	wantCode(t, err, "DeleteConflict") // which is tried again when the policies are off
	_, err = c.DeleteRolePolicy(ctx, &sdk.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("in")})
	check(t, err)
	_, err = c.DetachRolePolicy(ctx, &sdk.DetachRolePolicyInput{RoleName: name, PolicyArn: arn})
	check(t, err)
	profiles, err := c.ListInstanceProfilesForRole(ctx, &sdk.ListInstanceProfilesForRoleInput{RoleName: name})
	if err != nil || len(profiles.InstanceProfiles) != 0 {
		t.Errorf("%+v, %v", profiles, err)
	}
	_, err = c.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: name})
	check(t, err)
	_, err = c.GetRole(ctx, &sdk.GetRoleInput{RoleName: name})
	wantCode(t, err, "NoSuchEntity")
}
