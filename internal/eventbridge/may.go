package eventbridge

import (
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
)

// may tells whether the caller may do what it asks for to a resource with these tags.
func may(_ awsapi.Caller, _ arn.ARN, _ map[string]string) error { return nil }

// maySend tells whether the caller may do to the target of a rule what the rule will do to it.
func maySend(_ awsapi.Caller, _ string, _ arn.ARN) error { return nil }

// isOwner tells whether the caller is the owner of the account.
func isOwner(c awsapi.Caller) bool { return strings.HasSuffix(c.Principal.ARN(), ":root") }
