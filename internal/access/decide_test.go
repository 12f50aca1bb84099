package access

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/policy"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

const (
	account = "111122223333"
	channel = "arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc"
	getAll  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ivs:Get*","Resource":"*"}}`
	listAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ivs:List*","Resource":"*"}}`
	denyAll = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`
)

// env is an Authorizer on real records.
type env struct {
	*Authorizer
	records.IAM
}

func newEnv(tb testing.TB) *env {
	tb.Helper()
	conn, err := natsd.Start(tb.Context(), natsd.Options{Dir: tb.TempDir()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	return newEnvOn(tb, conn)
}

// newEnvOn is an Authorizer with a store of its own on an engine, as each node has one.
func newEnvOn(tb testing.TB, conn *natsd.Conn) *env {
	tb.Helper()
	s, err := store.Open(tb.Context(), conn, store.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	iam, err := records.OpenIAM(tb.Context(), s)
	if err != nil {
		tb.Fatal(err)
	}
	return &env{New(Options{Records: iam, AsOf: s.FactsAsOf, Logger: slog.New(slog.DiscardHandler)}), iam}
}

// put writes a record whether it is there or not.
func put[T any](tb testing.TB, table *store.Table[T], id string, v T) {
	tb.Helper()
	key := records.IAMKey(account, id)
	_, err := table.Create(tb.Context(), key, v)
	if fault.Is(err, fault.Conflict) {
		_, err = table.Update(tb.Context(), key, func(T) (T, error) { return v, nil })
	}
	if err != nil {
		tb.Fatal(err)
	}
}

func alice() awsapi.Principal {
	return awsapi.Principal{Account: account, AccessKeyID: "AKIA1", Kind: awsapi.PrincipalUser, Name: "alice", Path: "/", ID: "AIDAALICE"}
}

// verdict asks whether a principal may do something to a channel.
func (e *env) verdict(t *testing.T, p awsapi.Principal, action string) policy.Decision {
	t.Helper()
	d, err := e.decide(t.Context(), &question{action: action, resource: channel, keys: keys{principal: &p}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (e *env) want(t *testing.T, p awsapi.Principal, action string, want policy.Verdict) {
	t.Helper()
	if got := e.verdict(t, p, action); got.Verdict != want {
		t.Errorf("%s of %s: %v %s, want %v", action, p.ARN(), got.Verdict, got.Because(action), want)
	}
}

// TestChangesActAtOnce: whatever record a policy comes from, the decision behind the write knows it.
func TestChangesActAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	const get, list = "ivs:GetChannel", "ivs:ListChannels"
	e.want(t, alice(), get, policy.Denied) // no record
	user := resource.User{Account: account, ID: "AIDAALICE", Path: "/", Name: "alice"}
	put(t, e.Users, user.ID, user)
	e.want(t, alice(), get, policy.Denied)

	user.Inline = map[string]string{"own": getAll}
	put(t, e.Users, user.ID, user)
	e.want(t, alice(), get, policy.Allowed)
	e.want(t, alice(), list, policy.Denied)

	group := resource.Group{Account: account, ID: "AGPA1", Path: "/", Name: "team", Inline: map[string]string{"list": listAll}}
	put(t, e.Groups, group.ID, group)
	user.Groups = []string{group.ID}
	put(t, e.Users, user.ID, user)
	e.want(t, alice(), list, policy.Allowed)
	group.Inline = nil
	put(t, e.Groups, group.ID, group)
	e.want(t, alice(), list, policy.Denied)

	managed := resource.ManagedPolicy{
		Account: account, ID: "ANPA1", Path: "/", Name: "lists", Default: 1,
		Versions: []resource.PolicyVersion{{Number: 1, Document: listAll}, {Number: 2, Document: denyAll}},
	}
	put(t, e.IAM.Policies, managed.ID, managed)
	user.Attached = []string{managed.ARN().String()}
	put(t, e.Users, user.ID, user)
	e.want(t, alice(), list, policy.Allowed)
	managed.Default = 2
	put(t, e.IAM.Policies, managed.ID, managed)
	if got := e.verdict(t, alice(), get); !got.Explicit {
		t.Errorf("a version that denies is in effect, and the decision is %+v", got)
	}
	user.Attached = []string{"arn:aws:iam::aws:policy/IVSReadOnlyAccess"}
	put(t, e.Users, user.ID, user)
	e.want(t, alice(), get, policy.Allowed)
	e.want(t, alice(), "ivs:DeleteChannel", policy.Denied)

	managed.Default, managed.Versions[1].Document = 1, getAll
	put(t, e.IAM.Policies, managed.ID, managed)
	user.Boundary = managed.ARN().String()
	put(t, e.Users, user.ID, user)
	if got := e.verdict(t, alice(), get).Because(get); got != "because no permissions boundary allows the ivs:GetChannel action" {
		t.Error(got)
	}
	if _, err := e.IAM.Policies.Delete(t.Context(), records.IAMKey(account, managed.ID), nil); err != nil {
		t.Fatal(err)
	}
	if got := e.verdict(t, alice(), list); !got.Explicit {
		t.Errorf("a boundary that is gone: %+v", got)
	}
	if _, err := e.Users.Delete(t.Context(), records.IAMKey(account, user.ID), nil); err != nil {
		t.Fatal(err)
	}
	e.want(t, alice(), get, policy.Denied)
}

// TestOtherNodes: a node knows a change as soon as its own records have it.
func TestOtherNodes(t *testing.T) {
	t.Parallel()
	conn, err := natsd.Start(t.Context(), natsd.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	here, there := newEnvOn(t, conn), newEnvOn(t, conn)
	user := resource.User{Account: account, ID: "AIDAALICE", Path: "/", Name: "alice"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes := make(chan store.Change[resource.User], 8)
	go there.Users.Watch(ctx, func(c store.Change[resource.User]) { changes <- c })
	for _, c := range []struct {
		document string
		want     policy.Verdict
	}{{denyAll, policy.Denied}, {getAll, policy.Allowed}, {listAll, policy.Denied}} {
		user.Inline = map[string]string{"own": c.document}
		put(t, here.Users, user.ID, user)
		here.want(t, alice(), "ivs:GetChannel", c.want)
		for change := range changes {
			if change.New.Inline["own"] == c.document {
				break
			}
		}
		there.want(t, alice(), "ivs:GetChannel", c.want)
	}
}

// TestRolesAndSessions: a session may do what its role may, and no more than its own policies allow.
func TestRolesAndSessions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	role := resource.Role{Account: account, ID: "AROA1", Path: "/x/", Name: "ops", Inline: map[string]string{"get": getAll, "list": listAll}}
	put(t, e.Roles, role.ID, role)
	p := awsapi.Principal{Account: account, AccessKeyID: "ASIA1", Kind: awsapi.PrincipalRole, Name: "ops", Path: "/x/", ID: role.ID, Session: "s", Issued: time.Now()}
	e.want(t, p, "ivs:GetChannel", policy.Allowed)
	e.want(t, p, "ivs:ListChannels", policy.Allowed)
	narrow := p
	narrow.AccessKeyID, narrow.SessionPolicies = "ASIA2", []string{getAll}
	e.want(t, narrow, "ivs:GetChannel", policy.Allowed)
	e.want(t, narrow, "ivs:ListChannels", policy.Denied)
	narrow.SessionPolicies = []string{listAll} // what has the same key is not taken for the same
	e.want(t, narrow, "ivs:ListChannels", policy.Allowed)
	e.want(t, narrow, "ivs:GetChannel", policy.Denied)
	narrow.SessionPolicies = []string{}
	e.want(t, narrow, "ivs:GetChannel", policy.Denied)
	narrow.SessionPolicies = []string{getAll, "no policy"}
	e.want(t, narrow, "ivs:GetChannel", policy.Denied)
	e.want(t, p, "ivs:ListChannels", policy.Allowed)
}

// TestWhatIsLacking: policies that are referred to and cannot be read deny everything, for they may have denied something.
func TestWhatIsLacking(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for name, change := range map[string]func(*resource.User){
		"attached": func(u *resource.User) { u.Attached = []string{"arn:aws:iam::" + account + ":policy/gone"} },
		"boundary": func(u *resource.User) { u.Boundary = "arn:aws:iam::" + account + ":policy/gone" },
		"group":    func(u *resource.User) { u.Groups = []string{"AGPAGONE"} },
		"broken":   func(u *resource.User) { u.Inline["broken"] = `{"Version":"2012-10-17"}` },
	} {
		user := resource.User{Account: account, ID: "AIDAALICE", Path: "/", Name: "alice", Inline: map[string]string{"own": getAll}}
		put(t, e.Users, user.ID, user)
		e.want(t, alice(), "ivs:GetChannel", policy.Allowed)
		change(&user)
		put(t, e.Users, user.ID, user)
		if got := e.verdict(t, alice(), "ivs:GetChannel"); !got.Explicit {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestBuiltIn: the policies that AWS has made for everybody are policies, and say what their names do.
func TestBuiltIn(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	user := resource.User{Account: account, ID: "AIDAALICE", Path: "/", Name: "alice"}
	put(t, e.Users, user.ID, user)
	for _, p := range resource.AWSManagedPolicies() {
		if _, err := policy.Parse(p.Document(), policy.Identity); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		user.Attached = []string{p.ARN().String()}
		put(t, e.Users, user.ID, user)
		e.want(t, alice(), "ivs:GetChannel", policy.Allowed)
		wanted := map[string]policy.Verdict{"IVSFullAccess": policy.Allowed, "AdministratorAccess": policy.Allowed}
		e.want(t, alice(), "ivs:DeleteChannel", wanted[p.Name])
	}
}

// TestKept: policies are put together once, and again when a table of identities has changed.
func TestKept(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	user := resource.User{Account: account, ID: "AIDAALICE", Path: "/", Name: "alice", Inline: map[string]string{"own": getAll}}
	put(t, e.Users, user.ID, user)
	for range 5 {
		e.want(t, alice(), "ivs:GetChannel", policy.Allowed)
	}
	if s := e.Stats(); s.Compiled != 1 || s.Reused != 4 || s.Allowed != 5 {
		t.Errorf("%+v", s)
	}
	put(t, e.Groups, "AGPA1", resource.Group{Account: account, ID: "AGPA1", Name: "team"})
	e.want(t, alice(), "ivs:GetChannel", policy.Allowed)
	e.want(t, alice(), "ivs:DeleteChannel", policy.Denied)
	if s := e.Stats(); s.Compiled != 2 || s.Reused != 5 || s.Allowed != 6 || s.Denied != 1 {
		t.Errorf("%+v", s)
	}
}

// TestPoliciesOf: the sources have the names that Simulate answers.
func TestPoliciesOf(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	put(t, e.Groups, "AGPA1", resource.Group{Account: account, ID: "AGPA1", Name: "team", Inline: map[string]string{"g": listAll}})
	put(t, e.Users, "AIDAALICE", resource.User{
		Account: account, ID: "AIDAALICE", Path: "/", Name: "alice", Inline: map[string]string{"b": getAll, "a": getAll},
		Attached: []string{"arn:aws:iam::aws:policy/IVSReadOnlyAccess"}, Groups: []string{"AGPA1"},
	})
	for _, c := range []struct {
		kind, id string
		want     []string
	}{
		{resource.KindUser, "AIDAALICE", []string{"user_alice_a", "user_alice_b", "IVSReadOnlyAccess", "group_team_g"}},
		{resource.KindGroup, "AGPA1", []string{"group_team_g"}},
		{resource.KindRole, "AROANOBODY", nil},
	} {
		all, err := e.PoliciesOf(t.Context(), account, c.kind, c.id)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, source := range all.Identity {
			names = append(names, source.Name)
		}
		if !slices.Equal(names, c.want) || all.Boundary != nil || all.Session != nil {
			t.Errorf("%s: %q", c.kind, names)
		}
	}
}

// TestKeys: each key of the context, for those who have it and those who have not.
func TestKeys(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	user := alice()
	user.Tags = map[string]string{"Team": "live"}
	role := awsapi.Principal{Account: account, Kind: awsapi.PrincipalRole, Name: "ops", Path: "/x/", ID: "AROA1", Session: "s", Issued: now.Add(-time.Hour)}
	root := awsapi.Principal{Account: account, Kind: awsapi.PrincipalRoot}
	of := func(p *awsapi.Principal) keys {
		return keys{
			principal: p, region: "us-west-2",
			request:     &awsapi.Request{Address: netip.MustParseAddr("203.0.113.7"), Secure: true, UserAgent: "aws-cli/2", Time: now},
			requestTags: map[string]string{"b": "2", "a": "1"}, resourceTags: map[string]string{"Owner": "alice"}, tagsKnown: true,
		}
	}
	const none = "\x00"
	for name, want := range map[string][3]string{ // of the user, the session and the owner
		"aws:username":               {"alice", none, none},
		"aws:userid":                 {"AIDAALICE", "AROA1:s", account},
		"aws:PrincipalArn":           {"arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:role/x/ops", "arn:aws:iam::111122223333:root"},
		"aws:PrincipalAccount":       {account, account, account},
		"aws:PrincipalType":          {"User", "AssumedRole", "Account"},
		"aws:PrincipalTag/team":      {"live", none, none},
		"aws:TokenIssueTime":         {none, "2026-01-02T02:04:05Z", none},
		"aws:MultiFactorAuthPresent": {none, "false", none},
		"aws:RequestTag/A":           {"1", "1", "1"},
		"aws:RequestTag/c":           {none, none, none},
		"aws:ResourceTag/owner":      {"alice", "alice", "alice"},
		"aws:ResourceTag/Team":       {none, none, none},
		"aws:TagKeys":                {"a,b", "a,b", "a,b"},
		"aws:RequestedRegion":        {"us-west-2", "us-west-2", "us-west-2"},
		"aws:SourceIp":               {"203.0.113.7", "203.0.113.7", "203.0.113.7"},
		"aws:SecureTransport":        {"true", "true", "true"},
		"aws:CurrentTime":            {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"},
		"aws:EpochTime":              {"1767323045", "1767323045", "1767323045"},
		"aws:UserAgent":              {"aws-cli/2", "aws-cli/2", "aws-cli/2"},
		"aws:ViaAWSService":          {"false", "false", "false"},
		"aws:SourceVpc":              {none, none, none},
	} {
		for i, p := range []*awsapi.Principal{&user, &role, &root} {
			k := of(p)
			condition := `{"Null":{"` + name + `":"true"}}`
			switch {
			case want[i] == "a,b":
				condition = `{"ForAllValues:StringEquals":{"` + name + `":["a","b"]},"ForAnyValue:StringEquals":{"` + name + `":["b"]}}`
			case want[i] != none:
				condition = `{"StringEquals":{"` + name + `":"` + want[i] + `"}}`
			}
			d, err := policy.Parse(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":`+condition+`}}`, policy.Identity)
			if err != nil {
				t.Fatal(err)
			}
			all := policy.Policies{Identity: []policy.Source{{Document: d}}}
			if all.Decide(&policy.Request{Action: "ivs:GetChannel", Context: &k}).Verdict != policy.Allowed {
				t.Errorf("%s of %s is not %q", name, p.ARN(), want[i])
			}
		}
	}
	untag := keys{principal: &user, tagKeys: []string{"Owner"}}
	owner, err := policy.Parse(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{
		"StringEquals":{"aws:ResourceTag/Owner":"alice"},"ForAllValues:StringEquals":{"aws:TagKeys":"Owner"}}}}`, policy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	all := policy.Policies{Identity: []policy.Source{{Document: owner}}}
	if got := all.Decide(&policy.Request{Action: "ivs:UntagResource", Context: &untag}).Verdict; got != policy.Depends {
		t.Errorf("before the tags of the resource are known: %v", got)
	}
}
