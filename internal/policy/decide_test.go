package policy_test

import (
	"slices"
	"testing"

	"github.com/rivus-live/rivus/internal/policy"
)

const (
	channelARN = "arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc"
	everything = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	nothing    = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`
)

// policiesOf compiles the policies of an identity.
func policiesOf(tb testing.TB, documents ...string) *policy.Policies {
	tb.Helper()
	return &policy.Policies{Identity: sourcesOf(tb, documents...)}
}

// sourcesOf compiles documents; no document gives none, not nil.
func sourcesOf(tb testing.TB, documents ...string) []policy.Source {
	tb.Helper()
	out := []policy.Source{}
	for i, text := range documents {
		d, err := policy.Parse(text, policy.Identity)
		if err != nil {
			tb.Fatalf("%s: %v", text, err)
		}
		out = append(out, policy.Source{Name: "policy" + string(rune('1'+i)), Document: d})
	}
	return out
}

// statement is a document of one statement that allows, with the elements that are given.
func statement(elements string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow",` + elements + `}}`
}

// TestActions: "Action prefix and name too are case-insensitive" (errata.md A3); "* and ?" (neighbours.md 3).
func TestActions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		element, action string
		want            bool
	}{
		{`"Action":"ivs:GetChannel"`, "ivs:GetChannel", true},
		{`"Action":"IVS:getchannel"`, "ivs:GetChannel", true},
		{`"Action":"ivs:GetChannel"`, "ivs:GetChannels", false},
		{`"Action":"ivs:GetChannels"`, "ivs:GetChannel", false},
		{`"Action":"ivs:Get*"`, "ivs:GetChannel", true},
		{`"Action":"ivs:Get*"`, "ivs:ListChannels", false},
		{`"Action":"ivs:get*"`, "ivs:GetChannel", true},
		{`"Action":"ivs:*Channel"`, "ivs:GetChannel", true},
		{`"Action":"ivs:*channel*"`, "ivs:BatchGetChannel", true},
		{`"Action":"ivs:?etChannel"`, "ivs:GetChannel", true},
		{`"Action":"ivs:?GetChannel"`, "ivs:GetChannel", false},
		{`"Action":"ivs:*"`, "ivs:GetChannel", true},
		{`"Action":"ivs:*"`, "ivschat:GetRoom", false},
		{`"Action":"ivschat:*"`, "ivs:GetChannel", false},
		{`"Action":"*"`, "iam:CreateUser", true},
		{`"Action":"*:*"`, "iam:CreateUser", true},
		{`"Action":"SNS:Publish"`, "sns:Publish", true},
		{`"Action":["ivs:GetChannel","sts:*"]`, "sts:AssumeRole", true},
		{`"Action":["ivs:GetChannel","sts:*"]`, "sns:Publish", false},
		{`"NotAction":"iam:*"`, "ivs:GetChannel", true},
		{`"NotAction":"iam:*"`, "IAM:CreateUser", false},
		{`"NotAction":["iam:*","ivs:Delete*"]`, "ivs:DeleteChannel", false},
		{`"NotAction":["iam:*","ivs:Delete*"]`, "ivs:GetChannel", true},
		{`"NotAction":"*"`, "ivs:GetChannel", false},
	} {
		got := policiesOf(t, statement(c.element+`,"Resource":"*"`)).Decide(&policy.Request{Action: c.action, Resource: channelARN}).Verdict == policy.Allowed
		if got != c.want {
			t.Errorf("%s allows %s: %v", c.element, c.action, got)
		}
	}
}

// TestResources: "Split pattern and ARN into six at the first five colons and match each part by itself; a * in parts 1-5
// does not eat a colon. A lone * matches everything"; variables expand "after the fifth colon"; "a Resource holding [an
// unresolvable one] matches nothing" (errata.md A3).
func TestResources(t *testing.T) {
	t.Parallel()
	const topic = "arn:aws:sns:us-west-2:111122223333:a:b/c"
	for _, c := range []struct {
		element, resource string
		want              bool
	}{
		{`"Resource":"*"`, channelARN, true},
		{`"Resource":"*"`, "*", true},
		{`"Resource":"` + channelARN + `"`, channelARN, true},
		{`"Resource":"` + channelARN + `"`, channelARN + "x", false},
		{`"Resource":"` + channelARN + `"`, "*", false},
		{`"Resource":"arn:aws:ivs:us-west-2:111122223333:channel/*"`, channelARN, true},
		{`"Resource":"arn:aws:ivs:us-west-2:111122223333:channel/*"`, "arn:aws:ivs:us-west-2:111122223333:channel/*", true},
		{`"Resource":"` + channelARN + `"`, "arn:aws:ivs:us-west-2:111122223333:channel/*", false},
		{`"Resource":"arn:aws:ivs:us-west-2:111122223333:channel/*"`, "arn:aws:ivs:us-west-2:111122223333:stream-key/x", false},
		{`"Resource":"arn:aws:ivs:us-west-2:111122223333:Channel/*"`, channelARN, false},
		{`"Resource":"arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmX?"`, channelARN, true},
		{`"Resource":"arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc?"`, channelARN, false},
		{`"Resource":"arn:aws:ivs:*:*:channel/*"`, channelARN, true},
		{`"Resource":"arn:aws:ivs:us-*-2:*:channel/*"`, channelARN, true},
		{`"Resource":"arn:aws:ivs:eu-*:*:channel/*"`, channelARN, false},
		{`"Resource":"arn:*:ivs:*:*:*"`, channelARN, true},
		{`"Resource":"arn:aws:ivs:*:channel/*"`, channelARN, false},
		{`"Resource":"arn:aws:ivs:us-west-2*:channel/*"`, channelARN, false},
		{`"Resource":"arn:aws:ivs:us-west-2:11112222333?:channel/*"`, channelARN, true},
		{`"Resource":"arn:aws:ivs:us-west-2:*:*/hT4kPz81QmXc"`, channelARN, true},
		{`"Resource":"arn:aws:ivs:us-west-2:*:*"`, channelARN, true},
		{`"Resource":"arn:aws:sns:*:*:a*"`, topic, true},
		{`"Resource":"arn:aws:sns:*:*:a:*"`, topic, true},
		{`"Resource":"arn:aws:sns:*:*:*c"`, topic, true},
		{`"Resource":"arn:aws:sns:*:*:a"`, topic, false},
		{`"Resource":"arn:aws:sns"`, topic, true},
		{`"Resource":"arn:aws:sns:eu-west-1"`, topic, false},
		{`"Resource":"arn:aws:ivs:us-west-2"`, channelARN, true},
		{`"Resource":["arn:aws:sns:*:*:*","arn:aws:ivs:*:*:channel/*"]`, channelARN, true},
		{`"Resource":["arn:aws:sns:*:*:*","arn:aws:sqs:*:*:*"]`, channelARN, false},
		{`"NotResource":"arn:aws:ivs:*:*:channel/*"`, channelARN, false},
		{`"NotResource":"arn:aws:ivs:*:*:stream-key/*"`, channelARN, true},
		{`"NotResource":["arn:aws:sns:*:*:*","arn:aws:ivs:*:*:channel/*"]`, channelARN, false},
		{`"NotResource":"*"`, channelARN, false},
		{`"Resource":"arn:aws:iam::111122223333:user/${aws:username}"`, "arn:aws:iam::111122223333:user/alice", true},
		{`"Resource":"arn:aws:iam::111122223333:user/${aws:username}"`, "arn:aws:iam::111122223333:user/bob", false},
		{`"Resource":"arn:aws:iam::111122223333:user/*/${aws:username}"`, "arn:aws:iam::111122223333:user/x/y/alice", true},
		{`"Resource":"arn:aws:iam::111122223333:user/${aws:nobody}"`, "arn:aws:iam::111122223333:user/", false},
		{`"Resource":"arn:aws:iam::111122223333:user/*${aws:nobody}"`, "arn:aws:iam::111122223333:user/alice", false},
		{`"Resource":"arn:aws:iam::111122223333:user/${aws:nobody, 'alice'}"`, "arn:aws:iam::111122223333:user/alice", true},
		{`"Resource":"arn:aws:iam::${aws:PrincipalAccount}:user/alice"`, "arn:aws:iam::111122223333:user/alice", false},
		{`"Resource":"arn:aws:iam::111122223333:user/${*}"`, "arn:aws:iam::111122223333:user/alice", false},
		{`"Resource":"arn:aws:iam::111122223333:user/${*}"`, "arn:aws:iam::111122223333:user/*", true},
	} {
		r := &policy.Request{Action: "ivs:GetChannel", Resource: c.resource, Context: keys("aws:username", "alice", "aws:PrincipalAccount", "111122223333")}
		if got := policiesOf(t, statement(`"Action":"*",`+c.element)).Decide(r).Verdict == policy.Allowed; got != c.want {
			t.Errorf("%s allows %s: %v", c.element, c.resource, got)
		}
	}
}

// TestVersions: "Version 2008-10-17 or no Version: ${…} is literal text" (errata.md A3).
func TestVersions(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{`"Version":"2012-10-17",`: true, `"Version":"2008-10-17",`: false, ``: false} {
		text := `{` + version + `"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::1:user/${aws:username}"}]}`
		p := policiesOf(t, text)
		for name, resource := range map[string]string{"alice": "arn:aws:iam::1:user/alice", "literally": "arn:aws:iam::1:user/${aws:username}"} {
			got := p.Decide(&policy.Request{Action: "iam:GetUser", Resource: resource, Context: alice()}).Verdict == policy.Allowed
			if got != (want == (name == "alice")) {
				t.Errorf("%s allows %s: %v", text, name, got)
			}
		}
	}
	late := `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::1:user/${aws:username}"}],"Version":"2012-10-17"}`
	if policiesOf(t, late).Decide(&policy.Request{Action: "iam:GetUser", Resource: "arn:aws:iam::1:user/alice", Context: alice()}).Verdict != policy.Allowed {
		t.Error("a version behind the statements is not read")
	}
}

// TestLayers: "any matching Deny wins; else any matching Allow; else implicit deny"; "a session's policies intersect"
// (neighbours.md 3), and the sentences in which somebody is refused.
func TestLayers(t *testing.T) {
	t.Parallel()
	get, list := statement(`"Action":"ivs:Get*","Resource":"*"`), statement(`"Action":"ivs:List*","Resource":"*"`)
	for name, c := range map[string]struct {
		identity, boundary, session []string // nil: there is none
		want                        string   // "" allowed
	}{
		"nothing":                   {nil, nil, nil, "because no identity-based policy allows the ivs:GetChannel action"},
		"other":                     {[]string{list}, nil, nil, "because no identity-based policy allows the ivs:GetChannel action"},
		"allowed":                   {[]string{list, get}, nil, nil, ""},
		"denied":                    {[]string{get, nothing}, nil, nil, "with an explicit deny in an identity-based policy"},
		"denied first":              {[]string{nothing, get}, nil, nil, "with an explicit deny in an identity-based policy"},
		"session allows":            {[]string{everything}, nil, []string{list, get}, ""},
		"session allows other":      {[]string{everything}, nil, []string{list}, "because no session policy allows the ivs:GetChannel action"},
		"session allows nothing":    {[]string{everything}, nil, []string{}, "because no session policy allows the ivs:GetChannel action"},
		"session alone":             {nil, nil, []string{everything}, "because no identity-based policy allows the ivs:GetChannel action"},
		"session denies":            {[]string{everything}, nil, []string{everything, nothing}, "with an explicit deny in a session policy"},
		"boundary allows":           {[]string{everything}, []string{get}, nil, ""},
		"boundary allows other":     {[]string{everything}, []string{list}, nil, "because no permissions boundary allows the ivs:GetChannel action"},
		"boundary alone":            {nil, []string{everything}, nil, "because no identity-based policy allows the ivs:GetChannel action"},
		"boundary denies":           {[]string{everything}, []string{nothing}, nil, "with an explicit deny in a permissions boundary"},
		"boundary and session":      {[]string{everything}, []string{get}, []string{get}, ""},
		"boundary or session":       {[]string{everything}, []string{get}, []string{list}, "because no session policy allows the ivs:GetChannel action"},
		"a deny before what is not": {[]string{list}, nil, []string{nothing}, "with an explicit deny in a session policy"},
		"every layer but the first": {[]string{list}, []string{get}, []string{get}, "because no identity-based policy allows the ivs:GetChannel action"},
	} {
		p := policiesOf(t, c.identity...)
		if c.boundary != nil {
			p.Boundary = sourcesOf(t, c.boundary...)
		}
		if c.session != nil {
			p.Session = sourcesOf(t, c.session...)
		}
		got := p.Decide(&policy.Request{Action: "ivs:GetChannel", Resource: channelARN})
		if text := got.Because("ivs:GetChannel"); (c.want == "") != (got.Verdict == policy.Allowed) || c.want != "" && text != c.want {
			t.Errorf("%s: %v %q, want %q", name, got.Verdict, text, c.want)
		}
	}
}

// TestTagPolicy is the example of ivs.md 18.2.
func TestTagPolicy(t *testing.T) {
	t.Parallel()
	p := policiesOf(t, `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":["ivs:GetChannel","ivs:UpdateChannel"],"Resource":"arn:aws:ivs:*:*:channel/*",
  "Condition":{"StringEquals":{"aws:ResourceTag/Owner":"${aws:username}"}}},
 {"Effect":"Allow","Action":["ivs:CreateChannel","ivs:TagResource"],"Resource":"*",
  "Condition":{"StringEquals":{"aws:RequestTag/Team":"live"},"ForAllValues:StringEquals":{"aws:TagKeys":["Team","Owner"]}}}]}`)
	for _, c := range []struct {
		action string
		keys   policy.Entries
		want   bool
	}{
		{"ivs:GetChannel", keys("aws:ResourceTag/Owner", "alice"), true},
		{"ivs:GetChannel", keys("aws:ResourceTag/owner", "alice"), true},
		{"ivs:GetChannel", keys("aws:ResourceTag/Owner", "Alice"), false},
		{"ivs:GetChannel", nil, false},
		{"ivs:DeleteChannel", keys("aws:ResourceTag/Owner", "alice"), false},
		{"ivs:CreateChannel", keys("aws:RequestTag/Team", "live", "aws:TagKeys", "Team"), true},
		{"ivs:CreateChannel", keys("aws:RequestTag/Team", "live", "aws:RequestTag/Owner", "x", "aws:TagKeys", "Team", "aws:TagKeys", "Owner"), true},
		{"ivs:CreateChannel", keys("aws:RequestTag/Team", "live", "aws:TagKeys", "Team", "aws:TagKeys", "Cost"), false},
		{"ivs:CreateChannel", keys("aws:RequestTag/Team", "dead", "aws:TagKeys", "Team"), false},
		{"ivs:CreateChannel", nil, false},
		{"ivs:TagResource", keys("aws:RequestTag/Team", "live", "aws:TagKeys", "Team"), true},
		{"ivs:TagResource", keys("aws:RequestTag/Owner", "mallory", "aws:TagKeys", "Owner"), false},
	} {
		context := policy.Layered{Over: c.keys, Under: alice()}
		if got := p.Decide(&policy.Request{Action: c.action, Resource: channelARN, Context: context}).Verdict == policy.Allowed; got != c.want {
			t.Errorf("%s with %v: %v", c.action, c.keys, got)
		}
	}
}

// TestExplain: the statements that decided, with their places in the text, and the keys that were not given.
func TestExplain(t *testing.T) {
	t.Parallel()
	identity := "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"ivs:*\",\"Resource\":\"*\"},\n" +
		"  {\"Sid\":\"Own\",\"Effect\":\"Allow\",\"Action\":\"ivs:Get*\",\"Resource\":\"arn:aws:ivs:*:*:channel/${aws:userid, 'é'}*\",\n" +
		"   \"Condition\":{\"StringLike\":{\"aws:UserName\":\"*\",\"aws:ResourceTag/Owner\":\"${AWS:username}\"}}}]}"
	deny := `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "ivs:Delete*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": false}}}}`
	p := policiesOf(t, identity, deny)
	context := keys("aws:username", "alice", "aws:userid", "hT4k", "aws:ResourceTag/owner", "alice")
	first := policy.Match{Source: "policy1", Start: policy.Position{Line: 1, Column: 38}, End: policy.Position{Line: 1, Column: 87}}
	own := policy.Match{Source: "policy1", Sid: "Own", Start: policy.Position{Line: 2, Column: 3}, End: policy.Position{Line: 3, Column: 93}}
	denial := policy.Match{Source: "policy2", Start: policy.Position{Line: 1, Column: 40}, End: policy.Position{Line: 1, Column: 154}}
	for _, c := range []struct {
		action, resource string
		keys             policy.Entries
		eval             string
		matched          []policy.Match
		missing          []string
	}{
		{"ivs:GetChannel", channelARN, context, "allowed", []policy.Match{first, own}, []string{"aws:SecureTransport"}},
		{"ivs:GetChannel", channelARN, nil, "allowed", []policy.Match{first}, []string{"aws:UserName", "aws:ResourceTag/Owner", "aws:userid", "aws:SecureTransport"}},
		{"ivs:DeleteChannel", channelARN, keys("aws:securetransport", "false"), "explicitDeny", []policy.Match{denial}, []string{"aws:UserName", "aws:ResourceTag/Owner", "aws:userid"}},
		{"iam:GetUser", "*", context, "implicitDeny", nil, []string{"aws:SecureTransport"}},
	} {
		e := p.Explain(&policy.Request{Action: c.action, Resource: c.resource, Context: c.keys})
		if e.Eval() != c.eval || !slices.Equal(e.Matched, c.matched) || !slices.Equal(e.Missing, c.missing) || !e.BoundaryAllows {
			t.Errorf("%s with %v: %s, missing %q, matched %+v", c.action, c.keys, e.Eval(), e.Missing, e.Matched)
		}
	}
	p.Boundary = sourcesOf(t, deny)
	if e := p.Explain(&policy.Request{Action: "ivs:GetChannel", Resource: channelARN}); e.Eval() != "implicitDeny" || e.BoundaryAllows || e.Matched != nil {
		t.Errorf("within a boundary that allows nothing: %+v", e)
	}
}

// TestTrust: who may assume a role by its trust policy and by his own.
func TestTrust(t *testing.T) {
	t.Parallel()
	user := &policy.Principal{Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/alice"}
	session := &policy.Principal{Account: "111122223333", ARN: "arn:aws:sts::111122223333:assumed-role/ops/s", Role: "arn:aws:iam::111122223333:role/x/ops"}
	may := statement(`"Action":"sts:AssumeRole","Resource":"*"`)
	const (
		untrusted = "because no role trust policy allows the sts:AssumeRole action"
		unallowed = "because no identity-based policy allows the sts:AssumeRole action"
	)
	for _, c := range []struct {
		principal string
		who       *policy.Principal
		own       []string
		want      string
	}{
		{`"Principal":{"AWS":"arn:aws:iam::111122223333:user/alice"}`, user, nil, ""},
		{`"Principal":{"AWS":["arn:aws:iam::111122223333:user/bob","arn:aws:iam::111122223333:user/alice"]}`, user, nil, ""},
		{`"Principal":{"AWS":"arn:aws:iam::111122223333:user/bob"}`, user, []string{everything}, untrusted},
		{`"Principal":{"AWS":"arn:aws:iam::111122223333:user/Alice"}`, user, []string{everything}, untrusted},
		{`"Principal":{"AWS":"111122223333"}`, user, []string{may}, ""},
		{`"Principal":{"AWS":"111122223333"}`, user, nil, unallowed},
		{`"Principal":{"AWS":"arn:aws:iam::111122223333:root"}`, user, []string{may}, ""},
		{`"Principal":{"AWS":"arn:aws:iam::111122223333:root"}`, user, nil, unallowed},
		{`"Principal":{"AWS":"999922223333"}`, user, []string{may}, untrusted},
		{`"Principal":"*"`, user, nil, ""},
		{`"Principal":{"AWS":"*"}`, user, nil, ""},
		{`"Principal":{"AWS":"arn:aws:iam::111122223333:user/alice"}`, user, []string{nothing}, "with an explicit deny in an identity-based policy"},
		{`"Principal":{"Service":"ec2.amazonaws.com"}`, user, []string{everything}, untrusted},
		{`"Principal":{"AWS":"arn:aws:iam::111122223333:role/x/ops"}`, session, nil, ""},
		{`"Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/ops/s"}`, session, nil, ""},
		{`"Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/ops/t"}`, session, []string{may}, untrusted},
		{`"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/bob"}`, user, nil, ""},
		{`"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/alice"}`, user, []string{may}, untrusted},
		{`"Principal":{"AWS":"*"},"Condition":{"StringEquals":{"sts:ExternalId":"7"}}`, user, nil, ""},
		{`"Principal":{"AWS":"*"},"Condition":{"StringEquals":{"sts:ExternalId":"8"}}`, user, []string{may}, untrusted},
	} {
		role, err := policy.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",`+c.principal+`}}`, policy.Trust)
		if err != nil {
			t.Fatal(err)
		}
		r := &policy.Request{Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/r", Principal: c.who, Policy: role, Context: keys("sts:ExternalId", "7")}
		got := policiesOf(t, c.own...).Decide(r)
		if text := got.Because(r.Action); (c.want == "") != (got.Verdict == policy.Allowed) || c.want != "" && text != c.want {
			t.Errorf("%s for %s with %v: %v %q", c.principal, c.who.ARN, c.own, got.Verdict, text)
		}
	}
	role, err := policy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"},
		{"Effect":"Deny","Action":"sts:*","Principal":{"AWS":"arn:aws:iam::111122223333:root"}}]}`, policy.Trust)
	if err != nil {
		t.Fatal(err)
	}
	got := policiesOf(t, everything).Decide(&policy.Request{Action: "sts:AssumeRole", Principal: user, Policy: role})
	if got.Verdict != policy.Denied || got.Because("") != "with an explicit deny in the role trust policy" {
		t.Errorf("a trust policy that denies: %+v", got)
	}
}

// TestResourcePolicies: a topic's policy that names who asks is as good as his own; one that names his account leaves it
// to that.
func TestResourcePolicies(t *testing.T) {
	t.Parallel()
	user := &policy.Principal{Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/alice"}
	for principal, want := range map[string]bool{
		`{"AWS":"arn:aws:iam::111122223333:user/alice"}`: true, `{"AWS":"111122223333"}`: false, `"*"`: true, `{"AWS":"arn:aws:iam::111122223333:user/bob"}`: false,
	} {
		d, err := policy.Parse(`{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID","Effect":"Allow","Principal":`+principal+
			`,"Action":["SNS:Publish"],"Resource":"arn:aws:sns:us-west-2:111122223333:t"}]}`, policy.Resource)
		if err != nil {
			t.Fatal(err)
		}
		r := &policy.Request{Action: "sns:Publish", Resource: "arn:aws:sns:us-west-2:111122223333:t", Principal: user, Policy: d}
		if got := policiesOf(t).Decide(r).Verdict == policy.Allowed; got != want {
			t.Errorf("%s: %v", principal, got)
		}
		r.Resource = "arn:aws:sns:us-west-2:111122223333:u"
		if policiesOf(t).Decide(r).Verdict == policy.Allowed {
			t.Errorf("%s allows another topic", principal)
		}
		if got := policiesOf(t, nothing).Decide(r); !got.Explicit {
			t.Errorf("%s: %+v where the user is denied everything", principal, got)
		}
	}
}
