// Package arn parses, mints and compares the Amazon Resource Names and identifiers of the three services.
//
// Imports: fault.
package arn

import (
	"strings"

	"github.com/rivus-live/rivus/internal/fault"
)

// maxLen is the greatest length of an ARN in characters (spec ivs.md 1.1).
const maxLen = 128

// Scope is the tenancy of a resource: services are regional and multi-tenant, so both are part of every key.
type Scope struct {
	Region  string // for instance "us-west-2"; from the SigV4 credential scope
	Account string // 12 digits; from the access key
}

// ARN is "arn:aws:<service>:<region>:<account>:<type>/<id>" taken apart (spec ivs.md 1.1). The zero ARN names nothing.
type ARN struct {
	Service string // "ivs" or "ivschat"
	Scope
	Type string // for instance "channel", "stream-key"
	ID   string
}

// Channel returns the ARN of a channel.
func Channel(sc Scope, id string) ARN {
	return ARN{Service: "ivs", Scope: sc, Type: "channel", ID: id}
}

// StreamKey returns the ARN of a stream key.
func StreamKey(sc Scope, id string) ARN {
	return ARN{Service: "ivs", Scope: sc, Type: "stream-key", ID: id}
}

// Parse takes an ARN of one of the services apart. It accepts the character sets that the service models give each
// part, and nothing else; the error is fault.Invalid.
func Parse(s string) (ARN, error) {
	if len(s) > maxLen {
		return ARN{}, fault.New(fault.Invalid, "An ARN has at most %d characters", maxLen)
	}
	rest, ok := strings.CutPrefix(s, "arn:aws:")
	service, rest, ok1 := strings.Cut(rest, ":")
	region, rest, ok2 := strings.Cut(rest, ":")
	account, rest, ok3 := strings.Cut(rest, ":")
	kind, id, ok4 := strings.Cut(rest, "/")
	a := ARN{Service: service, Scope: Scope{Region: region, Account: account}, Type: kind, ID: id}
	if !ok || !ok1 || !ok2 || !ok3 || !ok4 || !a.valid() {
		return ARN{}, fault.New(fault.Invalid, "Invalid ARN: %s", s)
	}
	return a, nil
}

// valid reports whether each part has the characters that the models allow it.
func (a ARN) valid() bool {
	return made(a.Service, lower) && made(a.Region, lower|digit|dash) && made(a.Account, digit) &&
		made(a.Type, lower|dash) && made(a.ID, lower|upper|digit|dash)
}

// class is a set of ASCII characters.
type class uint8

const (
	lower class = 1 << iota
	upper
	digit
	dash
)

// made reports whether s is not empty and made of the given characters.
func made(s string, of class) bool {
	for i := range len(s) {
		in := class(0)
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
			in = lower
		case c >= 'A' && c <= 'Z':
			in = upper
		case c >= '0' && c <= '9':
			in = digit
		case c == '-':
			in = dash
		}
		if of&in == 0 {
			return false
		}
	}
	return s != ""
}

// IsZero reports whether a names nothing.
func (a ARN) IsZero() bool { return a == ARN{} }

// String returns the ARN in its usual form, "" for the zero ARN.
func (a ARN) String() string {
	if a.IsZero() {
		return ""
	}
	return "arn:aws:" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Type + "/" + a.ID
}

// MarshalText returns the usual form, so that an ARN in a JSON record is a string.
func (a ARN) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the usual form; empty text gives the zero ARN.
func (a *ARN) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*a = ARN{}
		return nil
	}
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}
