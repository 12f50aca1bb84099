package eventpattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The reference evaluator does what the service says of its own: an event is taken apart into fields, each with the places in
// lists that it comes from; a pattern holds when one field can be chosen for each of its leaves such that no two of them are
// of different elements of one list. It tries all choices.

type field struct {
	path   string
	value  any
	places map[string]int // list -> element
}

func flatten(at, path string, v any, places map[string]int, out *[]field) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			flatten(at+"/"+k, strings.TrimPrefix(path+"."+k, "."), inner, places, out)
		}
	case []any:
		for i, inner := range v {
			more := maps.Clone(places)
			more[at] = i
			flatten(fmt.Sprint(at, "[", i, "]"), path, inner, more, out)
		}
	default:
		*out = append(*out, field{path, v, places})
	}
}

func consistent(a, b map[string]int) bool {
	for list, i := range a {
		if j, ok := b[list]; ok && i != j {
			return false
		}
	}
	return true
}

type leaf struct {
	path  string
	terms []any
}

// leaves returns the combinations of leaves of a pattern.
func leaves(path string, v map[string]any) [][]leaf {
	all := [][]leaf{nil}
	for name, inner := range v {
		at := strings.TrimPrefix(path+"."+name, ".")
		var some [][]leaf
		list, isList := inner.([]any)
		switch {
		case name == "$or" && isList && len(list) > 1 && isBranch(list[0]):
			for _, b := range list {
				some = append(some, leaves(path, b.(map[string]any))...)
			}
		case isList:
			some = [][]leaf{{{at, list}}}
		default:
			some = leaves(at, inner.(map[string]any))
		}
		var next [][]leaf
		for _, a := range all {
			for _, b := range some {
				next = append(next, slices.Concat(a, b))
			}
		}
		all = next
	}
	return all
}

func isBranch(v any) bool {
	m, ok := v.(map[string]any)
	for name := range m {
		ok = ok && !isOperator(name)
	}
	return ok
}

func refMatch(pattern, event map[string]any) bool {
	var fields []field
	flatten("", "", event, map[string]int{}, &fields)
	for _, all := range leaves("", pattern) {
		if refChoose(all, fields, nil, map[string]int{}) {
			return true
		}
	}
	return false
}

// refChoose chooses a field for the first leaf in every possible way; of absent leaves it finds out at the end.
func refChoose(all []leaf, fields []field, missing []string, places map[string]int) bool {
	if len(all) == 0 {
		for _, path := range missing {
			for _, f := range fields {
				if f.path == path && consistent(f.places, places) {
					return false
				}
			}
		}
		return true
	}
	first := all[0]
	for _, term := range first.terms {
		if m, ok := term.(map[string]any); ok && m["exists"] == false {
			if refChoose(all[1:], fields, append(slices.Clone(missing), first.path), places) {
				return true
			}
			continue
		}
		for _, f := range fields {
			if f.path != first.path || !consistent(f.places, places) || !refTerm(term, f.value) {
				continue
			}
			more := maps.Clone(places)
			maps.Copy(more, f.places)
			if refChoose(all[1:], fields, missing, more) {
				return true
			}
		}
	}
	return false
}

func refTerm(term, v any) bool {
	m, ok := term.(map[string]any)
	if !ok {
		return term == v
	}
	s, isText := v.(string)
	n, isNumber := v.(float64)
	for name, operand := range m {
		switch name {
		case "exists":
			return true
		case "prefix":
			return isText && strings.HasPrefix(s, operand.(string))
		case "anything-but":
			return v != operand
		case "numeric":
			return isNumber && n > operand.([]any)[1].(float64)
		case "wildcard":
			return isText && refWildcard(operand.(string), s)
		}
	}
	return false
}

func refWildcard(w, s string) bool {
	if w == "" {
		return s == ""
	}
	if w[0] == '*' {
		return refWildcard(w[1:], s) || s != "" && refWildcard(w, s[1:])
	}
	return s != "" && w[0] == s[0] && refWildcard(w[1:], s[1:])
}

// maker makes patterns and events of bytes, with few names and values, so that they meet.
type maker struct{ data []byte }

func (m *maker) pick(n int) int {
	if len(m.data) == 0 {
		return 0
	}
	b := m.data[0]
	m.data = m.data[1:]
	return int(b) % n
}

func (m *maker) name() string { return []string{"a", "b", "c"}[m.pick(3)] }

func (m *maker) scalar() any { return []any{1.0, 2.0, "x", "xy", nil, true}[m.pick(6)] }

func (m *maker) value(depth int) any {
	kind := m.pick(4)
	if depth == 0 {
		kind = 0
	}
	switch kind {
	case 1, 2:
		return m.object(depth)
	case 3:
		out := []any{}
		for range m.pick(4) {
			out = append(out, m.value(depth-1))
		}
		return out
	}
	return m.scalar()
}

func (m *maker) object(depth int) map[string]any {
	out := map[string]any{}
	for range 1 + m.pick(3) {
		out[m.name()] = m.value(depth - 1)
	}
	return out
}

func (m *maker) term() any {
	switch m.pick(9) {
	case 0, 1:
		return map[string]any{"exists": false}
	case 2:
		return map[string]any{"exists": true}
	case 3:
		return map[string]any{"prefix": "x"}
	case 4:
		return map[string]any{"anything-but": []any{1.0, "x"}[m.pick(2)]}
	case 5:
		return map[string]any{"numeric": []any{">", 1.0}}
	case 6:
		return map[string]any{"wildcard": []string{"*", "x*", "*y", "x*y", "xy"}[m.pick(5)]}
	}
	return m.scalar()
}

func (m *maker) pattern(depth int) map[string]any {
	out := map[string]any{}
	for range 1 + m.pick(3) {
		switch kind := m.pick(5); {
		case kind == 0 && depth > 0:
			out["$or"] = []any{m.pattern(depth - 1), m.pattern(depth - 1)}
		case kind < 3 && depth > 0:
			out[m.name()] = m.pattern(depth - 1)
		default:
			var terms []any
			for range 1 + m.pick(2) {
				terms = append(terms, m.term())
			}
			out[m.name()] = terms
		}
	}
	return out
}

// FuzzMatch: every pattern answers as the reference evaluator does.
func FuzzMatch(f *testing.F) {
	for i := range 64 {
		seed := make([]byte, 40)
		for j := range seed {
			seed[j] = byte(i*31 + j*j*7 + i*j)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := maker{data[:min(len(data), 120)]}
		pattern, event := m.pattern(2), m.object(4)
		p, e := encode(t, pattern), encode(t, event)
		compiled, err := Compile(p, EventBridge())
		if err != nil {
			t.Skip(err) // too many combinations
		}
		parsed, err := ParseEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := compiled.Match(parsed), refMatch(pattern, event); got != want {
			t.Errorf("%s matches %s: %v, want %v", p, e, got, want)
		}
	})
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzCompile: no text makes the compiler fail otherwise than with a reason, what it takes can be asked about anything, and
// an exact pattern matches the event that it was made of.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{`{"a":["x",{"prefix":"y"}]}`, `{"$or":[{"a":[1]},{"b.c":[{"numeric":[">",1,"<",3]}]}]}`, `{"a":[{"cidr":"10.0.0.0/8"},{"wildcard":"*a*"}]}`, `{`, `{"a..b":[null]}`} {
		f.Add(seed, `{"a":{"b":[1,{"c":"x"}]}}`)
	}
	f.Fuzz(func(t *testing.T, pattern, event string) {
		p, err := Compile([]byte(pattern), EventBridge())
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Reason == "" {
				t.Fatalf("%v is no reason", err)
			}
			return
		}
		e, err := ParseEvent([]byte(event))
		if err != nil {
			return
		}
		again, err := Compile([]byte(pattern), EventBridge())
		if err != nil || p.Match(e) != again.Match(e) {
			t.Errorf("the same question has two answers: %v", err)
		}
	})
}

// FuzzDecimal: numbers that a float holds exactly are ordered as floats are.
func FuzzDecimal(f *testing.F) {
	f.Add("1.5", "-2e3")
	f.Add("0.000", "1E-7")
	f.Fuzz(func(t *testing.T, a, b string) {
		if !json.Valid([]byte(a)) || !json.Valid([]byte(b)) || len(a) > 15 || len(b) > 15 {
			return
		}
		x, err1 := strconv.ParseFloat(a, 64)
		y, err2 := strconv.ParseFloat(b, 64)
		if err1 != nil || err2 != nil || x != 0 && (x < 1e-200 && x > -1e-200) || y != 0 && (y < 1e-200 && y > -1e-200) {
			return
		}
		order := parseDecimal(a).compare(parseDecimal(b))
		if x < y && order >= 0 || x > y && order <= 0 || order != -parseDecimal(b).compare(parseDecimal(a)) {
			t.Errorf("%s <=> %s is %d", a, b, order)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	p, err := Compile([]byte(`{"source":["aws.ivs"],"detail-type":["IVS Stream State Change"],"detail":{"event_name":["Stream Start","Stream End"],"channel_name":[{"prefix":"demo"}]}}`), EventBridge())
	if err != nil {
		b.Fatal(err)
	}
	text := []byte(`{"version":"0","id":"6a7e8feb-b491-4cf7-a9f1-bf3703467718","detail-type":"IVS Stream State Change","source":"aws.ivs","account":"111122223333","time":"2024-05-05T21:55:38Z","region":"us-west-2","resources":["arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc"],"detail":{"event_name":"Stream Start","channel_name":"demo","stream_id":"st-1AbCdEfGhIjKlMnOpQrStUv"}}`)
	e, err := ParseEvent(text)
	if err != nil || !p.Match(e) {
		b.Fatal("the pattern is not about the event", err)
	}
	b.Run("match", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.Match(e)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = ParseEvent(text)
		}
	})
}
