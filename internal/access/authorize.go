package access

import (
	"context"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/policy"
)

// Authorize implements awsapi.Authorizer. Errors are fault.Denied with the reason in AWS's words, awsapi.ErrTagsNeeded, and
// those of the store.
func (a *Authorizer) Authorize(ctx context.Context, access awsapi.Access) error {
	p := &access.Caller.Principal
	switch p.Kind {
	case awsapi.PrincipalRoot:
		return nil
	case awsapi.PrincipalAnonymous:
		return fault.New(fault.Denied, "because the request is not signed")
	case awsapi.PrincipalUser, awsapi.PrincipalRole:
	}
	if err := a.stale(); err != nil {
		return err
	}
	q := question{action: access.Caller.Action, resource: access.Resource(), keys: keysOf(&access)}
	if access.Beside != nil {
		q.more, q.of = access.Beside.Keys, a.beside(access.Beside)
	}
	d, err := a.decide(ctx, &q)
	switch {
	case err != nil:
		return err
	case d.Verdict == policy.Allowed:
		return nil
	case d.Verdict == policy.Depends:
		return awsapi.ErrTagsNeeded
	}
	return &fault.Error{Kind: fault.Denied, Message: d.Because(q.action)} // it goes through here often, and formats nothing
}

// beside returns the policy of the resource that a handler has brought, nil for none. A role that trusts in no way that can
// be read trusts nobody.
func (a *Authorizer) beside(b *awsapi.Beside) *policy.Document {
	kind := policy.Resource
	switch {
	case b.Trust:
		kind = policy.Trust
	case b.Policy == "":
		return nil
	}
	d, err := a.compiled(document{kind, b.Policy})
	if err != nil {
		a.complain("of a resource", err)
		return policy.Nothing(kind)
	}
	return d
}

// question is what somebody wants to do, with all that policies may ask about it.
type question struct {
	action, resource string
	keys             keys
	more             policy.Entries   // keys that only the operation knows
	of               *policy.Document // the policy of the resource
}

// decide answers a question. A decision that depends on the tags of the resource is Depends when they are not known.
func (a *Authorizer) decide(ctx context.Context, q *question) (policy.Decision, error) {
	p := q.keys.principal
	all, err := a.policies(ctx, p)
	if err != nil {
		return policy.Decision{}, err
	}
	r := policy.Request{
		Action: q.action, Resource: q.resource, Policy: q.of, Context: &q.keys,
		Principal: &policy.Principal{Account: p.Account, ARN: p.ARN()},
	}
	if p.Kind == awsapi.PrincipalRole {
		r.Principal.Role = roleARN(p)
	}
	if q.more != nil {
		r.Context = policy.Layered{Over: q.more, Under: &q.keys}
	}
	d := all.Decide(&r)
	a.stats.count(d.Verdict)
	return d, nil
}

// stale refuses when nobody knows any more what the policies are.
func (a *Authorizer) stale() error {
	if a.opts.Clock().Sub(a.opts.AsOf()) <= patience {
		return nil
	}
	a.stats.stale.Add(1)
	a.stats.denied.Add(1)
	return fault.New(fault.Denied, "because the policies cannot be read: the state engine has not answered for %v", patience)
}
