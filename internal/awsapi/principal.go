package awsapi

import (
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
)

// Principal is who calls. Today it is always the owner of an account; users, roles and their sessions add their names
// here.
type Principal struct {
	Account     string // 12 digits
	AccessKeyID string // proved by the signature
}

// ARN returns the name by which policies and refusals know the principal (spec neighbours.md 2).
func (p Principal) ARN() string { return "arn:aws:iam::" + p.Account + ":root" }

// UserID returns what STS calls the principal's user id: the owner's is the account's (spec errata.md A2).
func (p Principal) UserID() string { return p.Account }

// Credentials knows the access keys.
type Credentials interface {
	// Lookup returns the secret of an access key and whose it is.
	Lookup(accessKeyID string) (secret string, p Principal, ok bool)
}

// Caller is who asks, and how.
type Caller struct {
	arn.Scope // region from the signature, account from the access key
	Principal Principal
	RequestID string // a UUID, also in the answer's x-amzn-RequestId
	BaseURL   string // scheme and host for every URL in the answer, without a slash at the end
	Action    string // for instance "ivs:GetChannel", as policies name it

	targets []Target // what the request touches, each with the decision about it
}

// Own returns the ARN that the request names with a text, if the caller may do to it what it asks for. The decision was
// made before the handler runs; what was not decided about is denied. Errors are those of Authorizer, fault.Denied for
// what is another account's, fault.NotFound for what is in another region, and fault.Invalid for what is no ARN or that of
// another type.
func (c Caller) Own(text string) (arn.ARN, error) {
	for i := range c.targets {
		if t := &c.targets[i]; t.text == text && text != "" {
			return t.ARN, t.refused
		}
	}
	return arn.ARN{}, c.denied(text)
}

// denied is what the caller is told that may not do this to a resource.
func (c *Caller) denied(resource string) error {
	action := c.Action
	if name, ok := strings.CutPrefix(action, "sns:"); ok {
		action = "SNS:" + name // as that service writes it (spec errata.md A3)
	}
	return fault.New(fault.Denied, "User: %s is not authorized to perform: %s on resource: %s", c.Principal.ARN(), action, resource)
}

// NotFound returns the fault.NotFound of a resource, by what the caller named it.
func NotFound(name string) error { return fault.New(fault.NotFound, "Resource: %s not found", name) }

// Naming makes a fault.NotFound tell which resource the caller asked for. Other errors, and nil, stay as they are.
func Naming(err error, name string) error {
	if fault.Is(err, fault.NotFound) {
		return NotFound(name)
	}
	return err
}
