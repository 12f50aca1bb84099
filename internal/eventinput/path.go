package eventinput

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// path is the part of JSONPath that rules know: names behind dots or in brackets, indexes, and "*" for all of them.
type path []step

type step struct {
	name  string
	index int
	kind  stepKind
}

type stepKind uint8

const (
	byName stepKind = iota
	byIndex
	every
)

// maxSteps bounds a path.
const maxSteps = 100

var errPath = errors.New("it is no path that rules know")

func parsePath(s string) (path, error) {
	rest, ok := strings.CutPrefix(s, "$")
	if !ok {
		return nil, errPath
	}
	var out path
	for rest != "" {
		var st step
		var err error
		if rest[0] == '[' {
			st, rest, err = bracket(rest)
		} else {
			st, rest, err = dotted(rest)
		}
		if out = append(out, st); err != nil || len(out) > maxSteps {
			return nil, errPath
		}
	}
	return out, nil
}

// dotted reads ".name" or ".*".
func dotted(s string) (step, string, error) {
	if s[0] != '.' {
		return step{}, "", errPath
	}
	end := 1
	for end < len(s) && s[end] != '.' && s[end] != '[' {
		if !nameByte(s[end]) && s[end] != '*' {
			return step{}, "", errPath
		}
		end++
	}
	name := s[1:end]
	switch {
	case name == "*":
		return step{kind: every}, s[end:], nil
	case name == "" || strings.Contains(name, "*"):
		return step{}, "", errPath
	}
	return step{name: name}, s[end:], nil
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c >= 0x80
}

// bracket reads "[0]", "[*]", "['name']" or `["name"]`.
func bracket(s string) (step, string, error) {
	if len(s) > 1 && (s[1] == '\'' || s[1] == '"') {
		name, rest, ok := strings.Cut(s[2:], s[1:2]+"]")
		if !ok || name == "" {
			return step{}, "", errPath
		}
		return step{name: name}, rest, nil
	}
	inner, rest, ok := strings.Cut(s[1:], "]")
	if inner == "*" && ok {
		return step{kind: every}, rest, nil
	}
	n, err := strconv.ParseUint(inner, 10, 31)
	if err != nil || !ok {
		return step{}, "", errPath
	}
	return step{kind: byIndex, index: int(n)}, rest, nil
}

// find returns the part of a JSON value that the path leads to. A path with "*" leads to the list of all that fits.
func (p path) find(data []byte) (json.RawMessage, bool) {
	found := []json.RawMessage{data}
	many := false
	for _, st := range p {
		var next []json.RawMessage
		for _, v := range found {
			next = append(next, st.of(v)...)
		}
		found = next
		many = many || st.kind == every
	}
	if !many {
		if len(found) == 0 {
			return nil, false
		}
		return found[0], true
	}
	if len(found) == 0 {
		return nil, false
	}
	return slices.Concat([]byte("["), bytes.Join(asBytes(found), []byte(",")), []byte("]")), true
}

func asBytes(in []json.RawMessage) [][]byte {
	out := make([][]byte, len(in))
	for i := range in {
		out[i] = in[i]
	}
	return out
}

// of takes one step from a value.
func (st step) of(v json.RawMessage) []json.RawMessage {
	v = bytes.TrimSpace(v)
	switch {
	case len(v) == 0:
		return nil
	case v[0] == '{':
		return st.ofObject(v)
	case v[0] == '[':
		return st.ofList(v)
	}
	return nil
}

func (st step) ofObject(v json.RawMessage) []json.RawMessage {
	var members map[string]json.RawMessage
	if st.kind == byIndex || json.Unmarshal(v, &members) != nil {
		return nil
	}
	if st.kind == byName {
		if m, ok := members[st.name]; ok {
			return []json.RawMessage{m}
		}
		return nil
	}
	var out []json.RawMessage
	for _, name := range slices.Sorted(maps.Keys(members)) {
		out = append(out, members[name])
	}
	return out
}

func (st step) ofList(v json.RawMessage) []json.RawMessage {
	var elements []json.RawMessage
	if st.kind == byName || json.Unmarshal(v, &elements) != nil {
		return nil
	}
	if st.kind == every {
		return elements
	}
	if st.index < len(elements) {
		return elements[st.index : st.index+1]
	}
	return nil
}
