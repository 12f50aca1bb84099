// Package fault gives errors a kind that callers may act on.
//
// A kind says what sort of thing went wrong (the record is missing, the caller asked for something illegal), never
// where. State and service packages attach kinds; only awsapi turns a kind into a wire error with a name and a status.
// The message of a fault is written for the API caller and must hold no secret; the cause behind it is for the log.
//
// Imports: nothing of Rivus.
package fault

import (
	"errors"
	"fmt"
)

// Kind classifies an error by what the caller can do about it.
type Kind uint8

// The kinds. Internal is the zero value, so an error without a kind is an internal one.
const (
	Internal          Kind = iota // a defect or a failed dependency: retrying may help, changing the request will not
	Invalid                       // the request breaks a documented constraint
	Denied                        // the caller may not do this
	NotFound                      // the named resource does not exist for this caller
	NotLive                       // the channel exists but has no live stream
	Conflict                      // a modelled rule forbids the change in the present state
	Quota                         // a service quota would be exceeded
	Throttled                     // too many calls in too short a time
	Unavailable                   // a dependency does not answer now
	StreamUnavailable             // the node that runs the stream does not answer now
	Fenced                        // another owner holds the record: stop writing
	NotBuilt                      // the operation exists in the contract and not in this version
	Exists                        // what is to be made is there already
	InUse                         // what is to be deleted is referred to
	Malformed                     // a document inside the request, as a policy or a pattern, breaks its language
	Expired                       // the caller's temporary credentials are over
)

// kindNames are also the names under which kinds travel between nodes: a name never changes its meaning.
var kindNames = [...]string{ //nolint:gochecknoglobals // a constant table
	"internal", "invalid", "denied", "not found", "not live", "conflict", "quota", "throttled", "unavailable",
	"stream unavailable", "fenced", "not built", "exists", "in use", "malformed", "expired",
}

// String returns the kind in lower-case words, for logs and for other nodes.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", k)
}

// Named returns the kind of a name that String gave, on this node or on another, and false for one that this version does not
// know.
func Named(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n == name {
			return Kind(k), true
		}
	}
	return Internal, false
}

// Error is an error with a kind, a message for the caller and, optionally, a cause for the log.
type Error struct {
	Kind    Kind
	Message string
	Cause   error
}

// Error returns the message followed by the cause.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New returns an error of the given kind. The text is shown to the API caller.
func New(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Wrap attaches a kind and a caller-facing text to a cause. A nil cause gives nil.
func Wrap(kind Kind, cause error, format string, args ...any) error {
	if cause == nil {
		return nil
	}
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// KindOf returns the kind of the outermost fault in err's chain, Internal if there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err carries the given kind. A nil err carries none.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// Message returns the caller-facing text of the outermost fault, "" when err carries none.
func Message(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return ""
}
