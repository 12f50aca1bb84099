// Package apigen writes the wire types, constraint checks and routes of all services from their contract: the three of
// IVS, and what is served of their neighbours STS, IAM, EventBridge and SNS.
//
// The contract is api/model/*.json, one file a service model, with what api/additions.json adds and the few corrections
// of api/corrections.json. A model names its protocol, and its wire types read and write what that has: REST-JSON, the
// query protocol (forms in, XML out) or awsJson 1.1. What a model says and the generator does not know is an error. The
// output is Go source, the same bytes for the same input, so a check can tell whether committed files are current.
//
// Imports: nothing of Rivus.
package apigen

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// The protocols, as models name them. A model that names none speaks REST-JSON.
const (
	protocolREST  = "rest-json"
	protocolQuery = "query"
	protocolJSON  = "json" // awsJson 1.1
)

// Model is the contract of one service.
type Model struct {
	Service      string                `json:"service"` // for instance "ivs-realtime"
	SigningName  string                `json:"signingName"`
	Protocol     string                `json:"protocol"`
	APIVersion   string                `json:"apiVersion"`
	XMLNamespace string                `json:"xmlNamespace"` // query: of its answers
	TargetPrefix string                `json:"targetPrefix"` // awsJson: what X-Amz-Target has before the operation
	JSONVersion  string                `json:"jsonVersion"`
	Operations   map[string]*Operation `json:"operations"`
	Errors       map[string]Failure    `json:"errors"`
	Shapes       map[string]*Shape     `json:"shapes"`
}

// Operation is one row of a contract.
type Operation struct {
	Method string   `json:"method"`
	Path   string   `json:"path"`
	Status int      `json:"status"` // 0: 200
	Input  string   `json:"input"`
	Output string   `json:"output"`        // "" when the operation answers without a body
	Result string   `json:"resultWrapper"` // query: the element that holds the output
	Errors []string `json:"errors"`
}

// Failure is an error that operations of the service may declare.
type Failure struct {
	Code    string   `json:"code"` // its name on the wire; "": that of the shape
	Status  int      `json:"status"`
	Sender  bool     `json:"sender"`
	Members []string `json:"members"`
}

// Shape is a named type of a contract. Which fields count depends on Type.
type Shape struct {
	Type      string            `json:"type"` // structure, list, map, string, boolean, integer, long, float, timestamp, blob
	Members   map[string]Member `json:"members"`
	Required  []string          `json:"required"`
	Member    string            `json:"member"`            // list: shape of the elements
	Key       string            `json:"key"`               // map
	Value     string            `json:"value"`             // map
	KeyName   string            `json:"keyLocationName"`   // map, query: "key" when it is empty
	ValueName string            `json:"valueLocationName"` // map, query: "value" when it is empty
	Box       bool              `json:"box"`
	Min       *float64          `json:"min"` // length, size or value
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
		Max     *float64 `json:"max"`
	} `json:"set"`
	Reason string `json:"reason"`
}

// Addition is what clients call and a published selection of a service leaves out.
type Addition struct {
	Model      string                `json:"model"`
	Operations map[string]*Operation `json:"operations"`
	Shapes     map[string]*Shape     `json:"shapes"`
	Reason     string                `json:"reason"`
}

// Load reads the contracts of dir/model, with what dir/additions.json adds, corrected as dir/corrections.json says, in
// the order of their names.
func Load(dir string) ([]*Model, error) {
	var corrections []Correction
	if err := readJSON(filepath.Join(dir, "corrections.json"), &corrections); err != nil {
		return nil, err
	}
	var additions []Addition
	if err := readJSON(filepath.Join(dir, "additions.json"), &additions); err != nil {
		return nil, err
	}
	models, err := readModels(dir)
	if err != nil {
		return nil, err
	}
	if err := add(models, additions); err != nil {
		return nil, err
	}
	if err := correct(models, corrections); err != nil {
		return nil, err
	}
	for _, m := range models {
		m.complete()
		if err := m.verify(); err != nil {
			return nil, fmt.Errorf("model %s: %w", m.Service, err)
		}
	}
	return models, nil
}

func readModels(dir string) ([]*Model, error) {
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
	return models, nil
}

func readJSON(name string, v any) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read contract: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // what the generator does not know it would drop
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("read contract %s: %w", name, err)
	}
	return nil
}

// add applies the additions. One that the published model has by now is an error: drop it.
func add(models []*Model, additions []Addition) error {
	for _, a := range additions {
		i := slices.IndexFunc(models, func(m *Model) bool { return m.Service == a.Model })
		if i < 0 || a.Reason == "" {
			return fmt.Errorf("addition to %s: no such model, or no reason", a.Model)
		}
		for name, op := range a.Operations {
			if models[i].Operations[name] != nil {
				return fmt.Errorf("addition to %s: it has the operation %s", a.Model, name)
			}
			models[i].Operations[name] = op
		}
		for name, s := range a.Shapes {
			if models[i].Shapes[name] != nil {
				return fmt.Errorf("addition to %s: it has the shape %s", a.Model, name)
			}
			models[i].Shapes[name] = s
		}
	}
	return nil
}

// unicodeEscape is how published patterns write a character by its number; Go's expressions want braces.
var unicodeEscape = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`) //nolint:gochecknoglobals // a constant

// complete fills in what models leave out, and makes their patterns Go's.
func (m *Model) complete() {
	m.Protocol = cmp.Or(m.Protocol, protocolREST)
	for _, op := range m.Operations {
		op.Status = cmp.Or(op.Status, 200)
	}
	for _, s := range m.Shapes {
		s.Pattern = unicodeEscape.ReplaceAllString(s.Pattern, `\x{$1}`)
		if s.Type == "map" {
			s.KeyName, s.ValueName = cmp.Or(s.KeyName, "key"), cmp.Or(s.ValueName, "value")
		}
	}
}

// code returns the name of an error on the wire.
func (m *Model) code(failure string) string { return cmp.Or(m.Errors[failure].Code, failure) }

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
			if c.Set.Max != nil && (s.Max == nil || *c.Set.Max != *s.Max) {
				s.Max, changed = c.Set.Max, true
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
	errs := []error{m.verifyProtocol()}
	for _, name := range slices.Sorted(maps.Keys(m.Operations)) {
		if err := m.verifyOperation(name, m.Operations[name]); err != nil {
			errs = append(errs, fmt.Errorf("operation %s: %w", name, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Shapes)) {
		if err := m.verifyShape(m.Shapes[name]); err != nil {
			errs = append(errs, fmt.Errorf("shape %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (m *Model) verifyProtocol() error {
	switch {
	case m.Protocol == protocolREST:
		return nil
	case m.Protocol == protocolQuery && m.APIVersion != "" && m.XMLNamespace != "":
		return nil
	case m.Protocol == protocolJSON && m.TargetPrefix != "" && m.JSONVersion == "1.1":
		return nil
	}
	return fmt.Errorf("protocol %q, or what it needs is missing", m.Protocol)
}

func (m *Model) verifyOperation(name string, op *Operation) error {
	if op.Input != name+"Request" && op.Input != name+"Input" {
		return errors.New("unusual name of its input")
	}
	if out := m.Shapes[op.Output]; op.Output != "" && (out == nil || out.Type != "structure") {
		return errors.New("its output is no structure")
	}
	if result := name + "Result"; op.Result != "" && op.Result != result || (m.Protocol == protocolQuery) && (op.Output == "") != (op.Result == "") {
		return errors.New("unusual element around its output")
	}
	for _, e := range op.Errors {
		if m.Errors[e].Status == 0 {
			return fmt.Errorf("unknown error %s", e)
		}
	}
	return nil
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
		if s.Type == "float" && m.Protocol == protocolQuery {
			return errors.New("a float in a form")
		}
		if s.Max != nil && (s.Min == nil || *s.Max == 0) {
			return errors.New("an upper bound needs a lower one and must not be 0")
		}
		return nil
	case "timestamp":
		usual := map[string]string{protocolREST: "iso8601"}[m.Protocol] // others have one form
		if s.Timestamp != usual {
			return fmt.Errorf("timestamp format %q", s.Timestamp)
		}
		return nil
	case "blob":
		if m.Protocol != protocolQuery {
			return errors.New("a blob in JSON")
		}
		return nil
	case "list":
		if e := m.Shapes[s.Member]; e == nil || e.Type != "string" && e.Type != "structure" {
			return fmt.Errorf("list of %q", s.Member)
		}
		return nil
	case "map":
		k, v := m.Shapes[s.Key], m.Shapes[s.Value]
		if k == nil || v == nil || k.Type != "string" || v.Type != "string" && (v.Type != "structure" || m.Protocol != protocolQuery) {
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
	return []string{"Operation", "ReadJSON", "ReadParams", "AppendJSON", "ReadForm", "AppendXML", "Check"}
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
		case m.Protocol != protocolREST:
			return fmt.Errorf("member %s: %s", name, member.In)
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
