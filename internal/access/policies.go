package access

import (
	"context"
	"maps"
	"slices"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/policy"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
)

// Bounds of what is kept. What is put together anew costs microseconds.
const (
	maxKept      = 10_000
	maxDocuments = 10_000
)

// principal is whose policies are kept: a user or a role, or one of its sessions that has policies of its own.
type principal struct {
	kind        awsapi.PrincipalKind
	account, id string
	session     string // the access key of a session with policies of its own
}

// compiled are the policies of a principal.
type compiled struct {
	policy.Policies
	session []string // the texts of the session's own
	made    [4]uint64
}

// changes returns how often the tables have changed that policies are made of.
func (a *Authorizer) changes() [4]uint64 {
	return [4]uint64{a.opts.Records.Users.Changes(), a.opts.Records.Roles.Changes(), a.opts.Records.Groups.Changes(), a.opts.Records.Policies.Changes()}
}

// policies returns the policies that bear on a principal.
func (a *Authorizer) policies(ctx context.Context, p *awsapi.Principal) (*policy.Policies, error) {
	key := principal{kind: p.Kind, account: p.Account, id: p.ID}
	if p.SessionPolicies != nil {
		key.session = p.AccessKeyID
	}
	now := a.changes() // before the records are read, so that a change in between is seen next time
	a.mu.RLock()
	c := a.kept[key]
	a.mu.RUnlock()
	if c != nil && c.made == now && slices.Equal(c.session, p.SessionPolicies) {
		a.stats.reused.Add(1)
		return &c.Policies, nil
	}
	a.stats.compiled.Add(1)
	kind := resource.KindUser
	if p.Kind == awsapi.PrincipalRole {
		kind = resource.KindRole
	}
	all, err := a.PoliciesOf(ctx, p.Account, kind, p.ID)
	if err != nil {
		return nil, err
	}
	c = &compiled{Policies: *all, session: p.SessionPolicies, made: now}
	if p.SessionPolicies != nil {
		c.Session = []policy.Source{}
		for _, text := range p.SessionPolicies {
			c.Session = append(c.Session, a.source("session", text))
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.kept) >= maxKept {
		clear(a.kept)
	}
	a.kept[key] = c
	return &c.Policies, nil
}

// PoliciesOf returns the policies of a user, a role or a group (resource.KindUser and so on) by the ID of its record,
// without those of a session. Their sources are named as Simulate names them. What has no record has no policies; errors are
// those of the store.
func (a *Authorizer) PoliciesOf(ctx context.Context, account, kind, id string) (*policy.Policies, error) {
	all := &policy.Policies{Identity: []policy.Source{}}
	key, boundary := records.IAMKey(account, id), ""
	switch kind {
	case resource.KindUser:
		u, err := a.opts.Records.Users.Get(ctx, key)
		if err != nil {
			return all, missingOr(err)
		}
		boundary = u.Value.Boundary
		a.add(ctx, all, kind, u.Value.Name, u.Value.Inline, u.Value.Attached)
		if err := a.addGroups(ctx, all, account, u.Value.Groups); err != nil {
			return all, err
		}
	case resource.KindRole:
		r, err := a.opts.Records.Roles.Get(ctx, key)
		if err != nil {
			return all, missingOr(err)
		}
		boundary = r.Value.Boundary
		a.add(ctx, all, kind, r.Value.Name, r.Value.Inline, r.Value.Attached)
	case resource.KindGroup:
		if err := a.addGroups(ctx, all, account, []string{id}); err != nil {
			return all, err
		}
	}
	if boundary != "" {
		all.Boundary = []policy.Source{a.managed(ctx, boundary)}
	}
	return all, nil
}

// addGroups adds the policies of groups. One that is referred to and not there counts as a policy that is not.
func (a *Authorizer) addGroups(ctx context.Context, all *policy.Policies, account string, ids []string) error {
	for _, id := range ids {
		g, err := a.opts.Records.Groups.Get(ctx, records.IAMKey(account, id))
		switch {
		case fault.Is(err, fault.NotFound):
			all.Identity = append(all.Identity, a.lacking(id, err))
		case err != nil:
			return err
		default:
			a.add(ctx, all, resource.KindGroup, g.Value.Name, g.Value.Inline, g.Value.Attached)
		}
	}
	return nil
}

// missingOr makes nothing of a record that is not there: who has none has no policies.
func missingOr(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// add adds the policies of a record, in order of their names.
func (a *Authorizer) add(ctx context.Context, all *policy.Policies, kind, name string, inline map[string]string, attached []string) {
	for _, own := range slices.Sorted(maps.Keys(inline)) {
		all.Identity = append(all.Identity, a.source(kind+"_"+name+"_"+own, inline[own]))
	}
	for _, arn := range attached {
		all.Identity = append(all.Identity, a.managed(ctx, arn))
	}
}

// lacking stands for policies that are referred to and not there, which no record should do. They may have denied
// something, so it denies everything.
func (a *Authorizer) lacking(name string, err error) policy.Source {
	a.complain(name, err)
	return policy.Source{Name: name, Document: policy.Nothing(policy.Identity)}
}

func (a *Authorizer) complain(name string, err error) {
	a.opts.Logger.Error("a policy cannot be read and denies everything", "policy", name, "error", err)
}

// managed returns a policy that is attached by its ARN.
func (a *Authorizer) managed(ctx context.Context, arn string) policy.Source {
	p, ok := resource.AWSManagedPolicy(arn)
	if !ok {
		r, err := a.opts.Records.Policies.Find(ctx, "arn", arn)
		if err != nil {
			return a.lacking(arn, err)
		}
		p = r.Value
	}
	return a.source(p.Name, p.Document())
}

// document is a text and how it is read.
type document struct {
	kind policy.Kind
	text string
}

// source compiles a policy of an identity.
func (a *Authorizer) source(name, text string) policy.Source {
	d, err := a.compiled(document{policy.Identity, text})
	if err != nil {
		return a.lacking(name, err)
	}
	return policy.Source{Name: name, Document: d}
}

// compiled compiles a document, unless it is known.
func (a *Authorizer) compiled(of document) (*policy.Document, error) {
	a.mu.RLock()
	d := a.documents[of]
	a.mu.RUnlock()
	if d != nil {
		return d, nil
	}
	d, err := policy.Parse(of.text, of.kind)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.documents) >= maxDocuments {
		clear(a.documents)
	}
	a.documents[of] = d
	return d, nil
}
