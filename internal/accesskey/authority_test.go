package accesskey_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/accesskey"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

const (
	account = "111122223333"
	rootID  = "AKIAROOTROOTROOTROOT"
)

// env is an authority over records of its own.
type env struct {
	*accesskey.Authority
	opts accesskey.Options
	now  atomic.Int64
}

func start(tb testing.TB) *env {
	tb.Helper()
	conn, err := natsd.Start(context.Background(), natsd.Options{Dir: tb.TempDir()})
	check(tb, err)
	tb.Cleanup(conn.Close)
	state, err := store.Open(context.Background(), conn, store.Options{})
	check(tb, err)
	tb.Cleanup(state.Close)
	e := &env{}
	e.now.Store(time.Date(2026, 5, 5, 21, 55, 38, 0, time.UTC).UnixNano())
	tables, err := records.OpenIAM(context.Background(), state)
	check(tb, err)
	e.opts = accesskey.Options{
		Records: tables, Key: bytes.Repeat([]byte{7}, 32), Root: accesskey.Root{ID: rootID, Secret: "root secret", Account: account},
		Clock: func() time.Time { return time.Unix(0, e.now.Load()).UTC() },
	}
	e.Authority, err = accesskey.New(e.opts)
	check(tb, err)
	return e
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func (e *env) advance(d time.Duration) { e.now.Add(int64(d)) }

// user stores a user with one key, and returns the key.
func (e *env) user(tb testing.TB) (u resource.User, id, secret string) {
	tb.Helper()
	id, secret = e.NewKey()
	u = resource.User{
		Account: account, ID: "AIDAAAAAAAAAAAAAAAAAA", Path: "/team/", Name: "bob", Tags: map[string]string{"Team": "live"},
		Keys: []resource.AccessKey{{ID: id, Active: true}},
	}
	_, err := e.opts.Records.Users.Create(tb.Context(), records.IAMKey(account, u.ID), u)
	check(tb, err)
	return u, id, secret
}

// role stores a role.
func (e *env) role(tb testing.TB) resource.Role {
	tb.Helper()
	r := resource.Role{
		Account: account, ID: "AROAAAAAAAAAAAAAAAAAA", Path: "/", Name: "editor", Tags: map[string]string{"Team": "live", "Cost": "1"},
	}
	_, err := e.opts.Records.Roles.Create(tb.Context(), records.IAMKey(account, r.ID), r)
	check(tb, err)
	return r
}

// change changes a user.
func (e *env) change(tb testing.TB, u resource.User, change func(*resource.User)) {
	tb.Helper()
	_, err := e.opts.Records.Users.Update(tb.Context(), records.IAMKey(account, u.ID), func(u resource.User) (resource.User, error) {
		change(&u)
		return u, nil
	})
	check(tb, err)
}

// wantUnrecognized checks the error of credentials that are not known.
func wantUnrecognized(tb testing.TB, err error) {
	tb.Helper()
	if !fault.Is(err, fault.Denied) {
		tb.Errorf("error %v, want one that the credentials are not known", err)
	}
}

func TestRootKey(t *testing.T) {
	t.Parallel()
	e := start(t)
	if secret, ok := e.Lookup(rootID); !ok || secret != "root secret" {
		t.Errorf("the root key's secret is %q, %v", secret, ok)
	}
	p, err := e.Principal(t.Context(), rootID, "")
	if err != nil || p.Kind != awsapi.PrincipalRoot || p.ARN() != "arn:aws:iam::111122223333:root" || p.UserID() != account {
		t.Errorf("%+v, error %v", p, err)
	}
	_, err = e.Principal(t.Context(), rootID, "a token")
	wantUnrecognized(t, err)
}

// TestUserKey: what the record says of a key counts from the moment it is written.
func TestUserKey(t *testing.T) {
	t.Parallel()
	e := start(t)
	if _, ok := e.Lookup("AKIAQQQQQQQQQQQQQQQQ"); ok {
		t.Error("a key that nobody has may sign")
	}
	u, id, secret := e.user(t)
	if got, ok := e.Lookup(id); !ok || got != secret || len(secret) != 40 || len(id) != 20 || !strings.HasPrefix(id, "AKIA") {
		t.Fatalf("%s: %q, %v, want %q", id, got, ok, secret)
	}
	p, err := e.Principal(t.Context(), id, "")
	check(t, err)
	if p.Kind != awsapi.PrincipalUser || p.ARN() != "arn:aws:iam::111122223333:user/team/bob" || p.UserID() != u.ID ||
		p.Tags["Team"] != "live" || !p.Issued.IsZero() || p.SessionPolicies != nil {
		t.Errorf("%+v", p)
	}
	_, err = e.Principal(t.Context(), id, "a token")
	wantUnrecognized(t, err)

	e.change(t, u, func(u *resource.User) { u.Keys[0].Active = false })
	if _, ok := e.Lookup(id); ok {
		t.Error("a key that was turned off may sign")
	}
	_, err = e.Principal(t.Context(), id, "")
	wantUnrecognized(t, err)

	e.change(t, u, func(u *resource.User) { u.Keys[0].Active = true })
	if _, ok := e.Lookup(id); !ok {
		t.Error("a key that was turned on again may not sign")
	}
	e.change(t, u, func(u *resource.User) { u.Keys = nil })
	if _, ok := e.Lookup(id); ok {
		t.Error("a deleted key may sign")
	}
}

func TestUserSession(t *testing.T) {
	t.Parallel()
	e := start(t)
	u, id, _ := e.user(t)
	caller, err := e.Principal(t.Context(), id, "")
	check(t, err)
	c, err := e.Temporary(accesskey.Session{Of: caller, Duration: time.Hour})
	check(t, err)
	if secret, ok := e.Lookup(c.AccessKeyID); !ok || secret != c.Secret || !strings.HasPrefix(c.AccessKeyID, "ASIA") {
		t.Errorf("%s: %q, %v, want %q", c.AccessKeyID, secret, ok, c.Secret)
	}
	p, err := e.Principal(t.Context(), c.AccessKeyID, c.Token)
	check(t, err)
	if p.Kind != awsapi.PrincipalUser || p.ID != u.ID || p.AccessKeyID != c.AccessKeyID || !p.Issued.Equal(e.opts.Clock()) {
		t.Errorf("%+v", p)
	}
	e.advance(time.Hour - time.Second)
	if _, err := e.Principal(t.Context(), c.AccessKeyID, c.Token); err != nil {
		t.Errorf("a second before its end: %v", err)
	}
	e.advance(time.Second)
	if _, err := e.Principal(t.Context(), c.AccessKeyID, c.Token); !fault.Is(err, fault.Expired) {
		t.Errorf("at its end: %v", err)
	}
}

func TestRoleSession(t *testing.T) {
	t.Parallel()
	e := start(t)
	r := e.role(t)
	const own = "arn:aws:iam::111122223333:policy/own"
	p := resource.ManagedPolicy{
		Account: account, ID: "ANPAAAAAAAAAAAAAAAAAA", Path: "/", Name: "own", Default: 2,
		Versions: []resource.PolicyVersion{{Number: 1, Document: "old"}, {Number: 2, Document: "new"}},
	}
	_, err := e.opts.Records.Policies.Create(t.Context(), records.IAMKey(account, p.ID), p)
	check(t, err)
	c, err := e.Temporary(accesskey.Session{
		Of:   awsapi.Principal{Account: account, Kind: awsapi.PrincipalRole, ID: r.ID},
		Name: "me@work", Policy: "inline", PolicyARNs: []string{own}, Tags: map[string]string{"team": "other"}, Transitive: []string{"team"},
		Duration: time.Hour,
	})
	check(t, err)
	got, err := e.Principal(t.Context(), c.AccessKeyID, c.Token)
	check(t, err)
	if got.ARN() != "arn:aws:sts::111122223333:assumed-role/editor/me@work" || got.UserID() != r.ID+":me@work" {
		t.Errorf("%s, %s", got.ARN(), got.UserID())
	}
	if len(got.Tags) != 2 || got.Tags["team"] != "other" || got.Tags["Cost"] != "1" || !slices.Equal(got.Transitive, []string{"team"}) {
		t.Errorf("tags %v, of which further sessions inherit %v", got.Tags, got.Transitive)
	}
	if !slices.Equal(got.SessionPolicies, []string{"inline", "new"}) {
		t.Errorf("session policies %q", got.SessionPolicies)
	}
	if c.Packed < 1 || c.Packed > 10 {
		t.Errorf("%d %% of the room", c.Packed)
	}

	_, err = e.opts.Records.Policies.Delete(t.Context(), records.IAMKey(account, p.ID), nil)
	check(t, err)
	got, err = e.Principal(t.Context(), c.AccessKeyID, c.Token)
	if err != nil || len(got.SessionPolicies) != 2 || !strings.Contains(got.SessionPolicies[1], "none:none") {
		t.Errorf("a session policy that is gone: %q, error %v", got.SessionPolicies, err)
	}

	_, err = e.opts.Records.Roles.Delete(t.Context(), records.IAMKey(account, r.ID), nil)
	check(t, err)
	_, err = e.Principal(t.Context(), c.AccessKeyID, c.Token)
	wantUnrecognized(t, err)
}

// TestForeignTokens: a token is good for its own key, unchanged, under the key of the store it was made with.
func TestForeignTokens(t *testing.T) {
	t.Parallel()
	e := start(t)
	root := awsapi.Principal{Account: account, Kind: awsapi.PrincipalRoot}
	one, err := e.Temporary(accesskey.Session{Of: root, Duration: time.Hour})
	check(t, err)
	two, err := e.Temporary(accesskey.Session{Of: root, Duration: time.Hour})
	check(t, err)
	changed := []byte(one.Token)
	changed[len(changed)/2] ^= 1
	for name, token := range map[string]string{
		"none": "", "another key's": two.Token, "changed": string(changed), "cut": one.Token[:len(one.Token)-4], "no base64": "%",
		"long": strings.Repeat("A", 1<<20),
	} {
		_, err := e.Principal(t.Context(), one.AccessKeyID, token)
		if t.Run(name, func(t *testing.T) { wantUnrecognized(t, err) }); err == nil {
			break
		}
	}

	same, err := accesskey.New(e.opts)
	check(t, err)
	if p, err := same.Principal(t.Context(), one.AccessKeyID, one.Token); err != nil || p.Kind != awsapi.PrincipalRoot {
		t.Errorf("on another node: %+v, %v", p, err)
	}
	if secret, _ := same.Lookup(one.AccessKeyID); secret != one.Secret {
		t.Error("another node derives another secret")
	}
	other := e.opts
	other.Key = bytes.Repeat([]byte{8}, 32)
	foreign, err := accesskey.New(other)
	check(t, err)
	if secret, _ := foreign.Lookup(one.AccessKeyID); secret == one.Secret {
		t.Error("another installation derives the same secret")
	}
	_, err = foreign.Principal(t.Context(), one.AccessKeyID, one.Token)
	wantUnrecognized(t, err)
}

// TestPackedSize: policies and tags have to fit into a header.
func TestPackedSize(t *testing.T) {
	t.Parallel()
	e := start(t)
	s := accesskey.Session{Of: awsapi.Principal{Account: account, Kind: awsapi.PrincipalRole, ID: "AROA"}, Duration: time.Hour}
	s.Tags = map[string]string{}
	for i := range 50 {
		s.Tags[strings.Repeat("k", 100+i%28)+string(rune('a'+i%26))] = strings.Repeat("v", 256)
	}
	if _, err := e.Temporary(s); !fault.Is(err, fault.Quota) {
		t.Errorf("50 long tags: %v", err)
	}
	s.Tags, s.Policy = nil, strings.Repeat("p", 2048)
	c, err := e.Temporary(s)
	if err != nil || len(c.Token) > 8192 || c.Packed < 50 || c.Packed > 60 {
		t.Errorf("a policy of the greatest length: a token of %d bytes, %d %%, %v", len(c.Token), c.Packed, err)
	}
}

func TestNoKey(t *testing.T) {
	t.Parallel()
	for _, o := range []accesskey.Options{
		{}, {Key: make([]byte, 32)}, {Key: make([]byte, 31), Root: accesskey.Root{ID: "a", Secret: "b"}}, {Key: make([]byte, 32), Root: accesskey.Root{ID: "a"}},
	} {
		if _, err := accesskey.New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
