// Package policy evaluates IAM policies: may a principal do this to that, and which statement says so.
//
// Parse compiles a document once; a Policies, the documents that bear on a principal, then answers any number of
// requests without allocating. Nothing is allowed that no document allows, and a document that does not parse is none.
//
// Statements are evaluated in three values (truth), because the tags of a resource are known only to who reads its record:
// a request whose context does not know a key yet gets the decision Depends, unless the decision would be the same whatever
// the key holds. Who asks again with all keys known gets the decision that was meant.
//
// A document is immutable, and everything here may be used from any goroutine.
//
// Imports: fault.
package policy

import (
	"github.com/rivus-live/rivus/internal/fault"
)

// Bounds of a document. They bound the memory that one can take, and the time of an evaluation; the quotas of the service
// are lower and IAM's own.
const (
	maxText    = 131072 // bytes of a document, as in the model of IAM
	maxEntries = 4096   // members and elements of it, together
)

// Kind is what a document is attached to, which decides what its statements have to say.
type Kind uint8

// The kinds.
const (
	// Identity is a policy of a user, a group, a role or a session: its statements name resources and no principal.
	Identity Kind = iota
	// Trust is the policy that says who may assume a role: its statements name principals and no resource.
	Trust
	// Resource is a policy of a resource, such as a topic: its statements name principals and may name resources.
	Resource
)

// Effect is what a statement that matches does.
type Effect uint8

// The effects.
const (
	Deny Effect = iota
	Allow
)

// Document is a policy, compiled.
type Document struct {
	kind       Kind
	statements []statement
	keys       []string // of the context that it asks for, as it spells them
}

// Position is a place in the text of a document, both counted from 1, columns in characters.
type Position struct{ Line, Column int }

// statement is one rule of a document.
type statement struct {
	sid        string
	effect     Effect
	start, end Position // of its braces

	principals  *principals // nil: whoever has the policy
	actions     []pattern
	notAction   bool
	resources   []arnPattern // nil: whatever has the policy
	notResource bool
	conditions  []condition
}

// matches reports whether the statement applies to a request.
func (s *statement) matches(q *query) truth {
	if !s.names(q.action) {
		return no
	}
	t := s.covers(q)
	for i := range s.conditions {
		if t == no {
			break
		}
		t = min(t, s.conditions[i].holds(q.context))
	}
	return t
}

// names reports whether the statement is about an action.
func (s *statement) names(action string) bool {
	for i := range s.actions {
		if glob(s.actions[i].parts, action, true) {
			return !s.notAction
		}
	}
	return s.notAction
}

// covers reports whether the statement is about the resource of a request.
func (s *statement) covers(q *query) truth {
	if s.resources == nil {
		return yes
	}
	t := no
	for i := range s.resources {
		if t = max(t, s.resources[i].match(&q.resource, q.context)); t == yes {
			break
		}
	}
	if s.notResource {
		return not(t)
	}
	return t
}

// malformed is what is told of a document that cannot be used.
func malformed(format string, args ...any) error { return fault.New(fault.Malformed, format, args...) }

// Nothing returns a document of a kind that denies everything.
func Nothing(kind Kind) *Document {
	all := pattern{parts: []part{{kind: star}}}
	return &Document{kind: kind, statements: []statement{{effect: Deny, actions: []pattern{all}, resources: []arnPattern{{all: true}}}}}
}
