package restjson

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxViolations bounds how many broken constraints one answer names.
const maxViolations = 20

// Violation is one broken constraint.
type Violation struct {
	Path       string // for instance "viewerSessions.1.member.channelArn"; list positions count from 1
	Constraint string // for instance "Member must not be null"
	value      string // as shown to the caller: "null", "'abc'", or "" when it must not be shown
}

// ValidationError lists the constraints that an input breaks.
type ValidationError struct{ Violations []Violation }

// Error returns the text in the form the AWS services use.
func (e *ValidationError) Error() string {
	var b strings.Builder
	noun := "error"
	if len(e.Violations) > 1 {
		noun = "errors"
	}
	fmt.Fprintf(&b, "%d validation %s detected: ", len(e.Violations), noun)
	for i, v := range e.Violations {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString("Value ")
		if v.value != "" {
			b.WriteString(v.value + " ")
		}
		fmt.Fprintf(&b, "at '%s' failed to satisfy constraint: %s", v.Path, v.Constraint)
	}
	return b.String()
}

// Checks collects the constraints that an input breaks. The zero value is ready. It allocates only when one is broken
// or a list is entered.
type Checks struct {
	path       []step
	violations []Violation
}

// step is one level of the path to the value being checked.
type step struct {
	name  string
	index int // 1-based position in a list, 0 if the step is no list element
}

// Err returns a *ValidationError, or nil when nothing is broken.
func (c *Checks) Err() error {
	if len(c.violations) == 0 {
		return nil
	}
	return &ValidationError{c.violations}
}

// Enter goes down into the structure that is member name.
func (c *Checks) Enter(name string) { c.path = append(c.path, step{name: name}) }

// EnterElement goes down into the element with index i of the list that is member name.
func (c *Checks) EnterElement(name string, i int) {
	c.path = append(c.path, step{name: name, index: i + 1})
}

// Leave goes back up.
func (c *Checks) Leave() { c.path = c.path[:len(c.path)-1] }

// Required reports that member name is missing unless present, and returns present.
func (c *Checks) Required(name string, present bool) bool {
	if !present {
		c.add(name, "null", "Member must not be null")
	}
	return present
}

// Size checks the number of entries of a list or map; max 0 means no upper bound.
func (c *Checks) Size(name string, n, lo, hi int) {
	if n < lo {
		c.add(name, "", "Member must have length greater than or equal to "+strconv.Itoa(lo))
	}
	if hi > 0 && n > hi {
		c.add(name, "", "Member must have length less than or equal to "+strconv.Itoa(hi))
	}
}

func (c *Checks) add(name, value, constraint string) {
	if len(c.violations) == maxViolations {
		return
	}
	var b strings.Builder
	for _, s := range c.path {
		if b.Len() > 0 && s.name != "" {
			b.WriteByte('.')
		}
		b.WriteString(s.name)
		if s.index > 0 {
			fmt.Fprintf(&b, ".%d.member", s.index)
		}
	}
	if b.Len() > 0 && name != "" {
		b.WriteByte('.')
	}
	b.WriteString(name)
	c.violations = append(c.violations, Violation{Path: b.String(), Constraint: constraint, value: value})
}

// StringRule is what a model says about a string shape. Lengths count characters, not bytes.
type StringRule struct {
	Min, Max  int // Max 0 means no upper bound
	Pattern   *Pattern
	Enum      []string
	Sensitive bool // never echo the value
}

// Check reports each part of the rule that v breaks.
func (s *StringRule) Check(c *Checks, name, v string) {
	if s.holds(v) {
		return
	}
	shown := ""
	if !s.Sensitive {
		shown = "'" + clip(v, 256) + "'"
	}
	for _, constraint := range s.broken(v) {
		c.add(name, shown, constraint)
	}
}

// holds reports whether v obeys the rule.
func (s *StringRule) holds(v string) bool {
	n := len(v)
	if s.Min > 0 || s.Max > 0 {
		n = utf8.RuneCountInString(v)
	}
	return n >= s.Min && (s.Max == 0 || n <= s.Max) && (s.Enum == nil || slices.Contains(s.Enum, v)) &&
		(s.Pattern == nil || s.Pattern.Match(v))
}

// broken returns the texts of the parts of the rule that v breaks.
func (s *StringRule) broken(v string) (all []string) {
	n := utf8.RuneCountInString(v)
	if n < s.Min {
		all = append(all, s.minText())
	}
	if s.Max > 0 && n > s.Max {
		all = append(all, s.maxText())
	}
	if s.Enum != nil && !slices.Contains(s.Enum, v) {
		all = append(all, s.enumText())
	}
	if s.Pattern != nil && !s.Pattern.Match(v) {
		all = append(all, s.patternText())
	}
	return all
}

// texts returns the texts of all parts of the rule, as an answer about a map entry lists them.
func (s *StringRule) texts() string {
	var all []string
	if s.Max > 0 {
		all = append(all, s.maxText())
	}
	if s.Min > 0 {
		all = append(all, s.minText())
	}
	if s.Enum != nil {
		all = append(all, s.enumText())
	}
	if s.Pattern != nil {
		all = append(all, s.patternText())
	}
	return strings.Join(all, ", ")
}

func (s *StringRule) minText() string {
	return "Member must have length greater than or equal to " + strconv.Itoa(s.Min)
}

func (s *StringRule) maxText() string {
	return "Member must have length less than or equal to " + strconv.Itoa(s.Max)
}

func (s *StringRule) enumText() string {
	return "Member must satisfy enum value set: [" + strings.Join(s.Enum, ", ") + "]"
}

func (s *StringRule) patternText() string {
	return "Member must satisfy regular expression pattern: " + s.Pattern.Source
}

// CheckMap checks the keys and values of a map of strings. A nil rule allows everything.
func CheckMap(c *Checks, name string, m map[string]string, key, value *StringRule) {
	for k, v := range m {
		if key != nil && !key.holds(k) || value != nil && !value.holds(v) {
			reportMap(c, name, m, key, value)
			return
		}
	}
}

// reportMap names the first key and the first value, in key order, that break their rule.
func reportMap(c *Checks, name string, m map[string]string, key, value *StringRule) {
	keys := slices.Sorted(maps.Keys(m))
	if i := slices.IndexFunc(keys, func(k string) bool { return key != nil && !key.holds(k) }); i >= 0 {
		c.add(name, entry(keys[i], m[keys[i]], key, value), "Map keys must satisfy constraint: ["+key.texts()+"]")
	}
	if i := slices.IndexFunc(keys, func(k string) bool { return value != nil && !value.holds(m[k]) }); i >= 0 {
		c.add(name, entry(keys[i], m[keys[i]], key, value), "Map value must satisfy constraint: ["+value.texts()+"]")
	}
}

// entry shows one map entry, or nothing when a part of it is sensitive.
func entry(k, v string, key, value *StringRule) string {
	if key != nil && key.Sensitive || value != nil && value.Sensitive {
		return ""
	}
	return "'{" + clip(k, 128) + "=" + clip(v, 256) + "}'"
}

// NumberRule is what a model says about a number shape: its least and greatest value. Max 0 means no upper bound.
type NumberRule struct{ Min, Max float64 }

// CheckNumber reports each bound that v breaks.
func CheckNumber[T int32 | int64 | float64](c *Checks, r *NumberRule, name string, v T) {
	if float64(v) < r.Min {
		c.add(name, fmt.Sprintf("'%v'", v), "Member must have value greater than or equal to "+bound(r.Min))
	}
	if r.Max != 0 && float64(v) > r.Max {
		c.add(name, fmt.Sprintf("'%v'", v), "Member must have value less than or equal to "+bound(r.Max))
	}
}

func bound(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// clip shortens s to at most n characters for a message.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}
