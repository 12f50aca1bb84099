package restjson

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
	"unicode"
)

// Pattern is a regular expression of a model that a whole string must match. It is compiled on first use, so a
// process that never sees a shape does not pay for its pattern.
type Pattern struct {
	Source string
	match  func() func(string) bool
}

// NewPattern returns the pattern. It panics on first use if source is no RE2 expression; the generator checks that.
func NewPattern(source string) *Pattern {
	return &Pattern{Source: source, match: sync.OnceValue(func() func(string) bool {
		if s, ok := newSequence(source); ok {
			return s.match
		}
		return regexp.MustCompile(`\A(?:` + source + `)\z`).MatchString
	})}
}

// Match reports whether the whole of s matches.
func (p *Pattern) Match(s string) bool { return p.match()(s) }

// sequence is a pattern made of literal text and runs of ASCII characters, each of which ends where the next one
// begins, so that one pass over the string decides. Nearly all patterns of the models are of this form, ARNs above
// all, and this is several times faster than package regexp.
type sequence struct {
	optional bool // "" matches too
	items    []item
}

// item is a literal, or a run of characters when the literal is empty.
type item struct {
	literal  string
	set      asciiSet
	min, max int // length of the run; max < 0 is no bound
}

// asciiSet has a bit for each ASCII character.
type asciiSet [2]uint64

func (s asciiSet) has(c byte) bool { return c < 128 && s[c/64]>>(c%64)&1 == 1 }

// newSequence returns the sequence that matches what source matches, if there is one. It takes the forms
// "items" and "^$|^items$".
func newSequence(source string) (*sequence, bool) {
	s := &sequence{}
	if rest, ok := strings.CutPrefix(source, "^$|^"); ok && strings.HasSuffix(rest, "$") {
		source, s.optional = strings.TrimSuffix(rest, "$"), true
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, false
	}
	parts := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		parts = tree.Sub
	}
	for _, part := range parts {
		next, ok := newItem(part)
		if !ok || len(s.items) > 0 && !s.items[len(s.items)-1].endsBefore(next) {
			return nil, false
		}
		s.items = append(s.items, next)
	}
	return s, true
}

// newItem returns the item that matches what a part of an expression matches, if there is one.
func newItem(part *syntax.Regexp) (it item, ok bool) {
	switch part.Op {
	case syntax.OpLiteral:
		return newLiteral(part)
	case syntax.OpCharClass:
		it.min, it.max = 1, 1
	case syntax.OpQuest:
		part, it.min, it.max = part.Sub[0], 0, 1
	case syntax.OpStar:
		part, it.min, it.max = part.Sub[0], 0, -1
	case syntax.OpPlus:
		part, it.min, it.max = part.Sub[0], 1, -1
	default:
		return item{}, false
	}
	if part.Op != syntax.OpCharClass || part.Rune[len(part.Rune)-1] > unicode.MaxASCII {
		return item{}, false
	}
	for i := 0; i < len(part.Rune); i += 2 { // sorted pairs of first and last
		for c := part.Rune[i]; c <= part.Rune[i+1]; c++ {
			it.set[c/64] |= 1 << (c % 64)
		}
	}
	return it, true
}

func newLiteral(part *syntax.Regexp) (item, bool) {
	for _, c := range part.Rune {
		if c > unicode.MaxASCII { // package regexp takes damaged UTF-8 for U+FFFD
			return item{}, false
		}
	}
	return item{literal: string(part.Rune)}, part.Flags&syntax.FoldCase == 0
}

// endsBefore reports whether a string has but one place where it can end before next: next is not empty, and nothing
// that it begins with could be part of it as well.
func (it item) endsBefore(next item) bool {
	switch {
	case it.literal != "":
		return true
	case next.literal != "":
		return !it.set.has(next.literal[0])
	}
	return next.min > 0 && it.set[0]&next.set[0] == 0 && it.set[1]&next.set[1] == 0
}

// match reports whether the whole of text matches.
func (s *sequence) match(text string) bool {
	if text == "" && s.optional {
		return true
	}
	for i := range s.items {
		n, ok := s.items[i].begins(text)
		if !ok {
			return false
		}
		text = text[n:]
	}
	return text == ""
}

// begins reports whether text begins with the item, and how much of it is the item's.
func (it *item) begins(text string) (n int, ok bool) {
	if it.literal != "" {
		return len(it.literal), strings.HasPrefix(text, it.literal)
	}
	for n < len(text) && n != it.max && it.set.has(text[n]) {
		n++
	}
	return n, n >= it.min
}
