package whipcheck

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// link is one value of a Link header (RFC 8288, section 3).
type link struct {
	target string
	params []attribute // keys in lower case, values unquoted
}

func (l *link) param(key string) (string, bool) {
	for _, p := range l.params {
		if p.key == key {
			return p.value, true
		}
	}
	return "", false
}

// rel reports whether the link has a relation type, which compares without regard to case.
func (l *link) rel(name string) bool {
	v, _ := l.param("rel")
	return slices.ContainsFunc(strings.Fields(v), func(s string) bool { return strings.EqualFold(s, name) })
}

var errLink = errors.New("not of the form <target>; name=value")

// parseLinks reads the values of one Link header field.
func parseLinks(field string) (list []link, err error) {
	for rest := trim(field); rest != ""; {
		var l link
		if l, rest, err = parseLink(rest); err != nil {
			return nil, err
		}
		list = append(list, l)
		if rest == "" {
			break
		}
		if rest[0] != ',' {
			return nil, errLink
		}
		for rest != "" && rest[0] == ',' { // empty members of a list mean nothing
			rest = trim(rest[1:])
		}
	}
	return list, nil
}

// parseLink reads one value and returns what follows it.
func parseLink(s string) (l link, rest string, err error) {
	target, rest, ok := strings.Cut(s, ">")
	if !ok || target == "" || target[0] != '<' || strings.ContainsAny(target[1:], " \t<\"") {
		return l, "", errLink
	}
	l.target = target[1:]
	for rest = trim(rest); strings.HasPrefix(rest, ";"); {
		rest = trim(rest[1:])
		if rest == "" || rest[0] == ';' || rest[0] == ',' {
			continue // empty parameters are allowed
		}
		var p attribute
		if p, rest, err = parseParam(rest); err != nil {
			return l, "", err
		}
		l.params = append(l.params, p)
		rest = trim(rest)
	}
	return l, rest, nil
}

// parseParam reads name, name=token or name="quoted".
func parseParam(s string) (p attribute, rest string, err error) {
	n := tokenLength(s)
	if n == 0 {
		return p, "", errLink
	}
	p.key, rest = strings.ToLower(s[:n]), trim(s[n:])
	if !strings.HasPrefix(rest, "=") {
		return p, rest, nil
	}
	rest = trim(rest[1:])
	if strings.HasPrefix(rest, `"`) {
		p.value, rest, err = unquote(rest)
		return p, rest, err
	}
	if n = tokenLength(rest); n == 0 {
		return p, "", errLink
	}
	p.value = rest[:n]
	return p, rest[n:], nil
}

// unquote reads a quoted-string (RFC 9110, section 5.6.4) from the beginning of s.
func unquote(s string) (value, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == '"' {
			return b.String(), s[i+1:], nil
		}
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", "", errLink
		}
		b.WriteByte(s[i])
	}
	return "", "", errLink
}

// tokenLength returns how many bytes at the beginning of s are of a token (RFC 9110, section 5.6.2).
func tokenLength(s string) int {
	i := strings.IndexFunc(s, func(r rune) bool {
		return !isAlphanumeric(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
	if i < 0 {
		return len(s)
	}
	return i
}

func isAlphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

func trim(s string) string { return strings.Trim(s, " \t") }

// checkICEServer says what is wrong with an ice-server link, by RFC 7064, RFC 7065 and RFC 9725, section 4.6.
func checkICEServer(l *link) string {
	u, err := url.Parse(l.target)
	if err != nil {
		return "its target is not a URI"
	}
	host, port, _ := strings.Cut(u.Opaque, ":")
	if strings.HasPrefix(u.Opaque, "[") { // an IPv6 address
		var after string
		host, after, _ = strings.Cut(u.Opaque, "]")
		port = strings.TrimPrefix(after, ":")
	}
	if host == "" || strings.ContainsAny(u.Opaque, "/@") {
		return "its target names no host"
	}
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
		return "its target has a bad port"
	}
	switch u.Scheme {
	case "stun", "stuns":
		if u.RawQuery != "" || u.ForceQuery {
			return "a STUN URI has no query"
		}
		return ""
	case "turn", "turns":
		if t, ok := strings.CutPrefix(u.RawQuery, "transport="); u.RawQuery != "" && (!ok || t == "") {
			return "the query of a TURN URI names a transport only"
		}
		user, _ := l.param("username")
		credential, _ := l.param("credential")
		if user == "" || credential == "" {
			return "a TURN server without username or credential"
		}
		return ""
	}
	return "its target is neither a STUN nor a TURN URI"
}

// checkETag says what is wrong with an entity-tag that has to be strong (RFC 9110, section 8.8.3).
func checkETag(tag string) string {
	if tag == "" {
		return "there is no ETag"
	}
	if strings.HasPrefix(tag, "W/") {
		return "the ETag is weak"
	}
	if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return "the ETag is not quoted"
	}
	for i := 1; i < len(tag)-1; i++ {
		if c := tag[i]; c < 0x21 || c == '"' || c == 0x7f {
			return "the ETag has a character that is not allowed"
		}
	}
	return ""
}

// checkRetryAfter says what is wrong with the value of a Retry-After header.
func checkRetryAfter(value string) string {
	if _, err := http.ParseTime(value); err == nil {
		return ""
	}
	if _, err := strconv.ParseUint(value, 10, 31); err == nil {
		return ""
	}
	return "neither a number of seconds nor a date"
}

// lists reports whether the comma-separated values of a header hold a word, without regard to case.
func lists(h http.Header, name, word string) bool {
	for _, field := range h.Values(name) {
		for v := range strings.SplitSeq(field, ",") {
			if strings.EqualFold(trim(v), word) {
				return true
			}
		}
	}
	return false
}
