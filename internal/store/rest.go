package store

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// rest is what a record holds that this version of Rivus does not know, because a later one wrote it. An Update by this version
// carries it on (DESIGN.md, "Versions").
type rest struct {
	whole    any              // an unknown member with all that is in it; nil when the member is known
	members  map[string]*rest // of a known object
	elements map[string]*rest // of a known list, by what they are (identity)
}

// restOf returns what a stored value has and its decoded form, encoded again, lacks; nil when that is nothing.
func restOf(stored, known []byte) (*rest, error) {
	s, err := parseTree(stored)
	if err != nil {
		return nil, err
	}
	k, err := parseTree(known)
	if err != nil {
		return nil, err
	}
	return compare(s, k), nil
}

func parseTree(data []byte) (any, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("store: read a value: %w", err)
	}
	return v, nil
}

func compare(stored, known any) *rest {
	out := rest{members: map[string]*rest{}, elements: map[string]*rest{}}
	switch stored := stored.(type) {
	case map[string]any:
		known, _ := known.(map[string]any)
		for name, v := range stored {
			k, ok := known[name]
			if !ok && v != nil {
				out.members[name] = &rest{whole: v}
			} else if r := compare(v, k); r != nil {
				out.members[name] = r
			}
		}
	case []any:
		known, _ := known.([]any)
		for i, k := range known[:min(len(known), len(stored))] {
			if r := compare(stored[i], k); r != nil {
				out.elements[identity(k)] = r
			}
		}
	}
	if len(out.members)+len(out.elements) == 0 {
		return nil
	}
	return &out
}

// identity tells an element of a list from the others: by its name if it has one, else by all that is known of it.
func identity(element any) string {
	if object, ok := element.(map[string]any); ok {
		for _, name := range [...]string{"id", "arn"} {
			if id, ok := object[name].(string); ok {
				return name + " " + id
			}
		}
	}
	data, _ := json.Marshal(element) // it was decoded from JSON
	return string(data)
}

// in returns an encoded value with what is unknown of the one before it: whatever is new in the value counts, and what
// belonged to a member or an element that is gone goes with it.
func (r *rest) in(value []byte) ([]byte, error) {
	v, err := parseTree(value)
	if err != nil {
		return nil, err
	}
	r.add(v)
	return json.Marshal(v) //nolint:wrapcheck // it was decoded from JSON
}

func (r *rest) add(value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, m := range r.members {
			v, there := value[name]
			switch {
			case there && m.whole == nil:
				m.add(v)
			case !there && m.whole != nil:
				value[name] = m.whole
			}
		}
	case []any:
		for _, v := range value {
			if m := r.elements[identity(v)]; m != nil {
				m.add(v)
			}
		}
	}
}
