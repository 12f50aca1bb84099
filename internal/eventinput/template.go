package eventinput

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxPaths is how many names a transformer may have.
const maxPaths = 100

// The names that every template knows.
const (
	ruleARN       = "aws.events.rule-arn"
	ruleName      = "aws.events.rule-name"
	ingestionTime = "aws.events.event.ingestion-time"
	eventBrief    = "aws.events.event"
	eventJSON     = "aws.events.event.json"
	reserved      = "aws."
)

// placeholder is a name in a template. What stands between other angle brackets is text.
var placeholder = regexp.MustCompile(`<[A-Za-z0-9_.\-]{1,256}>`)

func known(name string) bool {
	switch name {
	case ruleARN, ruleName, ingestionTime, eventBrief, eventJSON:
		return true
	}
	return false
}

func (t *Transformer) check(target string) error {
	if len(t.Paths) > maxPaths {
		return fmt.Errorf("InputTransformer for target %s has more than %d variables.", target, maxPaths) //nolint:revive,staticcheck // the words of the service
	}
	for _, name := range slices.Sorted(maps.Keys(t.Paths)) {
		if strings.HasPrefix(strings.ToLower(name), reserved) || !placeholder.MatchString("<"+name+">") {
			return fmt.Errorf("InputPathsMap for target %s contains invalid key %s.", target, name) //nolint:revive,staticcheck // the words of the service
		}
		if _, err := parsePath(t.Paths[name]); err != nil {
			return fmt.Errorf("Invalid InputPathsMap for target %s: %s.", target, t.Paths[name]) //nolint:revive,staticcheck // the words of the service
		}
	}
	if t.Template == "" {
		return fmt.Errorf("InputTemplate for target %s is empty.", target) //nolint:revive,staticcheck // the words of the service
	}
	for _, found := range placeholder.FindAllString(t.Template, -1) {
		name := found[1 : len(found)-1]
		if _, ok := t.Paths[name]; !ok && !known(name) {
			return fmt.Errorf("InputTemplate for target %s contains invalid placeholder %s.", target, name) //nolint:revive,staticcheck // the words of the service
		}
	}
	return nil
}

// of fills in the template. One that begins with a quotation mark is text, in one or several quoted lines; any other is
// JSON, and what comes of it must be.
func (t *Transformer) of(e Event) ([]byte, error) {
	template := t.Template
	isText := strings.HasPrefix(strings.TrimSpace(template), `"`)
	out, at, scan := make([]byte, 0, len(template)), 0, quotes{}
	values := map[string]json.RawMessage{} // a name may come many times
	for _, found := range placeholder.FindAllStringIndex(template, -1) {
		name := template[found[0]+1 : found[1]-1]
		if _, ok := t.Paths[name]; !ok && !known(name) {
			continue
		}
		literal := template[at:found[0]]
		scan.pass(literal)
		out = append(out, literal...)
		at = found[1]
		v, ok := values[name]
		if !ok {
			v = t.value(name, e)
			values[name] = v
		}
		out = appendValue(out, v, isText, scan.inside)
		if len(out) > MaxSize {
			return nil, ErrTooLarge
		}
	}
	out = append(out, template[at:]...)
	if !isText && !json.Valid(out) {
		return nil, ErrNotJSON
	}
	return bounded(out)
}

// value returns what a name stands for, nil when it is not there.
func (t *Transformer) value(name string, e Event) json.RawMessage {
	switch name {
	case ruleARN:
		return quoted(e.RuleARN)
	case ruleName:
		return quoted(e.RuleName)
	case ingestionTime:
		return quoted(e.Ingested.UTC().Format(time.RFC3339))
	case eventJSON:
		return e.JSON
	case eventBrief:
		return brief(e.JSON)
	}
	p, err := parsePath(t.Paths[name])
	if err != nil {
		return nil
	}
	v, ok := p.find(e.JSON)
	if !ok {
		return nil
	}
	return v
}

func quoted(s string) json.RawMessage {
	b, _ := json.Marshal(s) // a string cannot fail
	return b
}

// brief returns an event without what happened: its detail.
func brief(event []byte) json.RawMessage {
	var e struct {
		Version    json.RawMessage `json:"version,omitempty"`
		ID         json.RawMessage `json:"id,omitempty"`
		DetailType json.RawMessage `json:"detail-type,omitempty"`
		Source     json.RawMessage `json:"source,omitempty"`
		Account    json.RawMessage `json:"account,omitempty"`
		Time       json.RawMessage `json:"time,omitempty"`
		Region     json.RawMessage `json:"region,omitempty"`
		Resources  json.RawMessage `json:"resources,omitempty"`
	}
	if json.Unmarshal(event, &e) != nil {
		return nil
	}
	b, err := json.Marshal(struct {
		Version    json.RawMessage `json:"version,omitempty"`
		ID         json.RawMessage `json:"id,omitempty"`
		DetailType json.RawMessage `json:"detailType,omitempty"`
		Source     json.RawMessage `json:"source,omitempty"`
		Account    json.RawMessage `json:"account,omitempty"`
		Time       json.RawMessage `json:"time,omitempty"`
		Region     json.RawMessage `json:"region,omitempty"`
		Resources  json.RawMessage `json:"resources,omitempty"`
	}(e))
	if err != nil {
		return nil
	}
	return b
}

// appendValue appends a value where the template has its name.
func appendValue(out []byte, v json.RawMessage, isText, inside bool) []byte {
	v = bytes.TrimSpace(v)
	switch {
	case len(v) == 0 && (isText || inside):
		return out
	case len(v) == 0:
		return append(out, `""`...)
	case !isText && !inside:
		return append(out, v...)
	case v[0] == '"':
		var s string
		if json.Unmarshal(v, &s) != nil {
			return out
		}
		return append(out, s...)
	case isText && (v[0] == '{' || v[0] == '['):
		return append(out, strings.ReplaceAll(string(compact(v)), `"`, "")...)
	}
	return append(out, v...)
}

func compact(v []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return v
	}
	return b.Bytes()
}

// quotes follows a JSON text to know whether a place is inside a string. What placeholders insert does not count: where a
// string ends is the template's to say.
type quotes struct {
	inside  bool
	escaped bool
}

func (q *quotes) pass(s string) {
	for i := range len(s) {
		switch c := s[i]; {
		case q.escaped:
			q.escaped = false
		case q.inside && c == '\\':
			q.escaped = true
		case c == '"':
			q.inside = !q.inside
		}
	}
}
