package awsapi

import (
	"errors"
	"net/http"
	"slices"

	"github.com/rivus-live/rivus/internal/awsapi/queryxml"
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
// operation, and SDKs know them by name or by status. These are the names of REST-JSON; a format has its own for them.
//
//nolint:gochecknoglobals // constants
var (
	validation     = wireError{"ValidationException", http.StatusBadRequest}
	accessDenied   = wireError{"AccessDeniedException", http.StatusForbidden}
	throttling     = wireError{"ThrottlingException", http.StatusTooManyRequests}
	internalServer = wireError{"InternalServerException", http.StatusInternalServerError}
	expiredToken   = wireError{"ExpiredTokenException", http.StatusForbidden}
	// Not 501: SDKs that take every status from 500 for a passing failure (JavaScript v2, Ruby) would try four times.
	notImplemented = wireError{"NotImplementedException", http.StatusBadRequest}

	unknownOperation = wireError{"UnknownOperationException", http.StatusNotFound}
	serialization    = wireError{"SerializationException", http.StatusBadRequest}
	tooLarge         = wireError{"RequestEntityTooLargeException", http.StatusRequestEntityTooLarge}
)

// names returns the names that a kind of fault may have on the wire, best first. An operation answers the first that its
// model declares, with the status that the model gives it (spec ivs.md 2.3, errata.md A1).
func names(k fault.Kind) []string {
	switch k {
	case fault.Invalid:
		return []string{"InvalidParameter", "ValidationException"}
	case fault.Denied:
		return []string{"AuthorizationError", "AccessDeniedException"}
	case fault.NotFound:
		return []string{"ResourceNotFoundException", "NoSuchEntity", "NotFound", "ResourceNotFound"}
	case fault.NotLive:
		return []string{"ChannelNotBroadcasting", "ResourceNotFoundException"}
	case fault.Conflict:
		return []string{"ConflictException", "ConcurrentModification", "ConcurrentModificationException", "ConcurrentAccess"}
	case fault.Exists:
		return []string{"EntityAlreadyExists", "ResourceAlreadyExistsException", "ConflictException", "InvalidParameter"}
	case fault.InUse:
		return []string{"DeleteConflict", "ConflictException", "InvalidParameter"}
	case fault.Quota:
		return []string{
			"ServiceQuotaExceededException", "LimitExceeded", "LimitExceededException", "TopicLimitExceeded", "SubscriptionLimitExceeded",
			"TagLimitExceeded",
		}
	case fault.Malformed:
		return []string{"MalformedPolicyDocument", "InvalidEventPatternException", "InvalidParameter", "ValidationException"}
	case fault.Unavailable:
		return []string{"ServiceUnavailable", "ServiceFailure", "InternalError"}
	case fault.StreamUnavailable:
		return []string{"StreamUnavailable"}
	case fault.Internal, fault.Fenced:
		return []string{"ServiceFailure", "InternalError"}
	case fault.Throttled, fault.NotBuilt, fault.Expired:
	}
	return nil
}

// declared returns what an operation's model has for a kind of fault, the zero wireError if that is nothing.
func (e *endpoint) declared(k fault.Kind) wireError {
	for _, name := range names(k) {
		if slices.Contains(e.errors, name) {
			return wireError{name, e.statuses[name]}
		}
	}
	return wireError{}
}

// undeclared returns what the three services answer for a kind of fault that an operation does not declare.
func undeclared(k fault.Kind) wireError {
	switch k {
	case fault.Invalid, fault.NotFound, fault.NotLive, fault.Conflict, fault.Exists, fault.InUse, fault.Quota, fault.Malformed:
		return validation // which all declare
	case fault.Denied:
		return accessDenied
	case fault.Throttled:
		return throttling
	case fault.NotBuilt:
		return notImplemented
	case fault.Expired:
		return expiredToken
	case fault.Internal, fault.Fenced, fault.Unavailable, fault.StreamUnavailable:
	}
	return internalServer
}

// failure is an error on its way to the client.
type failure struct {
	wireError  // zero: the operation declares nothing for the kind
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
	if s, ok := errors.AsType[*queryxml.FormError](err); ok {
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
	if e != nil {
		f.wireError = e.declared(f.kind)
	}
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
