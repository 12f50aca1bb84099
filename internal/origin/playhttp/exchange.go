package playhttp

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
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
}

// requestOf returns what is needed of a request that net/http parsed.
func requestOf(r *http.Request) Request {
	return Request{
		Method:         r.Method,
		Path:           r.URL.Path,
		Escaped:        r.URL.RawPath != "",
		Query:          r.URL.RawQuery,
		Close:          r.Close,
		Range:          r.Header.Get("Range"),
		IfRange:        r.Header.Get("If-Range"),
		IfNoneMatch:    r.Header.Get("If-None-Match"),
		AcceptEncoding: strings.Join(r.Header["Accept-Encoding"], ","),
	}
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
