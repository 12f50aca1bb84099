package awsapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
)

// Target is a resource that a request touches.
type Target struct {
	Type        string            // for instance "channel"
	ARN         arn.ARN           // zero when the resource is yet to be made, or when a list is asked for
	RequestTags map[string]string // the tags that the request wants to give it

	text    string // the ARN as the request has it
	refused error  // the decision
}

// Targets returns the resources that a request names by ARN. What is no ARN is a target too, which is refused. An empty
// type stands for whatever the ARN says.
func Targets(kind string, tags map[string]string, arns ...string) []Target {
	out := make([]Target, len(arns))
	for i, text := range arns {
		t := &out[i]
		t.Type, t.RequestTags, t.text = kind, tags, text
		if t.ARN, t.refused = arn.Parse(text); kind == "" {
			t.Type = t.ARN.Type
		}
	}
	return out
}

// Access is a question to an Authorizer: may the caller do what it asks for to the target? The target is of the caller's
// account and region. An Authorizer keeps none of it.
type Access struct {
	Caller  *Caller
	Target  *Target
	Request *http.Request // the address, the connection and the client, for conditions about them
}

// Resource returns the target as policies name it: its ARN, or a pattern of all of its type.
func (a Access) Resource(service string) string {
	if !a.Target.ARN.IsZero() {
		return a.Target.ARN.String()
	}
	return "arn:aws:" + service + ":" + a.Caller.Region + ":" + a.Caller.Account + ":" + a.Target.Type + "/*"
}

// Authorizer decides what principals may do. It is asked about every target of every call, and about nothing twice.
type Authorizer interface {
	// Authorize returns nil when the access is allowed and fault.Denied when it is not, whose text ends the sentence that
	// the caller is told. Any other error means that there is no decision, and the call fails.
	Authorize(ctx context.Context, a Access) error
}

// Owner is the Authorizer of a server whose only principals are the owners of accounts: each may do everything within
// its own.
type Owner struct{}

// Authorize allows what is of the principal's own account.
func (Owner) Authorize(_ context.Context, a Access) error {
	if a.Caller.Principal.Account == a.Caller.Account && (a.Target.ARN.IsZero() || a.Target.ARN.Account == a.Caller.Account) {
		return nil
	}
	return fault.New(fault.Denied, "because it belongs to another account")
}

// authorize is the one place where it is decided what a call may touch. The row of the operation names the targets; each
// has to be a resource of the right type within the caller's account and region, for there is no access across them
// (spec ivs.md 2.1), and to be allowed by the Authorizer. What names no target is denied. An operation on many resources
// answers for each of them alone: its handler learns the decisions from Caller.Own.
func (x *exchange) authorize() error {
	op := x.endpoint.op
	if op.open {
		return nil
	}
	targets := op.target(x.input)
	if len(targets) == 0 {
		return x.denied("*", "")
	}
	for i := range targets {
		t := &targets[i]
		if t.refused == nil {
			t.refused = x.decide(t)
		}
		if t.refused != nil && !x.endpoint.batch() {
			return t.refused
		}
	}
	x.caller.targets = targets
	return nil
}

// decide returns why the caller may not touch a target, nil when it may.
func (x *exchange) decide(t *Target) error {
	if a := t.ARN; !a.IsZero() {
		switch {
		case a.Type != t.Type, a.Service != x.endpoint.signing && !x.endpoint.tagging():
			return fault.New(fault.Invalid, "%s is not the ARN of a %s", a, t.Type)
		case a.Account != x.caller.Account:
			return x.denied(a.String(), "")
		case a.Region != x.caller.Region:
			return fault.New(fault.NotFound, "Resource: %s not found in %s", a, x.caller.Region)
		}
	}
	access := Access{Caller: &x.caller, Target: t, Request: x.request}
	err := x.opts.Authorizer.Authorize(x.request.Context(), access)
	if fault.Is(err, fault.Denied) {
		return x.denied(access.Resource(x.endpoint.signing), fault.Message(err))
	}
	return err
}

// denied is what the caller is told that may not do this, with the reason if there is more to say.
func (x *exchange) denied(resource, why string) error {
	return x.caller.denied(strings.TrimSuffix(resource+" "+why, " "))
}
