package restjson

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// bytes consumes a string and returns its content: a part of the body when it has no escapes, a fresh slice otherwise.
func (r *Reader) bytes() []byte {
	r.pos++ // the quote
	start := r.pos
	for ; r.pos < len(r.data); r.pos++ {
		switch c := r.data[r.pos]; {
		case c == '"':
			return r.text(r.data[start:r.pos])
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			r.fail("found a control character in a string")
			return nil
		}
	}
	r.fail("a string does not end")
	return nil
}

// text consumes the closing quote after s.
func (r *Reader) text(s []byte) []byte {
	if !utf8.Valid(s) {
		r.fail("found a string that is not UTF-8")
		return nil
	}
	r.pos++
	return s
}

// escaped goes on with a string that began at start and has an escape at the current place.
func (r *Reader) escaped(start int) []byte {
	out := append(make([]byte, 0, 2*(r.pos-start)+16), r.data[start:r.pos]...)
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; {
		case c == '"':
			return r.text(out)
		case c < ' ':
			r.fail("found a control character in a string")
			return nil
		case c != '\\':
			out = append(out, c)
			r.pos++
		default:
			r.pos++
			if out = r.unescape(out); r.err != nil {
				return nil
			}
		}
	}
	r.fail("a string does not end")
	return nil
}

// unescape appends what the escape at the current place, after its backslash, stands for.
func (r *Reader) unescape(out []byte) []byte {
	c := r.peek()
	r.pos++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		return r.unicode(out)
	}
	r.fail("found an unknown escape in a string")
	return out
}

// unicode appends the character of a \uXXXX escape, or of two that form a surrogate pair.
func (r *Reader) unicode(out []byte) []byte {
	c := r.hex4()
	if utf16.IsSurrogate(c) {
		if r.pos+1 >= len(r.data) || r.data[r.pos] != '\\' || r.data[r.pos+1] != 'u' {
			r.fail("found half a surrogate pair in a string")
			return out
		}
		r.pos += 2
		if c = utf16.DecodeRune(c, r.hex4()); c == utf8.RuneError {
			r.fail("found half a surrogate pair in a string")
			return out
		}
	}
	return utf8.AppendRune(out, c)
}

func (r *Reader) hex4() rune {
	if r.pos+4 > len(r.data) {
		r.fail("found an incomplete escape in a string")
		return 0
	}
	n, err := strconv.ParseUint(string(r.data[r.pos:r.pos+4]), 16, 16)
	if err != nil {
		r.fail("found a malformed escape in a string")
		return 0
	}
	r.pos += 4
	return rune(n)
}
