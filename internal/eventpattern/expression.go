package eventpattern

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
)

// The names of operators.
const (
	opPrefix      = "prefix"
	opSuffix      = "suffix"
	opEqualsFold  = "equals-ignore-case"
	opWildcard    = "wildcard"
	opAnythingBut = "anything-but"
	opNumeric     = "numeric"
	opCIDR        = "cidr"
	opExists      = "exists"
)

func isOperator(name string) bool {
	switch name {
	case opPrefix, opSuffix, opEqualsFold, opWildcard, opAnythingBut, opNumeric, opCIDR, opExists, "exactly":
		return true
	}
	return false
}

func splitName(name string) []string { return strings.SplitN(name, ".", maxDots+1) }

// single returns the only member of an object.
func single(v map[string]any) (name string, operand any, err error) {
	if len(v) == 0 {
		return "", nil, &Error{"Match expression name not found"}
	}
	if len(v) > 1 {
		return "", nil, &Error{"Only one key allowed in match expression"}
	}
	for name, operand = range v {
	}
	return name, operand, nil
}

// expression compiles {"operator": operand}.
func (c *compiler) expression(v map[string]any) (match, error) {
	name, operand, err := single(v)
	if err != nil {
		return match{}, err
	}
	switch name {
	case opPrefix, opSuffix:
		if inner, ok := operand.(map[string]any); ok {
			return affixFold(name, inner)
		}
		return affix(name, operand)
	case opEqualsFold:
		return affix(name, operand)
	case opWildcard:
		if c.dialect.narrow {
			break
		}
		return wild(operand)
	case opAnythingBut:
		return c.anythingBut(operand)
	case opNumeric:
		return c.numeric(operand)
	case opCIDR:
		return cidr(operand)
	case opExists:
		return exists(operand)
	}
	return match{}, &Error{"Unrecognized match type " + name}
}

func exists(operand any) (match, error) {
	there, ok := operand.(bool)
	switch {
	case !ok:
		return match{}, &Error{"exists match pattern must be either true or false."}
	case there:
		return match{operator: isPresent}, nil
	}
	return match{operator: isAbsent}, nil
}

var textOperators = map[string]struct{ exact, fold operator }{ //nolint:gochecknoglobals // a constant table
	opPrefix:     {hasPrefix, hasPrefixFold},
	opSuffix:     {hasSuffix, hasSuffixFold},
	opEqualsFold: {equalsFold, equalsFold},
}

// affix compiles the operand of an operator that takes one text.
func affix(name string, operand any) (match, error) {
	s, ok := operand.(string)
	if !ok {
		return match{}, &Error{name + " match pattern must be a string"}
	}
	return match{operator: textOperators[name].exact, texts: []string{s}}, nil
}

// affixFold compiles {"equals-ignore-case": text} below prefix or suffix.
func affixFold(name string, v map[string]any) (match, error) {
	inner, operand, err := single(v)
	if err != nil {
		return match{}, err
	}
	if inner != opEqualsFold {
		return match{}, &Error{"Unrecognized match type " + inner}
	}
	m, err := affix(opEqualsFold, operand)
	m.operator = textOperators[name].fold
	return m, err
}

func wild(operand any) (match, error) {
	s, ok := operand.(string)
	if !ok {
		return match{}, &Error{"wildcard match pattern must be a string"}
	}
	w, err := parseWildcard(s)
	return match{operator: fitsWildcard, wild: []wildcard{w}}, err
}

// texts returns the elements of a text or of a list of texts.
func texts(operand any, otherwise string) ([]string, error) {
	elements, ok := operand.([]any)
	if !ok {
		elements = []any{operand}
	}
	out := make([]string, len(elements))
	for i, e := range elements {
		if out[i], ok = e.(string); !ok {
			return nil, &Error{otherwise}
		}
	}
	if len(out) == 0 {
		return nil, &Error{"Empty arrays are not allowed"}
	}
	return out, nil
}

// anythingBut compiles what must not be: a value, a list of texts or of numbers, or an operator on texts.
func (c *compiler) anythingBut(operand any) (match, error) {
	m := match{negated: true}
	switch v := operand.(type) {
	case string:
		m.operator, m.texts = isText, []string{v}
		return m, nil
	case json.Number:
		m.operator, m.numbers = isNumber, []decimal{parseDecimal(v.String())}
		return m, nil
	case []any:
		return anythingOf(v)
	case map[string]any:
		return c.anythingButText(v)
	}
	return m, &Error{"Value of anything-but must be an array or single string/number value."}
}

func anythingOf(elements []any) (match, error) {
	m := match{negated: true}
	for _, e := range elements {
		switch e := e.(type) {
		case string:
			m.operator, m.texts = isText, append(m.texts, e)
		case json.Number:
			m.operator, m.numbers = isNumber, append(m.numbers, parseDecimal(e.String()))
		default:
			return m, &Error{"Inside anything but list, start|null|boolean is not supported."}
		}
	}
	switch {
	case len(elements) == 0:
		return m, &Error{"Empty arrays are not allowed"}
	case m.texts != nil && m.numbers != nil:
		return m, &Error{"Inside anything but list, either all values are number or string, mixed type is not supported"}
	}
	return m, nil
}

func (c *compiler) anythingButText(v map[string]any) (match, error) {
	name, operand, err := single(v)
	if err != nil {
		return match{}, err
	}
	m := match{negated: true}
	switch {
	case name == opPrefix || name == opSuffix:
		m.operator = textOperators[name].exact
	case name == opEqualsFold && !c.dialect.narrow:
		m.operator = equalsFold
	case name == opWildcard && !c.dialect.narrow:
		m.operator = fitsWildcard
	default:
		return m, &Error{"Unsupported anything-but pattern: " + name}
	}
	if m.texts, err = texts(operand, name+" match pattern must be a string"); err != nil {
		return m, err
	}
	for _, s := range m.texts {
		if s == "" && (name == opPrefix || name == opSuffix) {
			return m, &Error{"Null prefix/suffix not allowed"}
		}
		if m.operator != fitsWildcard {
			continue
		}
		w, err := parseWildcard(s)
		if err != nil {
			return m, err
		}
		m.wild = append(m.wild, w)
	}
	return m, nil
}

// cidr compiles a network, or one address, of either version.
func cidr(operand any) (match, error) {
	s, ok := operand.(string)
	if !ok {
		return match{}, &Error{"prefix match pattern must be a string"}
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return match{operator: inNetwork, network: netip.PrefixFrom(a, a.BitLen())}, nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return match{}, &Error{"Malformed CIDR, one '/' required"}
	}
	return match{operator: inNetwork, network: p.Masked()}, nil
}

// numeric compiles ["=", n], or one or two comparisons that make a range.
func (c *compiler) numeric(operand any) (match, error) {
	terms, ok := operand.([]any)
	if !ok {
		return match{}, &Error{"Value of numeric must be an array."}
	}
	m := match{operator: inRange}
	if len(terms) == 0 || len(terms)%2 != 0 {
		return m, &Error{"Value of equals must be numeric."}
	}
	if len(terms) > 4 {
		return m, &Error{"Too many elements in numeric expression"}
	}
	for i := 0; i < len(terms); i += 2 {
		sign, ok := terms[i].(string)
		if !ok {
			return m, &Error{fmt.Sprintf("Invalid member in numeric match: %v", terms[i])}
		}
		n, err := c.number(sign, terms[i+1])
		if err != nil {
			return m, err
		}
		if err := m.bind(sign, n, len(terms)); err != nil {
			return m, err
		}
	}
	if m.low.set && m.high.set && m.low.at.compare(m.high.at) >= 0 {
		return m, &Error{"Bottom must be less than top"}
	}
	return m, nil
}

// number checks an operand of numeric.
func (c *compiler) number(sign string, v any) (decimal, error) {
	literal, ok := v.(json.Number)
	if !ok {
		return decimal{}, &Error{"Value of " + sign + " must be numeric."}
	}
	d, size := parseDecimal(literal.String()), c.dialect.span
	positive := d
	positive.negative = false
	if positive.compare(size) > 0 || d.decimals() > c.dialect.maxDecimals || len(d.digits) > c.dialect.maxDigits {
		low := size
		low.negative = true
		return d, &Error{fmt.Sprintf("Value must be between %s and %s, inclusive", low, size)}
	}
	return d, nil
}

// bind adds a comparison to a range. The lower end comes first.
func (m *match) bind(sign string, n decimal, terms int) error {
	switch {
	case sign == "=" && terms == 2:
		m.operator, m.numbers = isNumber, []decimal{n}
	case (sign == ">" || sign == ">=") && !m.low.set && !m.high.set:
		m.low = bound{set: true, inclusive: sign == ">=", at: n}
	case (sign == "<" || sign == "<=") && !m.high.set:
		m.high = bound{set: true, inclusive: sign == "<=", at: n}
	case sign == "=" || sign == ">" || sign == ">=" || sign == "<" || sign == "<=":
		return &Error{"Too many terms in numeric range expression"}
	default:
		return &Error{"Unrecognized numeric range operator: " + sign}
	}
	return nil
}
