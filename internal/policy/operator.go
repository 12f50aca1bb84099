package policy

import (
	"encoding/base64"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// operator is how a condition compares: compile reads a value of the document.
type operator struct {
	compile func(text string, what syntax) (comparison, error)
	negated bool // it is true when no value matches
	expands bool // variables have a meaning in its values
}

// operatorNamed returns an operator by its name without qualifier and IfExists (spec neighbours.md 3).
func operatorNamed(name string) (operator, bool) {
	switch name {
	case "IpAddress":
		return operator{compile: networkOf}, true
	case "NotIpAddress":
		return operator{compile: networkOf, negated: true}, true
	case "Bool":
		return operator{compile: booleanOf, expands: true}, true
	case "BinaryEquals":
		return operator{compile: binaryOf}, true
	}
	for _, family := range [...]struct {
		name string
		of   func(kind string) (operator, bool)
	}{{"String", textOperator}, {"Arn", arnOperator}, {"Numeric", scale(numberOf)}, {"Date", scale(instantOf)}} {
		if kind, ok := strings.CutPrefix(name, family.name); ok {
			kind, negated := strings.CutPrefix(kind, "Not")
			op, ok := family.of(kind)
			op.negated = negated
			return op, ok && (!negated || !strings.Contains(kind, "Than"))
		}
	}
	return operator{}, false
}

func textOperator(kind string) (operator, bool) {
	switch kind {
	case "Equals":
		return operator{compile: textOf(0), expands: true}, true
	case "Like":
		return operator{compile: textOf(wildcards), expands: true}, true
	case "EqualsIgnoreCase":
		return operator{compile: foldedOf, expands: true}, true
	}
	return operator{}, false
}

func arnOperator(kind string) (operator, bool) {
	return operator{compile: arnOf, expands: true}, kind == "Equals" || kind == "Like"
}

// scale returns the operators of a family whose values have an order.
func scale(of func(order) func(string, syntax) (comparison, error)) func(kind string) (operator, bool) {
	return func(kind string) (operator, bool) {
		how, ok := orderNamed(kind)
		return operator{compile: of(how)}, ok
	}
}

// text is a value of StringEquals or StringLike.
type text struct{ pattern }

func textOf(extra syntax) func(string, syntax) (comparison, error) {
	return func(s string, what syntax) (comparison, error) {
		p, err := compile(s, what|extra)
		return &text{p}, err
	}
}

// folded is a value of StringEqualsIgnoreCase.
type folded struct{ pattern }

func (f *folded) match(value string, c Context) truth { return f.equalFold(value, c) }

func foldedOf(s string, what syntax) (comparison, error) {
	p, err := compile(s, what)
	return &folded{p}, err
}

// resource is a value of ArnEquals and ArnLike, which are the same.
type resource struct{ arnPattern }

func (r *resource) match(value string, c Context) truth {
	a := splitARN(value)
	return r.arnPattern.match(&a, c)
}

func arnOf(s string, what syntax) (comparison, error) {
	p, err := arnValue(s, what)
	return &resource{p}, err
}

// boolean is a value of Bool.
type boolean struct{ pattern }

func (b *boolean) match(value string, c Context) truth {
	if !isBool(value) {
		return no
	}
	return b.equalFold(value, c)
}

func booleanOf(s string, what syntax) (comparison, error) {
	p, err := compile(s, what)
	if err == nil && !p.variables && !isBool(s) {
		err = malformed("Syntax errors in policy. %s is neither true nor false.", short(s))
	}
	return &boolean{p}, err
}

func isBool(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

// binary is a value of BinaryEquals: what its base64 stands for.
type binary string

func (b binary) match(value string, _ Context) truth {
	got, err := base64.StdEncoding.DecodeString(value)
	return truthOf(err == nil && string(got) == string(b))
}

func binaryOf(s string, _ syntax) (comparison, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, malformed("Syntax errors in policy. %s is not base64.", short(s))
	}
	return binary(b), nil
}

// network is a value of IpAddress.
type network netip.Prefix

func (n network) match(value string, _ Context) truth {
	a, err := netip.ParseAddr(value)
	return truthOf(err == nil && netip.Prefix(n).Contains(a.Unmap().WithZone("")))
}

func networkOf(s string, _ syntax) (comparison, error) {
	p, err := netip.ParsePrefix(s) // refuses zones
	if !strings.ContainsAny(s, "/%") {
		var a netip.Addr
		a, err = netip.ParseAddr(s)
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if err != nil {
		return nil, malformed("Syntax errors in policy. %s is neither an IP address nor a range of them in CIDR form.", short(s))
	}
	const mapped = 96 // the bits before an IPv4 address in IPv6
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return network(p.Masked()), nil
}

// order is how two values of a scale are compared.
type order uint8

const (
	equal order = iota
	less
	lessOrEqual
	greater
	greaterOrEqual
)

func orderNamed(name string) (order, bool) {
	switch name {
	case "Equals":
		return equal, true
	case "LessThan":
		return less, true
	case "LessThanEquals":
		return lessOrEqual, true
	case "GreaterThan":
		return greater, true
	case "GreaterThanEquals":
		return greaterOrEqual, true
	}
	return equal, false
}

// holds takes the outcome of a three-way comparison.
func (o order) holds(c int) truth {
	switch o {
	case less:
		return truthOf(c < 0)
	case lessOrEqual:
		return truthOf(c <= 0)
	case greater:
		return truthOf(c > 0)
	case greaterOrEqual:
		return truthOf(c >= 0)
	case equal:
	}
	return truthOf(c == 0)
}

// number is a value of the Numeric operators.
type number struct {
	order
	want float64
}

func (n *number) match(value string, _ Context) truth {
	got, ok := parseNumber(value)
	switch {
	case !ok:
		return no
	case got < n.want:
		return n.holds(-1)
	case got > n.want:
		return n.holds(1)
	}
	return n.holds(0)
}

func numberOf(how order) func(string, syntax) (comparison, error) {
	return func(s string, _ syntax) (comparison, error) {
		want, ok := parseNumber(s)
		if !ok {
			return nil, malformed("Syntax errors in policy. %s is not a number.", short(s))
		}
		return &number{how, want}, nil
	}
}

// parseNumber reads a decimal number.
func parseNumber(s string) (float64, bool) {
	if strings.Trim(s, "+-.0123456789eE") != "" { // neither infinities nor other bases
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// instant is a value of the Date operators.
type instant struct {
	order
	want time.Time
}

func (i *instant) match(value string, _ Context) truth {
	got, ok := parseDate(value)
	if !ok {
		return no
	}
	return i.holds(got.Compare(i.want))
}

func instantOf(how order) func(string, syntax) (comparison, error) {
	return func(s string, _ syntax) (comparison, error) {
		want, ok := parseDate(s)
		if !ok {
			return nil, malformed("Syntax errors in policy. %s is not a date.", short(s))
		}
		return &instant{how, want}, nil
	}
}

// parseDate reads a date of ISO 8601 in one of the forms of the W3C's profile, or the seconds since 1970.
func parseDate(s string) (time.Time, bool) {
	const most = 1 << 40 // seconds: far beyond what a date can be
	if f, ok := parseNumber(s); ok {
		seconds, fraction := math.Modf(f)
		return time.Unix(int64(seconds), int64(fraction*1e9)), math.Abs(f) < most
	}
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly, "2006-01"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
