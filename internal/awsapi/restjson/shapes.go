package restjson

import (
	"maps"
	"slices"
)

// Readable is a structure that reads itself from a JSON object.
type Readable[T any] interface {
	*T
	ReadJSON(r *Reader)
}

// Writable is a structure that appends itself as a JSON object.
type Writable[T any] interface {
	*T
	AppendJSON(b []byte) []byte
}

// Checkable is a structure that checks its members.
type Checkable[T any] interface {
	*T
	Check(c *Checks)
}

// ReadStruct reads an optional structure.
func ReadStruct[T any, P Readable[T]](r *Reader) *T {
	if r.Null() {
		return nil
	}
	v := new(T)
	P(v).ReadJSON(r)
	return v
}

// ReadList reads an optional list of structures; an empty list is not nil.
func ReadList[T any, P Readable[T]](r *Reader) []T {
	if r.Null() {
		return nil
	}
	list := []T{}
	for range r.Elements {
		var v T
		P(&v).ReadJSON(r)
		list = append(list, v)
	}
	return list
}

// ReadStrings reads an optional list of strings; an empty list is not nil.
func ReadStrings(r *Reader) []string {
	if r.Null() {
		return nil
	}
	list := []string{}
	for range r.Elements {
		list = append(list, r.Text())
	}
	return list
}

// ReadMap reads an optional map of strings; an empty map is not nil.
func ReadMap(r *Reader) map[string]string {
	if r.Null() {
		return nil
	}
	m, name := map[string]string{}, r.member
	for key := range r.Members {
		r.Count()
		k := string(key)
		r.member = name // keys come from the caller and may be secret: messages name the map
		m[k] = r.Text()
	}
	return m
}

// AppendList appends a list of structures.
func AppendList[T any, P Writable[T]](b []byte, list []T) []byte {
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = P(&list[i]).AppendJSON(b)
	}
	return append(b, ']')
}

// AppendStrings appends a list of strings.
func AppendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, s)
	}
	return append(b, ']')
}

// AppendMap appends a map of strings in the order of its keys.
func AppendMap(b []byte, m map[string]string) []byte {
	b = append(b, '{')
	if len(m) > 0 {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			b = AppendString(AppendMapKey(b, k), m[k])
		}
	}
	return append(b, '}')
}

// CheckStruct checks a structure that is member name; nil is fine.
func CheckStruct[T any, P Checkable[T]](c *Checks, name string, v *T) {
	if v == nil {
		return
	}
	c.Enter(name)
	P(v).Check(c)
	c.Leave()
}

// CheckList checks each structure of a list.
func CheckList[T any, P Checkable[T]](c *Checks, name string, list []T) {
	for i := range list {
		c.EnterElement(name, i)
		P(&list[i]).Check(c)
		c.Leave()
	}
}

// CheckStructs checks each structure of a map, in the order of the keys.
func CheckStructs[T any, P Checkable[T]](c *Checks, name string, m map[string]T) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		v := m[k]
		c.Enter(name + "." + clip(k, 128) + ".member")
		P(&v).Check(c)
		c.Leave()
	}
}

// CheckStrings checks each string of a list.
func CheckStrings(c *Checks, name string, list []string, rule *StringRule) {
	for i, s := range list {
		if rule.holds(s) {
			continue
		}
		c.EnterElement(name, i)
		rule.Check(c, "", s)
		c.Leave()
	}
}

// Value returns an optional member, the zero value for one that is not given.
func Value[T any](member *T) T {
	if member == nil {
		var none T
		return none
	}
	return *member
}
