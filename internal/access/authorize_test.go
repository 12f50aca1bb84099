package access

import (
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

// question of a principal about a resource that is there.
func accessOf(p awsapi.Principal, action string, of arn.ARN, beside *awsapi.Beside) awsapi.Access {
	return awsapi.Access{
		Caller: &awsapi.Caller{Scope: arn.Scope{Region: "us-west-2", Account: account}, Principal: p, Action: action, Request: awsapi.Request{Time: time.Now()}},
		Target: &awsapi.Target{Type: of.Type, ARN: of}, TagsKnown: true, Beside: beside,
	}
}

// TestRolesTrust: a role's own policy says who may assume it; who is named by his account only has to be allowed by his
// policies too.
func TestRolesTrust(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	user := resource.User{Account: account, ID: "AIDAALICE", Path: "/", Name: "alice"}
	put(t, e.Users, user.ID, user)
	role := resource.Role{Account: account, Path: "/x/", Name: "ops"}.ARN()
	trust := func(rest string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":` + rest + `}}`
	}
	byName, byAccount := trust(`{"AWS":"arn:aws:iam::111122223333:user/alice"}`), trust(`{"AWS":"111122223333"}`)
	outside := trust(`"*","Condition":{"StringEquals":{"sts:ExternalId":"7"}}`)
	const untrusted, unallowed = "because no role trust policy allows the sts:AssumeRole action", "because no identity-based policy allows the sts:AssumeRole action"
	asked := func(trust, externalID, want string) {
		t.Helper()
		b := &awsapi.Beside{Policy: trust, Trust: true, Keys: map[string][]string{"sts:ExternalId": {externalID}}}
		err := e.Authorize(t.Context(), accessOf(alice(), "sts:AssumeRole", role, b))
		if want == "" && err != nil || want != "" && (!fault.Is(err, fault.Denied) || fault.Message(err) != want) {
			t.Errorf("%s: %v, want %q", trust, err, want)
		}
	}
	asked(byName, "", "")
	asked(byAccount, "", unallowed)
	asked(outside, "7", "")
	asked(outside, "8", untrusted)
	asked(strings.Replace(byName, "alice", "bob", 1), "", untrusted)
	asked("", "", "with an explicit deny in the role trust policy")
	asked("no policy", "", "with an explicit deny in the role trust policy")
	user.Inline = map[string]string{"own": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"arn:aws:iam::111122223333:role/x/*"}}`}
	put(t, e.Users, user.ID, user)
	asked(byAccount, "", "")
	asked(outside, "8", untrusted)
	user.Inline["deny"] = denyAll
	put(t, e.Users, user.ID, user)
	asked(byName, "", "with an explicit deny in an identity-based policy")
}

// TestTopicsPolicy: what the policy of a resource allows needs no policy of the caller.
func TestTopicsPolicy(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	put(t, e.Users, "AIDAALICE", resource.User{Account: account, ID: "AIDAALICE", Path: "/", Name: "alice"})
	topic := arn.ARN{Service: "sns", Scope: arn.Scope{Region: "us-west-2", Account: account}, ID: "t"}
	for _, c := range []struct {
		beside *awsapi.Beside
		may    bool
	}{
		{nil, false},
		{&awsapi.Beside{}, false},
		{&awsapi.Beside{Policy: `{"Statement":{"Effect":"Allow","Principal":"*","Action":"sns:Publish","Resource":"` + topic.String() + `"}}`}, true},
		{&awsapi.Beside{Policy: `{"Statement":{"Effect":"Allow","Principal":"*","Action":"sns:Subscribe","Resource":"` + topic.String() + `"}}`}, false},
		{&awsapi.Beside{Policy: `no policy`}, false},
	} {
		err := e.Authorize(t.Context(), accessOf(alice(), "sns:Publish", topic, c.beside))
		if (err == nil) != c.may || err != nil && !fault.Is(err, fault.Denied) {
			t.Errorf("%+v: %v", c.beside, err)
		}
	}
}

// TestOwners: the owner of an account may do everything, whatever is brought against it, and nobody may who has not signed.
func TestOwners(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	of := arn.Channel(arn.Scope{Region: "us-west-2", Account: account}, "hT4kPz81QmXc")
	deny := &awsapi.Beside{Policy: `{"Statement":{"Effect":"Deny","Principal":"*","Action":"*"}}`}
	if err := e.Authorize(t.Context(), accessOf(awsapi.Principal{Account: account}, "ivs:DeleteChannel", of, deny)); err != nil {
		t.Error(err)
	}
	err := e.Authorize(t.Context(), accessOf(awsapi.Principal{Kind: awsapi.PrincipalAnonymous}, "ivs:GetChannel", of, nil))
	if !fault.Is(err, fault.Denied) {
		t.Error(err)
	}
	if s := e.Stats(); s != (Stats{}) {
		t.Errorf("%+v", s)
	}
}

// BenchmarkAuthorize: what a decision adds to a call, allowed and denied.
func BenchmarkAuthorize(b *testing.B) {
	e := newEnv(b)
	user := resource.User{Account: account, ID: "AIDAALICE", Path: "/", Name: "alice", Inline: map[string]string{"own": `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["ivs:GetChannel","ivs:UpdateChannel"],"Resource":"arn:aws:ivs:*:*:channel/*",
		"Condition":{"StringEquals":{"aws:ResourceTag/Owner":"${aws:username}"},"Bool":{"aws:SecureTransport":"true"}}}]}`}}
	put(b, e.Users, user.ID, user)
	of := arn.Channel(arn.Scope{Region: "us-west-2", Account: account}, "hT4kPz81QmXc")
	for name, owner := range map[string]string{"allowed": "alice", "denied": "bob"} {
		a := accessOf(alice(), "ivs:GetChannel", of, nil)
		a.Tags, a.Caller.Request.Secure = map[string]string{"Owner": owner}, true
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := e.Authorize(b.Context(), a); (err == nil) != (name == "allowed") {
					b.Fatal(err)
				}
			}
		})
	}
	root := accessOf(awsapi.Principal{Account: account}, "ivs:GetChannel", of, nil)
	b.Run("owner", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := e.Authorize(b.Context(), root); err != nil {
				b.Fatal(err)
			}
		}
	})
}
