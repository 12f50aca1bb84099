package eventpattern

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
)

// kind is a kind of JSON value.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	list
	object
)

// value is a JSON value as patterns see it: names with dots are nested, numbers are compared by what they are worth.
type value struct {
	kind    kind
	truth   bool
	text    string
	number  decimal
	list    []value
	members map[string]*value
}

func (v *value) member(name string) *value {
	if v.kind != object {
		return nil
	}
	return v.members[name]
}

// Event is a parsed event.
type Event struct{ root value }

// Has tells whether the event has a member of this name.
func (e Event) Has(name string) bool { return e.root.member(name) != nil }

// ParseEvent parses an event. It must be one JSON object; of members with the same name the last counts.
func ParseEvent(data []byte) (Event, error) {
	raw, err := decode(data)
	if err != nil {
		return Event{}, err
	}
	if _, ok := raw.(map[string]any); !ok {
		return Event{}, errors.New("an event is a JSON object")
	}
	return Event{valueOf(raw)}, nil
}

// decode reads one JSON value and nothing behind it.
func decode(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var raw any
	if err := d.Decode(&raw); err != nil {
		return nil, err //nolint:wrapcheck // callers have their own words for it
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the JSON value")
	}
	return raw, nil
}

func valueOf(raw any) value {
	switch v := raw.(type) {
	case bool:
		return value{kind: boolean, truth: v}
	case json.Number:
		return value{kind: number, number: parseDecimal(v.String())}
	case string:
		return value{kind: text, text: v}
	case []any:
		out := value{kind: list, list: make([]value, len(v))}
		for i := range v {
			out.list[i] = valueOf(v[i])
		}
		return out
	case map[string]any:
		out := value{kind: object, members: make(map[string]*value, len(v))}
		for _, name := range slices.Sorted(maps.Keys(v)) { // "a" comes before "a.b"
			inner := valueOf(v[name])
			out.put(name, &inner)
		}
		return out
	}
	return value{}
}

// maxDots is how many dots of a name count; it bounds the depth of what a single long name can make.
const maxDots = 100

// put adds a member whose name may have dots.
func (v *value) put(name string, inner *value) {
	parts := strings.SplitN(name, ".", maxDots+1)
	for _, part := range parts[:len(parts)-1] {
		next := v.members[part]
		if next == nil || next.kind != object {
			next = &value{kind: object, members: map[string]*value{}}
			v.members[part] = next
		}
		v = next
	}
	last := parts[len(parts)-1]
	if old := v.members[last]; old != nil && old.kind == object && inner.kind == object {
		old.merge(inner)
		return
	}
	v.members[last] = inner
}

func (v *value) merge(other *value) {
	for name, inner := range other.members {
		if old := v.members[name]; old != nil && old.kind == object && inner.kind == object {
			old.merge(inner)
		} else {
			v.members[name] = inner
		}
	}
}
