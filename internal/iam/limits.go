package iam

import (
	"strings"

	"github.com/rivus-live/rivus/internal/fault"
)

// Quotas of IAM, as AWS sets them before anybody asks for more.
const (
	maxUsers    = 5000
	maxGroups   = 300
	maxRoles    = 1000
	maxPolicies = 1500

	maxKeys          = 2  // a user
	maxMemberships   = 10 // groups a user
	maxAttached      = 10 // managed policies a user, role or group
	maxVersions      = 5  // a managed policy
	maxPolicySize    = 6144
	maxTrustSize     = 2048
	maxUserPolicies  = 2048 // characters of all inline policies of a user
	maxGroupPolicies = 5120
	maxRolePolicies  = 10240
)

// exceeded is the error of a quota, by the name that IAM has for it.
func exceeded(quota string, limit int) error {
	return fault.New(fault.Quota, "Cannot exceed quota for %s: %d", quota, limit)
}

// sizeOf returns the length of a policy as quotas count it: without white space.
func sizeOf(document string) int {
	n := 0
	for _, r := range document {
		if !strings.ContainsRune(" \t\r\n", r) {
			n++
		}
	}
	return n
}

// sizeOfAll returns the length of all policies together.
func sizeOfAll(documents map[string]string) int {
	n := 0
	for _, d := range documents {
		n += sizeOf(d)
	}
	return n
}
