package iam

import (
	"crypto/rand"
	"strings"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

// Prefixes of the unique IDs (spec errata.md A2).
const (
	userPrefix   = "AIDA"
	rolePrefix   = "AROA"
	groupPrefix  = "AGPA"
	policyPrefix = "ANPA"
)

// newID mints a unique ID: 85 random bits behind the prefix that tells the type.
func newID(prefix string) string { return prefix + rand.Text()[:17] }

// pathOf returns the path that a request gives to what it makes.
func pathOf(path *string) string {
	if path == nil || *path == "" {
		return "/"
	}
	return *path
}

// parsePolicyARN takes the ARN of a managed policy apart: whose it is ("aws" for one that is built in), its path and name.
// Errors are fault.Invalid (spec errata.md A3).
func parsePolicyARN(text string) (account, path, name string, err error) {
	account, kind, id, err := parseARN(text)
	if err != nil || kind != resource.KindPolicy {
		return "", "", "", fault.New(fault.Invalid, "Invalid ARN:  Could not be parsed!")
	}
	at := strings.LastIndexByte(id, '/')
	return account, "/" + id[:at+1], id[at+1:], nil
}

// parseARN takes an ARN of IAM apart: the account, the type of the resource and what follows it.
func parseARN(text string) (account, kind, id string, err error) {
	rest, ok := strings.CutPrefix(text, "arn:aws:iam::")
	account, rest, ok1 := strings.Cut(rest, ":")
	kind, id, ok2 := strings.Cut(rest, "/")
	if !ok || !ok1 || !ok2 || account == "" || id == "" || strings.HasSuffix(id, "/") {
		return "", "", "", fault.New(fault.Invalid, "Invalid ARN:  Could not be parsed!")
	}
	return account, kind, id, nil
}

// noEntity is the error of what is named and does not exist.
func noEntity(kind, name string) error {
	return fault.New(fault.NotFound, "The %s with name %s cannot be found.", kind, name)
}

// noPolicy is the error of a managed policy that does not exist.
func noPolicy(arn string) error { return fault.New(fault.NotFound, "Policy %s was not found.", arn) }
