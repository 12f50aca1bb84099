package admission_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/admission"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

const codeToken = "invalid_playback_auth_token"

// TestPrivate: what a token says is in the pass and nothing else lets anybody in; policies are for public channels.
func TestPrivate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	v := w.private(t, jwt.MapClaims{"aws:viewer-id": "zoë", "aws:viewer-session-version": 3, "aws:maximum-resolution": "HD", "aws:ads-opt-out": true})
	e, err := w.gate.Enter(t.Context(), v)
	check(t, err)
	if p := e.Pass; p.ViewerID != "zoë" || p.SessionVersion != 3 || p.MaximumResolution != "HD" || !p.Ads.OptOut || p.Origins != nil || e.AllowOrigin != "*" {
		t.Errorf("%+v", e)
	}
	v.Token = ""
	_, err = w.gate.Enter(t.Context(), v)
	wantRefusal(t, err, codeToken, "no token")
	w.err = fault.New(fault.Unavailable, "no engine")
	v.Token = w.sign(t, nil)
	if _, err = w.gate.Enter(t.Context(), v); !fault.Is(err, fault.Unavailable) {
		t.Errorf("without an engine: %v", err)
	}
	err = w.gate.Unnamed(t.Context(), v.Record)
	wantRefusal(t, err, codeToken, admission.NoPass)
	if got := w.gate.Stats().Refused; got["no token"] != 1 || got[admission.NoPass] != 1 || len(got) != 2 {
		t.Errorf("counted %v", got)
	}
}

// TestOrigins: the first request must come from an allowed page, the others only when the token is strict.
func TestOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	for _, strict := range []bool{false, true} {
		v := w.private(t, jwt.MapClaims{"aws:access-control-allow-origin": "https://a.test,https://*.b.test", "aws:strict-origin-enforcement": strict})
		for _, origin := range []string{"https://a.test", "https://x.b.test"} {
			v.Origin = origin
			e, err := w.gate.Enter(t.Context(), v)
			check(t, err)
			if e.AllowOrigin != origin || (len(e.Pass.Origins) == 2) != strict {
				t.Errorf("strict %v: %+v", strict, e)
			}
			check(t, w.gate.Check(channel(), true, e.Pass, origin))
			if err = w.gate.Check(channel(), true, e.Pass, "https://evil.test"); strict {
				wantRefusal(t, err, codeToken, admission.WrongOrigin)
			} else if err != nil {
				t.Error(err)
			}
			if got := e.Pass.AllowOrigin(origin); strict && got != origin || !strict && got != "*" {
				t.Errorf("strict %v: the media may be read by %q", strict, got)
			}
		}
		for _, origin := range []string{"", "null", "https://b.test", "http://a.test"} {
			v.Origin = origin
			_, err := w.gate.Enter(t.Context(), v)
			wantRefusal(t, err, codeToken, admission.WrongOrigin)
		}
	}
}

// TestPolicies: a public channel with a policy looks at countries and pages; strict ones name their sessions.
func TestPolicies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		policy    resource.PlaybackRestrictionPolicy
		countries bool
		visit     admission.Visit
		code      string // "": let in
		reason    admission.Reason
	}{
		{"nothing in it", resource.PlaybackRestrictionPolicy{}, false, restricted("", ""), "", ""},
		{"right country", resource.PlaybackRestrictionPolicy{Countries: []string{"FR", "DE"}}, true, restricted("", "127.0.0.1"), "", ""},
		{"wrong country", resource.PlaybackRestrictionPolicy{Countries: []string{"DE"}}, true, restricted("", "203.0.113.5"), "country_not_allowed", admission.WrongCountry},
		{"nowhere known", resource.PlaybackRestrictionPolicy{Countries: []string{"DE"}}, true, restricted("", "192.0.2.1"), "", ""},
		{"no address", resource.PlaybackRestrictionPolicy{Countries: []string{"DE"}}, true, restricted("", ""), "", ""},
		{"damaged", resource.PlaybackRestrictionPolicy{Countries: []string{"DE"}}, true, restricted("", "203.0.113.6"), "country_not_allowed", admission.NoCountries},
		{"no database", resource.PlaybackRestrictionPolicy{Countries: []string{"DE"}}, false, restricted("", "127.0.0.1"), "country_not_allowed", admission.NoCountries},
		{"right page", resource.PlaybackRestrictionPolicy{Origins: []string{"HTTPS://*.a.test/"}}, false, restricted("https://x.a.test", ""), "", ""},
		{"wrong page", resource.PlaybackRestrictionPolicy{Origins: []string{"https://a.test"}}, false, restricted("https://b.test", ""), "origin_not_allowed", admission.WrongOrigin},
		{"no page", resource.PlaybackRestrictionPolicy{Origins: []string{"https://a.test"}}, false, restricted("", ""), "origin_not_allowed", admission.WrongOrigin},
		{"strict, all pages", resource.PlaybackRestrictionPolicy{Strict: true}, false, restricted("", ""), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.countries)
			w.policy = &c.policy
			e, err := w.gate.Enter(t.Context(), c.visit)
			if c.code != "" {
				wantRefusal(t, err, c.code, c.reason)
				return
			}
			check(t, err)
			if (e.Pass != nil) != c.policy.Strict {
				t.Errorf("%+v", e)
			}
			err = w.gate.Unnamed(t.Context(), c.visit.Record)
			if c.policy.Strict {
				wantRefusal(t, err, "playback_restricted", admission.NoPass)
			} else {
				check(t, err)
			}
		})
	}
	w := newWorld(t, false)
	_, err := w.gate.Enter(t.Context(), restricted("", ""))
	wantRefusal(t, err, "playback_restricted", admission.NoPolicy)
	wantRefusal(t, w.gate.Unnamed(t.Context(), restricted("", "").Record), "playback_restricted", admission.NoPolicy)
}

// TestStrictPolicyHoldsForTheSession: what a session was let in by holds for it, and not what the policy says later.
func TestStrictPolicyHoldsForTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.policy = &resource.PlaybackRestrictionPolicy{Origins: []string{"https://a.test"}, Strict: true}
	e, err := w.gate.Enter(t.Context(), restricted("https://a.test", ""))
	check(t, err)
	w.policy = &resource.PlaybackRestrictionPolicy{Origins: []string{"https://b.test"}, Strict: true}
	check(t, w.gate.Check(channel(), false, e.Pass, "https://a.test"))
	wantRefusal(t, w.gate.Check(channel(), false, e.Pass, "https://b.test"), "origin_not_allowed", admission.WrongOrigin)
}

// TestSingleUse: of many that begin with one token at once, one does.
func TestSingleUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	v := w.private(t, jwt.MapClaims{"aws:single-use-uuid": "6e61a2b4-0c0f-4d3c-9f0e-1a2b3c4d5e6f"})
	var all sync.WaitGroup
	results := make(chan error, 20)
	for range cap(results) {
		all.Go(func() {
			e, err := w.gate.Enter(context.Background(), v)
			if err == nil {
				err = w.gate.Begin(context.Background(), e)
			}
			results <- err
		})
	}
	all.Wait()
	close(results)
	begun := 0
	for err := range results {
		if err == nil {
			begun++
			continue
		}
		wantRefusal(t, err, codeToken, admission.UsedBefore)
	}
	if begun != 1 {
		t.Errorf("%d sessions began", begun)
	}
	w.err = fault.New(fault.Unavailable, "no engine")
	if err := w.gate.Begin(t.Context(), admission.Entry{}); err != nil {
		t.Errorf("a token for any number of sessions: %v", err)
	}
}

// TestRevocation: it ends what was begun with its version or a lower one, and no other viewer's.
func TestRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	enter := func(viewer string, version int) (admission.Entry, error) {
		return w.gate.Enter(t.Context(), w.private(t, jwt.MapClaims{"aws:viewer-id": viewer, "aws:viewer-session-version": version}))
	}
	old, err := enter("a", 1)
	check(t, err)
	w.revoke("a", 1)
	wantRefusal(t, w.gate.Check(channel(), true, old.Pass, ""), codeToken, admission.Revoked)
	_, err = enter("a", 1)
	wantRefusal(t, err, codeToken, admission.Revoked)
	_, err = enter("a", 0)
	wantRefusal(t, err, codeToken, admission.Revoked)
	for viewer, version := range map[string]int{"a": 2, "b": 0, "A": 0} {
		e, err := enter(viewer, version)
		check(t, err)
		check(t, w.gate.Check(channel(), true, e.Pass, ""))
	}
	w.revoke("", 5)
	e, err := w.gate.Enter(t.Context(), w.private(t, nil))
	check(t, err)
	check(t, w.gate.Check(channel(), true, e.Pass, "")) // nobody is named, so nobody was meant
}

// TestAttend: a wait ends when its viewer is revoked, and for no other reason than its context's.
func TestAttend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		ctx, cancel := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = w.gate.Run(ctx) })
		defer run.Wait()
		defer cancel()
		synctest.Wait() // it watches
		a := &admission.Pass{ViewerID: "a", SessionVersion: 1}
		first, doneFirst := w.gate.Attend(ctx, channel(), a)
		second, doneSecond := w.gate.Attend(ctx, channel(), &admission.Pass{ViewerID: "a", SessionVersion: 2})
		third, doneThird := w.gate.Attend(ctx, channel(), &admission.Pass{ViewerID: "b"})
		w.revoke("a", 1)
		<-first.Done()
		wantRefusal(t, w.gate.CauseOf(first), codeToken, admission.Revoked)
		late, doneLate := w.gate.Attend(ctx, channel(), a) // revoked before it waits
		<-late.Done()
		wantRefusal(t, w.gate.CauseOf(late), codeToken, admission.Revoked)
		if second.Err() != nil || third.Err() != nil {
			t.Error("others ended too")
		}
		for _, done := range []func(){doneFirst, doneSecond, doneThird, doneLate} {
			done()
		}
		if err := w.gate.CauseOf(second); err != nil || !errors.Is(second.Err(), context.Canceled) {
			t.Errorf("done: %v %v", err, second.Err())
		}
		plain, done := w.gate.Attend(ctx, channel(), &admission.Pass{})
		if plain != ctx {
			t.Error("a wait that nobody can revoke has a context of its own")
		}
		done()
	})
}

// TestPass: a sealed pass opens to what it was for its stream only, and in one form only.
func TestPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	e, err := w.gate.Enter(t.Context(), func() admission.Visit {
		v := w.private(t, jwt.MapClaims{
			"aws:access-control-allow-origin": "https://a.test,https://*.b.test", "aws:strict-origin-enforcement": true, "aws:viewer-id": "zoë\x00",
			"aws:viewer-session-version": int64(1) << 62, "aws:maximum-resolution": "SD", "aws:ads-player-params": map[string]any{"k": strings.Repeat("v", 900)},
		})
		v.Origin = "https://a.test"
		return v
	}())
	check(t, err)
	sealed, err := w.gate.Seal(e.Pass, stream)
	check(t, err)
	again, err := w.gate.Seal(e.Pass, stream)
	check(t, err)
	if sealed == again || sealed[:admission.IDLength] == again[:admission.IDLength] || strings.Trim(sealed, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("%q, %q", sealed, again)
	}
	p, err := w.gate.Open(sealed, stream)
	check(t, err)
	if !slices.Equal(p.Origins, e.Pass.Origins) || p.ViewerID != e.Pass.ViewerID || p.SessionVersion != e.Pass.SessionVersion ||
		p.MaximumResolution != "SD" || string(p.Ads.PlayerParams) != string(e.Pass.Ads.PlayerParams) {
		t.Errorf("%+v, want %+v", p, e.Pass)
	}
	other := newWorld(t, false)
	if _, err := other.gate.Open(sealed, stream); err != nil {
		t.Errorf("on another node with the same key: %v", err)
	}
	flip := func(i int) string { return sealed[:i] + string("AB"[btoi(sealed[i] == 'A')]) + sealed[i+1:] }
	for _, bad := range []string{"", "x", sealed[1:], sealed[:len(sealed)-1], sealed + "A", flip(0), flip(20), flip(len(sealed) - 3), strings.Repeat("A", 9000)} {
		_, err := w.gate.Open(bad, stream)
		wantRefusal(t, err, "playback_restricted", admission.WrongPass)
	}
	_, err = w.gate.Open(sealed, stream+"x")
	wantRefusal(t, err, "playback_restricted", admission.WrongPass)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestLongestPass: what the longest tokens say fits.
func TestLongestPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	origins := make([]string, 5)
	for i := range origins {
		origins[i] = "https://" + strings.Repeat("abcdefghi.", 8) + "test"
	}
	v := w.private(t, jwt.MapClaims{
		"aws:access-control-allow-origin": strings.Join(origins, ","), "aws:strict-origin-enforcement": true, "aws:viewer-id": strings.Repeat("x", 40),
		"aws:ads-player-params": json.RawMessage(`{"k":"` + strings.Repeat("<", 560) + `"}`),
	})
	if n := len(v.Token); n < 1800 || n > 2048 {
		t.Fatalf("a token of %d characters", n)
	}
	v.Origin = origins[0]
	e, err := w.gate.Enter(t.Context(), v)
	check(t, err)
	sealed, err := w.gate.Seal(e.Pass, stream)
	check(t, err)
	if _, err := w.gate.Open(sealed, stream); err != nil {
		t.Error(err)
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()
	sizes := [][2]int{{0, 0}, {640, 360}, {852, 480}, {480, 854}, {864, 486}, {1280, 720}, {720, 1280}, {1280, 960}, {1920, 1080}, {1080, 1920}, {1920, 1088}, {2560, 1080}}
	for limit, want := range map[string]int{"SD": 4, "HD": 7, "FULL_HD": 11, "": 12, "nonsense": 0} {
		n := 0
		for _, s := range sizes {
			if (&admission.Pass{MaximumResolution: limit}).Allows(s[0], s[1]) {
				n++
			}
		}
		if n != want {
			t.Errorf("%q allows %d, want %d", limit, n, want)
		}
	}
}

// FuzzOpen: nothing opens that was not sealed here, and nothing makes it panic.
func FuzzOpen(f *testing.F) {
	w := newWorld(f, false)
	sealed, err := w.gate.Seal(&admission.Pass{ViewerID: "x", Origins: []string{"https://a.test"}}, stream)
	check(f, err)
	f.Add(sealed)
	f.Add(sealed[:40])
	f.Add(strings.Repeat("A", 60))
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := w.gate.Open(text, stream); (err == nil) != (text == sealed) {
			t.Fatalf("%q: %+v %v", text, p, err)
		}
	})
}

// BenchmarkPass: what a request for media of a private channel costs more than one of a public channel.
func BenchmarkPass(b *testing.B) {
	w := newWorld(b, false)
	for name, p := range map[string]*admission.Pass{
		"nobody named": {},
		"viewer":       {ViewerID: "u-1042", SessionVersion: 3},
		"strict":       {ViewerID: "u-1042", SessionVersion: 3, Origins: []string{"https://app.example.com", "https://*.example.org"}},
	} {
		sealed, err := w.gate.Seal(p, stream)
		check(b, err)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p, err := w.gate.Open(sealed, stream)
				if err == nil {
					err = w.gate.Check(channel(), true, p, "https://x.example.org")
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
