package queryxml

import (
	"maps"
	"slices"

	"github.com/rivus-live/rivus/internal/awsapi/restjson"
)

// The names that the parts of lists and maps have on the wire.
const (
	memberName = "member"
	entryName  = "entry"
)

// input is what Decode needs of a generated request shape.
type input interface {
	ReadForm(f *Form)
	Check(c *restjson.Checks)
}

// Decode reads a form into an operation's input and checks it. The error is a *FormError or a *restjson.ValidationError.
func Decode(f *Form, in input) error {
	in.ReadForm(f)
	if err := f.Err(); err != nil {
		return err
	}
	var c restjson.Checks
	in.Check(&c)
	return c.Err()
}

// Readable is a structure that reads itself from a form.
type Readable[T any] interface {
	*T
	ReadForm(f *Form)
}

// Writable is a structure that appends its members as XML elements.
type Writable[T any] interface {
	*T
	AppendXML(b []byte) []byte
}

// ReadStruct reads a structure.
func ReadStruct[T any, P Readable[T]](f *Form) *T {
	v := new(T)
	P(v).ReadForm(f)
	return v
}

// ReadList reads a list of structures; an empty list is not nil.
func ReadList[T any, P Readable[T]](f *Form) []T {
	list := []T{}
	for range f.Elements(memberName) {
		var v T
		P(&v).ReadForm(f)
		list = append(list, v)
	}
	return list
}

// ReadStrings reads a list of strings; an empty list is not nil.
func ReadStrings(f *Form) []string {
	list := []string{}
	for range f.Elements(memberName) {
		if s := f.String(); s != nil {
			list = append(list, *s)
		}
	}
	return list
}

// ReadMap reads a map of strings, whose entries have a key and a value under the given names; an empty map is not nil.
func ReadMap(f *Form, key, value string) map[string]string {
	m := map[string]string{}
	readEntries(f, key, value, m, func() string {
		if s := f.String(); s != nil {
			return *s
		}
		return ""
	})
	return m
}

// ReadStructs is ReadMap for a map of structures.
func ReadStructs[T any, P Readable[T]](f *Form, key, value string) map[string]T {
	m := map[string]T{}
	readEntries(f, key, value, m, func() (v T) {
		P(&v).ReadForm(f)
		return v
	})
	return m
}

// readEntries reads the entries of a map into m. Each has a key of its own, and a value.
func readEntries[T any](f *Form, key, value string, m map[string]T, read func() T) {
	for range f.Elements(entryName) {
		var k *string
		var v *T
		for name := range f.Members {
			switch name {
			case key:
				k = f.String()
			case value:
				v = new(read())
			}
		}
		if k == nil || v == nil {
			f.fail("An entry of a map lacks its key or its value")
			return
		}
		if _, twice := m[*k]; twice {
			f.fail("A map has a key more than once")
			return
		}
		m[*k] = *v
	}
}

// AppendStruct appends an element that holds the members of a structure.
func AppendStruct(b []byte, name string, v interface{ AppendXML(b []byte) []byte }) []byte {
	return closing(v.AppendXML(opening(b, name)), name)
}

// AppendList appends a list of structures.
func AppendList[T any, P Writable[T]](b []byte, name string, list []T) []byte {
	b = opening(b, name)
	for i := range list {
		b = AppendStruct(b, memberName, P(&list[i]))
	}
	return closing(b, name)
}

// AppendStrings appends a list of strings.
func AppendStrings(b []byte, name string, list []string) []byte {
	b = opening(b, name)
	for _, s := range list {
		b = AppendElement(b, memberName, s)
	}
	return closing(b, name)
}

// AppendMap appends a map of strings in the order of its keys.
func AppendMap(b []byte, name string, m map[string]string, key, value string) []byte {
	b = opening(b, name)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b = AppendElement(opening(b, entryName), key, k)
		b = closing(AppendElement(b, value, m[k]), entryName)
	}
	return closing(b, name)
}
