package eventpattern

import (
	"fmt"
	"strings"
)

// wildcard is a text with gaps that anything fits into: the parts between the gaps, in order.
type wildcard []string

// maxWildcards is how many gaps a text may have.
const maxWildcards = 100

const tooComplex = "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character"

// parseWildcard reads a text in which "*" is a gap, and "\*" and "\\" are the characters themselves.
func parseWildcard(s string) (wildcard, error) {
	out, part := wildcard{}, strings.Builder{}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			if i++; i == len(s) || s[i] != '*' && s[i] != '\\' {
				return nil, &Error{fmt.Sprintf("Invalid escape character at pos %d", i-1)}
			}
			part.WriteByte(s[i])
		case c == '*' && i > 0 && len(out) > 0 && part.Len() == 0:
			return nil, &Error{fmt.Sprintf("Consecutive wildcard characters at pos %d", i-1)}
		case c == '*':
			out = append(out, part.String())
			part.Reset()
		default:
			part.WriteByte(c)
		}
	}
	if out = append(out, part.String()); len(out) > maxWildcards+1 {
		return nil, &Error{tooComplex}
	}
	return out, nil
}

// matches looks for the parts one after the other: the first place of each leaves most to those behind it.
func (w wildcard) matches(s string) bool {
	first, last := w[0], w[len(w)-1]
	if len(w) == 1 {
		return s == first
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range w[1 : len(w)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}
