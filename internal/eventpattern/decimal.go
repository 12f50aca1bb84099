package eventpattern

import (
	"cmp"
	"strconv"
	"strings"
)

// decimal is an exact number: 0.<digits> times ten to the exponent. Digits have no zero at either end, so equal numbers
// are equal decimals, however they are written; zero has none.
type decimal struct {
	negative bool
	exponent int
	digits   string
}

// farExponent stands for exponents of more digits than any number needs.
const farExponent = 1 << 30

// parseDecimal reads a number that JSON allows.
func parseDecimal(literal string) decimal {
	mantissa, tail, _ := strings.Cut(strings.ToLower(literal), "e")
	exponent := 0
	if tail != "" {
		n, err := strconv.Atoi(tail)
		switch {
		case err == nil && n > -farExponent && n < farExponent:
			exponent = n
		case tail[0] == '-':
			exponent = -farExponent
		default:
			exponent = farExponent
		}
	}
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	whole = strings.TrimLeft(whole, "0")
	digits := whole + fraction
	exponent += len(whole)
	trimmed := strings.TrimLeft(digits, "0")
	exponent -= len(digits) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, "0")
	if trimmed == "" {
		return decimal{}
	}
	return decimal{negative: negative, exponent: exponent, digits: trimmed}
}

// compare returns -1, 0 or 1.
func (d decimal) compare(e decimal) int {
	switch a, b := d.sign(), e.sign(); {
	case a != b:
		return cmp.Compare(a, b)
	case a < 0:
		return e.compareSize(d)
	}
	return d.compareSize(e)
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}

// compareSize compares two numbers of the same sign without it.
func (d decimal) compareSize(e decimal) int {
	return cmp.Or(cmp.Compare(d.exponent, e.exponent), strings.Compare(d.digits, e.digits))
}

// decimals is how many digits there are behind the point.
func (d decimal) decimals() int { return max(0, len(d.digits)-d.exponent) }

// String writes the number as "d.ddE<exponent>".
func (d decimal) String() string {
	if d.digits == "" {
		return "0.0"
	}
	sign := ""
	if d.negative {
		sign = "-"
	}
	fraction := d.digits[1:]
	if fraction == "" {
		fraction = "0"
	}
	return sign + d.digits[:1] + "." + fraction + "E" + strconv.Itoa(d.exponent-1)
}
