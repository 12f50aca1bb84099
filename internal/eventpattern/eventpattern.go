// Package eventpattern decides whether an event is one that a rule or a subscription is about.
//
// A pattern is the JSON that EventBridge rules have and, in a narrower dialect, the filter policies of SNS: an object
// whose fields hold lists of matches, of which one must hold for the event's field of that name (spec neighbours.md 4,
// errata.md A4 and A5). A pattern is compiled once and can then be asked from any number of goroutines; an event is
// parsed once and can be shown to any number of patterns.
//
// Fields of objects inside a list count for the same element: {"a": {"b": [1], "c": [2]}} is not about
// {"a": [{"b": 1}, {"c": 2}]}. A name with dots is the same as nested names, in patterns and in events; where one name is
// written both ways with values that cannot be merged, the one with dots counts. The time of a match grows with the size
// of the pattern times that of the lists in the event, and with nothing else.
//
// Imports: nothing of Rivus.
package eventpattern

// Pattern is a compiled pattern. The zero Pattern matches nothing.
type Pattern struct {
	alternatives []*node // of which one must match; more than one only with "$or"
}

// Error says why a text is no pattern, in the words of the service without what it puts before them.
type Error struct{ Reason string }

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

// Match tells whether an event is one that the pattern is about.
func (p *Pattern) Match(e Event) bool {
	for _, n := range p.alternatives {
		if n.match(&e.root) != no {
			return true
		}
	}
	return false
}

// node is what a pattern asks of a value: of the value itself, in groups of which every one must have a match that holds,
// and of the members of an object.
type node struct {
	groups   []group
	members  []member
	optional bool // a missing value is fine, for all that is asked for is that there be none
}

type group struct {
	matches []match
	absent  bool // one of them is {"exists": false}
}

type member struct {
	name string
	node *node
}

// verdict is how a value answers to a node. Values that are not there answer differently from those that fit: inside a
// list, one element that fits is enough, but a field is only missing when no element has it.
type verdict uint8

const (
	no     verdict = iota
	absent         // the pattern asks that nothing be there, and nothing is
	yes            // something is there, and fits
)

func (n *node) match(v *value) verdict {
	switch {
	case v == nil:
		return n.missing()
	case v.kind == list:
		return n.matchList(v)
	}
	result := absent
	for i := range n.groups {
		switch n.groups[i].match(v) {
		case no:
			return no
		case yes:
			result = yes
		case absent:
		}
	}
	for i := range n.members {
		m := &n.members[i]
		switch m.node.match(v.member(m.name)) {
		case no:
			return no
		case yes:
			result = yes
		case absent:
		}
	}
	return result
}

// matchList looks for an element that fits. Lists in a list are as good as one.
func (n *node) matchList(v *value) verdict {
	result := n.missing()
	for i := range v.list {
		switch n.match(&v.list[i]) {
		case yes:
			return yes
		case no:
			result = no
		case absent:
		}
	}
	return result
}

func (n *node) missing() verdict {
	if n.optional {
		return absent
	}
	return no
}

// match answers for a value that is no list. An object is not a value that could be there: only its members are.
func (g *group) match(v *value) verdict {
	if v.kind == object {
		if g.absent {
			return absent
		}
		return no
	}
	for i := range g.matches {
		if g.matches[i].holds(v) {
			return yes
		}
	}
	return no
}
