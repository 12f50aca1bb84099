package awsapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi/queryxml"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/sigv4"
)

// maxBody is the greatest size of a request body.
const maxBody = 1 << 20

// exchange is one request on its way through the pipeline.
type exchange struct {
	*API
	request  *http.Request
	format   format
	start    time.Time
	space    *space
	endpoint *endpoint      // nil before the body of a query request has named it
	service  string         // in the scope of the signature
	resource string         // of a tag route
	body     []byte         // in space
	form     *queryxml.Form // of a query request
	caller   Caller
	input    any
	output   any
	values   [3]string // of headers that no other answer has
	proven   bool      // the caller is who it says, and not nobody
	touched  []Target  // that the row has named
	code     string    // of the error
}

// ServeHTTP takes a request through the pipeline.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{API: a, request: r, format: jsonFormat{}, start: a.opts.Clock()}
	x.caller.RequestID = arn.NewUUID()
	x.space = a.spaces.Get().(*space)
	defer a.recycle(x.space)
	status := 0
	if err := x.run(); err != nil {
		status = x.refuse(w, err)
	} else {
		status = x.answer(w)
	}
	name := "Unknown"
	if x.endpoint != nil {
		name = x.endpoint.name
	}
	a.opts.Observe(name, status, a.opts.Clock().Sub(x.start))
	x.audit(status)
}

// run is the pipeline up to the answer.
func (x *exchange) run() error {
	for _, step := range [...]func(*exchange) error{
		(*exchange).route, (*exchange).verify, (*exchange).dispatch, (*exchange).built, (*exchange).throttle,
		(*exchange).decode, (*exchange).authorize, (*exchange).handle,
	} {
		if err := step(x); err != nil {
			return err
		}
	}
	return nil
}

// route finds the operation. A stranger who asks for nothing we know is told to sign, as the service family does.
func (x *exchange) route() error {
	switch {
	case isTargeted(x.request):
		return x.routeTarget()
	case isQuery(x.request):
		x.format = queryFormat{}
		return nil
	}
	e, resource, ok := x.find(x.request)
	if ok {
		x.endpoint, x.resource = e, resource
		return nil
	}
	if !signed(x.request) {
		return &sigv4.Error{Reason: sigv4.Missing, Message: "Missing Authentication Token"}
	}
	return &frontError{unknownOperation, "There is no operation with this method and path"}
}

// verify proves the signature and makes the caller. What needs no body is checked before the body is read.
func (x *exchange) verify() error {
	if x.isLink() {
		return x.follow()
	}
	pending, err := x.verifier.Begin(x.request, x.start)
	if err != nil {
		return err
	}
	x.service = pending.Identity().Service
	if x.endpoint != nil && x.service != x.endpoint.signing {
		return &sigv4.Error{Reason: sigv4.Invalid, Message: "Credential should be scoped to correct service: '" + x.endpoint.signing + "'."}
	}
	if err := x.acceptable(pending); err != nil {
		return err
	}
	if x.body, err = x.read(); err != nil {
		return err
	}
	id, err := pending.Finish(sigv4.HashBody(x.body))
	if err != nil {
		return err
	}
	if err := x.identify(id.AccessKeyID, pending.SessionToken()); err != nil {
		return err
	}
	x.opts.Used(x.caller.Principal, id.Service, id.Region)
	x.caller.Region = id.Region
	x.caller.BaseURL = x.urls.At(x.request, id.SignedHost)
	if x.endpoint != nil {
		x.caller.Action = x.endpoint.action
	}
	return nil
}

// identify finds out whose the access key is that has signed, and from where the request comes.
func (x *exchange) identify(accessKeyID, sessionToken string) error {
	principal, err := x.opts.Credentials.Principal(x.request.Context(), accessKeyID, sessionToken)
	if fault.Is(err, fault.Denied) {
		return &sigv4.Error{Reason: sigv4.Unrecognized, Message: "The security token included in the request is invalid."}
	}
	if err != nil {
		return err
	}
	x.caller.Principal, x.caller.Account = principal, principal.Account
	x.caller.Request = x.describe()
	x.proven = true
	return nil
}

// describe returns what a request says of itself beside what it asks for.
func (x *exchange) describe() Request {
	return Request{
		Address: x.urls.From(x.request), Secure: x.urls.Encrypted(x.request), UserAgent: x.request.UserAgent(), Time: x.start,
	}
}

// acceptable refuses what a sound signature may not be used with: a session token that anybody could have put there, and a
// body that anybody can change on the way, because it is not signed and the connection not encrypted.
func (x *exchange) acceptable(p *sigv4.Pending) error {
	switch {
	case p.SessionToken() != "" && !p.SignsSessionToken():
		return &sigv4.Error{Reason: sigv4.Incomplete, Message: "'x-amz-security-token' must be among the SignedHeaders"}
	case p.Unsigned() && !x.urls.Encrypted(x.request):
		return &sigv4.Error{Reason: sigv4.Invalid, Message: "The payload has to be signed on a connection without TLS."}
	}
	return nil
}

// read reads the body, which may have up to maxBody bytes.
func (x *exchange) read() ([]byte, error) {
	if x.request.ContentLength <= maxBody {
		buf, limited := &x.space.body, &x.space.limited
		*limited = io.LimitedReader{R: x.request.Body, N: maxBody + 1}
		n, err := buf.ReadFrom(limited)
		limited.R = nil
		if err != nil {
			return nil, &frontError{serialization, "The body could not be read"}
		}
		if n <= maxBody {
			return buf.Bytes(), nil
		}
	}
	return nil, &frontError{tooLarge, fmt.Sprintf("The body may have up to %d bytes", maxBody)}
}

// built refuses an operation that has no row.
func (x *exchange) built() error {
	if x.endpoint.op == nil {
		return fault.New(fault.NotBuilt, "%s is not implemented in this version of Rivus", x.endpoint.name)
	}
	return nil
}

// throttle asks the limiter.
func (x *exchange) throttle() error {
	if x.opts.Limiter != nil && !x.opts.Limiter.Allow(x.caller.Scope, x.endpoint.name) {
		return fault.New(fault.Throttled, "Operation: %s exceeded call rate", x.caller.Action)
	}
	return nil
}

// decode makes the operation's input and checks it. Only a POST has a body that means anything.
func (x *exchange) decode() (err error) {
	r := received{form: x.form, resource: x.resource}
	if x.request.Method == http.MethodPost {
		r.body = x.body
	}
	if x.form == nil && x.request.URL.RawQuery != "" {
		r.query = x.request.URL.Query()
	}
	x.input, err = x.endpoint.op.decode(r)
	return err
}

// handle runs the handler. A panic in it is a defect that must cost one request and no more.
func (x *exchange) handle() (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
				panic(p)
			}
			err = &panicError{value: p, stack: debug.Stack()}
		}
	}()
	x.output, err = x.endpoint.op.handle(x.request.Context(), x.caller, x.input)
	return x.settle(err)
}

// panicError is a panic of a handler; it has no fault kind, so it is internal.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// log writes down why a request failed: what is ours as an error, what is the caller's for those who look.
func (x *exchange) log(f failure) {
	level := slog.LevelDebug
	if f.status >= http.StatusInternalServerError && x.request.Context().Err() == nil {
		level = slog.LevelError
	}
	ctx := x.request.Context()
	if !x.opts.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", x.caller.RequestID), slog.String("action", x.caller.Action),
		slog.String("account", x.caller.Account), slog.String("region", x.caller.Region),
		slog.String("code", f.code), slog.Int("status", f.status),
	}
	if f.kind != fault.Invalid { // the text of a broken constraint repeats what the caller sent
		attrs = append(attrs, slog.Any("error", f.cause))
	}
	if p, ok := errors.AsType[*panicError](f.cause); ok {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	x.opts.Logger.LogAttrs(ctx, level, "api request failed", attrs...)
}

// space is the memory of one request, kept for the next.
type space struct {
	body, packed bytes.Buffer
	limited      io.LimitedReader
	answer       []byte
}

// maxKept is the most that a space may hold to be kept: one big request must not cost memory for ever.
const maxKept = 64 << 10

func (a *API) recycle(s *space) {
	if s.body.Cap()+s.packed.Cap()+cap(s.answer) > maxKept {
		return
	}
	s.body.Reset()
	s.packed.Reset()
	a.spaces.Put(s)
}
