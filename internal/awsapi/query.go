package awsapi

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/url"

	"github.com/rivus-live/rivus/internal/awsapi/queryxml"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/sigv4"
)

// QueryInput is a request shape of the query protocol.
type QueryInput[T any] interface {
	*T
	// ReadForm takes the members from the form and checks them. Errors are those of fault.Invalid.
	ReadForm(form url.Values) error
}

// QueryOutput is an answer of the query protocol: it appends its members as XML elements.
type QueryOutput[T any] interface {
	*T
	AppendXML(b []byte) []byte
}

// QueryOp is Op for an operation of the query protocol.
func QueryOp[In, Out any, I QueryInput[In], O QueryOutput[Out]](
	api queryxml.API, name string, h func(ctx context.Context, c Caller, in *In) (*Out, error), targets func(*In) []Target,
) Operation {
	return Operation{
		id:    restjson.Operation{Service: api.Service, Name: name},
		query: &api,
		name:  name,
		blank: func() any { return new(In) },
		decode: func(_ []byte, _ string, form url.Values) (any, error) {
			in := new(In)
			return in, I(in).ReadForm(form)
		},
		target: targetsOf(targets),
		handle: func(ctx context.Context, c Caller, in any) (any, error) {
			out, err := h(ctx, c, in.(*In))
			if err != nil || out == nil {
				return empty{}, err
			}
			return O(out), nil
		},
	}
}

// queryFormat is the query protocol (spec neighbours.md 1): the request is a form in the body of POST /, its member
// Action names the operation, and the answer is XML.
type queryFormat struct{}

// isQuery reports whether a request is one of the query protocol.
func isQuery(r *http.Request) bool {
	if r.Method != http.MethodPost || r.URL.Path != "/" {
		return false
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// queryKey finds an operation of the query protocol by what its request says.
type queryKey struct{ signing, action, version string }

// queryEndpoint returns the endpoint of a row of the query protocol, which it makes when there is none.
func (rt *router) queryEndpoint(op Operation) *endpoint {
	key := queryKey{op.query.Service, op.name, op.query.Version}
	if rt.queries[key] == nil {
		rt.queries[key] = &endpoint{
			route: route{
				service: op.query.Service, signing: op.query.Service, name: op.name,
				method: http.MethodPost, path: "/", status: http.StatusOK,
			},
			action: op.query.Service + ":" + op.name,
		}
	}
	return rt.queries[key]
}

// dispatch finds the operation of a query request, which its body names. Other protocols name it in the path.
func (x *exchange) dispatch() error {
	if x.endpoint != nil {
		return nil
	}
	form, err := url.ParseQuery(string(x.body))
	if err != nil {
		return &frontError{serialization, "The form could not be read"}
	}
	action, version := form.Get("Action"), form.Get("Version")
	if action == "" {
		return &frontError{wireError{"MissingAction", http.StatusBadRequest}, "The request must contain the parameter Action"}
	}
	x.endpoint = x.queries[queryKey{x.service, action, version}]
	if x.endpoint == nil {
		return &frontError{
			wireError{"InvalidAction", http.StatusBadRequest},
			fmt.Sprintf("Could not find operation %.64s for version %.16s", action, version),
		}
	}
	x.form, x.caller.Action = form, x.endpoint.action
	return nil
}

func (queryFormat) contentType() string { return "text/xml" }

// name translates the names of the JSON services (spec errata.md A1, "request" and "query services").
func (queryFormat) name(f failure) wireError {
	if s, ok := signatureReason(f.cause); ok {
		switch s {
		case sigv4.Missing:
			return wireError{"MissingAuthenticationToken", http.StatusForbidden}
		case sigv4.Incomplete:
			return wireError{"IncompleteSignature", http.StatusBadRequest}
		case sigv4.Unrecognized:
			return wireError{"InvalidClientTokenId", http.StatusForbidden}
		case sigv4.Expired:
			return wireError{"RequestExpired", http.StatusBadRequest}
		case sigv4.Invalid:
			return wireError{"SignatureDoesNotMatch", http.StatusForbidden}
		}
	}
	switch {
	case f.wireError == serialization || f.kind == fault.Invalid:
		return wireError{"ValidationError", http.StatusBadRequest}
	case f.wireError == tooLarge:
		return wireError{"RequestEntityTooLarge", http.StatusRequestEntityTooLarge}
	case f.kind == fault.Denied:
		return wireError{"AccessDenied", http.StatusForbidden}
	case f.kind == fault.Throttled:
		return wireError{"Throttling", http.StatusBadRequest}
	case f.status >= http.StatusInternalServerError:
		return wireError{"InternalFailure", http.StatusInternalServerError}
	}
	return f.wireError
}

func (queryFormat) appendOutput(b []byte, x *exchange) []byte {
	out := x.output.(interface{ AppendXML(b []byte) []byte })
	return queryxml.AppendAnswer(b, *x.endpoint.op.query, x.endpoint.name, x.caller.RequestID, out.AppendXML)
}

func (queryFormat) appendError(b []byte, x *exchange, f failure) []byte {
	var api queryxml.API // the default before the operation is known
	if x.endpoint != nil {
		api = *x.endpoint.op.query
	}
	return queryxml.AppendError(b, api, queryxml.Error{
		Ours: f.status >= http.StatusInternalServerError, Code: f.code, Message: f.message, RequestID: x.caller.RequestID,
	})
}
