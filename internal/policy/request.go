package policy

import "strings"

// Request is what somebody wants to do.
type Request struct {
	Action    string     // for instance "ivs:GetChannel"; its case does not matter
	Resource  string     // an ARN; "arn:…:channel/*" for a list of them; "*" for none
	Principal *Principal // who asks, for documents that name principals; nil matches none of them but the wildcard
	Policy    *Document  // of the resource, if it has one
	Context   Context    // nil: there is no key
}

// Principal is who asks, as documents name principals.
type Principal struct {
	Account string // 12 digits
	ARN     string // of the user, of the session of a role, or of the root of an account
	Role    string // the ARN of the role, of a session; "" for others
}

// Key names a value of the context of a request.
type Key struct {
	// Name is in lower case, and of the keys that hold tags it ends before the slash: "aws:username", "aws:resourcetag".
	Name string
	// Tag is what follows the slash, as the document spells it. Its case does not matter.
	Tag string
}

// String returns the key in lower case, but for its tag.
func (k Key) String() string {
	if k.Tag == "" {
		return k.Name
	}
	return k.Name + "/" + k.Tag
}

// The names of the keys that hold the tags of a request, of a resource and of a principal.
const (
	RequestTag   = "aws:requesttag"
	ResourceTag  = "aws:resourcetag"
	PrincipalTag = "aws:principaltag"
)

// KeyOf returns the key of a name in a document or a request: "aws:ResourceTag/Owner" is {aws:resourcetag, Owner}.
func KeyOf(name string) Key {
	before, tag, ok := strings.Cut(name, "/")
	if lower := strings.ToLower(before); ok && (lower == RequestTag || lower == ResourceTag || lower == PrincipalTag) {
		return Key{Name: lower, Tag: tag}
	}
	return Key{Name: strings.ToLower(name)}
}

// Value is what a key holds in a request. The zero Value is that of a key which the request does not have.
type Value struct {
	state state
	one   string
	many  []string
}

type state uint8

const (
	absent state = iota
	single
	several
	unknown
)

// One is the value of a key that holds one.
func One(s string) Value { return Value{state: single, one: s} }

// Many is the value of a key that holds any number, for instance aws:TagKeys. It keeps the slice.
func Many(s []string) Value { return Value{state: several, many: s} }

// Unknown is the value of a key that is not known yet: it may hold one, whatever it is, or be absent.
func Unknown() Value { return Value{state: unknown} }

// len returns how many values there are.
func (v *Value) len() int {
	switch v.state {
	case single:
		return 1
	case several:
		return len(v.many)
	case absent, unknown:
	}
	return 0
}

// at returns one of the values.
func (v *Value) at(i int) string {
	if v.state == single {
		return v.one
	}
	return v.many[i]
}

// Context answers for the keys of a request. Values are asked for when a document needs them, perhaps more than once.
type Context interface{ Value(k Key) Value }

// Entries is a Context that is given as a table. Its keys are spelled as documents spell them; case does not matter.
type Entries map[string][]string

// Value returns the entry of a key: one value or several.
func (e Entries) Value(k Key) Value {
	name := k.String()
	values, ok := e[name]
	if !ok {
		for other, v := range e {
			if strings.EqualFold(other, name) {
				values, ok = v, true
				break
			}
		}
	}
	switch {
	case !ok:
		return Value{}
	case len(values) == 1:
		return One(values[0])
	}
	return Many(values)
}

// Tagged returns the value of a tag by the name that a document has for it: a tag of exactly that name, else the first in
// order whose name differs in case only.
func Tagged(tags map[string]string, name string) Value {
	if v, ok := tags[name]; ok {
		return One(v)
	}
	found, out := "", Value{}
	for other, v := range tags {
		if strings.EqualFold(other, name) && (out.state == absent || other < found) {
			found, out = other, One(v)
		}
	}
	return out
}

// query is a request as statements look at it.
type query struct {
	action    string
	resource  arnParts
	principal *Principal
	context   Context
}

func (r *Request) query() query {
	q := query{action: r.Action, resource: splitARN(r.Resource), principal: r.Principal, context: r.Context}
	if q.context == nil {
		q.context = Entries(nil)
	}
	return q
}

// Layered is a context over another: the keys of the first that it has, else those of the second.
type Layered struct{ Over, Under Context }

// Value returns the value of a key.
func (l Layered) Value(k Key) Value {
	if v := l.Over.Value(k); v.state != absent {
		return v
	}
	return l.Under.Value(k)
}
