package apigen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// constrained reports whether values of a string or number shape can break a constraint.
func (w *writer) constrained(name string) bool {
	s := w.Shapes[name]
	switch s.Type {
	case "string":
		return s.Pattern != "" || s.Enum != nil || s.Max != nil || s.Min != nil && *s.Min > 0
	case "integer", "long", "float":
		return s.Min != nil
	}
	return false
}

// rule writes the rule of a string or number shape.
func (w *writer) rule(name string, s *Shape) {
	if !w.constrained(name) {
		return
	}
	var parts []string
	if s.Min != nil && *s.Min != 0 {
		parts = append(parts, "Min: "+number(*s.Min))
	}
	if s.Max != nil {
		parts = append(parts, "Max: "+number(*s.Max))
	}
	if s.Type != "string" {
		w.p("var %s = restjson.NumberRule{%s}\n", ruleName(name), strings.Join(parts, ", "))
		return
	}
	if s.Pattern != "" {
		parts = append(parts, fmt.Sprintf("Pattern: restjson.NewPattern(%s)", literal(s.Pattern)))
	}
	if s.Enum != nil {
		parts = append(parts, fmt.Sprintf("Enum: %#v", s.Enum))
	}
	if s.Sensitive {
		parts = append(parts, "Sensitive: true")
	}
	w.p("var %s = restjson.StringRule{%s}\n", ruleName(name), strings.Join(parts, ", "))
}

// ruleName returns the variable that holds the rule of a shape.
func ruleName(shape string) string { return "rule" + goName(shape) }

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// literal quotes a pattern, raw if it can be.
func literal(s string) string {
	if strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

// checker writes Check: what the model requires of each member, in the order of their names.
func (w *writer) checker(name string, s *Shape) {
	var lines []string
	for _, member := range members(s) {
		found := w.checkLines(s, member)
		if !slices.Contains(s.Required, member) {
			lines = append(lines, found...)
			continue
		}
		required := fmt.Sprintf("c.Required(%q, %s)", shownName(member), w.present(s, member))
		if len(found) > 0 {
			required = "if " + required + " {\n" + strings.Join(found, "\n") + "\n}"
		}
		lines = append(lines, required)
	}
	w.p("// Check reports the constraints that v breaks.")
	if len(lines) == 0 {
		w.p("func (*%s) Check(*restjson.Checks) {}\n", name)
		return
	}
	w.p("func (v *%s) Check(c *restjson.Checks) {\n%s\n}\n", name, strings.Join(lines, "\n"))
}

// shownName returns a member's name as the services show it in messages: with a small first letter, whatever the model has.
func shownName(member string) string { return strings.ToLower(member[:1]) + member[1:] }

// present returns the expression that a required member is there.
func (w *writer) present(s *Shape, member string) string {
	value := "v." + goName(member)
	i := slices.Index(w.plainMembers(s), member)
	if i < 0 {
		return value + " != nil"
	}
	has := fmt.Sprintf("v.has&(1<<%d) != 0", i)
	switch w.goType(s.Members[member].Shape) {
	case "*string":
		return value + " != \"\" || " + has
	case "*bool":
		return value + " || " + has
	}
	return value + " != 0 || " + has
}

func (w *writer) checkLines(parent *Shape, member string) (lines []string) {
	name := parent.Members[member].Shape
	s, value, shown := w.Shapes[name], "v."+goName(member), shownName(member)
	switch s.Type {
	case "string", "integer", "long", "float":
		if w.constrained(name) {
			lines = append(lines, w.scalarLine(parent, member))
		}
	case "list":
		lines = append(lines, size(s, shown, value)...)
		if w.Shapes[s.Member].Type == "structure" {
			lines = append(lines, fmt.Sprintf("restjson.CheckList(c, %q, %s)", shown, value))
		} else if w.constrained(s.Member) {
			lines = append(lines, fmt.Sprintf("restjson.CheckStrings(c, %q, %s, &%s)", shown, value, ruleName(s.Member)))
		}
	case "map":
		lines = append(lines, size(s, shown, value)...)
		if w.Shapes[s.Value].Type == "structure" {
			lines = append(lines, fmt.Sprintf("restjson.CheckStructs(c, %q, %s)", shown, value))
		} else if w.constrained(s.Key) || w.constrained(s.Value) {
			lines = append(lines, fmt.Sprintf("restjson.CheckMap(c, %q, %s, %s, %s)", shown, value, w.ruleRef(s.Key), w.ruleRef(s.Value)))
		}
	case "structure":
		lines = append(lines, fmt.Sprintf("restjson.CheckStruct(c, %q, %s)", shown, value))
	}
	return lines
}

// scalarLine returns the check of a string or number that is there.
func (w *writer) scalarLine(s *Shape, member string) string {
	name, value := s.Members[member].Shape, "v."+goName(member)
	format := "%s.Check(c, %q, %s)"
	if w.Shapes[name].Type != "string" {
		format = "restjson.CheckNumber(c, &%s, %q, %s)"
	}
	if w.plain(s, member) {
		return fmt.Sprintf(format, ruleName(name), shownName(member), value)
	}
	return fmt.Sprintf("if %s != nil {\n"+format+"\n}", value, ruleName(name), shownName(member), "*"+value)
}

func (w *writer) ruleRef(name string) string {
	if !w.constrained(name) {
		return "nil"
	}
	return "&" + ruleName(name)
}

// size returns the check of the number of entries of a collection that is there.
func size(s *Shape, member, value string) []string {
	lo, hi := "0", "0"
	if s.Min != nil {
		lo = number(*s.Min)
	}
	if s.Max != nil {
		hi = number(*s.Max)
	}
	if lo == "0" && hi == "0" {
		return nil
	}
	return []string{fmt.Sprintf("if %s != nil {\nc.Size(%q, len(%s), %s, %s)\n}", value, member, value, lo, hi)}
}
