package token

import (
	"fmt"
	"net/http"
)

// Reason says what is wrong with a token.
type Reason string

// The reasons, in the order in which a verification comes to them.
const (
	TooLong         Reason = "too long"
	Malformed       Reason = "malformed"
	WrongAlgorithm  Reason = "wrong algorithm"
	UnknownKey      Reason = "unknown key" // deleted, never imported, or of another account or region
	WrongSignature  Reason = "wrong signature"
	Expired         Reason = "expired"
	NotYetValid     Reason = "not yet valid"
	LivesTooLong    Reason = "lives too long"
	WrongVersion    Reason = "wrong version"
	UnknownStage    Reason = "unknown stage" // deleted, or never there
	WrongTopic      Reason = "wrong topic"
	WrongEndpoint   Reason = "wrong endpoint" // addresses that the stage never had
	WrongClaims     Reason = "wrong claims"   // participant id, user id, attributes or capabilities
	WasDisconnected Reason = "participant was disconnected"

	// Of viewers' tokens only.
	NoToken      Reason = "no token"
	WrongChannel Reason = "wrong channel"
)

// status returns the HTTP status that a refusal for the reason is answered with (spec ivs-realtime.md 7.3).
func (r Reason) status() int {
	switch r {
	case UnknownStage:
		return http.StatusNotFound
	case WasDisconnected, NoToken, WrongChannel:
		return http.StatusForbidden
	case TooLong, Malformed, WrongAlgorithm, UnknownKey, WrongSignature, Expired, NotYetValid, LivesTooLong,
		WrongVersion, WrongTopic, WrongEndpoint, WrongClaims:
	}
	return http.StatusUnauthorized
}

// Refusal is the error of a token that is no good.
type Refusal struct {
	Status int // 401, 403 or 404
	Reason Reason
	Detail string // may be shown to whoever sent the token; "" when the reason says all
}

// Error returns the reason and the detail.
func (r *Refusal) Error() string {
	if r.Detail == "" {
		return "token refused: " + string(r.Reason)
	}
	return "token refused: " + string(r.Reason) + ": " + r.Detail
}

func refuse(r Reason, format string, args ...any) error {
	return &Refusal{Status: r.status(), Reason: r, Detail: fmt.Sprintf(format, args...)}
}
