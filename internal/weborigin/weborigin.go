// Package weborigin tells which pages may play: it matches the origin of a page (RFC 6454) against a list of allowed ones.
//
// An entry of a list is "*", an origin as "https://app.example.com" or "http://localhost:8000", or an origin whose host begins
// with "*.", which stands for one label or more: "https://*.example.com" allows "https://a.example.com" and
// "https://b.a.example.com", and not "https://example.com". Matching allocates nothing.
//
// Imports: fault.
package weborigin

import (
	"strconv"
	"strings"

	"github.com/rivus-live/rivus/internal/fault"
)

// Any is the entry that allows every page, and those that do not say what they are.
const Any = "*"

// MaxLength is the most characters of an entry (spec ivs.md 17.1).
const MaxLength = 256

// Parse returns an entry of a list in the form that Allows takes: in lower case, without the port that its scheme has anyway
// and without a slash at its end. What can match no page is fault.Invalid.
func Parse(entry string) (string, error) {
	text := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(entry)), "/")
	if text == Any {
		return Any, nil
	}
	scheme, rest, ok := strings.Cut(text, "://")
	host, port := splitPort(rest)
	if len(entry) > MaxLength || !ok || !isScheme(scheme) || !isHost(strings.TrimPrefix(host, "*.")) || !isPort(port) {
		return "", fault.New(fault.Invalid, "%q is not an origin such as https://example.com or https://*.example.com", cut(entry))
	}
	if port == "" || port == usual(scheme) {
		return scheme + "://" + host, nil
	}
	return scheme + "://" + host + ":" + port, nil
}

// ParseList is Parse for each entry. A nil list stays nil.
func ParseList(entries []string) ([]string, error) {
	var list []string
	for _, e := range entries {
		parsed, err := Parse(e)
		if err != nil {
			return nil, err
		}
		list = append(list, parsed)
	}
	return list, nil
}

// cut keeps a message short, whatever was sent.
func cut(entry string) string {
	if len(entry) > MaxLength {
		return entry[:MaxLength] + "…"
	}
	return entry
}

// AllowsAll reports whether a list allows every page: it is empty, or has Any in it.
func AllowsAll(list []string) bool {
	for _, entry := range list {
		if entry == Any {
			return true
		}
	}
	return len(list) == 0
}

// Allows reports whether a list of parsed entries allows a page with the given origin, "" when it did not tell one. Browsers
// write origins in lower case and without the usual port; what is written otherwise is no browser's.
func Allows(list []string, origin string) bool {
	if AllowsAll(list) {
		return true
	}
	for _, entry := range list {
		if matches(entry, origin) {
			return true
		}
	}
	return false
}

func matches(entry, origin string) bool {
	star := strings.IndexByte(entry, '*')
	if star < 0 {
		return origin == entry && origin != ""
	}
	before, after := entry[:star], entry[star+1:]
	if len(origin) <= len(before)+len(after) || !strings.HasPrefix(origin, before) || !strings.HasSuffix(origin, after) {
		return false
	}
	return isLabels(origin[len(before) : len(origin)-len(after)])
}

// Of returns the origin of the page that a request is for: what the header Origin says or, because browsers send none to the
// page's own origin and native players none at all, that of the header Referer. It is "" when neither tells. A stranger can
// write both; they bind browsers.
func Of(origin, referer string) string {
	if origin != "" {
		return origin
	}
	scheme, rest, ok := strings.Cut(referer, "://")
	if !ok {
		return ""
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if end == 0 || strings.IndexByte(rest[:end], '@') >= 0 {
		return ""
	}
	return referer[:len(scheme)+len("://")+end]
}

// splitPort cuts a port off a host, which may be an IPv6 address in brackets.
func splitPort(s string) (host, port string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.IndexByte(s[i:], ']') >= 0 {
		return s, ""
	}
	if i == len(s)-1 {
		return s, "" // a colon that announces nothing is for isHost to refuse
	}
	return s[:i], s[i+1:]
}

func usual(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// isScheme follows RFC 3986 3.1: applications with web views have schemes of their own.
func isScheme(s string) bool {
	return s != "" && s[0] >= 'a' && s[0] <= 'z' && consists(s, "+-.")
}

// isHost reports whether s is a name, an address or an IPv6 address in brackets.
func isHost(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return ok && inner != "" && consists(inner, ":.")
	}
	return isLabels(s)
}

// isLabels reports whether s can be a host's name or the beginning of one.
func isLabels(s string) bool {
	return s != "" && s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..") && consists(s, "-._")
}

func isPort(s string) bool {
	if s == "" {
		return true
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s[0] != '+' && s[0] != '0'
}

// consists reports whether s is of lower-case letters, digits and the given characters.
func consists(s, more string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(more, c) < 0 {
			return false
		}
	}
	return true
}
