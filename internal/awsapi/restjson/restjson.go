// Package restjson is the codec of the AWS JSON protocols, REST-JSON as the three services speak it and awsJson 1.1 as
// EventBridge does: a strict JSON reader, an appending JSON writer and the checks that the service models put on members,
// which are the same for all protocols.
//
// The generated wire types call it; nothing here uses reflection. A Reader never panics, whatever it is given, and
// what it allocates is bounded by the size of the body and by MaxElements. Member names are case sensitive and
// unknown members are ignored (spec ivs.md 2.1). Every problem with the shape of a body is a *SyntaxError, every
// broken constraint a *ValidationError; neither holds the value of a member that the model marks sensitive.
//
// Imports: nothing of Rivus.
package restjson

import (
	"bytes"
	"fmt"
	"time"
)

// Operation names one operation of one service model; generated inputs say which they belong to.
type Operation struct {
	Service string // as the model is named, for instance "ivs-realtime"
	Name    string // for instance "GetChannel"
}

// timestampLayout is ISO 8601 with whole seconds in UTC, the form of every timestamp on the wire (spec ivs.md 2.4).
const timestampLayout = "2006-01-02T15:04:05Z"

// Timestamp is a point in time that reads and writes as an ISO 8601 string with whole seconds, for instance
// "2024-05-05T21:55:38Z".
type Timestamp time.Time

// Time returns t as an optional member: nil when t is the zero time.
func Time(t time.Time) *Timestamp {
	if t.IsZero() {
		return nil
	}
	return (*Timestamp)(&t)
}

// Epoch is a point in time that reads and writes as a number of seconds since 1970, with milliseconds as its fraction:
// the form that awsJson 1.1 gives to points in time.
type Epoch time.Time

// EpochOf returns t as an optional member: nil when t is the zero time.
func EpochOf(t time.Time) *Epoch {
	if t.IsZero() {
		return nil
	}
	return (*Epoch)(&t)
}

// AppendJSON appends the number.
func (e Epoch) AppendJSON(b []byte) []byte {
	return AppendFloat(b, float64(time.Time(e).UnixMilli())/1000)
}

// AppendJSON appends the quoted wire form.
func (t Timestamp) AppendJSON(b []byte) []byte {
	b = append(b, '"')
	b = time.Time(t).UTC().AppendFormat(b, timestampLayout)
	return append(b, '"')
}

// MarshalJSON returns the quoted wire form.
func (t Timestamp) MarshalJSON() ([]byte, error) { return t.AppendJSON(nil), nil }

// UnmarshalJSON reads an RFC 3339 string; null leaves t as it is.
func (t *Timestamp) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	r := NewReader(b)
	v := r.Timestamp()
	if err := r.End(); err != nil {
		return fmt.Errorf("read timestamp: %w", err)
	}
	*t = *v
	return nil
}
