package apigen

import (
	"fmt"
	"slices"
)

// formReader writes ReadForm: the members of the form, by their exact names.
func (w *writer) formReader(name string, s *Shape) {
	w.p("// ReadForm reads the members that the form has.")
	if len(s.Members) == 0 {
		w.p("func (*%s) ReadForm(*queryxml.Form) {}\n", name)
		return
	}
	w.p("func (v *%s) ReadForm(f *queryxml.Form) {", name)
	w.p("for name := range f.Members {\nswitch name {")
	for _, member := range members(s) {
		read := w.formExpr(s.Members[member].Shape)
		if i := slices.Index(w.plainMembers(s), member); i >= 0 {
			w.p("case %q:\nif p := %s; p != nil {\nv.%s = *p\nv.has |= 1 << %d\n}", member, read, goName(member), i)
			continue
		}
		w.p("case %q:\nv.%s = %s", member, goName(member), read)
	}
	w.p("}\n}\n}\n")
}

func (w *writer) formExpr(name string) string {
	switch s := w.Shapes[name]; s.Type {
	case "string":
		return "f.String()"
	case "boolean":
		return "f.Bool()"
	case "integer":
		return "f.Int32()"
	case "long":
		return "f.Int64()"
	case "timestamp":
		return "f.Timestamp()"
	case "blob":
		return "f.Blob()"
	case "map":
		if w.Shapes[s.Value].Type == "structure" {
			return fmt.Sprintf("queryxml.ReadStructs[%s](f, %q, %q)", s.Value, s.KeyName, s.ValueName)
		}
		return fmt.Sprintf("queryxml.ReadMap(f, %q, %q)", s.KeyName, s.ValueName)
	case "list":
		if w.Shapes[s.Member].Type == "string" {
			return "queryxml.ReadStrings(f)"
		}
		return "queryxml.ReadList[" + s.Member + "](f)"
	}
	return "queryxml.ReadStruct[" + name + "](f)"
}

// xmlAppender writes AppendXML: absent members are left out, required lists and maps are always there.
func (w *writer) xmlAppender(name string, s *Shape) {
	w.p("// AppendXML appends the members that are there.")
	if len(s.Members) == 0 {
		w.p("func (*%s) AppendXML(b []byte) []byte { return b }\n", name)
		return
	}
	w.p("func (v *%s) AppendXML(b []byte) []byte {", name)
	for _, member := range members(s) {
		shape := w.Shapes[s.Members[member].Shape]
		value := "v." + goName(member)
		if w.pointer(s, member) {
			value = "*" + value
		}
		line := "b = " + w.xmlExpr(shape, member, value)
		if w.plain(s, member) || slices.Contains(s.Required, member) && (shape.Type == "list" || shape.Type == "map") {
			w.p("%s", line)
			continue
		}
		w.p("if v.%s != nil {\n%s\n}", goName(member), line)
	}
	w.p("return b\n}\n")
}

// xmlExpr returns the expression that appends a member.
func (w *writer) xmlExpr(s *Shape, member, value string) string {
	call := map[string]string{
		"string": "Element", "boolean": "Bool", "integer": "Int", "long": "Int", "timestamp": "Time", "blob": "Blob",
		"structure": "Struct",
	}[s.Type]
	more := ""
	switch {
	case s.Type == "list" && w.Shapes[s.Member].Type == "string":
		call = "Strings"
	case s.Type == "list":
		call = "List"
	case s.Type == "map":
		call, more = "Map", fmt.Sprintf(", %q, %q", s.KeyName, s.ValueName)
	case s.Type == "timestamp":
		value = "*" + value
	}
	return fmt.Sprintf("queryxml.Append%s(b, %q, %s%s)", call, member, value, more)
}
