package awsapi

import (
	"errors"
	"net/http"
	"slices"

	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/sigv4"
)

// wireError is an error name of the services and its status.
type wireError struct {
	code   string
	status int
}

// The errors that any operation may answer, declared or not: the service family answers them before or around an
// operation, and SDKs know them by name or by status.
//
//nolint:gochecknoglobals // constants
var (
	accessDenied   = wireError{"AccessDeniedException", http.StatusForbidden}
	throttling     = wireError{"ThrottlingException", http.StatusTooManyRequests}
	internalServer = wireError{"InternalServerException", http.StatusInternalServerError}
	// Not 501: SDKs that take every status from 500 for a passing failure (JavaScript v2, Ruby) would try four times.
	notImplemented = wireError{"NotImplementedException", http.StatusBadRequest}

	unknownOperation = wireError{"UnknownOperationException", http.StatusNotFound}
	serialization    = wireError{"SerializationException", http.StatusBadRequest}
	tooLarge         = wireError{"RequestEntityTooLargeException", http.StatusRequestEntityTooLarge}
)

// wireErrors returns the errors that a kind of fault may be on the wire, best first. An operation answers the first
// that its model declares, and the last if it declares none: that is ValidationException, which all declare, or one
// that any operation may answer (spec ivs.md 2.3).
func wireErrors(k fault.Kind) []wireError {
	var (
		validation = wireError{"ValidationException", http.StatusBadRequest}
		notFound   = wireError{"ResourceNotFoundException", http.StatusNotFound}
	)
	switch k {
	case fault.Invalid:
		return []wireError{validation}
	case fault.Denied:
		return []wireError{accessDenied}
	case fault.NotFound:
		return []wireError{notFound, validation}
	case fault.NotLive:
		return []wireError{{"ChannelNotBroadcasting", http.StatusNotFound}, notFound, validation}
	case fault.Conflict:
		return []wireError{{"ConflictException", http.StatusConflict}, validation}
	case fault.Quota:
		return []wireError{{"ServiceQuotaExceededException", http.StatusPaymentRequired}, validation}
	case fault.Throttled:
		return []wireError{throttling}
	case fault.Unavailable:
		return []wireError{{"ServiceUnavailable", http.StatusServiceUnavailable}, internalServer}
	case fault.StreamUnavailable:
		return []wireError{{"StreamUnavailable", http.StatusServiceUnavailable}, internalServer}
	case fault.NotBuilt:
		return []wireError{notImplemented}
	case fault.Internal, fault.Fenced:
	}
	return []wireError{internalServer}
}

// wire returns what an operation answers for a kind of fault.
func (r *route) wire(k fault.Kind) wireError {
	candidates := wireErrors(k)
	for _, w := range candidates {
		if slices.Contains(r.errors, w.code) {
			return w
		}
	}
	return candidates[len(candidates)-1]
}

// failure is an error on its way to the client.
type failure struct {
	wireError
	message    string
	violations []restjson.Violation // broken constraints, for services that list them
	kind       fault.Kind
	cause      error // for the log
}

// frontError is an error that the pipeline itself answers, before an operation is reached.
type frontError struct {
	wireError
	message string
}

func (e *frontError) Error() string { return e.code + ": " + e.message }

// failureOf turns any error of the pipeline into what the client is told. e is nil when no operation was found.
func failureOf(err error, e *endpoint) failure {
	f := failure{cause: err}
	if front, ok := errors.AsType[*frontError](err); ok {
		f.wireError, f.message = front.wireError, front.message
		return f
	}
	if s, ok := errors.AsType[*sigv4.Error](err); ok {
		f.wireError, f.message = signatureError(s.Reason), s.Message
		return f
	}
	if s, ok := errors.AsType[*restjson.SyntaxError](err); ok {
		f.wireError, f.message = serialization, s.Error()
		return f
	}
	if v, ok := errors.AsType[*restjson.ValidationError](err); ok {
		f.kind, f.message, f.violations = fault.Invalid, v.Error(), v.Violations
	} else {
		f.kind, f.message = fault.KindOf(err), fault.Message(err)
	}
	if f.message == "" || f.kind == fault.Internal || f.kind == fault.Fenced {
		f.message = "The request failed on the server; its log has the cause under this request id"
	}
	r := &route{}
	if e != nil {
		r = &e.route
	}
	f.wireError = r.wire(f.kind)
	return f
}

// signatureReason returns why a signature did not hold, if that is what an error says.
func signatureReason(err error) (sigv4.Reason, bool) {
	s, ok := errors.AsType[*sigv4.Error](err)
	if !ok {
		return 0, false
	}
	return s.Reason, true
}

// signatureError returns the error of the service family for a signature that does not hold.
func signatureError(r sigv4.Reason) wireError {
	name := "InvalidSignatureException"
	switch r {
	case sigv4.Missing:
		name = "MissingAuthenticationTokenException"
	case sigv4.Incomplete:
		name = "IncompleteSignatureException"
	case sigv4.Unrecognized:
		name = "UnrecognizedClientException"
	case sigv4.Invalid, sigv4.Expired: // SDKs correct their clock on this name when the text says that it expired
	}
	return wireError{name, http.StatusForbidden}
}
