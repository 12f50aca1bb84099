package hlscheck

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// attribute is one member of an attribute list (4.2). Text is the value without its quotes.
type attribute struct {
	name   string
	text   string
	quoted bool
}

// attributes is a parsed attribute list. Its getters return the zero value for an absent attribute and an error for
// one whose value has the wrong type; a problem is kept in err, so that a tag can read all of them and ask once.
type attributes struct {
	list []attribute
	err  error
}

// parseAttributes reads a comma-separated attribute list as 4.2 defines it: no space around commas and equal signs,
// names of [A-Z0-9-], each name once.
func parseAttributes(s string) (*attributes, error) {
	a := &attributes{}
	for rest := s; ; {
		name, value, found := strings.Cut(rest, "=")
		if !found || !validName(name) {
			return nil, fmt.Errorf("attribute name expected at %.40q", rest)
		}
		if _, twice := a.find(name); twice {
			return nil, fmt.Errorf("attribute %s appears twice", name)
		}
		text, quoted, tail, err := cutValue(value)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		a.list = append(a.list, attribute{name, text, quoted})
		if tail == "" {
			return a, nil
		}
		if tail[0] != ',' {
			return nil, fmt.Errorf("comma expected after attribute %s", name)
		}
		rest = tail[1:]
	}
}

// cutValue splits the first attribute value off s. The tail starts with the comma, or is empty.
func cutValue(s string) (text string, quoted bool, tail string, err error) {
	if strings.HasPrefix(s, `"`) {
		text, tail, found := strings.Cut(s[1:], `"`)
		if !found {
			return "", false, "", errors.New("quoted string has no end")
		}
		return text, true, tail, nil
	}
	end := strings.IndexByte(s, ',')
	if end < 0 {
		end = len(s)
	}
	if end == 0 || strings.ContainsAny(s[:end], "\" \t") {
		return "", false, "", fmt.Errorf("value %.40q is neither quoted nor free of spaces and quotes", s[:end])
	}
	return s[:end], false, s[end:], nil
}

func validName(s string) bool {
	if s == "" {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func (a *attributes) find(name string) (attribute, bool) {
	for _, m := range a.list {
		if m.name == name {
			return m, true
		}
	}
	return attribute{}, false
}

func (a *attributes) has(name string) bool { _, ok := a.find(name); return ok }

func (a *attributes) fail(format string, args ...any) {
	if a.err == nil {
		a.err = fmt.Errorf(format, args...)
	}
}

// require notes the first of names that is absent.
func (a *attributes) require(names ...string) {
	for _, name := range names {
		if !a.has(name) {
			a.fail("attribute %s is missing", name)
		}
	}
}

func (a *attributes) quotedString(name string) string {
	m, ok := a.find(name)
	if ok && !m.quoted {
		a.fail("attribute %s must be a quoted string", name)
	}
	return m.text
}

// enum returns an unquoted value, which must be one of allowed.
func (a *attributes) enum(name string, allowed ...string) string {
	m, ok := a.find(name)
	if !ok {
		return ""
	}
	for _, v := range allowed {
		if !m.quoted && m.text == v {
			return v
		}
	}
	a.fail("attribute %s must be one of %s, not %.40q", name, strings.Join(allowed, ", "), m.text)
	return ""
}

func (a *attributes) yes(name string) bool { return a.enum(name, "YES") == "YES" }

func (a *attributes) integer(name string) int64 {
	m, ok := a.find(name)
	if !ok {
		return 0
	}
	n, err := parseInteger(m.text)
	if err != nil || m.quoted {
		a.fail("attribute %s must be a decimal integer, not %.40q", name, m.text)
		return 0
	}
	return n
}

func (a *attributes) decimal(name string) float64 {
	m, ok := a.find(name)
	if !ok {
		return 0
	}
	f, err := parseDecimal(m.text)
	if err != nil || m.quoted {
		a.fail("attribute %s must be a decimal floating-point number, not %.40q", name, m.text)
		return 0
	}
	return f
}

func (a *attributes) resolution(name string) (width, height int64) {
	m, ok := a.find(name)
	if !ok {
		return 0, 0
	}
	w, h, _ := strings.Cut(m.text, "x")
	width, errW := parseInteger(w)
	height, errH := parseInteger(h)
	if errW != nil || errH != nil || m.quoted {
		a.fail("attribute %s must be a decimal resolution, not %.40q", name, m.text)
		return 0, 0
	}
	return width, height
}

// byteRange reads a quoted "<n>[@<o>]".
func (a *attributes) byteRange(name string) *byteRange {
	if !a.has(name) {
		return nil
	}
	r, err := parseByteRange(a.quotedString(name))
	if err != nil {
		a.fail("attribute %s: %w", name, err)
	}
	return r
}

// byteRange is a sub-range of a resource; offset is -1 when the playlist leaves it out.
type byteRange struct{ length, offset int64 }

func parseByteRange(s string) (*byteRange, error) {
	length, offset, found := strings.Cut(s, "@")
	r := &byteRange{offset: -1}
	var err error
	if r.length, err = parseInteger(length); err != nil {
		return nil, err
	}
	if found {
		if r.offset, err = parseInteger(offset); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *byteRange) String() string {
	if r.offset < 0 {
		return strconv.FormatInt(r.length, 10)
	}
	return strconv.FormatInt(r.length, 10) + "@" + strconv.FormatInt(r.offset, 10)
}

// parseInteger reads a decimal-integer of 4.2: digits only. Values above 2^63-1 are refused; nothing real needs them.
func parseInteger(s string) (int64, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf("%.40q is not a decimal integer", s)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("decimal integer: %w", err)
	}
	return n, nil
}

// parseDecimal reads a non-negative decimal-floating-point of 4.2: digits and at most one point.
func parseDecimal(s string) (float64, error) {
	if s == "" || strings.Trim(s, "0123456789.") != "" {
		return 0, fmt.Errorf("%.40q is not a decimal floating-point number", s)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%.40q is not a decimal floating-point number", s)
	}
	return f, nil
}

func parseSignedDecimal(s string) (float64, error) {
	f, err := parseDecimal(strings.TrimPrefix(s, "-"))
	if strings.HasPrefix(s, "-") {
		f = -f
	}
	return f, err
}

// parseDate reads the ISO 8601 date and time forms of 4.4.4.6. A missing zone means UTC.
func parseDate(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		if t = t.UTC(); t.Year() < 1900 || t.Year() > 9000 {
			break
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%.40q is not an ISO 8601 date and time", s)
}
