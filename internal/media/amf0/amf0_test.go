package amf0

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
)

// same is a sequence of values and its only encoding.
type same struct {
	name   string
	bytes  string
	values []any
}

func table() []same {
	long := strings.Repeat("x", 70000)
	return []same{
		{"nothing", "", nil},
		{"number", "\x00\x3f\xf0\x00\x00\x00\x00\x00\x00", []any{1.0}},
		{"negative zero", "\x00\x80\x00\x00\x00\x00\x00\x00\x00", []any{math.Copysign(0, -1)}},
		{"booleans", "\x01\x01\x01\x00", []any{true, false}},
		{"string", "\x02\x00\x07connect", []any{"connect"}},
		{"empty string", "\x02\x00\x00", []any{""}},
		{"long string", "\x0c\x00\x01\x11\x70" + long, []any{long}},
		{"null and undefined", "\x05\x06", []any{nil, Undefined{}}},
		{"date", "\x0b\x42\x78\xbf\xe5\x67\xe8\x00\x00\x00\x00", []any{Date(math.Float64frombits(0x4278bfe567e80000))}},
		{
			"object", "\x03\x00\x03app\x02\x00\x04live\x00\x01n\x05\x00\x00\x09",
			[]any{Object{{"app", "live"}, {"n", nil}}},
		},
		{"empty object", "\x03\x00\x00\x09", []any{Object{}}},
		{"property without a name", "\x03\x00\x00\x05\x00\x00\x09", []any{Object{{"", nil}}}},
		{
			"ECMA array", "\x08\x00\x00\x00\x01\x00\x05width\x00\x40\x9e\x00\x00\x00\x00\x00\x00\x00\x00\x09",
			[]any{ECMAArray{{"width", 1920.0}}},
		},
		{"strict array", "\x0a\x00\x00\x00\x02\x02\x00\x04avc1\x01\x01", []any{StrictArray{"avc1", true}}},
		{"empty strict array", "\x0a\x00\x00\x00\x00", []any{StrictArray{}}},
		{
			"nested", "\x03\x00\x01a\x0a\x00\x00\x00\x01\x08\x00\x00\x00\x00\x00\x00\x09\x00\x00\x09",
			[]any{Object{{"a", StrictArray{ECMAArray{}}}}},
		},
	}
}

func TestBothWays(t *testing.T) {
	t.Parallel()
	for _, c := range table() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			values, err := Decode([]byte(c.bytes))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(values, c.values) {
				t.Errorf("decoded %#v, want %#v", values, c.values)
			}
			encoded, err := Append(nil, c.values...)
			if err != nil {
				t.Fatal(err)
			}
			if string(encoded) != c.bytes {
				t.Errorf("encoded %q, want %q", encoded, c.bytes)
			}
		})
	}
}

// loose are encodings that are read but never written.
func loose() []same {
	return []same{
		{"typed object", "\x10\x00\x01T\x00\x01a\x05\x00\x00\x09", []any{Object{{"a", nil}}}},
		{"XML", "\x0f\x00\x00\x00\x02ab", []any{"ab"}},
		{"unsupported marker", "\x0d", []any{Undefined{}}},
		{"ECMA array without its end", "\x08\x00\x00\x00\x07\x00\x01a\x05", []any{ECMAArray{{"a", nil}}}},
		{"wrong ECMA count", "\x08\xff\xff\xff\xff\x00\x01a\x05\x00\x00\x09", []any{ECMAArray{{"a", nil}}}},
		{"date with a time zone", "\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x3c", []any{Date(0)}},
	}
}

func TestTolerance(t *testing.T) {
	t.Parallel()
	for _, c := range loose() {
		values, err := Decode([]byte(c.bytes))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if !reflect.DeepEqual(values, c.values) {
			t.Errorf("%s: decoded %#v, want %#v", c.name, values, c.values)
		}
	}
}

func malformed() map[string]string {
	return map[string]string{
		"number cut":          "\x00\x3f\xf0",
		"boolean cut":         "\x01",
		"string cut":          "\x02\x00\x05abc",
		"string length cut":   "\x02\x00",
		"long string lies":    "\x0c\xff\xff\xff\xffabc",
		"object without end":  "\x03\x00\x01a\x05",
		"inner array no end":  "\x03\x00\x01a\x08\x00\x00\x00\x00",
		"typed object cut":    "\x10\x00\x05T",
		"array count lies":    "\x0a\xff\xff\xff\xff\x05",
		"array cut":           "\x0a\x00\x00\x00\x01",
		"array length cut":    "\x0a\x00",
		"ECMA length cut":     "\x08\x00",
		"date cut":            "\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"reference":           "\x07\x00\x00",
		"AMF3":                "\x11\x01",
		"end marker alone":    "\x09",
		"too deep":            strings.Repeat("\x0a\x00\x00\x00\x01", maxDepth+2) + "\x05",
		"too many values":     strings.Repeat("\x05", maxValues+1),
		"unknown type":        "\x7f",
		"object, value wrong": "\x03\x00\x01a\x7f\x00\x00\x09",
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for name, b := range malformed() {
		if v, err := Decode([]byte(b)); err == nil {
			t.Errorf("%s: decoded %#v", name, v)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	var deep any
	for range maxDepth + 1 {
		deep = StrictArray{deep}
	}
	for name, v := range map[string]any{
		"an int":       1,
		"inner type":   Object{{"a", StrictArray{struct{}{}}}},
		"a long name":  Object{{strings.Repeat("x", 65536), nil}},
		"nested deep":  deep,
		"a named type": []byte("x"),
	} {
		dst, err := Append([]byte("kept"), v)
		if err == nil || string(dst) != "kept" {
			t.Errorf("%s: dst %q, error %v", name, dst, err)
		}
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	if v, ok := (Object{{"a", 1.0}, {"a", 2.0}}).Get("a"); !ok || v != 1.0 {
		t.Errorf("got %v, %v", v, ok)
	}
	if _, ok := (ECMAArray{}).Get("a"); ok {
		t.Error("found a property in an empty array")
	}
}

// FuzzDecode holds that whatever decodes can be encoded, and that the encoding means the same.
func FuzzDecode(f *testing.F) {
	for _, c := range append(table(), loose()...) {
		if len(c.bytes) < 1000 {
			f.Add([]byte(c.bytes))
		}
	}
	for _, b := range malformed() {
		if len(b) < 1000 {
			f.Add([]byte(b))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		values, err := Decode(b)
		if err != nil {
			return
		}
		first, err := Append(nil, values...)
		if err != nil {
			t.Fatalf("decoded %#v, which cannot be encoded: %v", values, err)
		}
		again, err := Decode(first)
		if err != nil {
			t.Fatalf("our own encoding %q does not decode: %v", first, err)
		}
		second, err := Append(nil, again...)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("round trip changed %q to %q (%v)", first, second, err)
		}
	})
}
