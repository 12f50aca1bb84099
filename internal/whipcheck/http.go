package whipcheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
)

// Bounds of one exchange.
const (
	maxHeader    = 64 << 10
	maxBody      = 256 << 10
	maxRedirects = 5
)

const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"

	// origin is what the checker calls itself in preflights.
	origin = "https://checker.invalid"
)

// request is one request of the checker.
type request struct {
	method string
	url    *url.URL
	kind   string // Content-Type; "" for a request without a body
	body   string
	match  string // If-Match
	header map[string]string
	auth   auth
}

// auth says with which token a request goes.
type auth int

const (
	goodToken auth = iota
	noToken
	badToken
)

// answer is what came back: a response read to its end, or err.
type answer struct {
	sent    string // description of the request
	status  int
	header  http.Header
	body    string
	major   int // HTTP version
	minor   int
	reused  bool // the connection had served another request
	failure error
}

func (a *answer) ok() bool      { return a.failure == nil && a.status >= 200 && a.status < 300 }
func (a *answer) refused() bool { return a.failure == nil && a.status >= 400 && a.status < 500 }

// busy reports whether the server asks to come back later, which says nothing of what it was asked.
func (a *answer) busy() bool {
	return a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests
}

// contentType returns the media type without its parameters.
func (a *answer) contentType() string {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return strings.ToLower(a.header.Get("Content-Type"))
	}
	return kind
}

// String describes the answer on one line.
func (a *answer) String() string {
	if a.failure != nil {
		return "no answer: " + a.failure.Error()
	}
	s := fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	for _, name := range []string{"Location", "Content-Type", "ETag", "Allow", "WWW-Authenticate", "Retry-After", "Accept-Post"} {
		if v := strings.Join(a.header.Values(name), ", "); v != "" {
			if name == "Location" {
				v, _, _ = strings.Cut(v, "?") // what follows may be a secret
			}
			s += fmt.Sprintf(", %s %.120q", name, v)
		}
	}
	if a.body != "" && a.contentType() != typeSDP && a.contentType() != typeFragment {
		s += fmt.Sprintf(", body %.120q", a.body)
	} else if a.body != "" {
		s += fmt.Sprintf(", body of %d bytes", len(a.body))
	}
	return s
}

// describe returns a request on one line. What a URL says after its path may be a secret.
func (r *request) describe() string {
	s := r.method + " " + bare(r.url)
	if r.kind != "" {
		s += fmt.Sprintf(", Content-Type %q", r.kind)
	}
	if r.match != "" {
		s += fmt.Sprintf(", If-Match %q", r.match)
	}
	for _, name := range []string{"Access-Control-Request-Method", "Access-Control-Request-Headers"} {
		if v := r.header[name]; v != "" {
			s += ", " + name + " " + v
		}
	}
	switch r.auth {
	case noToken:
		s += ", no token"
	case badToken:
		s += ", bad token"
	case goodToken:
	}
	if n := len(r.body); n > 80 {
		return s + fmt.Sprintf(", body of %d bytes", n)
	}
	if r.body != "" {
		s += fmt.Sprintf(", body %q", r.body)
	}
	return s
}

func bare(u *url.URL) string {
	b := *u
	b.RawQuery, b.Fragment, b.User = "", "", nil
	return b.String()
}

// invalid is a bearer token that no server can take for a good one.
const invalid = "whipcheck.is.not-a-token"

// do makes a request. It always returns an answer, and looks at what is common to all answers.
func (c *checker) do(ctx context.Context, r request) *answer {
	a := c.send(ctx, r)
	c.common(a)
	return a
}

// send is do without a look at the answer. Goroutines may share a checker for it.
func (c *checker) send(ctx context.Context, r request) *answer {
	a := &answer{sent: r.describe()}
	ctx, cancel := context.WithTimeout(ctx, c.wait)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { a.reused = i.Reused },
	})
	var body io.Reader
	if r.kind != "" {
		body = strings.NewReader(r.body)
	}
	h, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), body)
	if err != nil {
		a.failure = err
		return a
	}
	h.Header.Set("User-Agent", "whipcheck")
	for name, value := range r.header {
		h.Header.Set(name, value)
	}
	if r.kind != "" {
		h.Header.Set("Content-Type", r.kind)
	}
	if r.match != "" {
		h.Header.Set("If-Match", r.match)
	}
	if bearer := c.bearer(r); bearer != "" {
		h.Header.Set("Authorization", "Bearer "+bearer)
	}
	response, err := c.client.Do(h)
	if err != nil {
		a.failure = bareError(err)
		return a
	}
	defer func() { _ = response.Body.Close() }() // read to its end or of no further use
	a.read(response)
	return a
}

// bearer returns the token for a request. One that was given for HTTPS never goes out in the clear.
func (c *checker) bearer(r request) string {
	switch {
	case r.auth == noToken || c.token == "" || c.start.Scheme == "https" && r.url.Scheme != "https":
		return ""
	case r.auth == badToken:
		return invalid
	}
	return c.token
}

// bareError returns what is behind an error of a client, which repeats the URL.
func bareError(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// read takes a response to its end.
func (a *answer) read(response *http.Response) {
	a.status, a.header, a.major, a.minor = response.StatusCode, response.Header, response.ProtoMajor, response.ProtoMinor
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case err != nil:
		a.failure = fmt.Errorf("reading the answer's body: %w", err)
	case len(body) > maxBody:
		a.failure = fmt.Errorf("the answer's body is longer than %d bytes", maxBody)
	}
	a.body = string(body[:min(len(body), maxBody)])
}

// common judges what holds for every answer.
func (c *checker) common(a *answer) {
	if a.failure != nil {
		return
	}
	c.judge("http.version", a.major > 1 || a.minor >= 1, a, "HTTP/%d.%d", a.major, a.minor)
	if value := a.header.Get("Retry-After"); value != "" {
		problem := checkRetryAfter(value)
		c.judge("http.retry-after", problem == "", a, "%s", problem)
	}
}

// post sends an offer and follows redirects. It returns the last answer; c.endpoint is then where that came from.
func (c *checker) post(ctx context.Context, offer string, auth auth) *answer {
	return c.postAs(ctx, typeSDP, offer, auth)
}

// postAs is post with any Content-Type.
func (c *checker) postAs(ctx context.Context, kind, body string, auth auth) *answer {
	for range maxRedirects {
		a := c.do(ctx, request{method: http.MethodPost, url: c.endpoint, kind: kind, body: body, auth: auth})
		if a.failure != nil || a.status < 300 || a.status >= 400 {
			return a
		}
		kept := a.status == http.StatusTemporaryRedirect || a.status == http.StatusPermanentRedirect
		c.judge("http.redirect", kept, a, "a client may repeat the request as a GET")
		target := c.location(a)
		if !kept || target == nil {
			return a
		}
		c.endpoint = target
	}
	return &answer{sent: "POST " + bare(c.endpoint), failure: fmt.Errorf("more than %d redirects", maxRedirects)}
}

func httpURL(u *url.URL) bool { return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" }
