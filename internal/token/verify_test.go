package token_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/token"
)

// TestOrder spoils a token in every way, and mends it from the first check to the last: what is found wrong is always
// the first thing in the documented order.
func TestOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.draft()
	stranger, owner := newWorld(t).signer, d.key
	d.key = stranger
	d.header["alg"], d.header["kid"] = "ES256", "nobody"
	d.claims["exp"], d.claims["iat"], d.claims["version"] = "never", now().Add(time.Hour).Unix(), "2.0"
	d.claims["topic"], d.claims["events_url"], d.claims["jti"] = "x", "x", ""
	d.claims["resource"] = resource.StageARN(home(), "000000000000").String()
	w.records.burnt[w.stage.String()+"/kicked"] = true
	for _, step := range []struct {
		status int
		reason token.Reason
		mend   func()
	}{
		{401, token.WrongAlgorithm, func() { delete(d.header, "alg") }},
		{401, token.UnknownKey, func() { d.header["kid"] = w.key.String() }},
		{401, token.WrongSignature, func() { d.key = owner }},
		{401, token.Malformed, func() { d.claims["exp"] = now().Unix() }},
		{401, token.Expired, func() { d.claims["exp"] = now().Add(30 * 24 * time.Hour).Unix() }},
		{401, token.NotYetValid, func() { d.claims["iat"] = now().Unix() }},
		{401, token.LivesTooLong, func() { d.claims["exp"] = now().Add(time.Hour).Unix() }},
		{401, token.WrongVersion, func() { d.claims["version"] = "1.0" }},
		{404, token.UnknownStage, func() { d.claims["resource"] = w.stage.String() }},
		{401, token.WrongTopic, func() { d.claims["topic"] = w.stage.ID }},
		{401, token.WrongEndpoint, func() { d.claims["events_url"] = events }},
		{401, token.WrongClaims, func() { d.claims["jti"] = "kicked" }},
		{403, token.WasDisconnected, func() { d.claims["jti"] = "welcome" }},
	} {
		_, err := w.authority.Verify(t.Context(), d.sign(t))
		wantRefusal(t, err, step.status, step.reason)
		step.mend()
	}
	if _, err := w.authority.Verify(t.Context(), d.sign(t)); err != nil {
		t.Error(err)
	}
}

// TestEngineAway checks that a state engine which does not answer is no verdict on the token.
func TestEngineAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := w.draft().sign(t)
	w.records.err = fault.New(fault.Unavailable, "away")
	_, err := w.authority.Verify(t.Context(), text)
	var r *token.Refusal
	if !fault.Is(err, fault.Unavailable) || errors.As(err, &r) {
		t.Errorf("error %v, want unavailable", err)
	}
}

// TestTables takes the records from a store.
func TestTables(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	conn, err := natsd.Start(ctx, natsd.Options{Dir: t.TempDir()})
	check(t, err)
	t.Cleanup(conn.Close)
	state, err := store.Open(ctx, conn, store.Options{})
	check(t, err)
	t.Cleanup(state.Close)
	var tables token.Tables
	tables.Stages, err = store.OpenTable(ctx, state, store.StageDefinition())
	check(t, err)
	tables.PublicKeys, err = store.OpenTable(ctx, state, store.PublicKeyDefinition())
	check(t, err)
	tables.Burnt, err = store.OpenTable(ctx, state, store.DisconnectedDefinition())
	check(t, err)
	w := newWorld(t)
	a, err := token.NewAuthority(token.Options{Seed: seed(), Records: tables, Clock: now})
	check(t, err)
	text := w.draft().sign(t)
	verify := func(status int, reason token.Reason) {
		t.Helper()
		_, err := a.Verify(ctx, text)
		if reason == "" {
			check(t, err)
			return
		}
		wantRefusal(t, err, status, reason)
	}
	verify(401, token.UnknownKey)
	_, err = tables.PublicKeys.Create(ctx, store.Key{Scope: home(), ID: w.key.ID}, w.records.keys[w.key])
	check(t, err)
	verify(404, token.UnknownStage)
	_, err = tables.Stages.Create(ctx, store.Key{Scope: home(), ID: w.stage.ID}, w.records.stages[w.stage])
	check(t, err)
	verify(0, "")
	_, err = tables.Burnt.Create(ctx, store.ParticipantKey(w.stage, "", "Zz11_Yy-22Xx"),
		resource.Disconnected{StageARN: w.stage, ParticipantID: "Zz11_Yy-22Xx"})
	check(t, err)
	verify(403, token.WasDisconnected)
	_, err = tables.PublicKeys.Delete(ctx, store.Key{Scope: home(), ID: w.key.ID}, nil)
	check(t, err)
	verify(401, token.UnknownKey)
}

// FuzzVerify: whatever is accepted says what its signer has signed, byte for byte, and is not longer than allowed; what is
// refused has a status, and no part of the token in its error.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	minted, err := w.authority.Mint(w.granted())
	check(f, err)
	signed := map[string]bool{}
	for _, text := range []string{minted, w.draft().sign(f)} {
		signed[text[:strings.LastIndexByte(text, '.')]] = true
		parts := strings.Split(text, ".")
		f.Add(parts[0], parts[1], parts[2])
		f.Add(parts[0], parts[1], "")
		f.Add("eyJhbGciOiJub25lIn0", parts[1], "")
		f.Add(parts[0], "eyJqdGkiOiJ4In0", parts[2])
		f.Add(parts[0]+".", parts[1], parts[2])
	}
	f.Fuzz(func(t *testing.T, header, claims, signature string) {
		text := header + "." + claims + "." + signature
		c, err := w.authority.Verify(t.Context(), text)
		if err == nil {
			if !signed[header+"."+claims] || len(text) > token.MaxLength || !token.IsParticipantID(c.ParticipantID) {
				t.Fatalf("accepted %s as %+v", text, c)
			}
			return
		}
		var r *token.Refusal
		if !errors.As(err, &r) || r.Status < 401 || r.Status > 404 || r.Reason == "" {
			t.Fatalf("error %v", err)
		}
		if len(claims) > 40 && strings.Contains(err.Error(), claims) {
			t.Errorf("error %v holds the token", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	text, err := w.authority.Mint(w.granted())
	check(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, err := w.authority.Verify(b.Context(), text)
		check(b, err)
	}
}

func BenchmarkMint(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		_, err := w.authority.Mint(w.granted())
		check(b, err)
	}
}
