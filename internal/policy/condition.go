package policy

import "strings"

// condition is one key of one operator of a Condition: a text to compare with, or several of which one is enough.
type condition struct {
	key      Key
	values   []comparison
	negated  bool
	ifExists bool
	set      qualifier
	any      bool // one of the values matches whatever there is

	null    bool // the operator is Null
	missing []bool
}

// comparison is a value of a condition: what a value of the request may be.
type comparison interface {
	match(value string, c Context) truth
}

// qualifier says how the values of a key that has several are taken.
type qualifier uint8

const (
	unqualified  qualifier = iota
	forAllValues           // each of them
	forAnyValue            // at least one
)

// conditionNamed takes the name of an operator apart: its qualifier, the operator, and IfExists.
func conditionNamed(name string) (condition, operator, error) {
	var c condition
	base := name
	if rest, ok := strings.CutPrefix(base, "ForAllValues:"); ok {
		c.set, base = forAllValues, rest
	} else if rest, ok := strings.CutPrefix(base, "ForAnyValue:"); ok {
		c.set, base = forAnyValue, rest
	}
	if base == "Null" && c.set == unqualified {
		c.null = true
		return c, operator{}, nil
	}
	base, c.ifExists = strings.CutSuffix(base, "IfExists")
	op, ok := operatorNamed(base)
	if !ok {
		return c, op, malformed("Syntax errors in policy. There is no condition operator %q.", short(name))
	}
	c.negated = op.negated
	return c, op, nil
}

// holds reports whether the condition is met in a request.
func (c *condition) holds(x Context) truth {
	v := x.Value(c.key)
	switch {
	case v.state == unknown:
		return c.unknown()
	case c.null:
		return c.isNull(v.len() == 0)
	case v.len() == 0:
		return c.absent()
	}
	return c.given(&v, x)
}

// given is holds with a key that has values. Without a qualifier one of them is enough; a negated operator wants that none
// of them matches.
func (c *condition) given(v *Value, x Context) truth {
	switch c.set {
	case forAllValues:
		t := yes
		for i := range v.len() {
			t = min(t, c.one(v.at(i), x))
		}
		return max(t, truthOf(blank(v)))
	case forAnyValue:
		t := no
		for i := range v.len() {
			t = max(t, c.one(v.at(i), x))
		}
		return min(t, truthOf(!blank(v)))
	case unqualified:
	}
	t := no
	for i := range v.len() {
		t = max(t, c.listed(v.at(i), x))
	}
	if c.negated {
		return not(t)
	}
	return t
}

// one reports whether the operator is true of one value.
func (c *condition) one(value string, x Context) truth {
	if c.negated {
		return not(c.listed(value, x))
	}
	return c.listed(value, x)
}

// listed reports whether a value matches one of the condition's.
func (c *condition) listed(value string, x Context) truth {
	t := no
	for _, want := range c.values {
		if t = max(t, want.match(value, x)); t == yes {
			break
		}
	}
	return t
}

// absent is what the condition is when the request does not have the key (spec neighbours.md 3, errata.md A3).
func (c *condition) absent() truth {
	switch {
	case c.ifExists:
		return yes
	case c.set == forAllValues:
		return yes
	case c.set == forAnyValue:
		return no
	}
	return truthOf(c.negated)
}

// unknown is what the condition is when it is not known what the key holds: maybe, unless it would be the same with every
// value and without one.
func (c *condition) unknown() truth {
	if c.null {
		if t := c.isNull(true); t == c.isNull(false) {
			return t
		}
		return maybe
	}
	something, empty := maybe, maybe
	switch {
	case c.any:
		something = truthOf(!c.negated)
	case len(c.values) == 0:
		something = truthOf(c.negated)
	}
	switch c.set {
	case unqualified:
		empty = something
	case forAllValues:
		empty = yes
	case forAnyValue:
		empty = no
	}
	if t := c.absent(); t == something && t == empty {
		return t
	}
	return maybe
}

// isNull is Null: whether the key is missing is one of the values.
func (c *condition) isNull(missing bool) truth {
	for _, want := range c.missing {
		if want == missing {
			return yes
		}
	}
	return no
}

// blank reports whether all values are empty texts, which for a set is as if there were none.
func blank(v *Value) bool {
	for i := range v.len() {
		if v.at(i) != "" {
			return false
		}
	}
	return true
}
