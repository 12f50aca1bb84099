// Package arn parses, mints and compares Amazon Resource Names: those of the three services, whose form is strict, and
// those of their neighbours.
//
// Imports: fault.
package arn

import (
	"strings"

	"github.com/rivus-live/rivus/internal/fault"
)

// maxLen is the greatest length of an ARN of the three services in characters (spec ivs.md 1.1), maxAny that of others.
const (
	maxLen = 128
	maxAny = 2048
)

// Scope is the tenancy of a resource: services are regional and multi-tenant, so both are part of every key.
type Scope struct {
	Region  string // for instance "us-west-2"; from the SigV4 credential scope
	Account string // 12 digits; from the access key
}

// ARN is "arn:aws:<service>:<region>:<account>:<type>/<id>" taken apart (spec ivs.md 1.1). The zero ARN names nothing.
// ARNs of neighbours may lack a part: those of IAM the region, those of SNS topics the type.
type ARN struct {
	Service string // for instance "ivs", "ivschat", "iam"
	Scope
	Type string // for instance "channel", "stream-key"; "" for a resource that is no more than its id, as "root"
	ID   string // of IAM's entities with their path, as "team/alice"
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

// ParseAny takes the ARN of any AWS service apart: one of the three services as Parse does, and of others what is printable
// and has the six parts. The account may be missing, or "aws" for what AWS itself owns. The error is fault.Invalid.
func ParseAny(s string) (ARN, error) {
	rest, ok := strings.CutPrefix(s, "arn:aws:")
	service, rest, ok1 := strings.Cut(rest, ":")
	if service == "ivs" || service == "ivschat" {
		return Parse(s)
	}
	region, rest, ok2 := strings.Cut(rest, ":")
	account, id, ok3 := strings.Cut(rest, ":")
	a := ARN{Service: service, Scope: Scope{Region: region, Account: account}, ID: id}
	if kind, id, ok := strings.Cut(id, "/"); ok && id != "" && made(kind, lower|dash) {
		a.Type, a.ID = kind, id
	}
	if !ok || !ok1 || !ok2 || !ok3 || len(s) > maxAny || !a.plausible() {
		return ARN{}, fault.New(fault.Invalid, "Invalid ARN: %.128s", s)
	}
	return a, nil
}

// plausible reports whether each part of an ARN of other services has the characters that such ARNs have.
func (a ARN) plausible() bool {
	return made(a.Service, lower|digit|dash) && (a.Region == "" || made(a.Region, lower|digit|dash)) &&
		(a.Account == "" || a.Account == "aws" || made(a.Account, digit)) && printable(a.ID)
}

// printable reports whether s is not empty and made of ASCII that leaves a mark.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
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
	if a.Type == "" {
		return "arn:aws:" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.ID
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
	parsed, err := ParseAny(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}
