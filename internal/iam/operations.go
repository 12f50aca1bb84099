package iam

import (
	"strings"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/resource"
)

// Operations returns the rows of the service. Most name what they touch by its name; which path and tags it has, on which the
// decision depends, their handlers say.
func (s *Service) Operations() []awsapi.Operation {
	rows := s.userOperations()
	rows = append(rows, s.keyOperations()...)
	rows = append(rows, s.userPolicyOperations()...)
	rows = append(rows, s.groupOperations()...)
	rows = append(rows, s.groupPolicyOperations()...)
	rows = append(rows, s.roleOperations()...)
	rows = append(rows, s.rolePolicyOperations()...)
	rows = append(rows, s.policyOperations()...)
	rows = append(rows, s.versionOperations()...)
	rows = append(rows, s.simulateOperations()...)
	return append(rows, s.leftoverOperations()...)
}

// row makes the row of an operation on one resource.
func row[In, Out any, I awsapi.Input[In], O awsapi.Output[Out]](
	name string, h handler[In, Out], target func(*In) awsapi.Target,
) awsapi.Operation {
	return awsapi.Op[In, Out, I, O](name, permanent(h), func(in *In) []awsapi.Target { return []awsapi.Target{target(in)} })
}

// list makes the row of an operation on all resources of a type.
func list[In, Out any, I awsapi.Input[In], O awsapi.Output[Out]](name, kind string, h handler[In, Out]) awsapi.Operation {
	return row[In, Out, I, O](name, h, func(*In) awsapi.Target { return awsapi.Target{Type: kind} })
}

// What requests name.

func userNamed(name string) awsapi.Target  { return awsapi.ByName(resource.KindUser, nil, name) }
func groupNamed(name string) awsapi.Target { return awsapi.ByName(resource.KindGroup, nil, name) }
func roleNamed(name string) awsapi.Target  { return awsapi.ByName(resource.KindRole, nil, name) }

// caller is userNamed for a name that may be missing: then it is the caller.
func caller(name *string) awsapi.Target { return userNamed(restjson.Value(name)) }

// tagged returns a target of a request that gives it tags.
func tagged(t awsapi.Target, tags []Tag) awsapi.Target {
	t.RequestTags, _ = tagsOf(tags) // the handler says what is wrong with them
	return t
}

// untagged returns a target of a request that takes tags away.
func untagged(t awsapi.Target, keys []string) awsapi.Target {
	t.TagKeys = keys
	return t
}

// fresh returns what a request wants to make.
func fresh(kind string, path *string, name string, tags []Tag) awsapi.Target {
	return tagged(awsapi.Named(kind, nil, strings.TrimPrefix(pathOf(path), "/")+name), tags)
}

// byARN returns what a request names by ARN. What is wrong with it the handler says.
func byARN(kind, text string) awsapi.Target {
	if _, is, _, err := parseARN(text); err != nil || kind != "" && is != kind {
		return awsapi.Target{Type: kind}.Later()
	}
	return awsapi.Targets(kind, nil, text)[0]
}

func policyARN(text string) awsapi.Target { return byARN(resource.KindPolicy, text) }

func (s *Service) userOperations() []awsapi.Operation {
	return []awsapi.Operation{
		row("CreateUser", s.CreateUser, func(in *CreateUserRequest) awsapi.Target {
			return fresh(resource.KindUser, in.Path, in.UserName, in.Tags)
		}),
		row("GetUser", s.GetUser, func(in *GetUserRequest) awsapi.Target { return caller(in.UserName) }),
		row("UpdateUser", s.UpdateUser, func(in *UpdateUserRequest) awsapi.Target { return userNamed(in.UserName) }),
		list("ListUsers", resource.KindUser, s.ListUsers),
		row("DeleteUser", s.DeleteUser, func(in *DeleteUserRequest) awsapi.Target { return userNamed(in.UserName) }),
		row("TagUser", s.TagUser, func(in *TagUserRequest) awsapi.Target { return tagged(userNamed(in.UserName), in.Tags) }),
		row("UntagUser", s.UntagUser, func(in *UntagUserRequest) awsapi.Target { return untagged(userNamed(in.UserName), in.TagKeys) }),
		row("ListUserTags", s.ListUserTags, func(in *ListUserTagsRequest) awsapi.Target { return userNamed(in.UserName) }),
		row("ListGroupsForUser", s.ListGroupsForUser, func(in *ListGroupsForUserRequest) awsapi.Target { return userNamed(in.UserName) }),
	}
}

func (s *Service) keyOperations() []awsapi.Operation {
	return []awsapi.Operation{
		row("CreateAccessKey", s.CreateAccessKey, func(in *CreateAccessKeyRequest) awsapi.Target { return caller(in.UserName) }),
		row("ListAccessKeys", s.ListAccessKeys, func(in *ListAccessKeysRequest) awsapi.Target { return caller(in.UserName) }),
		row("UpdateAccessKey", s.UpdateAccessKey, func(in *UpdateAccessKeyRequest) awsapi.Target { return caller(in.UserName) }),
		row("DeleteAccessKey", s.DeleteAccessKey, func(in *DeleteAccessKeyRequest) awsapi.Target { return caller(in.UserName) }),
		row("GetAccessKeyLastUsed", s.GetAccessKeyLastUsed, func(in *GetAccessKeyLastUsedRequest) awsapi.Target { return s.keyOwner(in.AccessKeyId) }),
	}
}

func (s *Service) userPolicyOperations() []awsapi.Operation {
	return []awsapi.Operation{
		row("PutUserPolicy", s.PutUserPolicy, func(in *PutUserPolicyRequest) awsapi.Target { return userNamed(in.UserName) }),
		row("GetUserPolicy", s.GetUserPolicy, func(in *GetUserPolicyRequest) awsapi.Target { return userNamed(in.UserName) }),
		row("ListUserPolicies", s.ListUserPolicies, func(in *ListUserPoliciesRequest) awsapi.Target { return userNamed(in.UserName) }),
		row("DeleteUserPolicy", s.DeleteUserPolicy, func(in *DeleteUserPolicyRequest) awsapi.Target { return userNamed(in.UserName) }),
		row("AttachUserPolicy", s.AttachUserPolicy, func(in *AttachUserPolicyRequest) awsapi.Target { return userNamed(in.UserName) }),
		row("DetachUserPolicy", s.DetachUserPolicy, func(in *DetachUserPolicyRequest) awsapi.Target { return userNamed(in.UserName) }),
		row("ListAttachedUserPolicies", s.ListAttachedUserPolicies, func(in *ListAttachedUserPoliciesRequest) awsapi.Target { return userNamed(in.UserName) }),
	}
}

func (s *Service) groupOperations() []awsapi.Operation {
	return []awsapi.Operation{
		row("CreateGroup", s.CreateGroup, func(in *CreateGroupRequest) awsapi.Target {
			return fresh(resource.KindGroup, in.Path, in.GroupName, nil)
		}),
		row("GetGroup", s.GetGroup, func(in *GetGroupRequest) awsapi.Target { return groupNamed(in.GroupName) }),
		row("UpdateGroup", s.UpdateGroup, func(in *UpdateGroupRequest) awsapi.Target { return groupNamed(in.GroupName) }),
		list("ListGroups", resource.KindGroup, s.ListGroups),
		row("DeleteGroup", s.DeleteGroup, func(in *DeleteGroupRequest) awsapi.Target { return groupNamed(in.GroupName) }),
		row("AddUserToGroup", s.AddUserToGroup, func(in *AddUserToGroupRequest) awsapi.Target { return groupNamed(in.GroupName) }),
		row("RemoveUserFromGroup", s.RemoveUserFromGroup, func(in *RemoveUserFromGroupRequest) awsapi.Target { return groupNamed(in.GroupName) }),
	}
}

func (s *Service) groupPolicyOperations() []awsapi.Operation {
	return []awsapi.Operation{
		row("PutGroupPolicy", s.PutGroupPolicy, func(in *PutGroupPolicyRequest) awsapi.Target { return groupNamed(in.GroupName) }),
		row("GetGroupPolicy", s.GetGroupPolicy, func(in *GetGroupPolicyRequest) awsapi.Target { return groupNamed(in.GroupName) }),
		row("ListGroupPolicies", s.ListGroupPolicies, func(in *ListGroupPoliciesRequest) awsapi.Target { return groupNamed(in.GroupName) }),
		row("DeleteGroupPolicy", s.DeleteGroupPolicy, func(in *DeleteGroupPolicyRequest) awsapi.Target { return groupNamed(in.GroupName) }),
		row("AttachGroupPolicy", s.AttachGroupPolicy, func(in *AttachGroupPolicyRequest) awsapi.Target { return groupNamed(in.GroupName) }),
		row("DetachGroupPolicy", s.DetachGroupPolicy, func(in *DetachGroupPolicyRequest) awsapi.Target { return groupNamed(in.GroupName) }),
		row("ListAttachedGroupPolicies", s.ListAttachedGroupPolicies, func(in *ListAttachedGroupPoliciesRequest) awsapi.Target { return groupNamed(in.GroupName) }),
	}
}

func (s *Service) roleOperations() []awsapi.Operation {
	return []awsapi.Operation{
		row("CreateRole", s.CreateRole, func(in *CreateRoleRequest) awsapi.Target {
			return fresh(resource.KindRole, in.Path, in.RoleName, in.Tags)
		}),
		row("GetRole", s.GetRole, func(in *GetRoleRequest) awsapi.Target { return roleNamed(in.RoleName) }),
		row("UpdateRole", s.UpdateRole, func(in *UpdateRoleRequest) awsapi.Target { return roleNamed(in.RoleName) }),
		row("UpdateRoleDescription", s.UpdateRoleDescription, func(in *UpdateRoleDescriptionRequest) awsapi.Target { return roleNamed(in.RoleName) }),
		row("UpdateAssumeRolePolicy", s.UpdateAssumeRolePolicy, func(in *UpdateAssumeRolePolicyRequest) awsapi.Target { return roleNamed(in.RoleName) }),
		list("ListRoles", resource.KindRole, s.ListRoles),
		row("DeleteRole", s.DeleteRole, func(in *DeleteRoleRequest) awsapi.Target { return roleNamed(in.RoleName) }),
		row("TagRole", s.TagRole, func(in *TagRoleRequest) awsapi.Target { return tagged(roleNamed(in.RoleName), in.Tags) }),
		row("UntagRole", s.UntagRole, func(in *UntagRoleRequest) awsapi.Target { return untagged(roleNamed(in.RoleName), in.TagKeys) }),
		row("ListRoleTags", s.ListRoleTags, func(in *ListRoleTagsRequest) awsapi.Target { return roleNamed(in.RoleName) }),
	}
}

func (s *Service) rolePolicyOperations() []awsapi.Operation {
	return []awsapi.Operation{
		row("PutRolePolicy", s.PutRolePolicy, func(in *PutRolePolicyRequest) awsapi.Target { return roleNamed(in.RoleName) }),
		row("GetRolePolicy", s.GetRolePolicy, func(in *GetRolePolicyRequest) awsapi.Target { return roleNamed(in.RoleName) }),
		row("ListRolePolicies", s.ListRolePolicies, func(in *ListRolePoliciesRequest) awsapi.Target { return roleNamed(in.RoleName) }),
		row("DeleteRolePolicy", s.DeleteRolePolicy, func(in *DeleteRolePolicyRequest) awsapi.Target { return roleNamed(in.RoleName) }),
		row("AttachRolePolicy", s.AttachRolePolicy, func(in *AttachRolePolicyRequest) awsapi.Target { return roleNamed(in.RoleName) }),
		row("DetachRolePolicy", s.DetachRolePolicy, func(in *DetachRolePolicyRequest) awsapi.Target { return roleNamed(in.RoleName) }),
		row("ListAttachedRolePolicies", s.ListAttachedRolePolicies, func(in *ListAttachedRolePoliciesRequest) awsapi.Target { return roleNamed(in.RoleName) }),
	}
}

func (s *Service) policyOperations() []awsapi.Operation {
	return []awsapi.Operation{
		row("CreatePolicy", s.CreatePolicy, func(in *CreatePolicyRequest) awsapi.Target {
			return fresh(resource.KindPolicy, in.Path, in.PolicyName, in.Tags)
		}),
		row("GetPolicy", s.GetPolicy, func(in *GetPolicyRequest) awsapi.Target { return policyARN(in.PolicyArn) }),
		list("ListPolicies", resource.KindPolicy, s.ListPolicies),
		row("DeletePolicy", s.DeletePolicy, func(in *DeletePolicyRequest) awsapi.Target { return policyARN(in.PolicyArn) }),
		row("ListEntitiesForPolicy", s.ListEntitiesForPolicy, func(in *ListEntitiesForPolicyRequest) awsapi.Target { return policyARN(in.PolicyArn) }),
		row("TagPolicy", s.TagPolicy, func(in *TagPolicyRequest) awsapi.Target { return tagged(policyARN(in.PolicyArn), in.Tags) }),
		row("UntagPolicy", s.UntagPolicy, func(in *UntagPolicyRequest) awsapi.Target { return untagged(policyARN(in.PolicyArn), in.TagKeys) }),
		row("ListPolicyTags", s.ListPolicyTags, func(in *ListPolicyTagsRequest) awsapi.Target { return policyARN(in.PolicyArn) }),
	}
}

func (s *Service) versionOperations() []awsapi.Operation {
	return []awsapi.Operation{
		row("CreatePolicyVersion", s.CreatePolicyVersion, func(in *CreatePolicyVersionRequest) awsapi.Target { return policyARN(in.PolicyArn) }),
		row("GetPolicyVersion", s.GetPolicyVersion, func(in *GetPolicyVersionRequest) awsapi.Target { return policyARN(in.PolicyArn) }),
		row("ListPolicyVersions", s.ListPolicyVersions, func(in *ListPolicyVersionsRequest) awsapi.Target { return policyARN(in.PolicyArn) }),
		row("DeletePolicyVersion", s.DeletePolicyVersion, func(in *DeletePolicyVersionRequest) awsapi.Target { return policyARN(in.PolicyArn) }),
		row("SetDefaultPolicyVersion", s.SetDefaultPolicyVersion, func(in *SetDefaultPolicyVersionRequest) awsapi.Target { return policyARN(in.PolicyArn) }),
	}
}

func (s *Service) simulateOperations() []awsapi.Operation {
	return []awsapi.Operation{
		row("SimulatePrincipalPolicy", s.SimulatePrincipalPolicy, func(in *SimulatePrincipalPolicyRequest) awsapi.Target { return byARN("", in.PolicySourceArn) }),
		list("SimulateCustomPolicy", "", s.SimulateCustomPolicy),
	}
}

func (s *Service) leftoverOperations() []awsapi.Operation {
	return []awsapi.Operation{
		row("ListInstanceProfilesForRole", s.ListInstanceProfilesForRole, func(in *ListInstanceProfilesForRoleRequest) awsapi.Target { return roleNamed(in.RoleName) }),
		row("ListSSHPublicKeys", s.ListSSHPublicKeys, func(in *ListSSHPublicKeysRequest) awsapi.Target { return caller(in.UserName) }),
		row("ListMFADevices", s.ListMFADevices, func(in *ListMFADevicesRequest) awsapi.Target { return caller(in.UserName) }),
		list("ListVirtualMFADevices", "mfa", s.ListVirtualMFADevices),
		row("ListSigningCertificates", s.ListSigningCertificates, func(in *ListSigningCertificatesRequest) awsapi.Target { return caller(in.UserName) }),
		row("ListServiceSpecificCredentials", s.ListServiceSpecificCredentials, func(in *ListServiceSpecificCredentialsRequest) awsapi.Target { return caller(in.UserName) }),
		row("DeleteLoginProfile", s.DeleteLoginProfile, func(in *DeleteLoginProfileRequest) awsapi.Target { return caller(in.UserName) }),
	}
}
