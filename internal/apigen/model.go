// Package apigen writes the wire types, constraint checks and routes of the three services from their contract.
//
// The contract is api/model/*.json, one file a service model, with the few corrections of api/corrections.json. The
// output is Go source, the same bytes for the same input, so a check can tell whether committed files are current.
//
// Imports: nothing of Rivus.
package apigen

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// Model is the contract of one service.
type Model struct {
	Service     string                `json:"service"` // "ivs", "ivs-realtime", "ivschat"
	SigningName string                `json:"signingName"`
	Operations  map[string]*Operation `json:"operations"`
	Errors      map[string]Failure    `json:"errors"`
	Shapes      map[string]*Shape     `json:"shapes"`
}

// Operation is one row of a contract.
type Operation struct {
	Method string   `json:"method"`
	Path   string   `json:"path"`
	Status int      `json:"status"`
	Input  string   `json:"input"`
	Output string   `json:"output"` // "" when the operation answers without a body
	Errors []string `json:"errors"`
}

// Failure is an error that operations of the service may declare.
type Failure struct {
	Status  int      `json:"status"`
	Members []string `json:"members"`
}

// Shape is a named type of a contract. Which fields count depends on Type.
type Shape struct {
	Type      string            `json:"type"` // structure, list, map, string, boolean, integer, long, float, timestamp
	Members   map[string]Member `json:"members"`
	Required  []string          `json:"required"`
	Member    string            `json:"member"` // list: shape of the elements
	Key       string            `json:"key"`    // map
	Value     string            `json:"value"`  // map
	Min       *float64          `json:"min"`    // length, size or value
	Max       *float64          `json:"max"`
	Pattern   string            `json:"pattern"`
	Enum      []string          `json:"enum"`
	Sensitive bool              `json:"sensitive"`
	Timestamp string            `json:"timestampFormat"`
}

// Member is a member of a structure.
type Member struct {
	Shape string `json:"shape"`
	In    string `json:"in"`   // "" for the body, else "uri" or "querystring"
	Name  string `json:"name"` // its name there
}

// Correction replaces what a published model gets wrong about one shape.
type Correction struct {
	Models []string `json:"models"`
	Shape  string   `json:"shape"`
	Set    struct {
		Pattern string   `json:"pattern"`
		Enum    []string `json:"enum"`
	} `json:"set"`
	Reason string `json:"reason"`
}

// Load reads the contracts of dir/model, corrected as dir/corrections.json says, in the order of their names.
func Load(dir string) ([]*Model, error) {
	var corrections []Correction
	if err := readJSON(filepath.Join(dir, "corrections.json"), &corrections); err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(dir, "model", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	var models []*Model
	for _, name := range names {
		m := new(Model)
		if err := readJSON(name, m); err != nil {
			return nil, err
		}
		models = append(models, m)
	}
	if len(models) == 0 {
		return nil, fmt.Errorf("no models in %s", dir)
	}
	if err := correct(models, corrections); err != nil {
		return nil, err
	}
	for _, m := range models {
		if err := m.verify(); err != nil {
			return nil, fmt.Errorf("model %s: %w", m.Service, err)
		}
	}
	return models, nil
}

func readJSON(name string, v any) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read contract: %w", err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read contract %s: %w", name, err)
	}
	return nil
}

// correct applies the corrections. One that changes nothing is an error: the published model was mended, so drop it.
func correct(models []*Model, corrections []Correction) error {
	for _, c := range corrections {
		for _, service := range c.Models {
			i := slices.IndexFunc(models, func(m *Model) bool { return m.Service == service })
			if i < 0 || models[i].Shapes[c.Shape] == nil {
				return fmt.Errorf("correction of %s %s: no such shape", service, c.Shape)
			}
			s, changed := models[i].Shapes[c.Shape], false
			if c.Set.Pattern != "" && c.Set.Pattern != s.Pattern {
				s.Pattern, changed = c.Set.Pattern, true
			}
			if c.Set.Enum != nil && !slices.Equal(c.Set.Enum, s.Enum) {
				s.Enum, changed = c.Set.Enum, true
			}
			if !changed || c.Reason == "" {
				return fmt.Errorf("correction of %s %s: changes nothing or has no reason", service, c.Shape)
			}
		}
	}
	return nil
}

// verify refuses a contract that uses what the generator does not know, so that nothing is dropped silently.
func (m *Model) verify() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(m.Operations)) {
		op := m.Operations[name]
		if op.Input != name+"Request" || op.Output != "" && op.Output != name+"Response" {
			errs = append(errs, fmt.Errorf("operation %s: unusual shape names", name))
		}
		for _, e := range op.Errors {
			if m.Errors[e].Status == 0 {
				errs = append(errs, fmt.Errorf("operation %s: unknown error %s", name, e))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Shapes)) {
		if err := m.verifyShape(m.Shapes[name]); err != nil {
			errs = append(errs, fmt.Errorf("shape %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (m *Model) verifyShape(s *Shape) error {
	if s.Pattern != "" {
		if _, err := regexp.Compile(s.Pattern); err != nil {
			return fmt.Errorf("pattern: %w", err)
		}
	}
	switch s.Type {
	case "string", "boolean":
		return nil
	case "integer", "long", "float":
		if s.Max != nil && (s.Min == nil || *s.Max == 0) {
			return errors.New("an upper bound needs a lower one and must not be 0")
		}
		return nil
	case "timestamp":
		if s.Timestamp != "iso8601" {
			return fmt.Errorf("timestamp format %q", s.Timestamp)
		}
		return nil
	case "list":
		if e := m.Shapes[s.Member]; e == nil || e.Type != "string" && e.Type != "structure" {
			return fmt.Errorf("list of %q", s.Member)
		}
		return nil
	case "map":
		if k, v := m.Shapes[s.Key], m.Shapes[s.Value]; k == nil || v == nil || k.Type != "string" || v.Type != "string" {
			return fmt.Errorf("map of %q to %q", s.Key, s.Value)
		}
		return nil
	case "structure":
		return m.verifyMembers(s)
	}
	return fmt.Errorf("unknown type %q", s.Type)
}

// methods are the names that generated structures use for methods.
func methods() []string {
	return []string{"Operation", "ReadJSON", "ReadParams", "AppendJSON", "Check"}
}

func (m *Model) verifyMembers(s *Shape) error {
	if len(s.Required) > 8 {
		return errors.New("more required members than the field has can note")
	}
	for name, member := range s.Members {
		if m.Shapes[member.Shape] == nil {
			return fmt.Errorf("member %s has the unknown shape %s", name, member.Shape)
		}
		if slices.Contains(methods(), goName(name)) {
			return fmt.Errorf("member %s has the name of a method", name)
		}
		switch t := m.Shapes[member.Shape].Type; {
		case member.In == "":
		case member.In == "uri" && t == "string":
		case member.In == "querystring" && t == "list":
		default:
			return fmt.Errorf("member %s: %s of type %s", name, member.In, t)
		}
	}
	for _, name := range s.Required {
		if _, ok := s.Members[name]; !ok {
			return fmt.Errorf("required member %s does not exist", name)
		}
	}
	return nil
}

// reach returns the names of the shapes that root uses, itself included.
func (m *Model) reach(roots ...string) map[string]bool {
	seen := map[string]bool{}
	roots = slices.Clone(roots)
	for len(roots) > 0 {
		name := roots[len(roots)-1]
		roots = roots[:len(roots)-1]
		s := m.Shapes[name]
		if s == nil || seen[name] {
			continue
		}
		seen[name] = true
		roots = append(roots, s.Member, s.Key, s.Value)
		for _, member := range s.Members {
			roots = append(roots, member.Shape)
		}
	}
	return seen
}
