package queryxml

import (
	"cmp"
	"encoding/base64"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rivus-live/rivus/internal/awsapi/restjson"
)

// MaxParams bounds the parameters of a form. No operation needs a tenth of it.
const MaxParams = 4096

// FormError says why a form cannot be turned into an operation's input. The text holds no value from the form.
type FormError struct{ Reason string }

// Error returns the reason.
func (e *FormError) Error() string { return e.Reason }

// Form is the parameters of a request, read member by member: "Tags.member.2.Key=team" is the member Key of the second
// element of the list Tags. What is read is at a place, which Members and Elements move. After the first error every
// call is a no-op that returns the zero value, so generated code needs no error handling; Err gives the error.
//
// The parameters are in an order that has all of one place together, so nothing is ever made for a place that no
// parameter names: a list has as many elements as the form has numbers, whatever the numbers are.
type Form struct {
	params []param
	lo, hi int // the place: the names of params[lo:hi] begin alike
	at     int // length of what they have in common, with the dot behind it
	err    *FormError
}

// param is a parameter, decoded.
type param struct{ name, value string }

// ParseForm reads a form as it is in a body or in the query of a URL. The error is a *FormError.
func ParseForm(text string) (*Form, error) {
	f := &Form{}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		switch {
		case err1 != nil || err2 != nil || strings.Contains(pair, ";"):
			return nil, &FormError{"The form could not be read"}
		case !utf8.ValidString(name) || !utf8.ValidString(value):
			return nil, &FormError{"The form holds text that is not UTF-8"}
		case len(f.params) == MaxParams:
			return nil, &FormError{"The form has too many parameters"}
		}
		f.params = append(f.params, param{name, value})
	}
	slices.SortFunc(f.params, func(a, b param) int { return compareNames(a.name, b.name) })
	for i := 1; i < len(f.params); i++ {
		if f.params[i].name == f.params[i-1].name {
			return nil, &FormError{"A parameter is there more than once: " + clip(f.params[i].name)}
		}
	}
	f.hi = len(f.params)
	return f, nil
}

// compareNames orders names by their parts: the dot between these comes before any other character.
func compareNames(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '.':
			return -1
		case b[i] == '.':
			return 1
		default:
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// Get returns the value of the parameter with a name, "" when there is none.
func (f *Form) Get(name string) string {
	i, found := slices.BinarySearchFunc(f.params, name, func(p param, name string) int { return compareNames(p.name, name) })
	if !found {
		return ""
	}
	return f.params[i].value
}

// Err returns the first error.
func (f *Form) Err() error {
	if f.err == nil {
		return nil
	}
	return f.err
}

// fail notes an error at this place, in the words of AWS as far as they are known.
func (f *Form) fail(reason string) {
	if f.err == nil {
		place := ""
		if f.lo < f.hi && f.at > 0 {
			place = ": " + clip(f.params[f.lo].name[:f.at-1])
		}
		f.err = &FormError{reason + place}
	}
}

// clip shortens a name for a message.
func clip(name string) string {
	const most = 100
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}

// own returns the value of the parameter that has the name of this place and no more. It is the first of the place.
func (f *Form) own() (value string, ok bool) {
	if f.lo < f.hi && len(f.params[f.lo].name) == f.at-1 {
		return f.params[f.lo].value, true
	}
	return "", false
}

// place is where a form is read.
type place struct{ lo, hi, at int }

func (f *Form) place() place { return place{f.lo, f.hi, f.at} }

func (f *Form) move(p place) { f.lo, f.hi, f.at = p.lo, p.hi, p.at }

// Members reads a structure: it calls yield once for each name that goes on from this place, with the form at that
// member, which need not be read. Use it as `for name := range f.Members`.
func (f *Form) Members(yield func(name string) bool) {
	here := f.place()
	defer f.move(here)
	first := here.lo
	if value, ok := f.own(); ok {
		if value != "" {
			f.fail("Start of structure or map expected")
		}
		first++
	}
	for i := first; i < here.hi && f.err == nil; {
		name := part(f.params[i].name[here.at:])
		end := i + 1
		for end < here.hi && part(f.params[end].name[here.at:]) == name {
			end++
		}
		f.move(place{i, end, here.at + len(name) + 1})
		if !yield(name) {
			return
		}
		i = end
	}
}

// part returns what a name has up to its first dot.
func part(name string) string {
	first, _, _ := strings.Cut(name, ".")
	return first
}

// numbered is an element of a list.
type numbered struct {
	place
	n int
}

// Elements reads a list whose elements have a name before their number, as "member" in Tags.member.1: it calls yield once
// for each, in the order of their numbers, with the form at that element. Numbers may be missing. A list that is nothing
// but an empty value is an empty list, which is how clients write one.
func (f *Form) Elements(name string) func(yield func() bool) {
	return func(yield func() bool) {
		here := f.place()
		defer f.move(here)
		elements := f.elements(name)
		for _, e := range elements {
			if f.move(e.place); f.err != nil || !yield() {
				return
			}
		}
	}
}

// elements returns the elements of the list at this place.
func (f *Form) elements(name string) (all []numbered) {
	if value, ok := f.own(); ok && (value != "" || f.hi-f.lo > 1) {
		f.fail("Unexpected list element termination")
		return nil
	}
	for between := range f.Members {
		if between != name {
			f.fail("Top level element may not be treated as a list")
			return nil
		}
		if _, ok := f.own(); ok {
			f.fail("Unexpected list element termination")
			return nil
		}
		for text := range f.Members {
			n, ok := index(text)
			if !ok {
				f.fail("The list has an index that is not valid")
				return nil
			}
			all = append(all, numbered{f.place(), n})
		}
	}
	slices.SortFunc(all, func(a, b numbered) int { return cmp.Compare(a.n, b.n) })
	return all
}

// index reads the number of an element: they count from 1, and each has one form.
func index(text string) (n int, ok bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n > 0 && n <= math.MaxInt32 && text[0] >= '1' && text[0] <= '9'
}

// text reads the value of a scalar.
func (f *Form) text(what string, valid func(value string) bool) (value string, ok bool) {
	if f.err != nil {
		return "", false
	}
	value, ok = f.own()
	switch {
	case !ok || f.hi-f.lo > 1:
		f.fail("Start of list found where not expected")
	case !valid(value):
		f.fail("A parameter is not " + what)
	}
	return value, f.err == nil
}

// String reads a string.
func (f *Form) String() *string {
	value, ok := f.text("a string", func(string) bool { return true })
	if !ok {
		return nil
	}
	return &value
}

// scalar reads a scalar with a function that takes its text apart.
func scalar[T any](f *Form, what string, parse func(text string) (T, error)) *T {
	var v T
	_, ok := f.text(what, func(value string) bool {
		var err error
		v, err = parse(value)
		return err == nil
	})
	if !ok {
		return nil
	}
	return &v
}

// Bool reads a boolean: true or false, in any case of letters.
func (f *Form) Bool() *bool {
	return scalar(f, "a boolean", func(text string) (bool, error) {
		switch {
		case strings.EqualFold(text, "true"):
			return true, nil
		case strings.EqualFold(text, "false"):
			return false, nil
		}
		return false, strconv.ErrSyntax
	})
}

// Int32 reads a 32-bit integer.
func (f *Form) Int32() *int32 {
	return scalar(f, "an integer in range", func(text string) (int32, error) {
		n, err := strconv.ParseInt(text, 10, 32)
		return int32(n), err
	})
}

// Int64 reads a 64-bit integer.
func (f *Form) Int64() *int64 {
	return scalar(f, "an integer in range", func(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) })
}

// Timestamp reads a time as RFC 3339 writes it.
func (f *Form) Timestamp() *restjson.Timestamp {
	return scalar(f, "an ISO 8601 timestamp", func(text string) (restjson.Timestamp, error) {
		t, err := time.Parse(time.RFC3339, text)
		return restjson.Timestamp(t), err
	})
}

// Blob reads bytes in base64.
func (f *Form) Blob() []byte {
	b := scalar(f, "base64", base64.StdEncoding.DecodeString)
	if b == nil {
		return nil
	}
	return *b
}
