package restjson

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Bounds on what a body may hold. No operation needs a tenth of either.
const (
	MaxDepth    = 64   // nested objects and lists
	MaxElements = 4096 // list elements and map entries that are kept, over the whole body
)

// SyntaxError says why a body cannot be turned into an operation's input: it is no JSON, or a member has the wrong
// type. The services answer it as SerializationException. The text holds no value from the body.
type SyntaxError struct {
	Offset int    // byte offset in the body
	Reason string // for instance "member 'arn': found a number where a string is expected"
}

// Error returns the reason and the place.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%s (at byte %d)", e.Reason, e.Offset) }

// Reader reads one JSON value from a byte slice, front to back. After the first error every call is a no-op that
// returns the zero value, so generated code needs no error handling; End gives the error.
type Reader struct {
	data     []byte
	pos      int
	depth    int
	elements int
	member   []byte // the object member being read, for messages
	err      *SyntaxError
}

// NewReader returns a reader of data, which must not change until End was called. Nothing that the reader returns
// refers to data, except the keys passed to a Members loop.
func NewReader(data []byte) *Reader { return &Reader{data: data} }

// End returns the first error, or an error if anything but white space follows the value.
func (r *Reader) End() error {
	r.space()
	if r.err == nil && r.pos < len(r.data) {
		r.fail("more data after the end of the document")
	}
	if r.err == nil {
		return nil
	}
	return r.err
}

// Null consumes a null and reports whether there was one. It also reports true after an error, so that callers do
// not start on a value that cannot be read.
func (r *Reader) Null() bool {
	r.space()
	if r.err != nil {
		return true
	}
	if r.pos < len(r.data) && r.data[r.pos] == 'n' {
		r.literal("null")
		return true
	}
	return false
}

// Members reads an object: it calls yield once for each member, which must consume the member's value. The key is
// valid until the next call. Use it as `for key := range r.Members`.
func (r *Reader) Members(yield func(key []byte) bool) {
	if !r.open('{', "an object") {
		return
	}
	for first := true; ; first = false {
		if done := r.next('}', first); done {
			break
		}
		if r.peek() != '"' {
			r.fail("expected a member name")
			return
		}
		key := r.bytes()
		r.space()
		if r.peek() != ':' {
			r.fail("expected ':' after a member name")
			return
		}
		r.pos++
		r.member = key
		if !yield(key) {
			return
		}
	}
	r.depth--
}

// Elements reads a list: it calls yield once for each element, which must consume the element.
// Use it as `for range r.Elements`.
func (r *Reader) Elements(yield func() bool) {
	if !r.open('[', "a list") {
		return
	}
	for first := true; ; first = false {
		if done := r.next(']', first); done {
			break
		}
		r.Count()
		if r.err != nil || !yield() {
			return
		}
	}
	r.depth--
}

// Count notes one more kept element and fails the reader when there are more than MaxElements.
func (r *Reader) Count() {
	if r.elements++; r.elements > MaxElements {
		r.fail("too many list elements")
	}
}

// String reads an optional string.
func (r *Reader) String() *string {
	if r.Null() {
		return nil
	}
	return keep(r, r.Text())
}

// Bool reads an optional boolean.
func (r *Reader) Bool() *bool {
	if r.Null() {
		return nil
	}
	switch r.peek() {
	case 't':
		r.literal("true")
		return keep(r, true)
	case 'f':
		r.literal("false")
		return keep(r, false)
	}
	r.wrongType("a boolean")
	return nil
}

// Int32 reads an optional 32-bit integer.
func (r *Reader) Int32() *int32 {
	if r.Null() {
		return nil
	}
	return keep(r, int32(r.integer(math.MinInt32, math.MaxInt32)))
}

// Int64 reads an optional 64-bit integer.
func (r *Reader) Int64() *int64 {
	if r.Null() {
		return nil
	}
	return keep(r, r.integer(math.MinInt64, math.MaxInt64))
}

// Float64 reads an optional number.
func (r *Reader) Float64() *float64 {
	if r.Null() {
		return nil
	}
	n, err := strconv.ParseFloat(string(r.number("a number")), 64)
	if err != nil {
		r.fail("a number is out of range")
	}
	return keep(r, n)
}

// Timestamp reads an optional RFC 3339 string.
func (r *Reader) Timestamp() *Timestamp {
	if r.Null() {
		return nil
	}
	t, err := time.Parse(time.RFC3339, r.Text())
	if err != nil {
		r.fail("found a string that is no ISO 8601 timestamp")
	}
	return keep(r, Timestamp(t))
}

// Epoch reads an optional number of seconds since 1970; what is finer than a millisecond is rounded.
func (r *Reader) Epoch() *Epoch {
	const most = 253402300800 // the year 10000
	if r.Null() {
		return nil
	}
	n, err := strconv.ParseFloat(string(r.number("a number of seconds")), 64)
	if err != nil || math.Abs(n) >= most {
		r.fail("a point in time is out of range")
		return nil
	}
	return keep(r, Epoch(time.UnixMilli(int64(math.Round(n*1000))).UTC()))
}

// keep returns &v unless the reader has failed.
func keep[T any](r *Reader, v T) *T {
	if r.err != nil {
		return nil
	}
	return &v
}

// Text reads a string that must not be null.
func (r *Reader) Text() string {
	r.space()
	if r.peek() != '"' {
		r.wrongType("a string")
		return ""
	}
	return string(r.bytes())
}

// integer reads an integral number between lo and hi. 3.0 and 3e0 are integers too, as JSON has only one number type.
func (r *Reader) integer(lo, hi int64) int64 {
	text := r.number("an integer")
	if r.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(string(text), 64)
		if ferr != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
			r.fail("found a number that is no integer in range")
			return 0
		}
		n = int64(f)
	}
	if n < lo || n > hi {
		r.fail("found a number that is no integer in range")
		return 0
	}
	return n
}

// Skip consumes one value of any type.
func (r *Reader) Skip() {
	r.space()
	switch r.peek() {
	case '{':
		for range r.Members {
			r.Skip()
		}
	case '[':
		r.skipList()
	case '"':
		r.bytes()
	case 't':
		r.literal("true")
	case 'f':
		r.literal("false")
	case 'n':
		r.literal("null")
	default:
		r.number("a value")
	}
}

// skipList consumes a list without counting its elements: they are not kept.
func (r *Reader) skipList() {
	if !r.open('[', "a list") {
		return
	}
	for first := true; ; first = false {
		if done := r.next(']', first); done {
			break
		}
		r.Skip()
	}
	r.depth--
}

// open consumes an opening bracket.
func (r *Reader) open(bracket byte, want string) bool {
	r.space()
	if r.peek() != bracket {
		r.wrongType(want)
		return false
	}
	r.pos++
	if r.depth++; r.depth > MaxDepth {
		r.fail("values are nested too deeply")
		return false
	}
	return true
}

// next moves to the next member or element, or past the closing bracket. It reports true at the end and on errors.
func (r *Reader) next(closing byte, first bool) (done bool) {
	r.space()
	switch c := r.peek(); {
	case r.err != nil:
		return true
	case c == closing:
		r.pos++
		return true
	case first:
		return false
	case c == ',':
		r.pos++
		r.space()
		return r.err != nil
	}
	r.fail("expected ',' or the end of a list or object")
	return true
}

func (r *Reader) space() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// peek returns the byte at the current place, 0 at the end and after an error.
func (r *Reader) peek() byte {
	if r.err != nil || r.pos >= len(r.data) {
		return 0
	}
	return r.data[r.pos]
}

func (r *Reader) literal(word string) {
	if r.err == nil && len(r.data)-r.pos >= len(word) && string(r.data[r.pos:r.pos+len(word)]) == word {
		r.pos += len(word)
		return
	}
	r.fail("found something that is no JSON value")
}

// number consumes a number and returns its text.
func (r *Reader) number(want string) []byte {
	r.space()
	start := r.pos
	if c := r.peek(); c != '-' && (c < '0' || c > '9') {
		r.wrongType(want)
		return nil
	}
	if r.peek() == '-' {
		r.pos++
	}
	ok := r.peek() == '0'
	if ok {
		r.pos++
	} else {
		ok = r.digits()
	}
	if ok && r.peek() == '.' {
		r.pos++
		ok = r.digits()
	}
	if c := r.peek(); ok && (c == 'e' || c == 'E') {
		r.pos++
		if c := r.peek(); c == '+' || c == '-' {
			r.pos++
		}
		ok = r.digits()
	}
	if !ok {
		r.fail("found a malformed number")
		return nil
	}
	return r.data[start:r.pos]
}

// digits consumes digits and reports whether there was one.
func (r *Reader) digits() bool {
	start := r.pos
	for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
		r.pos++
	}
	return r.pos > start
}

// wrongType fails with what was found and what the operation expects there.
func (r *Reader) wrongType(want string) {
	if r.err != nil {
		return
	}
	if r.pos >= len(r.data) {
		r.fail("the document ends too early")
		return
	}
	found := ""
	switch c := r.data[r.pos]; {
	case c == '{':
		found = "an object"
	case c == '[':
		found = "a list"
	case c == '"':
		found = "a string"
	case c == 't', c == 'f':
		found = "a boolean"
	case c == 'n':
		found = "null"
	case c == '-', c >= '0' && c <= '9':
		found = "a number"
	default:
		r.fail("found something that is no JSON value")
		return
	}
	reason := "found " + found + " where " + want + " is expected"
	if len(r.member) > 0 {
		reason = "member '" + clip(string(r.member), 64) + "': " + reason
	}
	r.fail(reason)
}

func (r *Reader) fail(reason string) {
	if r.err == nil {
		r.err = &SyntaxError{Offset: r.pos, Reason: reason}
	}
}
