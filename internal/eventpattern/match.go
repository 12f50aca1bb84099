package eventpattern

import (
	"net/netip"
	"slices"
	"strings"
)

// match is one alternative in a list of a pattern.
type match struct {
	operator operator
	negated  bool // anything but it
	truth    bool
	texts    []string // operands: one, or several of which one must hold
	numbers  []decimal
	wild     []wildcard
	low      bound
	high     bound
	network  netip.Prefix
}

type operator uint8

const (
	isNull operator = iota
	isTruth
	isText
	isNumber
	isPresent
	isAbsent
	hasPrefix
	hasSuffix
	hasPrefixFold
	hasSuffixFold
	equalsFold
	fitsWildcard
	inRange
	inNetwork
)

// bound is one end of a range; the zero bound is none.
type bound struct {
	set, inclusive bool
	at             decimal
}

// holds tells whether a value that is neither a list nor an object fits.
func (m *match) holds(v *value) bool {
	if m.negated {
		return !m.fits(v)
	}
	return m.fits(v)
}

func (m *match) fits(v *value) bool {
	switch m.operator {
	case isPresent:
		return true
	case isAbsent:
		return false
	case isNull:
		return v.kind == null
	case isTruth:
		return v.kind == boolean && v.truth == m.truth
	case isNumber:
		return v.kind == number && slices.Contains(m.numbers, v.number)
	case inRange:
		return v.kind == number && m.low.above(v.number) && m.high.below(v.number)
	default:
		return v.kind == text && m.fitsText(v.text)
	}
}

func (m *match) fitsText(s string) bool {
	switch m.operator {
	case isText:
		return slices.Contains(m.texts, s)
	case fitsWildcard:
		return slices.ContainsFunc(m.wild, func(w wildcard) bool { return w.matches(s) })
	case inNetwork:
		a, err := netip.ParseAddr(s)
		return err == nil && a.Zone() == "" && m.network.Contains(a)
	default:
		return slices.ContainsFunc(m.texts, func(want string) bool { return m.fitsPart(s, want) })
	}
}

func (m *match) fitsPart(s, want string) bool {
	switch m.operator {
	case hasPrefix:
		return strings.HasPrefix(s, want)
	case hasSuffix:
		return strings.HasSuffix(s, want)
	case hasPrefixFold:
		_, ok := foldPrefix(s, want)
		return ok
	case hasSuffixFold:
		return foldSuffix(s, want)
	case equalsFold:
		return strings.EqualFold(s, want)
	default:
		return false
	}
}

// foldPrefix tells whether s begins with a text, whatever the case of its letters, and returns what follows. Letters of
// different case may have different lengths, so it counts letters, not bytes.
func foldPrefix(s, want string) (rest string, ok bool) {
	at, left := 0, len([]rune(want))
	for i := range s {
		if left == 0 {
			at = i
			break
		}
		left--
		at = len(s)
	}
	if left > 0 {
		return "", false
	}
	return s[at:], strings.EqualFold(s[:at], want)
}

func foldSuffix(s, want string) bool {
	all, tail := []rune(s), len([]rune(want))
	return tail <= len(all) && strings.EqualFold(string(all[len(all)-tail:]), want)
}

// above tells whether a number is within the lower end of a range.
func (b bound) above(d decimal) bool {
	if !b.set {
		return true
	}
	order := d.compare(b.at)
	return order > 0 || order == 0 && b.inclusive
}

// below tells whether a number is within the upper end of a range.
func (b bound) below(d decimal) bool {
	if !b.set {
		return true
	}
	order := d.compare(b.at)
	return order < 0 || order == 0 && b.inclusive
}
