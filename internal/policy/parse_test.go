package policy_test

import (
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/policy"
)

// TestMalformed: what is no policy is refused, in IAM's words where they are known, and says what is wrong with it.
func TestMalformed(t *testing.T) {
	t.Parallel()
	const syntax = "Syntax errors in policy."
	ok := `"Effect":"Allow","Action":"ivs:*","Resource":"*"`
	of := func(statement string) string { return `{"Version":"2012-10-17","Statement":{` + statement + `}}` }
	under := func(condition string) string { return of(ok + `,"Condition":` + condition) }
	for _, c := range []struct{ text, want string }{
		{``, "This policy contains invalid Json"},
		{`{`, "This policy contains invalid Json"},
		{`{"Version":"2012-10-17",}`, "This policy contains invalid Json"},
		{of(ok) + `x`, "This policy contains invalid Json"},
		{"{\"Version\":\"2012-10-17\xff\"}", "This policy contains invalid Json"},
		{`[]`, syntax},
		{`"a"`, syntax},
		{`null`, syntax},
		{`{}`, syntax},
		{`{"Version":"2012-10-17"}`, syntax},
		{`{"Version":"2013-10-17","Statement":{` + ok + `}}`, `There is no version "2013-10-17" of the policy language.`},
		{`{"Version":20121017,"Statement":{` + ok + `}}`, syntax},
		{`{"Version":"2012-10-17","Version":"2012-10-17","Statement":{` + ok + `}}`, `There are two elements "Version" in one object.`},
		{`{"Version":"2012-10-17","Id":{},"Statement":{` + ok + `}}`, syntax},
		{`{"Version":"2012-10-17","Statements":{` + ok + `}}`, `A policy has no element "Statements".`},
		{`{"Version":"2012-10-17","statement":{` + ok + `}}`, syntax},
		{`{"Version":"2012-10-17","Statement":["afd"]}`, syntax},
		{`{"Version":"2012-10-17","Statement":"afd"}`, syntax},
		{of(``), "Policy statement must contain actions."},
		{of(ok + `,"Extra":1`), `A Statement has no element "Extra".`},
		{of(`"Effect":"allow","Action":"ivs:*","Resource":"*"`), "An Effect is Allow or Deny."},
		{of(`"Action":"ivs:*","Resource":"*"`), "An Effect is Allow or Deny."},
		{of(`"Effect":["Allow"],"Action":"ivs:*","Resource":"*"`), syntax},
		{of(`"Effect":"Allow","Effect":"Allow","Action":"ivs:*","Resource":"*"`), syntax},
		{of(`"Effect":"Allow","Resource":"*"`), "Policy statement must contain actions."},
		{of(`"Effect":"Allow","Action":[],"Resource":"*"`), "Policy statement must contain actions."},
		{of(`"Effect":"Allow","Action":{},"Resource":"*"`), syntax},
		{of(`"Effect":"Allow","Action":[[]],"Resource":"*"`), syntax},
		{of(`"Effect":"Allow","Action":7,"Resource":"*"`), syntax},
		{of(`"Effect":"Allow","Action":"GetChannel","Resource":"*"`), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
		{of(`"Effect":"Allow","NotAction":"","Resource":"*"`), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
		{of(`"Effect":"Allow","Action":"a a:Get","Resource":"*"`), "Vendor a a is not valid"},
		{of(`"Effect":"Allow","Action":":Get","Resource":"*"`), "Vendor  is not valid"},
		{of(`"Effect":"Allow","Action":"iv*:Get","Resource":"*"`), "Vendor iv* is not valid"},
		{of(`"Effect":"Allow","Action":"ivs:Get:Channel","Resource":"*"`), "Actions/Condition can contain only one colon."},
		{of(ok + `,"NotAction":"ivs:*"`), "An element and its opposite exclude each other."},
		{of(ok + `,"NotResource":[]`), "An element and its opposite exclude each other."},
		{of(`"Effect":"Allow","Action":"ivs:*"`), "Policy statement must contain resources."},
		{of(`"Effect":"Allow","Action":"ivs:*","Resource":[]`), "Policy statement must contain resources."},
		{of(`"Effect":"Allow","Action":"ivs:*","Resource":"channel"`), `Resource channel must be in ARN format or "*".`},
		{of(`"Effect":"Allow","Action":"ivs:*","Resource":""`), `Resource  must be in ARN format or "*".`},
		{of(`"Effect":"Allow","Action":"ivs:*","Resource":"arn"`), `Resource arn must be in ARN format or "*".`},
		{of(`"Effect":"Allow","Action":"ivs:*","Resource":"arn:aws"`), "Resource vendor must be fully qualified and cannot contain regexes."},
		{of(`"Effect":"Allow","Action":"ivs:*","Resource":"arn:aws:*:us-west-2:1:x"`), "Resource vendor must be fully qualified and cannot contain regexes."},
		{of(`"Effect":"Allow","Action":"ivs:*","Resource":"arn:aws:iv?:us-west-2:1:x"`), "Resource vendor must be fully qualified and cannot contain regexes."},
		{of(`"Effect":"Allow","Action":"ivs:*","Resource":"arn:aws:iam::1:user/${aws:username"`), "A policy variable has no end: ${aws:username"},
		{of(`"Effect":"Allow","Action":"ivs:*","Resource":"arn:aws:iam::1:user/${}"`), "A policy variable has no name: ${}"},
		{of(`"Effect":"Allow","Action":"ivs:*","Resource":"arn:aws:iam::1:user/${aws:username, x}"`), "The default of a policy variable is not in single quotes"},
		{of(`"Effect":"Allow","Action":"ivs:*","Resource":"arn:aws:iam::1:user/${aws:username, '}"`), "A policy variable has no end"},
		{of(ok + `,"Principal":"*"`), "Policy document should not specify a principal."},
		{of(ok + `,"Sid":"a-b"`), "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"},
		{`{"Version":"2012-10-17","Statement":[{"Sid":"a",` + ok + `},{"Sid":"a",` + ok + `}]}`, "Statement IDs (SID) in a single policy must be unique."},
		{under(`[]`), syntax},
		{under(`"a"`), syntax},
		{under(`{"a":"b"}`), `There is no condition operator "a".`},
		{under(`{"StringEquals":"b"}`), syntax},
		{under(`{"stringequals":{"aws:username":"b"}}`), `There is no condition operator "stringequals".`},
		{under(`{"StringEquals":{"username":"b"}}`), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
		{under(`{"StringEquals":{"aws:username":{}}}`), syntax},
		{under(`{"StringEquals":{"aws:username":[["a"]]}}`), syntax},
		{under(`{"StringEquals":{"aws:username":null}}`), syntax},
		{under(`{"StringEquals":{"aws:username":"a"},"StringEquals":{"aws:username":"b"}}`), `There are two elements "StringEquals" in one object.`},
		{under(`{"NullIfExists":{"aws:username":"true"}}`), `There is no condition operator "NullIfExists".`},
		{under(`{"ForAllValues:Null":{"aws:username":"true"}}`), syntax},
		{under(`{"Null":{"aws:username":"maybe"}}`), "maybe is neither true nor false."},
		{under(`{"Bool":{"aws:username":"maybe"}}`), "maybe is neither true nor false."},
		{under(`{"ForSomeValues:StringEquals":{"aws:username":"a"}}`), syntax},
		{under(`{"NotStringEquals":{"aws:username":"a"}}`), syntax},
		{under(`{"StringEqualsNotIgnoreCase":{"aws:username":"a"}}`), syntax},
		{under(`{"StringLikeIgnoreCase":{"aws:username":"a"}}`), syntax},
		{under(`{"NumericNotLessThan":{"aws:username":"7"}}`), syntax},
		{under(`{"NumericLike":{"aws:username":"7"}}`), syntax},
		{under(`{"NotBool":{"aws:username":"true"}}`), syntax},
		{under(`{"StringEqualsIfExistsIfExists":{"aws:username":"a"}}`), syntax},
		{under(`{"NumericEquals":{"aws:username":"seven"}}`), "seven is not a number."},
		{under(`{"NumericEquals":{"aws:username":"1e999"}}`), "1e999 is not a number."},
		{under(`{"NumericEquals":{"aws:username":"${aws:EpochTime}"}}`), "is not a number."},
		{under(`{"DateEquals":{"aws:CurrentTime":"tomorrow"}}`), "tomorrow is not a date."},
		{under(`{"DateEquals":{"aws:CurrentTime":"2026-*"}}`), "2026-* is not a date."},
		{under(`{"DateEquals":{"aws:CurrentTime":"${aws:CurrentTime}"}}`), "is not a date."},
		{under(`{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}`), "10.0.0.0/33 is neither an IP address nor a range of them in CIDR form."},
		{under(`{"IpAddress":{"aws:SourceIp":"10.0.0.*"}}`), "is neither an IP address"},
		{under(`{"IpAddress":{"aws:SourceIp":"${aws:SourceIp}"}}`), "is neither an IP address"},
		{under(`{"IpAddress":{"aws:SourceIp":"fe80::1%eth0"}}`), "is neither an IP address"},
		{under(`{"BinaryEquals":{"ivs:b":"no base64"}}`), "no base64 is not base64."},
		{under(`{"ArnLike":{"aws:PrincipalArn":"user/alice"}}`), "user/alice is not in ARN format."},
		{under(`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam"}}`), "arn:aws:iam is not in ARN format."},
		{under(`{"StringEquals":{"aws:username":"${"}}`), "A policy variable has no end: ${"},
		{strings.Repeat(" ", 131072) + of(ok), "A policy document has at most 131072 bytes."},
		{of(`"Effect":"Allow","Action":[` + strings.Repeat(`"ivs:*",`, 5000) + `"ivs:*"],"Resource":"*"`), "A policy document has at most 4096 elements."},
		{strings.Repeat("[", 60000), "This policy contains invalid Json"},
	} {
		d, err := policy.Parse(c.text, policy.Identity)
		if d != nil || !fault.Is(err, fault.Malformed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.200s: %v, want %q", c.text, err, c.want)
		}
	}
}

// TestKinds: what a policy has to say, and may not, depends on what it is attached to.
func TestKinds(t *testing.T) {
	t.Parallel()
	const principal = `"Principal":{"AWS":"111122223333"},`
	for _, c := range []struct {
		kind       policy.Kind
		text, want string
	}{
		{policy.Trust, principal + `"Action":"sts:AssumeRole"`, ""},
		{policy.Trust, principal + `"Action":["sts:AssumeRole","sts:TagSession"],"Sid":""`, ""},
		{policy.Trust, `"Action":"sts:AssumeRole"`, "Missing required field Principal"},
		{policy.Trust, principal + `"Action":"sts:AssumeRole","Resource":"*"`, "Has prohibited field Resource"},
		{policy.Trust, principal + `"Action":"ivs:GetChannel"`, "AssumeRole policy may only specify STS AssumeRole actions."},
		{policy.Trust, principal + `"Action":"*"`, "AssumeRole policy may only specify STS AssumeRole actions."},
		{policy.Trust, principal + `"NotPrincipal":"*","Action":"sts:AssumeRole"`, "An element and its opposite exclude each other."},
		{policy.Trust, `"Principal":"alice","Action":"sts:AssumeRole"`, `Invalid principal in policy: "alice"`},
		{policy.Trust, `"Principal":{"AWS":"alice"},"Action":"sts:AssumeRole"`, `Invalid principal in policy: "AWS":"alice"`},
		{policy.Trust, `"Principal":{"AWS":"arn:aws:iam::111122223333:user/*"},"Action":"sts:AssumeRole"`, "Invalid principal in policy"},
		{policy.Trust, `"Principal":{"AWS":"arn:aws:iam::111122223333:group/x"},"Action":"sts:AssumeRole"`, "Invalid principal in policy"},
		{policy.Trust, `"Principal":{"AWS":"arn:aws:iam::1:user/x"},"Action":"sts:AssumeRole"`, "Invalid principal in policy"},
		{policy.Trust, `"Principal":{"AWS":[]},"Action":"sts:AssumeRole"`, "Invalid principal in policy"},
		{policy.Trust, `"Principal":{"Users":"x"},"Action":"sts:AssumeRole"`, `There are no principals of the kind "Users".`},
		{policy.Trust, `"Principal":{"AWS":7},"Action":"sts:AssumeRole"`, "Syntax errors in policy."},
		{policy.Trust, `"Principal":["*"],"Action":"sts:AssumeRole"`, "Syntax errors in policy."},
		{policy.Trust, `"Principal":{"Service":"ec2.amazonaws.com","Federated":"x","CanonicalUser":"y"},"Action":"sts:AssumeRole"`, ""},
		{policy.Resource, principal + `"Action":"sns:Publish","Resource":"*","Sid":"__default"`, ""},
		{policy.Resource, principal + `"Action":"sns:Publish"`, ""},
		{policy.Resource, principal + `"Action":"sns:Publish","Resource":[]`, "Policy statement must contain resources."},
		{policy.Resource, `"Action":"sns:Publish","Resource":"*"`, "Missing required field Principal"},
	} {
		_, err := policy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+c.text+`}]}`, c.kind)
		if c.want == "" && err != nil || c.want != "" && (!fault.Is(err, fault.Malformed) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
	if _, err := policy.Parse(`{"Statement":[]}`, policy.Identity); err != nil {
		t.Errorf("no statements: %v", err)
	}
}
