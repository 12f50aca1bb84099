package sigv4

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// appendCanonical appends the canonical request: method, path, query, headers, header names and content hash.
func appendCanonical(b []byte, r *http.Request, query url.Values, order queryOrder, signedHeaders, content string) []byte {
	b = append(b, r.Method...)
	b = append(b, '\n')
	b = appendPath(b, r.URL.EscapedPath())
	b = append(b, '\n')
	b = appendQuery(b, query, order)
	b = append(b, '\n')
	for name := range strings.SplitSeq(signedHeaders, ";") {
		b = append(b, name...)
		b = append(b, ':')
		b = appendHeader(b, r, name)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, signedHeaders...)
	b = append(b, '\n')
	return append(b, content...)
}

// appendPath appends the path that was sent, encoded once more.
func appendPath(b []byte, escaped string) []byte {
	if escaped == "" {
		return append(b, '/')
	}
	return appendEncoded(b, escaped, true)
}

// queryOrder says how the values of a repeated parameter are sorted. The signing rules say by their encoded form, and
// botocore and the SDK for JavaScript do so; the SDK for Go sorts them as they are, which differs outside ASCII.
type queryOrder bool

const (
	encodedOrder queryOrder = false
	plainOrder   queryOrder = true
)

// repeats reports whether a parameter has several values, so that their order matters.
func repeats(query url.Values) bool {
	for _, values := range query {
		if len(values) > 1 {
			return true
		}
	}
	return false
}

// appendQuery appends the parameters without the signature, encoded and sorted by name and value.
func appendQuery(b []byte, query url.Values, order queryOrder) []byte {
	if len(query) == 0 {
		return b
	}
	type pair struct{ name, value, key string }
	pairs := make([]pair, 0, len(query))
	for name, values := range query {
		if name == "X-Amz-Signature" {
			continue
		}
		encoded := string(appendEncoded(nil, name, false))
		for _, v := range values {
			p := pair{name: encoded, value: string(appendEncoded(nil, v, false)), key: v}
			if order == encodedOrder {
				p.key = p.value
			}
			pairs = append(pairs, p)
		}
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		return cmp.Or(strings.Compare(x.name, y.name), strings.Compare(x.key, y.key))
	})
	for i, p := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	return b
}

// appendHeader appends the value of a signed header: several joined by commas, white space trimmed and runs of spaces
// folded. Host and Content-Length live outside the header map.
func appendHeader(b []byte, r *http.Request, name string) []byte {
	switch name {
	case "host":
		return appendFolded(b, hostOf(r))
	case "content-length":
		return strconv.AppendInt(b, max(r.ContentLength, 0), 10)
	}
	for i, v := range r.Header[headerKey(name)] {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendFolded(b, v)
	}
	return b
}

// headerKey returns a signed header's name as net/http has it. The names that every request signs need no new string.
func headerKey(name string) string {
	switch name {
	case "x-amz-date":
		return "X-Amz-Date"
	case "x-amz-content-sha256":
		return "X-Amz-Content-Sha256"
	case "x-amz-security-token":
		return "X-Amz-Security-Token"
	}
	return http.CanonicalHeaderKey(name)
}

// hostOf returns the host as it is in the Host header, on the server's and the client's side.
func hostOf(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

func appendFolded(b []byte, v string) []byte {
	v = strings.TrimSpace(v)
	for i := range len(v) {
		if v[i] == ' ' && v[i-1] == ' ' { // the first byte is no space
			continue
		}
		b = append(b, v[i])
	}
	return b
}

// appendEncoded appends s with every byte but the unreserved ones of RFC 3986 as %XX; slashes stay in a path.
func appendEncoded(b []byte, s string, path bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '/' && path:
			b = append(b, c)
		default:
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}
