package token_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	stored "github.com/rivus-live/rivus/internal/records"
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
	node, err := cluster.Join(ctx, cluster.Options{Store: state, Conn: conn, NodeID: "one"})
	check(t, err)
	t.Cleanup(node.Close)
	tables, err := stored.OpenStages(ctx, state, node, store.DefaultLogAge)
	check(t, err)
	w := newWorld(t)
	a, err := token.NewAuthority(token.Options{Seed: seed(), Records: token.Tables{Stages: tables}, Clock: now})
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
	_, err = tables.Disconnected.Create(ctx, stored.ParticipantKey(w.stage, "", "Zz11_Yy-22Xx"),
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

// FuzzClaims signs whatever it is given with a key that counts, so that every check behind the signature has its turn: what
// is accepted keeps to all limits, and what it says is what the text says.
func FuzzClaims(f *testing.F) {
	w := newWorld(f)
	fixed, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), bytes.Repeat([]byte{7}, 48))
	check(f, err)
	der, err := x509.MarshalPKIXPublicKey(&fixed.PublicKey)
	check(f, err)
	w.signer, w.records.keys[w.key] = fixed, resource.PublicKey{ARN: w.key, SPKI: der}
	for _, change := range []func(*draft){
		func(*draft) {},
		func(d *draft) { d.claims["user_id"], d.claims["attributes"] = nil, map[string]any{"a": "\u0000"} },
		func(d *draft) { d.claims["iat"], d.claims["nbf"] = now().Add(time.Minute).Unix(), now().Unix() },
		func(d *draft) { d.claims["exp"], d.claims["capabilities"] = 1767323045.5, map[string]any{} },
	} {
		d := w.draft()
		change(&d)
		header, err := json.Marshal(map[string]any{"alg": "ES384", "typ": "JWT", "kid": d.header["kid"]})
		check(f, err)
		claims, err := json.Marshal(d.claims)
		check(f, err)
		f.Add(string(header), string(claims))
	}
	f.Fuzz(func(t *testing.T, header, claims string) {
		text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		c, err := w.authority.Verify(t.Context(), text+"."+base64.RawURLEncoding.EncodeToString(sameSignature(t, w.signer, text)))
		if err != nil {
			var r *token.Refusal
			if !errors.As(err, &r) || r.Status < 401 || r.Status > 404 || r.Reason == "" {
				t.Fatalf("error %v", err)
			}
			return
		}
		said := make(map[string]any)
		check(t, json.Unmarshal([]byte(claims), &said))
		switch {
		case c.OurOwn, c.KeyARN != w.key, c.StageARN != w.stage, c.Topic != w.stage.ID, !token.IsParticipantID(c.ParticipantID):
			t.Errorf("accepted %s as %+v", claims, c)
		case !c.Expires.After(now()), c.IssuedAt.After(now().Add(time.Minute)), c.Expires.Sub(c.IssuedAt) > token.MaxLifetime:
			t.Errorf("accepted %s in its time", claims)
		case utf8.RuneCountInString(c.UserID) > token.MaxUserID, token.AttributesSize(c.Attributes) > token.MaxAttributes:
			t.Errorf("accepted %s of its size", claims)
		case c.ParticipantID != said["jti"], c.UserID != "" && c.UserID != said["user_id"]:
			t.Errorf("%s was read as %+v", claims, c)
		}
	})
}

// sameSignature is the ES384 signature of a text, the same each time (RFC 6979): a fuzzer that sees another path through
// the verification in each run learns nothing.
func sameSignature(tb testing.TB, key *ecdsa.PrivateKey, text string) []byte {
	tb.Helper()
	digest := sha512.Sum384([]byte(text))
	der, err := key.Sign(nil, digest[:], crypto.SHA384)
	check(tb, err)
	var pair struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(der, &pair)
	check(tb, err)
	raw := make([]byte, 2*48)
	pair.R.FillBytes(raw[:48])
	pair.S.FillBytes(raw[48:])
	return raw
}

// TestProofIsNotEnough: a token whose signature is known to be good is checked for everything else each time.
func TestProofIsNotEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.draft()
	text := d.sign(t)
	for range 2 {
		_, err := w.authority.Verify(t.Context(), text)
		check(t, err)
	}
	_, err := w.authority.Verify(t.Context(), text[:len(text)-8]+strings.Repeat("A", 8))
	wantRefusal(t, err, 401, token.WrongSignature)
	id := d.claims["jti"].(string)
	w.records.burnt[w.stage.String()+"/"+id] = true
	_, err = w.authority.Verify(t.Context(), text)
	wantRefusal(t, err, 403, token.WasDisconnected)
	delete(w.records.keys, w.key)
	_, err = w.authority.Verify(t.Context(), text)
	wantRefusal(t, err, 401, token.UnknownKey)
}

func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	texts := make([]string, 2000)
	for i := range texts {
		c := w.granted()
		c.ParticipantID = strconv.Itoa(i)
		var err error
		texts[i], err = w.authority.Mint(c)
		check(b, err)
	}
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for n := range b.N {
			if n%len(texts) == 0 { // what is forgotten costs as much as what is new
				b.StopTimer()
				w = newWorld(b)
				b.StartTimer()
			}
			_, err := w.authority.Verify(b.Context(), texts[n%len(texts)])
			check(b, err)
		}
	})
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := w.authority.Verify(b.Context(), texts[0])
			check(b, err)
		}
	})
}

func BenchmarkMint(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		_, err := w.authority.Mint(w.granted())
		check(b, err)
	}
}
