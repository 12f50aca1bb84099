package awsapi

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
)

// Target is a resource that a request touches.
type Target struct {
	Type        string            // for instance "channel"; "" where ARNs have none
	ARN         arn.ARN           // zero when the resource is yet to be made, or when a list is asked for
	RequestTags map[string]string // the tags that the request brings, which are the same for all of its targets
	TagKeys     []string          // the keys of tags that the request takes away

	text    string // how the request names it
	later   bool   // the handler decides, whatever could be decided before
	naming  naming
	state   state
	refused error // why the caller may not touch it
}

// state is how far the decision about a target is.
type state uint8

const (
	undecided state = iota
	decided         // allowed, or refused
	pending         // it depends on what the record of the resource says
	judged          // the handler has asked about the record
)

// naming is how a request names a resource.
type naming uint8

const (
	namedByARN  naming = iota
	namedByID          // the rest of the ARN goes without saying
	namedByName        // the ARN has a path, which only the record knows
)

// Targets returns the resources that a request names by ARN. What is no ARN is a target too, which is refused. An empty
// type stands for whatever the ARN says.
func Targets(kind string, tags map[string]string, arns ...string) []Target {
	out := make([]Target, len(arns))
	for i, text := range arns {
		t := &out[i]
		t.Type, t.RequestTags, t.text = kind, tags, text
		if t.ARN, t.refused = arn.ParseAny(text); kind == "" {
			t.Type = t.ARN.Type
		}
	}
	return out
}

// Untagged returns the resource that a request names by ARN, and whose tags with the given keys it takes away.
func Untagged(keys []string, text string) []Target {
	out := Targets("", nil, text)
	out[0].TagKeys = keys
	return out
}

// Named returns a resource that a request names without an ARN: by what stands behind the type in it. It is of the
// caller's account and region, and of the service that is asked.
func Named(kind string, tags map[string]string, id string) Target {
	return Target{Type: kind, RequestTags: tags, text: id, naming: namedByID}
}

// ByName returns a user, group or role of IAM that a request names. Its ARN has a path that only its record knows, so
// the ARN of the target lacks it. No name stands for the caller.
func ByName(kind string, tags map[string]string, name string) Target {
	return Target{Type: kind, RequestTags: tags, text: name, naming: namedByName}
}

// Later leaves the decision to the handler in any case, because it knows what counts beside the policies of the caller, as the
// policy of the resource (Caller.With).
func (t Target) Later() Target {
	t.later = true
	return t
}

// Beside is what a handler brings to a decision.
type Beside struct {
	Policy string              // the resource's own, "" for none
	Trust  bool                // Policy says who may assume a role: without it nobody may
	Keys   map[string][]string // of the context, by names such as "sts:ExternalId"; they win over those of the request
}

// Access is a question to an Authorizer: may the caller do what it asks for to the target? The target is of the caller's
// account and region. An Authorizer keeps none of it.
type Access struct {
	Caller *Caller
	Target *Target
	// Tags are those of the resource, once TagsKnown: from then on there has to be a decision.
	Tags      map[string]string
	TagsKnown bool
	Beside    *Beside // nil: nothing

	service string
}

// Resource returns the target as policies name it: its ARN, or a pattern of all of its type.
func (a Access) Resource() string {
	if !a.Target.ARN.IsZero() {
		return a.Target.ARN.String()
	}
	id := "*"
	if a.Target.Type != "" {
		id = a.Target.Type + "/*"
	}
	return arn.ARN{Service: a.service, Scope: scopeIn(a.service, a.Caller.Scope), ID: id}.String()
}

// scopeIn returns the scope of a caller's resources in a service: those of IAM and STS are in no region.
func scopeIn(service string, sc arn.Scope) arn.Scope {
	if isGlobal(service) {
		sc.Region = ""
	}
	return sc
}

// isGlobal reports whether the resources of a service are in no region, whatever region its requests are signed for (spec
// neighbours.md 1).
func isGlobal(service string) bool { return service == "iam" || service == "sts" }

// Authorizer decides what principals may do. It is asked about every target of every call, and again about a record when
// its tags decide.
type Authorizer interface {
	// Authorize returns nil when the access is allowed and fault.Denied when it is not, whose text ends the sentence that
	// the caller is told. ErrTagsNeeded says that it depends on the tags of the resource, which are not known yet. Any
	// other error means that there is no decision, and the call fails.
	Authorize(ctx context.Context, a Access) error
}

// ErrTagsNeeded is the answer of an Authorizer whose decision depends on tags that it was not told.
var ErrTagsNeeded = errors.New("the decision depends on the tags of the resource")

// Owner is the Authorizer of a server whose only principals are the owners of accounts: each may do everything within
// its own.
type Owner struct{}

// Authorize allows what is of the principal's own account.
func (Owner) Authorize(_ context.Context, a Access) error {
	of := a.Target.ARN
	if a.Caller.Principal.Account == a.Caller.Account && (of.IsZero() || of.Account == a.Caller.Account || isManaged(of)) {
		return nil
	}
	return fault.New(fault.Denied, "because it belongs to another account")
}

// authorize is the one place where it is decided what a call may touch. The row of the operation names the targets; each
// has to be a resource of the right type within the caller's account and region, for there is no access across them
// (spec ivs.md 2.1), and to be allowed by the Authorizer. What names no target is denied. An operation on many resources
// answers for each of them alone: its handler learns the decisions from Caller.Own.
//
// A decision may depend on what only the record of a resource says: its tags, or its path. Then the handler makes it, with
// Caller.May, on the record that it acts on, so that nothing comes between the question and the act; settle sees to it
// that it does.
func (x *exchange) authorize() error {
	op := x.endpoint.op
	x.caller.judge = x
	if op.open || op.unsigned && x.caller.Anonymous() {
		return nil
	}
	targets := op.target(x.input)
	if len(targets) == 0 {
		return x.caller.denied("*")
	}
	x.touched = targets
	for i := range targets {
		t := &targets[i]
		x.complete(t)
		if t.refused == nil {
			t.refused = x.decide(t)
		} else {
			t.state = decided
		}
		if t.refused != nil && !x.endpoint.batch() {
			return t.refused
		}
	}
	x.caller.targets = targets
	return nil
}

// complete gives a target that is named without an ARN its own.
func (x *exchange) complete(t *Target) {
	switch {
	case t.naming == namedByARN:
	case t.naming == namedByName && t.text == "":
		t.ARN, t.refused = arn.ParseAny(x.caller.Principal.ARN())
		t.Type = t.ARN.Type
	default:
		service := x.endpoint.signing
		t.ARN = arn.ARN{Service: service, Scope: scopeIn(service, x.caller.Scope), Type: t.Type, ID: t.text}
	}
}

// decide returns why the caller may not touch a target, nil when it may, or when its record is left to decide.
func (x *exchange) decide(t *Target) error {
	t.state = decided
	if err := x.reach(t); err != nil {
		return err
	}
	if t.naming == namedByName || t.later {
		t.state = pending
		return nil
	}
	err := x.ask(Access{Caller: &x.caller, Target: t, TagsKnown: t.ARN.IsZero()})
	if errors.Is(err, ErrTagsNeeded) && !t.ARN.IsZero() {
		t.state = pending
		return nil
	}
	return err
}

// reach returns why a target is out of the caller's reach, whatever policies say.
func (x *exchange) reach(t *Target) error {
	a := t.ARN
	switch {
	case a.IsZero():
		return nil
	case a.Type != t.Type, !x.endpoint.about(a.Service):
		return fault.New(fault.Invalid, "%s is not the ARN of a %s", a, t.Type)
	case a.Account != x.caller.Account && !isManaged(a):
		return x.caller.denied(a.String())
	case a.Region != x.caller.Region && !isGlobal(a.Service):
		return fault.New(fault.NotFound, "Resource: %s not found in %s", a, x.caller.Region)
	}
	return nil
}

// ask puts a question to the Authorizer.
func (x *exchange) ask(a Access) error {
	if a.Caller.Anonymous() {
		return a.Caller.denied(a.Target.ARN.String())
	}
	a.service = x.endpoint.signing
	err := x.opts.Authorizer.Authorize(x.request.Context(), a)
	if fault.Is(err, fault.Denied) {
		return a.Caller.denied(strings.TrimSuffix(a.Resource()+" "+fault.Message(err), " "))
	}
	return err
}

// may decides about a record. A target that is decided is not asked about again.
func (x *exchange) may(c *Caller, a arn.ARN, tags map[string]string) error {
	var named *Target // as the row has it
	for i := range c.targets {
		t := &c.targets[i]
		if !t.is(a) {
			continue
		}
		if t.state == decided && c.beside == nil {
			return t.refused
		}
		t.state, named = judged, t
	}
	return x.judge(c, a, tags, named)
}

// judge asks about a record. What the request says of it is the row's, if the row has it.
func (x *exchange) judge(c *Caller, a arn.ARN, tags map[string]string, named *Target) error {
	about := Target{Type: a.Type, ARN: a}
	if named != nil {
		about.RequestTags, about.TagKeys = named.RequestTags, named.TagKeys
	}
	return x.ask(Access{Caller: c, Target: &about, Tags: tags, TagsKnown: true, Beside: c.beside})
}

// is reports whether an ARN is that of the target. Names of IAM are the same in any case of letters.
func (t *Target) is(a arn.ARN) bool {
	if t.naming != namedByName || t.text == "" {
		return t.ARN == a
	}
	return a.Service == t.ARN.Service && a.Type == t.Type && strings.EqualFold(a.ID[strings.LastIndexByte(a.ID, '/')+1:], t.text)
}

// settle looks at what a handler has left undecided. If it has failed for something that tells what is there, the
// decision is made without a record, and a refusal is what the caller is told. If it has not failed, that is a defect.
func (x *exchange) settle(err error) error {
	for i := range x.caller.targets {
		t := &x.caller.targets[i]
		if t.state != pending {
			continue
		}
		switch fault.KindOf(err) { //nolint:exhaustive // others tell nothing
		case fault.NotFound, fault.NotLive, fault.Conflict, fault.Exists, fault.InUse:
			if refused := x.may(&x.caller, t.ARN, nil); refused != nil {
				return refused
			}
		}
		if err == nil {
			return fmt.Errorf("the handler of %s has not decided about %s", x.caller.Action, t.ARN)
		}
	}
	return err
}

// isManaged reports whether an ARN is that of a policy that AWS has made for everybody.
func isManaged(a arn.ARN) bool { return a.Service == "iam" && a.Account == "aws" && a.Type == "policy" }

// about reports whether the operation may be about resources of a service: its own, those of IAM when it is STS that is
// asked, and any when it is about tags.
func (e *endpoint) about(service string) bool {
	return service == e.signing || e.signing == "sts" && service == "iam" || e.tagging()
}
