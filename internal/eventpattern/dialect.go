package eventpattern

import (
	"encoding/json"
	"strings"
)

// Dialect is what a service takes for a pattern.
type Dialect struct {
	maxBytes        int
	maxKeys         int // at the top; 0: any number
	maxCombinations int // of alternatives
	everyValue      bool
	flat            bool // no nested objects
	narrow          bool // no wildcards, and anything-but with few operators
	span            decimal
	maxDecimals     int
	maxDigits       int
}

// EventBridge is the dialect of rules (spec neighbours.md 4, errata.md A4).
func EventBridge() Dialect {
	return Dialect{
		maxBytes:        256 << 10, // the wire allows 4,096 in a rule
		maxCombinations: 1000, span: parseDecimal("5e9"), maxDigits: 15, maxDecimals: 15,
	}
}

// FilterPolicy is the dialect of filter policies of SNS subscriptions that look at the body of messages (errata.md A5).
func FilterPolicy() Dialect {
	return Dialect{
		maxBytes: 256 << 10, maxKeys: 5, maxCombinations: 150, everyValue: true, narrow: true,
		span: parseDecimal("1e9"), maxDecimals: 5, maxDigits: 15,
	}
}

// AttributeFilterPolicy is the dialect of those that look at the attributes of messages, which are not nested.
func AttributeFilterPolicy() Dialect {
	d := FilterPolicy()
	d.flat = true
	return d
}

// Attribute is an attribute of an SNS message: of the type String, String.Array or Number, each of which may have a
// label of its own behind a dot. Others match nothing.
type Attribute struct{ Type, Value string }

// Attributes makes an event of the attributes of a message, to be shown to an AttributeFilterPolicy.
func Attributes(all map[string]Attribute) Event {
	raw := make(map[string]any, len(all))
	for name, a := range all {
		switch {
		case a.Type == "String.Array" || strings.HasPrefix(a.Type, "String.Array."):
			elements, err := decode([]byte(a.Value))
			if _, ok := elements.([]any); ok && err == nil {
				raw[name] = elements
			}
		case a.Type == "String" || strings.HasPrefix(a.Type, "String."):
			raw[name] = a.Value
		case a.Type == "Number" || strings.HasPrefix(a.Type, "Number."):
			if n, err := decode([]byte(a.Value)); err == nil {
				if n, ok := n.(json.Number); ok {
					raw[name] = n
				}
			}
		}
	}
	return Event{valueOf(raw)}
}
