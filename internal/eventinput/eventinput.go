// Package eventinput makes what a target of a rule is sent of the event that matched.
//
// A target gets the event, or a constant, or a part of the event that a path names, or a text made of such parts by a
// template (spec neighbours.md 4, errata.md A4). What is made is never larger than MaxSize, whatever the template says.
//
// Imports: nothing of Rivus.
package eventinput

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// MaxSize is the most that a target is sent, in bytes.
const MaxSize = 1 << 20

// Reasons why there is nothing that could be sent.
var (
	ErrTooLarge = fmt.Errorf("what the target would be sent has more than %d bytes", MaxSize)
	ErrNotJSON  = errors.New("what the template makes of this event is not valid JSON")
)

// Spec says what a target gets. The zero Spec is the event itself. One of the three at most is set.
type Spec struct {
	Input       string // a constant
	Path        string // of the part of the event
	Transformer *Transformer
}

// Transformer is a template with names for parts of the event.
type Transformer struct {
	Paths    map[string]string
	Template string
}

// Event is a matched event with what templates can say of its way here.
type Event struct {
	JSON     []byte // whole, as on the bus
	RuleARN  string
	RuleName string
	Ingested time.Time // when it came to the bus
}

// Of returns what the target is sent of an event.
func (s *Spec) Of(e Event) ([]byte, error) {
	switch {
	case s.Input != "":
		return bounded([]byte(s.Input))
	case s.Path != "":
		p, err := parsePath(s.Path)
		if err != nil {
			return nil, err
		}
		part, ok := p.find(e.JSON)
		if !ok {
			part = []byte(`""`)
		}
		return part, nil
	case s.Transformer != nil:
		return s.Transformer.of(e)
	}
	return e.JSON, nil
}

func bounded(b []byte) ([]byte, error) {
	if len(b) > MaxSize {
		return nil, ErrTooLarge
	}
	return b, nil
}

// Check returns what is wrong with a spec for the target of this ID, in the words of the service; nil when it can be used.
func (s *Spec) Check(target string) error {
	set := 0
	for _, is := range []bool{s.Input != "", s.Path != "", s.Transformer != nil} {
		if is {
			set++
		}
	}
	if set > 1 {
		return fmt.Errorf("Only one of Input, InputPath, or InputTransformer must be provided for target %s.", target) //nolint:revive,staticcheck // the words of the service
	}
	if s.Input != "" && !json.Valid([]byte(s.Input)) {
		return fmt.Errorf("JSON syntax error in input for target %s", target) //nolint:revive,staticcheck // the words of the service
	}
	if _, err := parsePath(s.Path); s.Path != "" && err != nil {
		return fmt.Errorf("Invalid InputPath for target %s.", target) //nolint:revive,staticcheck // the words of the service
	}
	if s.Transformer != nil {
		return s.Transformer.check(target)
	}
	return nil
}
