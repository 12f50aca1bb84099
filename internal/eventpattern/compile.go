package eventpattern

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Compile compiles a pattern of a dialect. The error is an *Error.
func Compile(pattern []byte, d Dialect) (*Pattern, error) {
	if len(pattern) > d.maxBytes {
		return nil, &Error{fmt.Sprintf("The pattern has more than %d bytes", d.maxBytes)}
	}
	raw, err := decode(pattern)
	if err != nil {
		return nil, &Error{"Invalid JSON"}
	}
	root, ok := raw.(map[string]any)
	if !ok {
		return nil, &Error{"Filter is not an object"}
	}
	if d.maxKeys > 0 && len(root) > d.maxKeys {
		return nil, &Error{fmt.Sprintf("Filter policy can not have more than %d keys", d.maxKeys)}
	}
	c := compiler{dialect: d, combinations: 1}
	all, err := c.object(root, 1)
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		n.settle()
	}
	return &Pattern{alternatives: all}, nil
}

// compiler is one compilation. It makes a node for each way in which the alternatives of "$or" can be combined.
type compiler struct {
	dialect      Dialect
	combinations int // of values, where the dialect counts them
}

const orField = "$or"

func (c *compiler) object(members map[string]any, depth int) ([]*node, error) {
	if len(members) == 0 {
		return nil, &Error{"Empty objects are not allowed"}
	}
	all := []*node{{}}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		var some []*node
		var err error
		if branches, ok := alternativesOf(name, members[name]); ok {
			some, err = c.branches(branches, depth)
		} else {
			some, err = c.field(name, members[name], depth)
		}
		if err != nil {
			return nil, err
		}
		if len(all)*len(some) > c.dialect.maxCombinations {
			return nil, &Error{fmt.Sprintf("The pattern has more than %d combinations", c.dialect.maxCombinations)}
		}
		all = combine(all, some)
	}
	return all, nil
}

// alternativesOf tells whether a field is the operator "$or": a list of at least two objects, none of which has a field
// that is the name of an operator.
func alternativesOf(name string, v any) ([]map[string]any, bool) {
	elements, ok := v.([]any)
	if name != orField || !ok || len(elements) < 2 {
		return nil, false
	}
	out := make([]map[string]any, len(elements))
	for i, e := range elements {
		if out[i], ok = e.(map[string]any); !ok || len(out[i]) == 0 {
			return nil, false
		}
		for field := range out[i] {
			if isOperator(field) {
				return nil, false
			}
		}
	}
	return out, true
}

func (c *compiler) branches(branches []map[string]any, depth int) ([]*node, error) {
	var all []*node
	for _, b := range branches {
		some, err := c.object(b, depth)
		if err != nil {
			return nil, err
		}
		if all = append(all, some...); len(all) > c.dialect.maxCombinations {
			return nil, &Error{fmt.Sprintf("The pattern has more than %d combinations", c.dialect.maxCombinations)}
		}
	}
	return all, nil
}

// field compiles what is asked of one field, whose name may have dots.
func (c *compiler) field(name string, v any, depth int) ([]*node, error) {
	var some []*node
	var err error
	switch v := v.(type) {
	case map[string]any:
		if c.dialect.flat {
			return nil, &Error{"Filter policy scope MessageAttributes does not support nested filter policy"}
		}
		some, err = c.object(v, depth+1)
	case []any:
		some, err = c.leaf(v, depth)
	default:
		return nil, &Error{fmt.Sprintf("%q must be an object or an array", name)}
	}
	if err != nil {
		return nil, err
	}
	parts := splitName(name)
	for i := range some {
		for _, part := range slices.Backward(parts) {
			some[i] = &node{members: []member{{part, some[i]}}}
		}
	}
	return some, nil
}

func (c *compiler) leaf(values []any, depth int) ([]*node, error) {
	if len(values) == 0 {
		return nil, &Error{"Empty arrays are not allowed"}
	}
	if c.dialect.everyValue {
		if c.combinations *= len(values) * depth; c.combinations > c.dialect.maxCombinations {
			return nil, &Error{"Filter policy is too complex"}
		}
	}
	g := group{matches: make([]match, len(values))}
	for i, v := range values {
		m, err := c.match(v)
		if err != nil {
			return nil, err
		}
		g.matches[i] = m
		g.absent = g.absent || m.operator == isAbsent
	}
	return []*node{{groups: []group{g}}}, nil
}

// match compiles one element of a list.
func (c *compiler) match(v any) (match, error) {
	switch v := v.(type) {
	case nil:
		return match{operator: isNull}, nil
	case bool:
		return match{operator: isTruth, truth: v}, nil
	case string:
		return match{operator: isText, texts: []string{v}}, nil
	case json.Number:
		return match{operator: isNumber, numbers: []decimal{parseDecimal(v.String())}}, nil
	case map[string]any:
		return c.expression(v)
	}
	return match{}, &Error{"Match value must be String, number, true, false, or null"}
}

// combine makes every node of the one list with every node of the other.
func combine(some, others []*node) []*node {
	out := make([]*node, 0, len(some)*len(others))
	for _, a := range some {
		for _, b := range others {
			out = append(out, both(a, b))
		}
	}
	return out
}

// both asks for what either of two nodes asks for. It changes neither: they are parts of other combinations too.
func both(a, b *node) *node {
	out := &node{groups: slices.Concat(a.groups, b.groups), members: slices.Clone(a.members)}
	for _, m := range b.members {
		i := slices.IndexFunc(out.members, func(o member) bool { return o.name == m.name })
		if i < 0 {
			out.members = append(out.members, m)
		} else {
			out.members[i].node = both(out.members[i].node, m.node)
		}
	}
	return out
}

// settle notes of every node whether it can do without a value.
func (n *node) settle() {
	n.optional = !slices.ContainsFunc(n.groups, func(g group) bool { return !g.absent })
	for _, m := range n.members {
		m.node.settle()
		n.optional = n.optional && m.node.optional
	}
}
