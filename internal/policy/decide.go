package policy

import "strings"

// Policies are all documents that bear on what a principal does.
type Policies struct {
	Identity []Source // of a user and its groups, or of a role
	Boundary []Source // the permissions boundary; nil: there is none
	Session  []Source // the policies of a session, which narrow what its role or user may do; nil: there are none
}

// Source is a document and the name by which Simulate answers it.
type Source struct {
	Name string
	*Document
}

// Verdict is the outcome of an evaluation. The zero Verdict denies.
type Verdict uint8

// The verdicts.
const (
	Denied Verdict = iota
	// Depends on keys whose value is not known yet: some value of them may change the decision. Each condition is looked
	// at alone, so a statement that wants two things of a tag which exclude each other counts as one that may apply.
	Depends
	Allowed
)

// Decision is a verdict and why.
type Decision struct {
	Verdict
	Explicit bool // denied by a statement
	by       layer
}

// layer is where a decision comes from.
type layer uint8

const (
	identity layer = iota
	boundary
	session
	resourcePolicy
	trust
)

// Because returns the end of the sentence in which somebody is refused an action (spec neighbours.md 3).
func (d Decision) Because(action string) string {
	name := [...]string{"identity-based policy", "permissions boundary", "session policy", "resource-based policy", "role trust policy"}[d.by]
	if !d.Explicit {
		return "because no " + name + " allows the " + action + " action"
	}
	article := "a"
	switch d.by {
	case identity:
		article = "an"
	case trust:
		article = "the"
	case boundary, session, resourcePolicy:
	}
	return "with an explicit deny in " + article + " " + name
}

// Eval returns the decision as Simulate answers it: allowed, explicitDeny or implicitDeny.
func (d Decision) Eval() string {
	switch {
	case d.Verdict == Allowed:
		return "allowed"
	case d.Explicit:
		return "explicitDeny"
	}
	return "implicitDeny"
}

// tally is what one layer of documents says.
type tally struct {
	allow, deny truth
	delegate    truth // of a resource's policy: it allows the account to decide
}

// Decide evaluates a request: a statement that denies wins over everything; else it is allowed when the policies of the
// identity allow it, and the boundary and the policies of the session if there are any. A resource's policy that names who
// asks is as good as the identity's; that of a role, which trusts, has to name it or its account (spec neighbours.md 3).
func (p *Policies) Decide(r *Request) Decision {
	q := r.query()
	return p.decide(&q, r.Policy)
}

func (p *Policies) decide(q *query, of *Document) Decision {
	layers := [...]tally{
		identity: count(p.Identity, q), boundary: count(p.Boundary, q), session: count(p.Session, q), resourcePolicy: of.count(q),
	}
	own := resourcePolicy
	trusts := of != nil && of.kind == Trust
	if trusts {
		own = trust
	}
	deny := no
	for at, t := range layers {
		if t.deny == yes {
			by := layer(at)
			if by == resourcePolicy {
				by = own
			}
			return Decision{Explicit: true, by: by}
		}
		deny = max(deny, t.deny)
	}
	allow, by := layers[identity].allow, identity
	if trusts {
		if allow = min(allow, layers[resourcePolicy].delegate); layers[resourcePolicy].delegate == no {
			by = own
		}
	}
	allow = max(allow, layers[resourcePolicy].allow)
	if p.Boundary != nil && layers[boundary].allow < allow {
		allow, by = layers[boundary].allow, boundary
	}
	if p.Session != nil && layers[session].allow < allow {
		allow, by = layers[session].allow, session
	}
	switch {
	case allow == no:
		return Decision{by: by}
	case allow == yes && deny == no:
		return Decision{Verdict: Allowed}
	}
	return Decision{Verdict: Depends}
}

// count evaluates the documents of a layer.
func count(sources []Source, q *query) (t tally) {
	for i := range sources {
		for j := range sources[i].statements {
			t.add(&sources[i].statements[j], q)
			if t.deny == yes {
				return t
			}
		}
	}
	return t
}

// add adds what a statement says.
func (t *tally) add(s *statement, q *query) {
	switch {
	case s.effect == Deny:
		t.deny = max(t.deny, s.matches(q))
	case t.allow < yes:
		t.allow = max(t.allow, s.matches(q))
	}
}

// count evaluates the policy of a resource.
func (d *Document) count(q *query) (t tally) {
	if d == nil {
		return t
	}
	for i := range d.statements {
		s := &d.statements[i]
		switch how := s.naming(q.principal); {
		case how == unnamed:
		case s.effect == Allow && how == asAccount:
			t.delegate = max(t.delegate, s.matches(q))
		default:
			t.add(s, q)
		}
	}
	return t
}

// Match is a statement that decided.
type Match struct {
	Source     string // its document
	Sid        string
	Start, End Position // of its braces
}

// Explanation is a decision and what led to it.
type Explanation struct {
	Decision
	Matched        []Match  // the statements that deny when some do, else those that allow
	Missing        []string // keys that the documents ask for and the request does not have, as they spell them
	BoundaryAllows bool     // the permissions boundary allows it, or there is none
}

// Explain evaluates a request and says which statements decided.
func (p *Policies) Explain(r *Request) Explanation {
	q := r.query()
	e := Explanation{Decision: p.decide(&q, r.Policy), BoundaryAllows: p.Boundary == nil || count(p.Boundary, &q).allow == yes}
	all := p.sources(r.Policy)
	e.Missing = missing(all, q.context)
	wanted := Allow
	if e.Explicit {
		wanted = Deny
	} else if e.Verdict != Allowed {
		return e
	}
	for _, source := range all {
		for i := range source.statements {
			s := &source.statements[i]
			if s.effect == wanted && s.naming(q.principal) != unnamed && s.matches(&q) == yes {
				e.Matched = append(e.Matched, Match{Source: source.Name, Sid: s.sid, Start: s.start, End: s.end})
			}
		}
	}
	return e
}

// sources returns all documents.
func (p *Policies) sources(of *Document) (all []Source) {
	all = append(append(append(all, p.Identity...), p.Boundary...), p.Session...)
	if of != nil {
		all = append(all, Source{Name: "ResourcePolicy", Document: of})
	}
	return all
}

// missing returns the keys that documents ask for and a context does not have.
func missing(all []Source, c Context) (out []string) {
	seen := make(map[string]bool)
	for _, source := range all {
		for _, key := range source.keys {
			lower := strings.ToLower(key)
			if v := c.Value(KeyOf(key)); v.state == absent && !seen[lower] {
				seen[lower] = true
				out = append(out, key)
			}
		}
	}
	return out
}
