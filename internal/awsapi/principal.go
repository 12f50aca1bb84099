package awsapi

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
)

// PrincipalKind is what a principal is to policies.
type PrincipalKind uint8

// The kinds of principals.
const (
	PrincipalRoot      PrincipalKind = iota // the owner of an account
	PrincipalUser                           // a user, by an access key or by a session token that it asked for
	PrincipalRole                           // a session of a role
	PrincipalAnonymous                      // nobody has signed
)

// String returns the value of the condition key aws:PrincipalType (spec errata.md A3).
func (k PrincipalKind) String() string {
	switch k {
	case PrincipalRoot:
		return "Account"
	case PrincipalUser:
		return "User"
	case PrincipalRole:
		return "AssumedRole"
	case PrincipalAnonymous:
		return "Anonymous"
	}
	return fmt.Sprintf("kind(%d)", k)
}

// Principal is who calls. The zero Kind is the owner of the account.
type Principal struct {
	Account     string // 12 digits
	AccessKeyID string // proved by the signature
	Kind        PrincipalKind
	Name        string // of the user or the role
	Path        string // of the user or the role, as "/" or "/team/video/"; "" is "/"
	ID          string // of the user (AIDA…) or the role (AROA…)
	Session     string // the name of a role's session
	Tags        map[string]string
	Issued      time.Time // when temporary credentials were issued, zero for permanent ones
	Transitive  []string  // keys of those Tags that the sessions of further roles inherit
	// SessionPolicies are the documents that were given when temporary credentials were issued: what the principal may do
	// is what its own policies and these allow together.
	SessionPolicies []string
}

// ARN returns the name by which policies and refusals know the principal (spec neighbours.md 2, errata.md A2).
func (p Principal) ARN() string {
	switch p.Kind {
	case PrincipalUser:
		path := p.Path
		if path == "" {
			path = "/"
		}
		return "arn:aws:iam::" + p.Account + ":user" + path + p.Name
	case PrincipalRole:
		return "arn:aws:sts::" + p.Account + ":assumed-role/" + p.Name + "/" + p.Session
	case PrincipalAnonymous:
		return "anonymous"
	case PrincipalRoot:
	}
	return "arn:aws:iam::" + p.Account + ":root"
}

// UserID returns what STS calls the principal's user id (spec errata.md A2): of the owner the account, of a user its id, of
// a session the role's id and the session's name.
func (p Principal) UserID() string {
	switch p.Kind {
	case PrincipalUser:
		return p.ID
	case PrincipalRole:
		return p.ID + ":" + p.Session
	case PrincipalAnonymous:
		return "anonymous"
	case PrincipalRoot:
	}
	return p.Account
}

// Credentials knows the access keys, permanent and temporary ones.
type Credentials interface {
	// Lookup returns the secret of an access key. It says nothing of whether the key is still good.
	Lookup(accessKeyID string) (secret string, ok bool)
	// Principal returns whose an access key is, after a signature with its secret held. The session token is "" when the
	// request has none. A key whose time is over is fault.Expired; a token that is missing, belongs to another key or is
	// none, one beside a permanent key, and a key that is gone or inactive are fault.Denied. Other errors mean that there
	// is no knowing, and the call fails.
	Principal(ctx context.Context, accessKeyID, sessionToken string) (Principal, error)
}

// Request is what a request says of itself beside what it asks for: the context of conditions, and of the audit.
type Request struct {
	Address   netip.Addr // of the client: the peer, or what trusted proxies say; invalid when it has none
	Secure    bool       // the client's connection has TLS
	UserAgent string
	Time      time.Time // when it came
}

// Caller is who asks, and how.
type Caller struct {
	arn.Scope // region from the signature, account from the access key
	Principal Principal
	Request   Request
	RequestID string // a UUID, also in the answer's x-amzn-RequestId
	BaseURL   string // scheme and host for every URL in the answer, without a slash at the end
	Action    string // for instance "ivs:GetChannel", as policies name it

	targets []Target  // what the request touches, each with the decision about it
	judge   *exchange // decides what is left to decide
	beside  *Beside   // what May takes into account beside the policies of the caller
}

// Anonymous reports whether nobody has signed the request. Its scope is empty: what it may touch is what it names with a
// secret.
func (c *Caller) Anonymous() bool { return c.Principal.Kind == PrincipalAnonymous }

// Own returns the ARN that the request names with a text, if the caller may do to it what it asks for. What was not
// decided about is denied; where the decision depends on the record of the resource, May is the one who decides.
// Errors are those of Authorizer, fault.Denied for
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

// May returns nil when the caller may do what it asks for to a resource whose record has the given ARN and tags, and
// fault.Denied when it may not. A handler calls it on the record that it has read, and again on the one that it changes,
// in the same step, so that what is judged is what is touched. Where tags decide nothing it costs nothing. It also
// decides about resources that the row of the operation does not name.
func (c *Caller) May(a arn.ARN, tags map[string]string) error {
	if c.judge == nil {
		return c.denied(a.String())
	}
	return c.judge.may(c, a, tags)
}

// Missing returns what the caller is told when there is no record to judge: err, or if that is a fault.NotFound and the
// caller may not do what it asks for to a resource without tags, the refusal, so that it does not learn what is there.
func (c *Caller) Missing(a arn.ARN, err error) error {
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	if refused := c.May(a, nil); refused != nil {
		return refused
	}
	return err
}

// Doing returns the caller with another action, for what an operation does along the way, as to send to a target that it
// is given. What May says of it is decided anew.
func (c Caller) Doing(action string) Caller {
	c.Action, c.targets = action, nil
	return c
}

// With returns the caller with what counts in decisions beside its own policies.
func (c Caller) With(b Beside) Caller {
	c.beside = &b
	return c
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
