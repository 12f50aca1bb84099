package accesskey_test

import (
	"context"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/accesskey"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
)

// stored is what is written of a key's use, the zero value when nothing is.
func (e *env) stored(tb testing.TB, id string) resource.KeyUse {
	tb.Helper()
	r, err := e.opts.Records.Uses.Get(tb.Context(), records.IAMKey(account, id))
	if err != nil {
		return resource.KeyUse{}
	}
	return r.Value
}

func (e *env) lastUse(tb testing.TB, id string) (resource.KeyUse, bool) {
	tb.Helper()
	u, ok, err := e.LastUse(tb.Context(), account, id)
	check(tb, err)
	return u, ok
}

// end runs the authority to its end, at which it writes what it has not written.
func end(tb testing.TB, a *accesskey.Authority) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	check(tb, a.Run(ctx))
}

func TestLastUse(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, id, _ := e.user(t)
	r := e.role(t)
	if u, ok := e.lastUse(t, id); ok {
		t.Errorf("a key that was never used was used: %+v", u)
	}
	user, err := e.Principal(t.Context(), id, "")
	check(t, err)
	e.Used(user, "ivs", "us-west-2")
	first := e.opts.Clock()
	e.Used(awsapi.Principal{Account: account, Kind: awsapi.PrincipalRole, ID: r.ID, AccessKeyID: "ASIA"}, "sns", "eu-west-1")
	if u, ok := e.lastUse(t, id); !ok || u.Service != "ivs" || u.Region != "us-west-2" || !u.At.Equal(first) {
		t.Errorf("%+v, %v", u, ok)
	}
	e.advance(time.Minute)
	e.Used(user, "iam", "us-east-1")
	if s := e.stored(t, id); s.ID != "" {
		t.Errorf("a call writes: %+v", s)
	}
	end(t, e.Authority)
	if s := e.stored(t, id); s.Service != "iam" || !s.At.Equal(first.Add(time.Minute)) {
		t.Errorf("written: %+v", s)
	}

	again, err := accesskey.New(e.opts) // after a restart
	check(t, err)
	if u, ok, err := again.LastUse(t.Context(), account, r.ID); err != nil || !ok || u.Region != "eu-west-1" {
		t.Errorf("the role after a restart: %+v, %v, %v", u, ok, err)
	}
}

// TestNobodyIsNoted: the owner and sessions of users have no record of use.
func TestNobodyIsNoted(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.Used(awsapi.Principal{Account: account, Kind: awsapi.PrincipalRoot, AccessKeyID: rootID}, "ivs", "us-west-2")
	e.Used(awsapi.Principal{Account: account, Kind: awsapi.PrincipalUser, AccessKeyID: "ASIA", Issued: time.Unix(1, 0)}, "ivs", "us-west-2")
	for _, id := range []string{rootID, "ASIA"} {
		if u, ok := e.lastUse(t, id); ok {
			t.Errorf("%s was noted: %+v", id, u)
		}
	}
}

// TestForgotten: what is known of a key goes with it, and does not come back.
func TestForgotten(t *testing.T) {
	t.Parallel()
	e := start(t)
	u, id, _ := e.user(t)
	p, err := e.Principal(t.Context(), id, "")
	check(t, err)
	e.Used(p, "ivs", "us-west-2")
	end(t, e.Authority)
	e.change(t, u, func(u *resource.User) { u.Keys = nil })
	check(t, e.Forget(t.Context(), account, id))
	if _, ok := e.lastUse(t, id); ok {
		t.Error("the use of a deleted key is known")
	}
	e.Used(p, "ivs", "us-west-2") // a call that was on its way
	end(t, e.Authority)
	if s := e.stored(t, id); s.ID != "" {
		t.Errorf("the use of a deleted key is written: %+v", s)
	}
	check(t, e.Forget(t.Context(), account, id)) // once more is no error
}
