// Package awsapi is the front of all APIs, those of IVS and those of their neighbours STS, IAM, EventBridge and SNS: one
// pipeline from an HTTP request to a service's handler and back.
//
// Route, verify the signature, throttle, decode and validate, authorize, handle, encode: each step is one function of
// exchange, in that order. What differs between protocols is their format: JSON with a path an operation for the three
// services (restjson), forms and XML for the query protocol (queryxml), JSON with a header for awsJson. A service brings
// rows (Op), one for each operation it has built; the routes of all operations are generated, and those without a row
// answer NotImplementedException with their name. A row says what its calls touch, and nothing is touched that the
// Authorizer has not allowed: what a row does not name, its handler cannot have. Handlers return fault kinds; the table
// in errors.go alone knows the error names of the wire. A cause goes to the log with the request id,
// never to the client, and a panic in a handler is a 500.
//
// An API is safe for concurrent use. It starts no goroutine.
//
// Imports: arn, awsapi/queryxml, awsapi/restjson, fault, publicurl, sigv4.
package awsapi

//go:generate go run github.com/rivus-live/rivus/cmd/apigen

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi/queryxml"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/publicurl"
	"github.com/rivus-live/rivus/internal/sigv4"
)

// empty is the output of a handler that returned none.
type empty struct{}

func (empty) AppendJSON(b []byte) []byte { return append(b, "{}"...) }
func (empty) AppendXML(b []byte) []byte  { return b }

// Operation is a row: an operation of a model and the handler that answers it. Op makes one.
type Operation struct {
	id       restjson.Operation
	name     string
	codec    codec
	open     bool       // everybody who has proved who they are may call it
	unsigned bool       // who has not may call it too, by a link
	blank    func() any // an input without members
	decode   func(r received) (any, error)
	target   func(in any) []Target                                               // nil: none was given
	handle   func(ctx context.Context, c Caller, in any) (output any, err error) // the output is what the format writes
}

// codec is what a row's input and output can be read from and written to.
type codec uint8

const (
	codecNone codec = iota // they do not fit together
	codecJSON
	codecForm // a form in, XML out
)

// received is what a request brings to an input.
type received struct {
	body     []byte         // JSON
	form     *queryxml.Form // of the query protocol
	resource string         // in the path of a tag route
	query    url.Values     // of a tag route
}

// Input is a generated request shape, which reads itself from JSON or from a form.
type Input[T any] interface {
	*T
	Operation() restjson.Operation
	Check(c *restjson.Checks)
}

// Output is a generated response shape, which writes itself as JSON or as XML.
type Output[T any] interface{ *T }

// What inputs and outputs of the protocols have.
type (
	jsonInput interface {
		ReadJSON(r *restjson.Reader)
		Check(c *restjson.Checks)
	}
	formInput interface {
		ReadForm(f *queryxml.Form)
		Check(c *restjson.Checks)
	}
	jsonOutput interface{ AppendJSON(b []byte) []byte }
	xmlOutput  interface{ AppendXML(b []byte) []byte }
)

// params is an input with members in the path or the query.
type params interface {
	ReadParams(path string, query url.Values)
}

// Op makes the row of an operation of any protocol: its name, its handler and the targets of an input. The handler gets
// an input that holds every constraint of the model; targets runs after the same checks. A nil output is an empty one.
// Whatever the input, there is a target: New refuses a row that has none, and a call that names none is denied.
func Op[In, Out any, I Input[In], O Output[Out]](
	name string, h func(ctx context.Context, c Caller, in *In) (*Out, error), targets func(*In) []Target,
) Operation {
	return Operation{
		id:     I(nil).Operation(),
		name:   name,
		codec:  codecOf(I(nil), O(nil)),
		blank:  func() any { return new(In) },
		decode: decodeInto[In],
		target: targetsOf(targets),
		handle: func(ctx context.Context, c Caller, in any) (any, error) {
			out, err := h(ctx, c, in.(*In))
			if err != nil || out == nil {
				return empty{}, err
			}
			return out, nil
		},
	}
}

// codecOf returns what an input is read from and an output written to.
func codecOf(in, out any) codec {
	_, readsJSON := in.(jsonInput)
	_, writesJSON := out.(jsonOutput)
	_, readsForm := in.(formInput)
	_, writesXML := out.(xmlOutput)
	switch {
	case readsJSON && writesJSON:
		return codecJSON
	case readsForm && writesXML:
		return codecForm
	}
	return codecNone
}

// decodeInto makes an input of what a request brings, and checks it.
func decodeInto[In any](r received) (any, error) {
	in := new(In)
	switch v := any(in).(type) {
	case jsonInput:
		if p, ok := v.(params); ok {
			p.ReadParams(r.resource, r.query)
		}
		return in, restjson.Decode(r.body, v)
	case formInput:
		return in, queryxml.Decode(r.form, v)
	}
	return nil, errors.New("awsapi: an input of no protocol") // add has refused it
}

func targetsOf[In any](targets func(*In) []Target) func(in any) []Target {
	if targets == nil {
		return nil
	}
	return func(in any) []Target { return targets(in.(*In)) }
}

// Open makes a row that everybody may call who has proved who they are, because it touches nothing.
func (op Operation) Open() Operation {
	op.open = true
	return op
}

// Unsigned makes a row that may also be called without a signature, by a link in a message (spec errata.md A1): GET /
// with the parameters of the query protocol. Its caller is anonymous then and has no account or region, nothing is
// authorized, and May refuses everything: the handler goes by a secret that the request holds.
func (op Operation) Unsigned() Operation {
	op.unsigned = true
	return op
}

// Name returns the operation's name.
func (op Operation) Name() string { return op.name }

// Service is a set of rows.
type Service interface{ Operations() []Operation }

// Limiter decides in the throttle step whether a caller may call an operation now.
type Limiter interface {
	Allow(sc arn.Scope, operation string) bool
}

// Options of an API. Credentials and Authorizer are required.
type Options struct {
	Services       []Service
	Credentials    Credentials
	Authorizer     Authorizer
	Limiter        Limiter          // nil: no limit
	Clock          func() time.Time // nil: the system's
	PublicURL      string           // base of URLs in answers; "": scheme and signed host of the request
	TrustedProxies []netip.Prefix   // whose X-Forwarded-Proto and X-Forwarded-For are believed
	Logger         *slog.Logger     // nil: discard
	// Audit is told of every answered request but those that read what they might; nil: nobody is. It must not wait.
	Audit func(Call)
	// Used is told of every principal that has proved who it is, with the service and the region that it has signed for.
	Used func(p Principal, service, region string)
	// Observe is told of every answered request: the operation's name, or "Unknown", its status and how long it took.
	Observe func(operation string, status int, d time.Duration)
}

// API answers the requests of all services. It is an http.Handler.
type API struct {
	opts     Options
	urls     publicurl.Rule
	verifier *sigv4.Verifier
	headers  []field
	spaces   sync.Pool // of *space
	zippers  sync.Pool // of *gzip.Writer; each has tables of several hundred kilobytes
	router
}

// New builds the API. A row that no model knows, two rows for one operation, or a row that does not say what it touches
// are an error.
func New(opts Options) (*API, error) {
	if opts.Credentials == nil || opts.Authorizer == nil {
		return nil, errors.New("awsapi: no credentials, or nobody to decide what they are good for")
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Used == nil {
		opts.Used = func(Principal, string, string) {}
	}
	if opts.Observe == nil {
		opts.Observe = func(string, int, time.Duration) {}
	}
	a := &API{
		opts: opts, urls: publicurl.Rule{Public: opts.PublicURL, Proxies: opts.TrustedProxies},
		headers: commonHeaders(), router: newRouter(),
		spaces: sync.Pool{New: func() any { return new(space) }},
		zippers: sync.Pool{New: func() any {
			z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails for an unknown level only
			return z
		}},
	}
	a.verifier = sigv4.NewVerifier(opts.Credentials.Lookup)
	for _, s := range opts.Services {
		for _, op := range s.Operations() {
			if err := a.add(op); err != nil {
				return nil, fmt.Errorf("awsapi: %w", err)
			}
		}
	}
	return a, nil
}

// Handles reports whether a request is meant for the APIs: it has the path of an operation or of a tag route, the form of
// one of the protocols that have no path, or it carries an AWS signature and so wants an answer that an SDK can read.
func (a *API) Handles(r *http.Request) bool {
	return a.known(r) || isQuery(r) || isTargeted(r) || signed(r)
}
