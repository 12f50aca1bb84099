package policy_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/policy"
)

// untagged is a context whose resource tags are not known yet.
type untagged struct{ policy.Context }

func (u untagged) Value(k policy.Key) policy.Value {
	if k.Name == policy.ResourceTag {
		return policy.Unknown()
	}
	return u.Context.Value(k)
}

// TestDepends: a decision depends on the tags of the resource when they could change it, and only then.
func TestDepends(t *testing.T) {
	t.Parallel()
	tagged := func(effect, operator, value string) string {
		return documentOf(effect, `{"`+operator+`":{"aws:ResourceTag/Owner":`+value+`}}`)
	}
	own := statement(`"Action":"*","Resource":"arn:aws:ivs:*:*:channel/${aws:ResourceTag/Id}"`)
	for _, c := range []struct {
		documents []string
		want      policy.Verdict
	}{
		{[]string{tagged("Allow", "StringEquals", `"a"`)}, policy.Depends},
		{[]string{tagged("Allow", "StringNotEquals", `"a"`)}, policy.Depends},
		{[]string{tagged("Allow", "StringLike", `"*"`)}, policy.Depends},
		{[]string{tagged("Allow", "Null", `"false"`)}, policy.Depends},
		{[]string{tagged("Allow", "NumericLessThan", `"7"`)}, policy.Depends},
		{[]string{tagged("Allow", "StringEqualsIfExists", `"a"`)}, policy.Depends},
		{[]string{tagged("Allow", "ForAnyValue:StringLike", `"*"`)}, policy.Depends},
		{[]string{tagged("Allow", "StringLikeIfExists", `"*"`)}, policy.Allowed},
		{[]string{tagged("Allow", "ForAllValues:StringLike", `"*"`)}, policy.Allowed},
		{[]string{tagged("Allow", "Null", `["true","false"]`)}, policy.Allowed},
		{[]string{tagged("Allow", "StringNotEquals", `[]`)}, policy.Allowed},
		{[]string{tagged("Allow", "StringEquals", `[]`)}, policy.Denied},
		{[]string{tagged("Allow", "ForAnyValue:StringNotLike", `"*"`)}, policy.Denied},
		{[]string{everything, tagged("Allow", "StringEquals", `"a"`)}, policy.Allowed},
		{[]string{everything, tagged("Deny", "StringEquals", `"a"`)}, policy.Depends},
		{[]string{nothing, tagged("Allow", "StringEquals", `"a"`)}, policy.Denied},
		{[]string{tagged("Deny", "StringEquals", `"a"`)}, policy.Denied},
		{[]string{statement(`"Action":"iam:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Owner":"a"}}`)}, policy.Denied},
		{[]string{statement(`"Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Owner":"a","aws:username":"bob"}}`)}, policy.Denied},
		{[]string{documentOf("Allow", `{"StringEquals":{"aws:username":"${aws:ResourceTag/Owner}"}}`)}, policy.Depends},
		{[]string{documentOf("Allow", `{"StringEquals":{"aws:username":"x-${aws:ResourceTag/Owner}"}}`)}, policy.Denied},
		{[]string{documentOf("Allow", `{"StringNotEquals":{"aws:username":"x-${aws:ResourceTag/Owner}"}}`)}, policy.Allowed},
		{[]string{documentOf("Allow", `{"StringEquals":{"aws:username":["alice","${aws:ResourceTag/Owner}"]}}`)}, policy.Allowed},
		{[]string{own}, policy.Depends},
		{[]string{strings.Replace(own, "channel/", "stage/", 1)}, policy.Denied},
	} {
		r := &policy.Request{Action: "ivs:GetChannel", Resource: channelARN, Context: untagged{alice()}}
		if got := policiesOf(t, c.documents...).Decide(r); got.Verdict != c.want {
			t.Errorf("%s: %v, want %v", c.documents, got.Verdict, c.want)
		}
	}
}

// random makes documents whose statements ask for a few keys in every way there is.
type random struct{ *rand.Rand }

func (r random) of(from ...string) string { return from[r.IntN(len(from))] }

func (r random) condition() string {
	operator := r.of("", "", "", "ForAllValues:", "ForAnyValue:") + r.of("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase",
		"NumericLessThan", "NumericNotEquals", "ArnLike", "ArnNotEquals", "Bool", "DateLessThan", "IpAddress") + r.of("", "", "IfExists")
	key := r.of("aws:ResourceTag/a", "aws:resourcetag/B", "aws:ResourceTag/c", "aws:username", "aws:TagKeys")
	value := func() string {
		switch {
		case strings.Contains(operator, "Numeric"):
			return r.of("1", "7")
		case strings.Contains(operator, "Date"):
			return r.of("7", "2026-01-01")
		case strings.Contains(operator, "Arn"):
			return r.of("arn:aws:iam::1:user/a", "arn:aws:iam::*:user/${aws:ResourceTag/a}", "*", "arn:aws:iam::${aws:ResourceTag/b}:user/*")
		case strings.Contains(operator, "Bool"):
			return r.of("true", "false", "${aws:ResourceTag/c}")
		case strings.Contains(operator, "Ip"):
			return r.of("10.0.0.0/8", "::/0")
		}
		return r.of("a", "A", "*", "a*", "?", "", "${aws:ResourceTag/a}", "x${aws:resourcetag/b, 'y'}", "${aws:username}", "true")
	}
	values := `"` + value() + `"`
	if r.IntN(3) == 0 {
		values = `["` + value() + `","` + value() + `"]`
	}
	if r.IntN(8) == 0 {
		operator, values = "Null", r.of(`"true"`, `"false"`)
	}
	return fmt.Sprintf(`{%q:{%q:%s}}`, operator, key, values)
}

func (r random) document() string {
	var statements []string
	for range 1 + r.IntN(3) {
		condition := r.condition()
		if r.IntN(2) == 0 {
			if second := r.condition(); strings.SplitN(second, ":{", 2)[0] != strings.SplitN(condition, ":{", 2)[0] {
				condition = strings.TrimSuffix(condition, "}") + "," + strings.TrimPrefix(second, "{")
			}
		}
		statements = append(statements, fmt.Sprintf(`{"Effect":%q,%q:%q,%q:%q,"Condition":%s}`, r.of("Allow", "Allow", "Deny"), r.of("Action", "NotAction"), r.of("*", "ivs:Get*", "iam:*"),
			r.of("Resource", "Resource", "NotResource"), r.of("*", "arn:aws:ivs:*:*:channel/*", "arn:aws:ivs:*:*:channel/${aws:ResourceTag/a}", "arn:aws:ivs:*:*:${aws:ResourceTag/b, 'channel'}/*"), condition))
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// FuzzDepends: whatever the tags of a resource are, what was decided without them is what is decided with them.
func FuzzDepends(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed, "a", "7", "arn:aws:iam::1:user/a", uint8(seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, a, b, c string, has uint8) {
		r := random{rand.New(rand.NewPCG(seed, 1))}
		p := policiesOf(t, r.document())
		if r.IntN(3) == 0 {
			p.Identity = append(p.Identity, sourcesOf(t, everything)...)
		}
		if r.IntN(3) == 0 {
			p.Boundary = sourcesOf(t, r.document())
		}
		if r.IntN(3) == 0 {
			p.Session = sourcesOf(t, r.document(), r.document())
		}
		known := policy.Entries{"aws:username": {r.of("a", "alice", "arn:aws:iam::1:user/a")}, "aws:TagKeys": {"a", "b"}}
		request := policy.Request{Action: "ivs:GetChannel", Resource: channelARN, Context: untagged{known}}
		before := p.Decide(&request).Verdict
		for _, values := range [][3]string{{a, b, c}, {"a", "true", "7"}, {"hT4kPz81QmXc", "10.1.1.1", ""}, {"", "channel", "arn:aws:iam::1:user/a"}} {
			for i, tag := range []string{"A", "b", "C"} {
				delete(known, "aws:ResourceTag/"+tag)
				if has>>i&1 == 0 {
					known["aws:ResourceTag/"+tag] = []string{values[i]}
				}
			}
			request.Context = known
			after := p.Decide(&request).Verdict
			if after == policy.Depends || before != policy.Depends && before != after {
				t.Fatalf("%v before %v are known, %v then", before, known, after)
			}
			has++
		}
	})
}

// FuzzParse: whatever a text is, it is refused or it is a policy that can be evaluated; one that is refused is none.
func FuzzParse(f *testing.F) {
	f.Add(everything)
	f.Add(nothing)
	for _, g := range conditionGroups() {
		for _, c := range g.cases {
			f.Add(documentOf("Allow", c.condition))
		}
	}
	f.Add(`{"Statement":[{"Sid":"a","Effect":"Deny","NotAction":["a:b"],"NotResource":["arn:aws:ivs:*:*:x/${a:b, 'c'}"]}]}`)
	f.Add(`{"Statement":[{"Effect":"Allow","Principal":{"AWS":["1"]},"Action":"sts:AssumeRole"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []policy.Kind{policy.Identity, policy.Trust, policy.Resource} {
			d, err := policy.Parse(text, kind)
			if (d == nil) != (err != nil) {
				t.Fatalf("%v and %v", d, err)
			}
			if d == nil {
				continue
			}
			r := &policy.Request{Action: "ivs:GetChannel", Resource: channelARN, Context: untagged{alice()}}
			p := &policy.Policies{}
			if kind == policy.Identity {
				p.Identity = []policy.Source{{Name: "fuzz", Document: d}}
			} else {
				r.Policy = d
			}
			got := p.Explain(r)
			if got.Verdict == policy.Allowed && !strings.Contains(text, "Allow") && !strings.Contains(text, `\u`) {
				t.Fatalf("%q allows something", text)
			}
			p.Boundary = []policy.Source{}
			if p.Decide(r).Verdict != policy.Denied {
				t.Fatalf("%q allows something within an empty boundary", text)
			}
		}
	})
}
