package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/token"
)

// viewersWorld is a channel, the keys of its account, and a signer who has one of them.
type viewersWorld struct {
	channel  arn.ARN
	signer   *ecdsa.PrivateKey
	keys     [][]byte
	err      error
	asked    []arn.Scope
	verifier *token.PlaybackVerifier
}

func newSigner(tb testing.TB) (*ecdsa.PrivateKey, []byte) {
	tb.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(tb, err)
	der, err := x509.MarshalPKIXPublicKey(&signer.PublicKey)
	check(tb, err)
	return signer, der
}

func newViewersWorld(tb testing.TB) *viewersWorld {
	tb.Helper()
	w := &viewersWorld{channel: arn.Channel(home(), "Ab12Cd34Ef56")}
	_, other := newSigner(tb)
	var der []byte
	w.signer, der = newSigner(tb)
	w.keys = [][]byte{other, der} // the second of two: a token does not say which
	w.verifier = token.NewPlaybackVerifier(func(_ context.Context, sc arn.Scope) ([][]byte, error) {
		w.asked = append(w.asked, sc)
		return w.keys, w.err
	}, now)
	return w
}

// sign signs claims: those of a token that is in order, and more.
func (w *viewersWorld) sign(tb testing.TB, more map[string]any) string {
	tb.Helper()
	d := draft{method: jwt.SigningMethodES384, key: w.signer, claims: jwt.MapClaims{
		"aws:channel-arn": w.channel.String(), "exp": now().Add(5 * time.Minute).Unix(),
	}}
	for name, v := range more {
		if d.claims[name] = v; v == nil {
			delete(d.claims, name)
		}
	}
	return d.sign(tb)
}

func (w *viewersWorld) verify(tb testing.TB, text string) (token.PlaybackClaims, error) {
	tb.Helper()
	return w.verifier.Verify(tb.Context(), w.channel, text)
}

const someUUID = "6E61A2B4-0c0f-4d3c-9f0e-1a2b3c4d5e6f"

// TestPlaybackClaims reads every claim, with the forms that signers give them.
func TestPlaybackClaims(t *testing.T) {
	t.Parallel()
	w := newViewersWorld(t)
	ten := now().Add(10 * time.Minute).Unix()
	c, err := w.verify(t, w.sign(t, map[string]any{
		"aws:access-control-allow-origin": "https://App.example.com/, https://*.example.org", "aws:strict-origin-enforcement": true,
		"aws:single-use-uuid": someUUID, "aws:viewer-id": "Zoë", "aws:viewer-session-version": 7, "aws:maximum-resolution": "HD",
		"aws:ads-opt-out": true, "aws:ads-playback-config-name": "main", "aws:ads-player-params": map[string]any{"a": "<b>"},
		"aws:ads-reporting-mode": "CLIENT", "exp": ten, "iat": "nonsense", "nbf": ten + 1, "other": []int{1},
	}))
	check(t, err)
	got, err := json.Marshal(c)
	check(t, err)
	want := `{"Origins":["https://app.example.com","https://*.example.org"],"StrictOrigin":true,"SingleUse":"` + strings.ToLower(someUUID) +
		`","ViewerID":"Zoë","SessionVersion":7,"MaximumResolution":"HD","Ads":{"optOut":true,"playbackConfigName":"main","playerParams":{"a":"\u003cb\u003e"},` +
		`"reportingMode":"CLIENT"},"Expires":"2026-01-02T03:14:05Z"}`
	if string(got) != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for name, more := range map[string]map[string]any{
		"nothing more":         {},
		"null":                 {"aws:viewer-id": nil, "aws:maximum-resolution": nil},
		"milliseconds":         {"exp": now().Add(time.Hour).UnixMilli()},
		"a fraction":           {"exp": float64(now().Unix()) + 60.5},
		"far ahead":            {"exp": now().Add(999 * time.Hour).Unix()},
		"version as text":      {"aws:viewer-id": "x", "aws:viewer-session-version": "12"},
		"version without name": {"aws:viewer-session-version": "none"},
		"a signer a bit ahead": {"aws:viewer-id": "x", "exp": ten + 30},
		"every page":           {"aws:access-control-allow-origin": "https://a.test,*", "aws:strict-origin-enforcement": true},
		"no page":              {"aws:access-control-allow-origin": ""},
		"many pages":           {"aws:access-control-allow-origin": "https://1.test,https://2.test,https://3.test,https://4.test,https://5.test,https://6.test"},
		"an empty object":      {"aws:ads-player-params": map[string]any{}},
	} {
		if _, err := w.verify(t, w.sign(t, more)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlaybackRefusals: each thing that can be wrong, and what is said about it.
func TestPlaybackRefusals(t *testing.T) {
	t.Parallel()
	w := newViewersWorld(t)
	eleven := now().Add(11*time.Minute + time.Second).Unix()
	six := "https://1.test,https://2.test,https://3.test,https://4.test,https://5.test,https://6.test"
	stranger := newViewersWorld(t)
	good := w.sign(t, nil)
	parts := strings.Split(good, ".")
	for name, c := range map[string]struct {
		text   string
		reason token.Reason
		says   string
	}{
		"none":            {"", token.NoToken, "token is missing"},
		"one part":        {"x", token.Malformed, "token contains an invalid number of segments"},
		"four parts":      {good + ".x", token.Malformed, "token contains an invalid number of segments"},
		"not base64url":   {parts[0] + "." + parts[1] + ".!", token.Malformed, "base64url"},
		"a line break":    {parts[0] + "." + parts[1] + "\n." + parts[2], token.Malformed, "base64url"},
		"not JSON":        {"eA.eA.eA", token.Malformed, "JSON"},
		"too long":        {w.sign(t, map[string]any{"x": strings.Repeat("x", 1600)}), token.TooLong, "2048"},
		"no signature":    {parts[0] + "." + parts[1] + ".", token.WrongSignature, "playback key"},
		"other claims":    {parts[0] + "." + strings.Split(w.sign(t, map[string]any{"x": 1}), ".")[1] + "." + parts[2], token.WrongSignature, "playback key"},
		"other signer":    {stranger.sign(t, nil), token.WrongSignature, "playback key"},
		"other algorithm": {draft{method: jwt.SigningMethodHS256, key: w.keys[1], claims: jwt.MapClaims{"aws:channel-arn": w.channel.String()}}.sign(t), token.WrongAlgorithm, "ES384"},
		"alg none":        {draft{method: jwt.SigningMethodNone, key: jwt.UnsafeAllowNoneSignatureType, claims: jwt.MapClaims{"aws:channel-arn": w.channel.String()}}.sign(t), token.WrongAlgorithm, "ES384"},
		"typ":             {draft{method: jwt.SigningMethodES384, key: w.signer, header: map[string]any{"typ": "x"}}.sign(t), token.Malformed, "typ"},
		"crit":            {draft{method: jwt.SigningMethodES384, key: w.signer, header: map[string]any{"crit": []string{"x"}}}.sign(t), token.Malformed, "crit"},
		"no channel":      {w.sign(t, map[string]any{"aws:channel-arn": nil}), token.WrongChannel, "aws:channel-arn"},
		"other channel":   {w.sign(t, map[string]any{"aws:channel-arn": w.channel.String() + "x"}), token.WrongChannel, "aws:channel-arn"},
		"a list":          {w.sign(t, map[string]any{"aws:channel-arn": []string{w.channel.String()}}), token.WrongChannel, "aws:channel-arn"},
		"no exp":          {w.sign(t, map[string]any{"exp": nil}), token.Malformed, "exp"},
		"exp as text":     {w.sign(t, map[string]any{"exp": "1999999999"}), token.Malformed, "exp"},
		"negative exp":    {w.sign(t, map[string]any{"exp": -1}), token.Malformed, "exp"},
		"expired":         {w.sign(t, map[string]any{"exp": now().Unix()}), token.Expired, "token is expired"},
		"viewer too long": {w.sign(t, map[string]any{"aws:viewer-id": "x", "exp": eleven}), token.LivesTooLong, "600"},
		"single too long": {w.sign(t, map[string]any{"aws:single-use-uuid": someUUID, "exp": eleven}), token.LivesTooLong, "600"},
		"viewer in ms":    {w.sign(t, map[string]any{"aws:viewer-id": "x", "exp": now().UnixMilli()}), token.LivesTooLong, "600"},
		"no viewer":       {w.sign(t, map[string]any{"aws:viewer-id": ""}), token.WrongClaims, "aws:viewer-id"},
		"long viewer":     {w.sign(t, map[string]any{"aws:viewer-id": strings.Repeat("ä", 41)}), token.WrongClaims, "aws:viewer-id"},
		"viewer a number": {w.sign(t, map[string]any{"aws:viewer-id": 5}), token.WrongClaims, "aws:viewer-id"},
		"version":         {w.sign(t, map[string]any{"aws:viewer-id": "x", "aws:viewer-session-version": -1}), token.WrongClaims, "aws:viewer-session-version"},
		"half a version":  {w.sign(t, map[string]any{"aws:viewer-id": "x", "aws:viewer-session-version": 1.5}), token.WrongClaims, "aws:viewer-session-version"},
		"no version":      {w.sign(t, map[string]any{"aws:viewer-id": "x", "aws:viewer-session-version": true}), token.WrongClaims, "aws:viewer-session-version"},
		"no UUID":         {w.sign(t, map[string]any{"aws:single-use-uuid": "once"}), token.WrongClaims, "aws:single-use-uuid"},
		"half a UUID":     {w.sign(t, map[string]any{"aws:single-use-uuid": someUUID[:35] + "g"}), token.WrongClaims, "aws:single-use-uuid"},
		"resolution":      {w.sign(t, map[string]any{"aws:maximum-resolution": "UHD"}), token.WrongClaims, "SD, HD, FULL_HD"},
		"strict as text":  {w.sign(t, map[string]any{"aws:strict-origin-enforcement": "true"}), token.WrongClaims, "aws:strict-origin-enforcement"},
		"six strict":      {w.sign(t, map[string]any{"aws:access-control-allow-origin": six, "aws:strict-origin-enforcement": true}), token.WrongClaims, "more than 5"},
		"no origin":       {w.sign(t, map[string]any{"aws:access-control-allow-origin": "https://a.test,x"}), token.WrongClaims, "aws:access-control-allow-origin"},
		"ads":             {w.sign(t, map[string]any{"aws:ads-opt-out": 1}), token.WrongClaims, "aws:ads-opt-out"},
		"ads name":        {w.sign(t, map[string]any{"aws:ads-playback-config-name": 1}), token.WrongClaims, "aws:ads-playback-config-name"},
		"ads list":        {w.sign(t, map[string]any{"aws:ads-player-params": []int{1}}), token.WrongClaims, "aws:ads-player-params"},
		"ads too much":    {w.sign(t, map[string]any{"aws:ads-player-params": map[string]any{"a": strings.Repeat("x", 993)}}), token.WrongClaims, "1000"},
		"ads mode":        {w.sign(t, map[string]any{"aws:ads-reporting-mode": "BOTH"}), token.WrongClaims, "CLIENT, SERVER"},
	} {
		_, err := w.verify(t, c.text)
		wantRefusal(t, err, 403, c.reason)
		if r, ok := errors.AsType[*token.Refusal](err); ok && !strings.Contains(r.Detail, c.says) {
			t.Errorf("%s: %q, want %q in it", name, r.Detail, c.says)
		}
	}
	if _, err := w.verify(t, w.sign(t, map[string]any{"aws:ads-player-params": map[string]any{"a": strings.Repeat("x", 992)}})); err != nil {
		t.Errorf("1,000 bytes for ads: %v", err)
	}
}

// TestPlaybackKeysAreThoseOfTheChannel: keys are looked up each time, so one that was deleted lets nobody in any more; without
// any, and without an answer, nobody is let in.
func TestPlaybackKeysAreThoseOfTheChannel(t *testing.T) {
	t.Parallel()
	w := newViewersWorld(t)
	text := w.sign(t, nil)
	for range 2 { // the second time from memory
		if _, err := w.verify(t, text); err != nil {
			t.Fatal(err)
		}
	}
	for _, sc := range w.asked {
		if sc != w.channel.Scope {
			t.Errorf("asked for the keys of %v", sc)
		}
	}
	w.keys = w.keys[:1]
	_, err := w.verify(t, text)
	wantRefusal(t, err, 403, token.WrongSignature)
	w.keys = nil
	_, err = w.verify(t, text)
	wantRefusal(t, err, 403, token.UnknownKey)
	w.err = fault.New(fault.Unavailable, "no engine")
	if _, err = w.verify(t, text); !fault.Is(err, fault.Unavailable) {
		t.Errorf("without an answer: %v", err)
	}
}

// FuzzPlaybackToken: whatever is sent, verified is only what the key has signed, and no refusal repeats the token.
func FuzzPlaybackToken(f *testing.F) {
	w := newViewersWorld(f)
	good := w.sign(f, map[string]any{"aws:viewer-id": "x"})
	f.Add(good)
	f.Add("")
	f.Add("a.b.c")
	f.Add(good[:len(good)-1])
	f.Add(strings.Replace(good, ".", "..", 1))
	f.Add("eyJhbGciOiJub25lIn0.eyJleHAiOjF9.")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := w.verifier.Verify(t.Context(), w.channel, text)
		if (err == nil) != (text == good) {
			t.Fatalf("%q: %v", text, err)
		}
		if r, ok := errors.AsType[*token.Refusal](err); err != nil && (!ok || r.Status != 403 || len(text) > 40 && strings.Contains(r.Detail, text)) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

// FuzzPlaybackClaims: any JSON object that was signed is read or refused, and what is read keeps the limits.
func FuzzPlaybackClaims(f *testing.F) {
	w := newViewersWorld(f)
	f.Add(`{"aws:viewer-id":"x","aws:viewer-session-version":"3","exp":1767323345}`)
	f.Add(`{"aws:ads-player-params":{"a":[1,{"b":null}]},"exp":1e300}`)
	f.Add(`{"exp":-0,"aws:access-control-allow-origin":",,"}`)
	f.Add(`{"exp":"1","aws:single-use-uuid":null}`)
	f.Fuzz(func(t *testing.T, object string) {
		var claims map[string]any
		if json.Unmarshal([]byte(object), &claims) != nil {
			return
		}
		c, err := w.verify(t, w.sign(t, claims))
		if err != nil {
			if _, ok := errors.AsType[*token.Refusal](err); !ok {
				t.Fatal(err)
			}
			return
		}
		if !c.Expires.After(now()) || len([]rune(c.ViewerID)) > token.MaxViewerID || c.SessionVersion < 0 || len(c.Ads.PlayerParams) > token.MaxAdParams {
			t.Fatalf("%s: %+v", object, c)
		}
	})
}

// BenchmarkPlaybackToken: what the first request of a session costs for its token, known and new.
func BenchmarkPlaybackToken(b *testing.B) {
	w := newViewersWorld(b)
	text := w.sign(b, map[string]any{"aws:viewer-id": "u-1042", "aws:viewer-session-version": 3})
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.verify(b, text); err != nil {
				b.Fatal(err)
			}
		}
	})
	forged := text[:len(text)-2] + "AA"
	b.Run("new", func(b *testing.B) { // one that no key has signed is never remembered
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.verify(b, forged); err == nil {
				b.Fatal("a forged token")
			}
		}
	})
}
