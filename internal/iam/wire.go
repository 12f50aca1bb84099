package iam

import (
	"maps"
	"slices"
	"strconv"

	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/tagging"
)

// mapped returns what a function makes of each element.
func mapped[T, W any](list []T, wire func(T) W) []W {
	out := make([]W, len(list))
	for i, v := range list {
		out[i] = wire(v)
	}
	return out
}

// wireUser returns a user as the API shows it; one without tags or a boundary has no such members (spec errata.md A3).
func wireUser(u resource.User) *User {
	w := summaryUser(u)
	w.PermissionsBoundary, w.Tags = wireBoundary(u.Boundary), wireTags(u.Tags)
	return &w
}

// summaryUser returns a user as lists show it.
func summaryUser(u resource.User) User {
	return User{Path: u.Path, UserName: u.Name, UserId: u.ID, Arn: u.ARN().String(), CreateDate: restjson.Time(u.CreatedAt)}
}

// wireRole returns a role as the API shows it.
func wireRole(r resource.Role) *Role {
	w := summaryRole(r)
	w.PermissionsBoundary, w.Tags = wireBoundary(r.Boundary), wireTags(r.Tags)
	return &w
}

// summaryRole returns a role as lists show it.
func summaryRole(r resource.Role) Role {
	w := Role{
		Path: r.Path, RoleName: r.Name, RoleId: r.ID, Arn: r.ARN().String(), CreateDate: restjson.Time(r.CreatedAt),
		AssumeRolePolicyDocument: new(encoded(r.Trust)), MaxSessionDuration: new(int32(r.MaxSession)),
	}
	if r.Description != "" {
		w.Description = &r.Description
	}
	return w
}

func wireGroup(g resource.Group) Group {
	return Group{Path: g.Path, GroupName: g.Name, GroupId: g.ID, Arn: g.ARN().String(), CreateDate: restjson.Time(g.CreatedAt)}
}

// wirePolicy returns a managed policy as the API shows it, with how often it is attached and is a boundary.
func wirePolicy(p resource.ManagedPolicy, attached, bounding int) *Policy {
	w := &Policy{
		PolicyName: &p.Name, PolicyId: &p.ID, Arn: new(p.ARN().String()), Path: &p.Path,
		DefaultVersionId: new(versionID(p.Default)), AttachmentCount: new(int32(attached)),
		PermissionsBoundaryUsageCount: new(int32(bounding)), IsAttachable: new(true),
		CreateDate: restjson.Time(p.CreatedAt), UpdateDate: restjson.Time(p.UpdatedAt), Tags: wireTags(p.Tags),
	}
	if p.Description != "" {
		w.Description = &p.Description
	}
	return w
}

// wireVersion returns a version of a managed policy; lists show it without its document.
func wireVersion(p resource.ManagedPolicy, v resource.PolicyVersion) PolicyVersion {
	return PolicyVersion{
		VersionId: new(versionID(v.Number)), IsDefaultVersion: new(v.Number == p.Default), CreateDate: restjson.Time(v.CreatedAt),
	}
}

// versionID returns what the API calls a version.
func versionID(number int) string { return "v" + strconv.Itoa(number) }

// wireKey returns an access key as the API shows it: without its secret.
func wireKey(u resource.User, k resource.AccessKey) AccessKeyMetadata {
	return AccessKeyMetadata{
		UserName: &u.Name, AccessKeyId: &k.ID, Status: new(statusOf(k.Active)), CreateDate: restjson.Time(k.CreatedAt),
	}
}

// Values of a key's status. Nothing makes a key Expired.
const (
	statusActive   = "Active"
	statusInactive = "Inactive"
)

func statusOf(active bool) string {
	if active {
		return statusActive
	}
	return statusInactive
}

func wireBoundary(arn string) *AttachedPermissionsBoundary {
	if arn == "" {
		return nil
	}
	return &AttachedPermissionsBoundary{PermissionsBoundaryType: new("PermissionsBoundaryPolicy"), PermissionsBoundaryArn: &arn}
}

func wireAttached(p attachedPolicy) AttachedPolicy {
	return AttachedPolicy{PolicyName: &p.name, PolicyArn: &p.arn}
}

// wireTags returns tags by key, nil for none.
func wireTags(tags map[string]string) []Tag {
	var list []Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, Tag{Key: key, Value: tags[key]})
	}
	return list
}

func tagPlace(t Tag) string { return t.Key }

// tagsOf returns the tags of a request, whose keys must differ by more than the case of letters.
func tagsOf(list []Tag) (map[string]string, error) {
	return tagging.Collected(func(yield func(key, value string) bool) {
		for _, t := range list {
			if !yield(t.Key, t.Value) {
				return
			}
		}
	})
}
