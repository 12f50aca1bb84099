package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/policy"
)

// BenchmarkDecide: what one decision costs by the example of ivs.md 18.2, alone and behind ninety-eight other statements.
func BenchmarkDecide(b *testing.B) {
	own := `{"Effect":"Allow","Action":["ivs:GetChannel","ivs:UpdateChannel"],"Resource":"arn:aws:ivs:*:*:channel/*",
		"Condition":{"StringEquals":{"aws:ResourceTag/Owner":"${aws:username}"}}}`
	create := `{"Effect":"Allow","Action":["ivs:CreateChannel","ivs:TagResource"],"Resource":"*",
		"Condition":{"StringEquals":{"aws:RequestTag/Team":"live"},"ForAllValues:StringEquals":{"aws:TagKeys":["Team","Owner"]}}}`
	var many []string
	for i := range 98 {
		many = append(many, fmt.Sprintf(`{"Effect":"Allow","Action":["ivs:*Channel%d","ivschat:*"],"Resource":"arn:aws:ivs:*:*:channel/%d*"}`, i, i))
	}
	for name, statements := range map[string][]string{"2": {create, own}, "100": append(many, create, own)} {
		p := policiesOf(b, `{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`)
		r := &policy.Request{Action: "ivs:GetChannel", Resource: channelARN, Context: keys("aws:username", "alice", "aws:resourcetag/Owner", "alice")}
		b.Run(name+" statements", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p.Decide(r).Verdict != policy.Allowed {
					b.Fatal("not allowed")
				}
			}
		})
	}
}

// BenchmarkParse: what a document costs once.
func BenchmarkParse(b *testing.B) {
	text := documentOf("Allow", `{"StringEquals":{"aws:ResourceTag/Owner":"${aws:username}"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := policy.Parse(text, policy.Identity); err != nil {
			b.Fatal(err)
		}
	}
}

// fixed is a context that is as cheap as can be.
type fixed struct{}

func (fixed) Value(k policy.Key) policy.Value {
	switch k.Name {
	case "aws:username", policy.ResourceTag:
		return policy.One("alice")
	}
	return policy.Value{}
}

// TestDecideDoesNotAllocate: also where there are wildcards, variables and conditions.
func TestDecideDoesNotAllocate(t *testing.T) { // not parallel: it counts
	p := policiesOf(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ivs:Get*","Resource":"arn:aws:ivs:*:*:channel/*",
		"Condition":{"StringLike":{"aws:ResourceTag/Owner":"${aws:username}*"},"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}]}`)
	p.Session = sourcesOf(t, everything)
	r := &policy.Request{Action: "ivs:GetChannel", Resource: channelARN, Context: fixed{}}
	if n := testing.AllocsPerRun(100, func() {
		if p.Decide(r).Verdict != policy.Allowed {
			t.Fatal("not allowed")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
