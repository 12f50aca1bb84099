package policy

import (
	"strings"
	"unicode/utf8"
)

// pattern is a text with wildcards and variables.
type pattern struct {
	parts     []part
	variables bool // some part is one
}

type partKind uint8

const (
	literal  partKind = iota
	any1              // ?: one character
	star              // *: any number of them
	variable          // ${key} or ${key, 'default'}
)

// part is a piece of a pattern.
type part struct {
	kind partKind
	text string // of a literal; of a variable its default
	key  Key    // of a variable
	name string // of a variable: its key as the document spells it
	bare bool   // of a variable: it has no default
}

// syntax is what means something in a pattern beside itself.
type syntax uint8

const (
	wildcards syntax = 1 << iota // * and ?
	variables                    // ${…}
)

// compile reads a pattern.
func compile(text string, what syntax) (pattern, error) {
	var p pattern
	for text != "" {
		switch c := text[0]; {
		case what&wildcards != 0 && c == '*':
			p.add(part{kind: star})
			text = text[1:]
		case what&wildcards != 0 && c == '?':
			p.add(part{kind: any1})
			text = text[1:]
		case what&variables != 0 && strings.HasPrefix(text, "${"):
			v, rest, err := variableIn(text)
			if err != nil {
				return pattern{}, err
			}
			p.add(v)
			text = rest
		default:
			n := 1 + strings.IndexFunc(text[1:], func(r rune) bool { return r == '*' || r == '?' || r == '$' })
			if n == 0 {
				n = len(text)
			}
			p.add(part{text: text[:n]})
			text = text[n:]
		}
	}
	return p, nil
}

// add appends a part: what can be one is one.
func (p *pattern) add(next part) {
	p.variables = p.variables || next.kind == variable
	if n := len(p.parts); n > 0 && p.parts[n-1].kind == next.kind {
		switch next.kind {
		case literal:
			p.parts[n-1].text += next.text
			return
		case star:
			return
		case any1, variable:
		}
	}
	p.parts = append(p.parts, next)
}

// everything reports whether the pattern matches whatever there is.
func (p *pattern) everything() bool { return len(p.parts) == 1 && p.parts[0].kind == star }

// roomy is how many parts a pattern with variables may have that is resolved without an allocation.
const roomy = 8

// match compares a text with the pattern. A variable whose value is not known makes it a maybe, unless no value can make
// it match; one without a value and without a default matches nothing (spec errata.md A3).
func (p *pattern) match(text string, c Context) truth {
	if !p.variables {
		return truthOf(glob(p.parts, text, false))
	}
	var room [roomy]part
	parts, t := p.resolve(room[:0], c)
	if t == no || !glob(parts, text, false) {
		return no
	}
	return t
}

// equalFold is match without regard to case, for a pattern without wildcards.
func (p *pattern) equalFold(text string, c Context) truth {
	if !p.variables {
		return truthOf(strings.EqualFold(p.literal(), text))
	}
	var room [roomy]part
	parts, t := p.resolve(room[:0], c)
	if t != yes {
		return t
	}
	whole := ""
	for i := range parts {
		whole += parts[i].text
	}
	return truthOf(strings.EqualFold(whole, text))
}

// literal returns the text of a pattern that is nothing else.
func (p *pattern) literal() string {
	if len(p.parts) == 0 {
		return ""
	}
	return p.parts[0].text
}

// resolve appends the parts with the values of the variables in their places, as literals whatever they contain: yes. One
// that is not known becomes a star: maybe. One that has no value: no.
func (p *pattern) resolve(parts []part, c Context) ([]part, truth) {
	t := yes
	for _, at := range p.parts {
		if at.kind != variable {
			parts = append(parts, at)
			continue
		}
		switch v := c.Value(at.key); {
		case v.state == single:
			parts = append(parts, part{text: v.one})
		case v.state == unknown:
			parts, t = append(parts, part{kind: star}), maybe
		case at.bare:
			return parts, no
		default:
			parts = append(parts, part{text: at.text})
		}
	}
	return parts, t
}

// Like reports whether a pattern with * and ? matches a whole text, which may differ from it in the case of ASCII letters with
// fold. Nothing else has a meaning in it.
func Like(pattern, text string, fold bool) bool {
	p, err := compile(pattern, wildcards)
	return err == nil && glob(p.parts, text, fold) // only variables can be wrong
}

// glob reports whether parts without variables match the whole text. When it cannot go on it returns to the last star
// only, for what stands before that has matched as early as it can: the time is the product of the lengths at worst. With
// fold the case of ASCII letters does not matter.
func glob(parts []part, text string, fold bool) bool {
	if n := len(parts); n > 0 && !parts[n-1].ends(text, fold) {
		return false
	}
	at, i := 0, 0          // in text, in parts
	last, covered := -1, 0 // the last star, and the end of what it covers
	for i < len(parts) || at < len(text) {
		if i < len(parts) {
			if n, ok := parts[i].eat(text[at:], fold); ok {
				if parts[i].kind == star {
					if i == len(parts)-1 {
						return true
					}
					last, covered = i, at
				}
				at += n
				i++
				continue
			}
		}
		if last < 0 || covered == len(text) {
			return false
		}
		_, n := utf8.DecodeRuneInString(text[covered:])
		covered += n
		if next := &parts[last+1]; next.kind == literal && !fold {
			skip := strings.Index(text[covered:], next.text)
			if skip < 0 {
				return false
			}
			covered += skip
		}
		at, i = covered, last+1
	}
	return true
}

// ends reports whether a text can end as the part wants it.
func (p *part) ends(text string, fold bool) bool {
	if p.kind != literal || len(text) < len(p.text) {
		return p.kind != literal
	}
	end := text[len(text)-len(p.text):]
	return end == p.text || fold && equalASCII(end, p.text)
}

// eat returns how much of the beginning of a text the part matches. A star eats nothing at first.
func (p *part) eat(text string, fold bool) (int, bool) {
	switch p.kind {
	case star:
		return 0, true
	case any1:
		if text == "" {
			return 0, false
		}
		_, n := utf8.DecodeRuneInString(text)
		return n, true
	case literal, variable:
	}
	n := len(p.text)
	if len(text) < n {
		return 0, false
	}
	if fold {
		return n, equalASCII(text[:n], p.text)
	}
	return n, text[:n] == p.text
}

// equalASCII compares two texts of one length without regard to the case of ASCII letters.
func equalASCII(a, b string) bool {
	for i := range len(a) {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
