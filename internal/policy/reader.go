package policy

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// reader walks through the JSON of a document, which is valid, and knows where it is.
type reader struct {
	source  string
	dec     *json.Decoder
	entries int // members and elements so far

	at   Position // of the character at byte seen
	seen int
}

func newReader(source string) *reader {
	r := &reader{source: source, dec: json.NewDecoder(strings.NewReader(source)), at: Position{Line: 1, Column: 1}}
	r.dec.UseNumber()
	return r
}

// token returns the next token. There is one, for the JSON is valid and nobody asks behind its end.
func (r *reader) token() json.Token {
	t, _ := r.dec.Token()
	return t
}

// position returns where the last token ended: the place of its last character.
func (r *reader) position() Position {
	until := int(r.dec.InputOffset()) - 1
	for r.seen < until {
		c, n := utf8.DecodeRuneInString(r.source[r.seen:])
		r.seen += n
		r.at.Column++
		if c == '\n' {
			r.at = Position{Line: r.at.Line + 1, Column: 1}
		}
	}
	return r.at
}

// count counts a member or an element.
func (r *reader) count() error {
	if r.entries++; r.entries > maxEntries {
		return malformed("A policy document has at most %d elements.", maxEntries)
	}
	return nil
}

// object reads the object that a token opens, and calls member behind the name of each member.
func (r *reader) object(open json.Token, what string, member func(name string) error) error {
	if open != json.Delim('{') {
		return malformed("Syntax errors in policy. %s is not an object.", short(what))
	}
	seen := make(map[string]bool)
	for r.dec.More() {
		name, _ := r.token().(string)
		if seen[name] {
			return malformed("Syntax errors in policy. There are two elements %q in one object.", short(name))
		}
		seen[name] = true
		if err := r.count(); err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
	}
	r.token()
	return nil
}

// list reads one element or a list of them, and calls element with the token that begins each.
func (r *reader) list(element func(open json.Token) error) error {
	open := r.token()
	if open != json.Delim('[') {
		return element(open)
	}
	for r.dec.More() {
		if err := r.count(); err != nil {
			return err
		}
		if err := element(r.token()); err != nil {
			return err
		}
	}
	r.token()
	return nil
}

// texts reads one text or a list of them. With scalars numbers and booleans stand for their texts.
func (r *reader) texts(what string, scalars bool) (out []string, err error) {
	err = r.list(func(t json.Token) error {
		switch t := t.(type) {
		case string:
			out = append(out, t)
			return nil
		case json.Number:
			if scalars {
				out = append(out, t.String())
				return nil
			}
		case bool:
			if scalars && t {
				out = append(out, "true")
				return nil
			}
			if scalars {
				out = append(out, "false")
				return nil
			}
		}
		return malformed("Syntax errors in policy. A value of %q is not a text.", short(what))
	})
	return out, err
}

// text reads one text.
func (r *reader) text(what string) (string, error) {
	s, ok := r.token().(string)
	if !ok {
		return "", malformed("Syntax errors in policy. %s is not a text.", short(what))
	}
	return s, nil
}

// skip reads a value whatever it is.
func (r *reader) skip() error {
	for depth := 0; ; {
		switch r.token() {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
