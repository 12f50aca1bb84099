package playhttp

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/publicurl"
)

// Request is what playback asks of a request, whoever has parsed it. Of a field that net/http found more than once it
// has the first, of Accept-Encoding, which is a list, all values.
type Request struct {
	Method  string
	Path    string // decoded
	Escaped bool   // the path was written with escapes that it did not need
	Query   string // as it came
	Close   bool   // the connection ends after the answer

	Range, IfRange, IfNoneMatch, AcceptEncoding string

	// Origin and Referer are at most maxOrigin and maxReferer bytes long. An Origin that is longer is "null", which is no site's
	// (RFC 6454, 7.3); a Referer is cut, and keeps the site in front.
	Origin, Referer string
	// Client is the address of the viewer: the peer's, or what trusted proxies say in X-Forwarded-For. It is not valid when
	// the connection has none.
	Client netip.Addr
}

// Bounds of what is kept of fields that a viewer may fill as it likes. No site's origin and no player's page come near them.
const (
	maxOrigin  = 512
	maxReferer = 2 << 10
)

// keepOrigin and keepReferer take the fields over.
func (r *Request) keepOrigin(value string) {
	if len(value) > maxOrigin {
		value = "null"
	}
	r.Origin = value
}

func (r *Request) keepReferer(value string) { r.Referer = value[:min(len(value), maxReferer)] }

// requestOf returns what is needed of a request that net/http parsed. The rule says which proxies are believed.
func requestOf(r *http.Request, rule *publicurl.Rule) Request {
	kept := Request{
		Method:         r.Method,
		Path:           r.URL.Path,
		Escaped:        r.URL.RawPath != "",
		Query:          r.URL.RawQuery,
		Close:          r.Close,
		Range:          r.Header.Get("Range"),
		IfRange:        r.Header.Get("If-Range"),
		IfNoneMatch:    r.Header.Get("If-None-Match"),
		AcceptEncoding: strings.Join(r.Header["Accept-Encoding"], ","),
		Client:         rule.From(r),
	}
	kept.keepOrigin(r.Header.Get("Origin"))
	kept.keepReferer(r.Header.Get("Referer"))
	return kept
}

// Field is a header field, rendered once for any number of answers.
type Field struct {
	name   string
	values []string // one, as net/http wants it
	line   string
}

// NewField returns a field. The name is in canonical form; neither it nor the value may hold what a stranger wrote.
func NewField(name, value string) Field {
	return Field{name, []string{value}, name + ": " + value + "\r\n"}
}

// Exchange is one request and its answer.
type Exchange struct {
	Request
	fields []Field
	body   [][]byte
	to     carrier
}

// carrier is what an exchange runs over.
type carrier interface {
	context() context.Context
	wait(limit time.Duration) (ctx context.Context, done func())
	send(x *Exchange, status int) (int64, error)
}

// begin starts an exchange, forgetting the last one.
func (x *Exchange) begin(r Request, to carrier) {
	clear(x.fields)
	clear(x.body)
	*x = Exchange{Request: r, fields: x.fields[:0], body: x.body[:0], to: to}
}

// Context ends with the request or, on a connection that was taken over, with the server.
func (x *Exchange) Context() context.Context { return x.to.context() }

// Wait returns a context that ends with context.Canceled when the client has hung up and with
// context.DeadlineExceeded after the limit. It serves until done is called, which must happen before Send.
func (x *Exchange) Wait(limit time.Duration) (ctx context.Context, done func()) {
	return x.to.wait(limit)
}

// Set adds a header field to the answer. No name may come twice. Date, Content-Length and Connection are added by Send.
func (x *Exchange) Set(f Field) { x.fields = append(x.fields, f) }

// Write adds bytes to the body. They are not copied: they must not change before Send has returned.
func (x *Exchange) Write(data []byte) {
	if len(data) > 0 {
		x.body = append(x.body, data)
	}
}

// Send sends the answer and returns how many bytes of its body the kernel has taken; the answer to HEAD leaves them out.
// An error means that the client is gone; nobody is left to be told.
func (x *Exchange) Send(status int) (int64, error) { return x.to.send(x, status) }

// length is the value of Content-Length; ok is false for an answer that has none (RFC 9110 8.6).
func (x *Exchange) length(status int) (n int64, ok bool) {
	if status == http.StatusNoContent || status == http.StatusNotModified {
		return 0, false
	}
	for _, data := range x.body {
		n += int64(len(data))
	}
	return n, true
}

// standard carries an exchange over net/http.
type standard struct {
	w     http.ResponseWriter
	r     *http.Request
	limit time.Duration
}

func (o *standard) context() context.Context { return o.r.Context() }

func (o *standard) wait(limit time.Duration) (context.Context, func()) {
	return context.WithTimeout(o.r.Context(), limit)
}

func (o *standard) send(x *Exchange, status int) (sent int64, err error) {
	header := o.w.Header()
	for i := range x.fields {
		header[x.fields[i].name] = x.fields[i].values
	}
	if n, ok := x.length(status); ok {
		header["Content-Length"] = []string{strconv.FormatInt(n, 10)}
	}
	// Not every writer has deadlines: a test's has none. net/http lifts the deadline when the answer is out.
	_ = http.NewResponseController(o.w).SetWriteDeadline(time.Now().Add(o.limit))
	o.w.WriteHeader(status)
	if x.Method == http.MethodHead {
		return 0, nil
	}
	for _, data := range x.body {
		n, err := o.w.Write(data)
		sent += int64(n)
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}
