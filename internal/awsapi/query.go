package awsapi

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/rivus-live/rivus/internal/awsapi/queryxml"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/sigv4"
)

// queryFormat is the query protocol (spec neighbours.md 1): the request is a form in the body of POST /, its member
// Action names the operation, and the answer is XML.
type queryFormat struct {
	sns bool // SNS has names of its own for what its neighbours share
}

// isQuery reports whether a request is one of the query protocol: a form, or a link with the same parameters.
func isQuery(r *http.Request) bool {
	if r.URL.Path != "/" {
		return false
	}
	if r.Method == http.MethodGet {
		return strings.HasPrefix(r.URL.RawQuery, "Action=") || strings.Contains(r.URL.RawQuery, "&Action=")
	}
	if r.Method != http.MethodPost {
		return false
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// queryKey finds an operation of the query protocol by what its request says.
type queryKey struct{ signing, action, version string }

// dispatch finds the operation of a query request, which its body names. Other protocols name it in the path.
func (x *exchange) dispatch() error {
	if x.endpoint != nil {
		return nil
	}
	text := string(x.body)
	if x.request.Method == http.MethodGet {
		text = x.request.URL.RawQuery
	}
	form, err := queryxml.ParseForm(text)
	if err != nil {
		return err
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
	x.found(x.endpoint, form)
	return nil
}

// found notes the operation of a query request, and its parameters.
func (x *exchange) found(e *endpoint, form *queryxml.Form) {
	x.endpoint, x.form, x.caller.Action, x.format = e, form, e.action, e.format()
}

// isLink reports whether a request is a link that nobody has signed.
func (x *exchange) isLink() bool {
	return x.endpoint == nil && x.request.Method == http.MethodGet && !signed(x.request)
}

// follow finds the operation of a link that nobody has signed: its action alone decides, and has to be one of those that
// may be asked for so.
func (x *exchange) follow() error {
	form, err := queryxml.ParseForm(x.request.URL.RawQuery)
	if err != nil {
		return err
	}
	e := x.links[form.Get("Action")]
	if e == nil {
		return &sigv4.Error{Reason: sigv4.Missing, Message: "Missing Authentication Token"}
	}
	x.found(e, form)
	x.caller.Principal.Kind, x.caller.Request, x.caller.BaseURL = PrincipalAnonymous, x.describe(), x.urls.Of(x.request)
	return nil
}

func (queryFormat) contentType() string { return "text/xml" }

// name translates the names of the JSON services (spec errata.md A1, "request" and "query services").
func (q queryFormat) name(f failure) wireError {
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
	case f.wireError == serialization:
		return wireError{"MalformedInput", http.StatusBadRequest}
	case f.wireError == tooLarge:
		return wireError{"RequestEntityTooLarge", http.StatusRequestEntityTooLarge}
	case f.wireError != wireError{}:
		return f.wireError
	}
	return q.undeclared(f.kind)
}

// undeclared returns what the services of the protocol answer for a kind of fault that an operation does not declare.
func (q queryFormat) undeclared(k fault.Kind) wireError {
	switch k {
	case fault.Denied:
		if q.sns {
			return wireError{"AuthorizationError", http.StatusForbidden}
		}
		return wireError{"AccessDenied", http.StatusForbidden}
	case fault.Throttled:
		return wireError{"Throttling", http.StatusBadRequest}
	case fault.Expired:
		return wireError{"ExpiredToken", http.StatusForbidden}
	case fault.NotBuilt:
		return wireError{"NotImplemented", http.StatusBadRequest}
	case fault.NotFound:
		if !q.sns {
			return wireError{"NoSuchEntity", http.StatusNotFound}
		}
	case fault.Internal, fault.Fenced, fault.Unavailable, fault.StreamUnavailable:
		return wireError{"InternalFailure", http.StatusInternalServerError}
	case fault.Invalid, fault.NotLive, fault.Conflict, fault.Exists, fault.InUse, fault.Quota, fault.Malformed:
	}
	if q.sns {
		return wireError{"InvalidParameter", http.StatusBadRequest}
	}
	return wireError{"ValidationError", http.StatusBadRequest}
}

func (queryFormat) appendOutput(b []byte, x *exchange) []byte {
	members := x.output.(xmlOutput).AppendXML
	if !x.endpoint.result {
		members = nil
	}
	return queryxml.AppendAnswer(b, x.endpoint.xml(), x.endpoint.name, x.caller.RequestID, members)
}

// invalidParameter begins every text of that error of SNS (spec errata.md A1).
const invalidParameter = "Invalid parameter: "

func (q queryFormat) appendError(b []byte, x *exchange, f failure) []byte {
	var api queryxml.API // the default before the operation is known
	if x.endpoint != nil {
		api = x.endpoint.xml()
	}
	if f.code == "InvalidParameter" && !strings.HasPrefix(f.message, invalidParameter) {
		f.message = invalidParameter + f.message
	}
	return queryxml.AppendError(b, api, queryxml.Error{
		Ours: f.status >= http.StatusInternalServerError, Code: f.code, Message: f.message, RequestID: x.caller.RequestID,
	})
}

// xml returns what the answers of a service say of it.
func (c *contract) xml() queryxml.API {
	return queryxml.API{Version: c.version, Namespace: c.namespace}
}
