package sigv4

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// claim is a signature taken apart and not yet proved.
type claim struct {
	accessKeyID, day, region, service string
	signedHeaders                     string // as the client listed them, joined by ';'
	signature                         [32]byte
	stamp                             string // X-Amz-Date as it was sent, or an HTTP date turned into that form
	date                              time.Time
	presigned                         bool
	expires                           time.Duration // presigned only
	content                           string        // what the client says of the body: a hash, UnsignedPayload or ""
	sessionToken                      string        // of temporary credentials, "" without
}

// parse takes the signature of a request apart. The query is the request's, parsed.
func parse(r *http.Request, query url.Values) (claim, error) {
	header, queried := r.Header["Authorization"], query.Has("X-Amz-Algorithm") || query.Has("X-Amz-Signature")
	switch {
	case len(header) > 1 || len(header) == 1 && queried:
		return claim{}, refuse(Incomplete, "A request must carry one signature, and in one place only")
	case queried:
		return parseQuery(query)
	case len(header) == 0 || header[0] == "":
		return claim{}, refuse(Missing, "Missing Authentication Token")
	}
	return parseHeader(r, header[0])
}

// parseHeader reads "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…" and the date header.
func parseHeader(r *http.Request, value string) (claim, error) {
	rest, ok := strings.CutPrefix(value, algorithm)
	if !ok || rest != "" && rest[0] != ' ' {
		return claim{}, refuse(Incomplete, "Authorization header requires the algorithm '%s'", algorithm)
	}
	var credential, signature string
	var c claim
	for field := range strings.SplitSeq(rest, ",") {
		switch name, v, _ := strings.Cut(strings.TrimSpace(field), "="); name {
		case "Credential":
			credential = v
		case "SignedHeaders":
			c.signedHeaders = v
		case "Signature":
			signature = v
		}
	}
	for _, part := range [...]struct{ name, value string }{
		{"Credential", credential}, {"SignedHeaders", c.signedHeaders}, {"Signature", signature},
	} {
		if part.value == "" {
			return claim{}, refuse(Incomplete, "Authorization header requires '%s' parameter", part.name)
		}
	}
	c.content = r.Header.Get("X-Amz-Content-Sha256")
	c.sessionToken = strings.Join(r.Header["X-Amz-Security-Token"], ",")
	dateHeader, err := c.readHeaderDate(r.Header)
	if err != nil {
		return claim{}, err
	}
	return c, c.finish(credential, signature, dateHeader)
}

// readHeaderDate takes the date from X-Amz-Date, or from Date when there is none, and returns which it was.
func (c *claim) readHeaderDate(h http.Header) (name string, err error) {
	if c.stamp = h.Get("X-Amz-Date"); c.stamp != "" {
		c.date, err = parseDate(c.stamp)
		return "x-amz-date", err
	}
	value := h.Get("Date")
	if value == "" {
		return "", refuse(Incomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header")
	}
	if c.date, err = http.ParseTime(value); err != nil {
		if c.date, err = parseDate(value); err != nil {
			return "", err
		}
	}
	c.date = c.date.UTC()
	c.stamp = c.date.Format(dateLayout)
	return "date", nil
}

// parseQuery reads the parameters of a presigned URL.
func parseQuery(query url.Values) (claim, error) {
	if query.Get("X-Amz-Algorithm") != algorithm {
		return claim{}, refuse(Incomplete, "X-Amz-Algorithm must be '%s'", algorithm)
	}
	for _, name := range [...]string{"X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date", "X-Amz-Expires"} {
		if v := query[name]; len(v) != 1 || v[0] == "" {
			return claim{}, refuse(Incomplete, "Query-string authentication requires one '%s' parameter", name)
		}
	}
	c := claim{
		presigned: true, signedHeaders: query.Get("X-Amz-SignedHeaders"), stamp: query.Get("X-Amz-Date"),
		content: query.Get("X-Amz-Content-Sha256"), sessionToken: strings.Join(query["X-Amz-Security-Token"], ","),
	}
	var err error
	if c.date, err = parseDate(c.stamp); err != nil {
		return claim{}, err
	}
	seconds, err := strconv.ParseUint(query.Get("X-Amz-Expires"), 10, 32)
	if c.expires = time.Duration(seconds) * time.Second; err != nil || c.expires > MaxPresign {
		return claim{}, refuse(Incomplete, "X-Amz-Expires must be a number of seconds up to %d", int(MaxPresign.Seconds()))
	}
	return c, c.finish(query.Get("X-Amz-Credential"), query.Get("X-Amz-Signature"), "")
}

// parseDate reads a date in dateLayout, which is nothing but digits at fixed places: time.Parse is several times slower.
func parseDate(s string) (time.Time, error) {
	ok := len(s) == len(dateLayout) && s[dateLen] == 'T' && s[len(s)-1] == 'Z'
	number := func(from, to int) (n int) {
		for i := from; ok && i < to; i++ {
			ok = s[i] >= '0' && s[i] <= '9'
			n = 10*n + int(s[i]-'0')
		}
		return n
	}
	year, month, day := number(0, 4), number(4, 6), number(6, 8)
	hour, minute, second := number(9, 11), number(11, 13), number(13, 15)
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	// Date turns the 31st of a short month into the 1st of the next.
	if !ok || month < 1 || month > 12 || t.Day() != day || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, refuse(Incomplete, "Date must be in ISO-8601 'basic format', for instance '20060102T150405Z'")
	}
	return t, nil
}

// finish reads the credential and the signature and checks what must be among the signed headers; dateHeader "" means
// that the date is in the signed query.
func (c *claim) finish(credential, signature, dateHeader string) error {
	var end string
	var elements int
	for part := range strings.SplitSeq(credential, "/") {
		switch elements++; elements {
		case 1:
			c.accessKeyID = part
		case 2:
			c.day = part
		case 3:
			c.region = part
		case 4:
			c.service = part
		case 5:
			end = part
		}
	}
	if elements != 5 {
		return refuse(Incomplete, "Credential must have exactly 5 slash-delimited elements: keyid/date/region/service/%s", terminator)
	}
	if !c.readSignature(signature) {
		return refuse(Incomplete, "Signature must be 64 hexadecimal digits")
	}
	switch {
	case c.accessKeyID == "" || len(c.accessKeyID) > 2*maxScopeLen:
		return refuse(Unrecognized, "The security token included in the request is invalid.")
	case end != terminator:
		return refuse(Invalid, "Credential should be scoped with a valid terminator: '%s'", terminator)
	case c.day != c.stamp[:dateLen]:
		return refuse(Invalid, "Date in Credential scope does not match YYYYMMDD from the date of the request")
	case !isRegion(c.region):
		return refuse(Invalid, "Credential should be scoped to a valid region.")
	case c.service == "" || len(c.service) > maxScopeLen:
		return refuse(Invalid, "Credential should be scoped to a valid service.")
	}
	return c.checkSigned(dateHeader)
}

// readSignature reads the hexadecimal signature and reports whether it is one.
func (c *claim) readSignature(text string) bool {
	var digits [2 * len(c.signature)]byte
	if copy(digits[:], text) != len(digits) || len(text) != len(digits) {
		return false
	}
	_, err := hex.Decode(c.signature[:], digits[:])
	return err == nil
}

// checkSigned checks the list of signed headers.
func (c *claim) checkSigned(dateHeader string) error {
	switch {
	case !c.signs("host"):
		return refuse(Incomplete, "'host' must be among the SignedHeaders")
	case dateHeader != "" && !c.signs(dateHeader):
		return refuse(Incomplete, "'%s' must be among the SignedHeaders", dateHeader)
	case !c.signsOnce(): // a long header named a thousand times would be hashed a thousand times
		return refuse(Incomplete, "SignedHeaders must name each header once")
	}
	return nil
}

// signs reports whether a header is listed as signed.
func (c *claim) signs(header string) bool {
	for name := range strings.SplitSeq(c.signedHeaders, ";") {
		if name == header {
			return true
		}
	}
	return false
}

// signsOnce reports whether no header is listed twice. Every SDK lists them in order, and then a glance is enough.
func (c *claim) signsOnce() bool {
	last, ascending := "", true
	for name := range strings.SplitSeq(c.signedHeaders, ";") {
		ascending = ascending && name > last
		last = name
	}
	if ascending {
		return true
	}
	signed := strings.Split(c.signedHeaders, ";")
	names := len(signed)
	slices.Sort(signed)
	return len(slices.Compact(signed)) == names
}

// isRegion reports whether s is made of [a-z0-9-]: a region becomes part of names and keys.
func isRegion(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= maxScopeLen
}

// fresh checks the date against the clock.
func (c *claim) fresh(now time.Time) error {
	oldest := now.Add(-MaxSkew)
	if c.presigned {
		oldest = now.Add(-c.expires)
	}
	switch {
	case c.date.Before(oldest):
		return refuse(Expired, "Signature expired: %s is now earlier than %s", c.stamp, oldest.UTC().Format(dateLayout))
	case c.date.After(now.Add(MaxSkew)):
		return refuse(Invalid, "Signature not yet current: %s is still later than %s", c.stamp, now.Add(MaxSkew).UTC().Format(dateLayout))
	}
	return nil
}
