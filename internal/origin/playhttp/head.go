package playhttp

import (
	"bytes"
	"net/http"
	"net/netip"
	"strings"

	"github.com/rivus-live/rivus/internal/publicurl"
)

// maxHead bounds the head of a request that the loop reads. A longer one is net/http's.
const maxHead = 8 << 10

// verdict is what a headParser makes of the bytes that have come so far.
type verdict uint8

const (
	partial  verdict = iota // more must come
	accepted                // a request of the loop's own
	foreign                 // anything else, wrong or right: net/http's
)

// endOfHead ends a head: the last line's end and an empty line.
var endOfHead = []byte("\r\n\r\n") //nolint:gochecknoglobals // a constant

// headParser reads the heads of one connection. Players repeat themselves: mostly the request line is all that is new, so
// the fields of the last request are kept, and compared instead of being read again.
type headParser struct {
	prefix string
	rule   *publicurl.Rule
	peer   netip.Addr
	text   string  // the fields of the last request as they came
	fields Request // what was made of them
}

// parse reads the head of a request whose path begins with the prefix from the beginning of b. When it is accepted, n is
// its length.
//
// It accepts what net/http accepts with the same meaning, and little of that: GET and HEAD, origin-form, HTTP/1.1, a path
// of letters, digits and "._-/", lines that end in CRLF, one Host, no folded line, no byte that a field may not have (RFC
// 9112 5), nothing that announces a body, an upgrade or an expectation, and no field that matters here more than once.
func (p *headParser) parse(b []byte) (r Request, n int, v verdict) {
	end := bytes.Index(b, endOfHead)
	switch {
	case end < 0 && len(b) < maxHead && !hasBareLF(b):
		return Request{}, 0, partial
	case end < 0 || end+len(endOfHead) > maxHead:
		return Request{}, 0, foreign
	}
	line, text, _ := bytes.Cut(b[:end+2], endOfHead[:2])
	if p.text == "" || string(text) != p.text {
		kept := string(text)
		fields, forwarded, ok := readFields(kept)
		if !ok {
			return Request{}, 0, foreign
		}
		fields.Client = p.rule.Client(p.peer, forwarded)
		p.text, p.fields = kept, fields
	}
	r = p.fields
	if !readLine(&r, string(line), p.prefix) {
		return Request{}, 0, foreign
	}
	return r, end + len(endOfHead), accepted
}

// hasBareLF reports whether a line ends in LF alone: such a head may be complete without the end that is looked for.
func hasBareLF(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\n')
		switch {
		case i < 0:
			return false
		case i == 0 || b[i-1] != '\r':
			return true
		}
		b = b[i+1:]
	}
}

// readLine reads the request line.
func readLine(r *Request, line, prefix string) bool {
	method, target, _ := strings.Cut(line, " ")
	switch method {
	case http.MethodGet, http.MethodHead:
		r.Method = method
	default:
		return false
	}
	target, ok := strings.CutSuffix(target, " HTTP/1.1")
	if !ok || !isOwn(target, prefix) {
		return false
	}
	r.Path, r.Query, _ = strings.Cut(target, "?")
	return true
}

// isOwn reports whether the loop answers a request target.
func isOwn(target, prefix string) bool {
	path, query, _ := strings.Cut(target, "?")
	return strings.HasPrefix(path, prefix) && consists(path, inPath) && consists(query, inQuery)
}

// readFields reads the header fields, each with its CRLF, and returns X-Forwarded-For beside what a request keeps.
func readFields(text string) (r Request, forwarded string, ok bool) {
	var seen [fields]bool
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !ok || name == "" || !consists(name, inToken) || !consists(value, inValue) {
			return Request{}, "", false
		}
		f := known(name)
		if f == ignored {
			continue
		}
		if seen[f] || !r.keep(f, value) {
			return Request{}, "", false
		}
		if f == forwardedFor {
			forwarded = value
		}
		seen[f] = true
	}
	return r, forwarded, seen[host]
}

// field tells header fields apart by what they mean to the loop.
type field uint8

const (
	ignored field = iota
	refused
	host
	connection
	ranges
	ifRange
	ifNoneMatch
	acceptEncoding
	originOf
	referer
	forwardedFor
	fields
)

// knownFields are those that are not ignored.
//
//nolint:gochecknoglobals // a constant table
var knownFields = [...]struct {
	name  string
	field field
}{
	{"Host", host},
	{"Connection", connection},
	{"Range", ranges},
	{"If-Range", ifRange},
	{"If-None-Match", ifNoneMatch},
	{"Accept-Encoding", acceptEncoding},
	{"Origin", originOf},
	{"Referer", referer},
	{"X-Forwarded-For", forwardedFor},
	{"Content-Length", refused},
	{"Transfer-Encoding", refused},
	{"Trailer", refused},
	{"Upgrade", refused},
	{"Expect", refused},
}

// known looks a field's name up.
func known(name string) field {
	for _, k := range knownFields {
		if len(name) == len(k.name) && strings.EqualFold(name, k.name) {
			return k.field
		}
	}
	return ignored
}

// keep takes a field over into the request. It reports false for a value that is net/http's to judge.
func (r *Request) keep(f field, value string) bool {
	switch f {
	case host:
		return value != "" && consists(value, inHost)
	case connection:
		r.Close = strings.EqualFold(value, "close")
		return r.Close || strings.EqualFold(value, "keep-alive")
	case ranges:
		r.Range = value
	case ifRange:
		r.IfRange = value
	case ifNoneMatch:
		r.IfNoneMatch = value
	case acceptEncoding:
		r.AcceptEncoding = value
	case originOf:
		r.keepOrigin(value)
	case referer:
		r.keepReferer(value)
	case forwardedFor: // it is no field of the request, but what the address is made of
	default:
		return false
	}
	return true
}

// The sets of bytes that parts of a head may consist of.
const (
	inPath uint8 = 1 << iota
	inQuery
	inHost
	inToken // RFC 9110 5.6.2
	inValue // RFC 9110 5.5, obs-text included
)

// sets holds the sets that each byte belongs to.
var sets = makeSets() //nolint:gochecknoglobals // a constant table

func makeSets() (of [256]uint8) {
	for i := range of {
		c := byte(i)
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z'
		for set, in := range map[uint8]bool{
			inPath:  alnum || strings.IndexByte("/.-_", c) >= 0,
			inQuery: c > ' ' && c < 0x7f && c != '#',
			inHost:  alnum || strings.IndexByte(".-:[]", c) >= 0,
			inToken: alnum || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0,
			inValue: c >= ' ' && c != 0x7f || c == '\t',
		} {
			if in {
				of[i] |= set
			}
		}
	}
	return of
}

// consists reports whether all bytes of s belong to a set.
func consists(s string, set uint8) bool {
	for i := range len(s) {
		if sets[s[i]]&set == 0 {
			return false
		}
	}
	return true
}
