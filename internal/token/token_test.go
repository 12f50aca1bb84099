package token_test

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/token"
)

// granted are the claims of a token that this server makes.
func (w *world) granted() token.Claims {
	return token.Claims{
		ParticipantID: "Zz11Yy22Xx33", StageARN: w.stage, UserID: "álice", Attributes: map[string]string{"a": "<b>"},
		Publish: true, IssuedAt: now().Truncate(time.Second), Expires: now().Truncate(time.Second).Add(time.Hour),
		EventsURL: "wss://moved.example/rt/events", WHIPURL: "https://moved.example/rt/whip",
	}
}

func TestMint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := w.granted()
	text, err := w.authority.Mint(want)
	check(t, err)
	got, err := w.authority.Verify(t.Context(), text)
	check(t, err)
	want.Topic, want.OurOwn = w.stage.ID, true
	if !reflect.DeepEqual(got, want) {
		t.Errorf("claims\n%+v, want\n%+v", got, want)
	}
}

// TestMintedFits checks that no token which the API can be asked for is too long to be verified, whatever JSON and
// base64 make of it.
func TestMintedFits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.granted()
	c.ParticipantID, c.UserID, c.Attributes = strings.Repeat("x", 64), strings.Repeat("\x01", 128), map[string]string{}
	for i := range 512 { // two bytes each, and no shorter way to write one than \u0001
		c.Attributes[string([]byte{byte(1 + i/24%24 + i/576), byte(1 + i%24)})] = ""
	}
	if len(c.Attributes) != 512 || token.AttributesSize(c.Attributes) != token.MaxAttributes {
		t.Fatalf("%d attributes", len(c.Attributes))
	}
	host := strings.Repeat("a", 253)
	c.EventsURL, c.WHIPURL = "wss://"+host+":65535/rt/events", "https://"+host+":65535/rt/whip"
	text, err := w.authority.Mint(c)
	check(t, err)
	if _, err := w.authority.Verify(t.Context(), text); err != nil {
		t.Errorf("%d characters: %v", len(text), err)
	}
}

// TestMintedForm checks what clients read out of a token: the claims that the service documents, under their names.
func TestMintedForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text, err := w.authority.Mint(w.granted())
	check(t, err)
	parts := strings.Split(text, ".")
	for i, want := range []string{
		`{"alg":"ES384","kid":"rivus:3bc38399e724223f","typ":"JWT"}`,
		`{"attributes":{"a":"\u003cb\u003e"},"capabilities":{"allow_publish":true,"allow_subscribe":false},` +
			`"events_url":"wss://moved.example/rt/events","exp":1767326645,"iat":1767323045,"jti":"Zz11Yy22Xx33",` +
			`"resource":"arn:aws:ivs:eu-west-1:111122223333:stage/Ab12Cd34Ef56","topic":"Ab12Cd34Ef56",` +
			`"user_id":"álice","version":"1.0","whip_url":"https://moved.example/rt/whip"}`,
	} {
		got, err := base64.RawURLEncoding.DecodeString(parts[i])
		check(t, err)
		if string(got) != want {
			t.Errorf("part %d\n%s, want\n%s", i, got, want)
		}
	}
}

// TestKeyIsDerived checks that the same seed is the same key, in another life and on another node, and another seed is
// another key.
func TestKeyIsDerived(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text, err := w.authority.Mint(w.granted())
	check(t, err)
	again, err := token.NewAuthority(token.Options{Seed: seed(), Records: w.records, Clock: now})
	check(t, err)
	if _, err := again.Verify(t.Context(), text); err != nil {
		t.Error(err)
	}
	other, err := token.NewAuthority(token.Options{Seed: append(seed(), 1), Records: w.records, Clock: now})
	check(t, err)
	_, err = other.Verify(t.Context(), text)
	wantRefusal(t, err, 401, token.UnknownKey)
	if _, err := token.NewAuthority(token.Options{Seed: seed()[:31]}); err == nil {
		t.Error("a seed of 31 bytes was taken")
	}
}

func TestVerifySelfSigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got, err := w.authority.Verify(t.Context(), w.draft().sign(t))
	check(t, err)
	want := token.Claims{
		ParticipantID: "Zz11_Yy-22Xx", StageARN: w.stage, Topic: w.stage.ID, UserID: "alice",
		Attributes: map[string]string{"displayName": "Alice"}, Publish: true, Subscribe: true,
		IssuedAt: now().Truncate(time.Second), Expires: now().Truncate(time.Second).Add(12 * time.Hour),
		EventsURL: events, WHIPURL: whip, KeyARN: w.key,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("claims\n%+v, want\n%+v", got, want)
	}
}

// TestAccepted holds the odd tokens that are good.
func TestAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, change := range map[string]func(*draft){
		"no user id":        func(d *draft) { delete(d.claims, "user_id") },
		"user id null":      func(d *draft) { d.claims["user_id"] = nil },
		"longest user id":   func(d *draft) { d.claims["user_id"] = strings.Repeat("é", 128) },
		"no attributes":     func(d *draft) { delete(d.claims, "attributes") },
		"attributes null":   func(d *draft) { d.claims["attributes"] = nil },
		"most attributes":   func(d *draft) { d.claims["attributes"] = map[string]string{"key": strings.Repeat("\x01", 1021)} },
		"no typ":            func(d *draft) { d.header["typ"] = nil },
		"typ in lower case": func(d *draft) { d.header["typ"] = "jwt" },
		"no capability":     func(d *draft) { d.claims["capabilities"] = map[string]any{} },
		"fast clock":        func(d *draft) { d.claims["iat"] = now().Add(time.Minute).Unix() },
		"longest life":      func(d *draft) { d.claims["exp"] = now().Unix() + 1209600 },
		"last second":       func(d *draft) { d.claims["exp"] = now().Unix() + 1; d.claims["iat"] = now().Unix() - 3600 },
		"an earlier address": func(d *draft) {
			d.claims["events_url"], d.claims["whip_url"] = "ws://old.example/rt/events", "http://old.example/rt/whip"
		},
		"nbf now":               func(d *draft) { d.claims["nbf"] = now().Unix() },
		"claims of other kinds": func(d *draft) { d.claims["aud"], d.claims["JTI"] = "x", "other" },
		"longest id":            func(d *draft) { d.claims["jti"] = strings.Repeat("-", 64) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := w.draft()
			change(&d)
			c, err := w.authority.Verify(t.Context(), d.sign(t))
			if err != nil || c.ParticipantID != d.claims["jti"] {
				t.Errorf("%v, participant %s", err, c.ParticipantID)
			}
		})
	}
}

// TestRefused holds what is wrong with tokens, one thing at a time.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claim := func(name string, value any) func(*draft) { return func(d *draft) { d.claims[name] = value } }
	header := func(name string, value any) func(*draft) { return func(d *draft) { d.header[name] = value } }
	number := func(text string) any { return json.Number(text) }
	at := now().Unix()
	tests := []struct {
		name   string
		change func(*draft)
		status int
		reason token.Reason
	}{
		{"too long", claim("x", strings.Repeat("x", token.MaxLength)), 401, token.TooLong},
		{"none", func(d *draft) { d.method, d.key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType }, 401, token.WrongAlgorithm},
		{"symmetric, with the public key", func(d *draft) { d.method, d.key = jwt.SigningMethodHS384, w.records.keys[w.key].SPKI }, 401, token.WrongAlgorithm},
		{"unknown algorithm", header("alg", "KMS"), 401, token.WrongAlgorithm},
		{"no algorithm", header("alg", nil), 401, token.WrongAlgorithm},
		{"algorithm is no string", header("alg", 384), 401, token.WrongAlgorithm},
		{"algorithm in lower case", header("alg", "es384"), 401, token.WrongAlgorithm},
		{"typ", header("typ", "JWE"), 401, token.Malformed},
		{"typ is no string", header("typ", 1), 401, token.Malformed},
		{"crit", header("crit", []string{"b64"}), 401, token.Malformed},
		{"no resource", claim("resource", nil), 401, token.Malformed},
		{"resource is no stage", claim("resource", resource.PublicKeyARN(home(), "x").String()), 401, token.Malformed},
		{"resource of chat", claim("resource", "arn:aws:ivschat:eu-west-1:111122223333:stage/Ab12Cd34Ef56"), 401, token.Malformed},
		{"no kid", header("kid", nil), 401, token.UnknownKey},
		{"kid is no string", header("kid", 7), 401, token.UnknownKey},
		{"kid is no ARN", header("kid", "key"), 401, token.UnknownKey},
		{"kid is a stage", header("kid", w.stage.String()), 401, token.UnknownKey},
		{"deleted key", header("kid", resource.PublicKeyARN(home(), "000000000000").String()), 401, token.UnknownKey},
		{"key of another account", header("kid", w.foreign.String()), 401, token.UnknownKey},
		{"stage of another account", func(d *draft) {
			d.claims["resource"] = resource.StageARN(w.foreign.Scope, w.stage.ID).String()
		}, 401, token.UnknownKey},
		{"stage in another region", func(d *draft) {
			d.claims["resource"] = resource.StageARN(arn.Scope{Region: "us-west-2", Account: home().Account}, w.stage.ID).String()
		}, 401, token.UnknownKey},
		{"another key", func(d *draft) { d.key = newWorld(t).signer }, 401, token.WrongSignature},
		{"our name, not our key", func(d *draft) { d.header["kid"] = "rivus:3bc38399e724223f" }, 401, token.WrongSignature},
		{"no exp", claim("exp", nil), 401, token.Malformed},
		{"no iat", claim("iat", nil), 401, token.Malformed},
		{"exp in words", claim("exp", "1767326645"), 401, token.Malformed},
		{"exp with a fraction", claim("exp", number("1767326645.5")), 401, token.Malformed},
		{"exp with an exponent", claim("exp", number("1e30")), 401, token.Malformed},
		{"exp without end", claim("exp", number("9223372036854775807")), 401, token.Malformed},
		{"exp before time", claim("exp", -1), 401, token.Malformed},
		{"expired now", claim("exp", at), 401, token.Expired},
		{"expired long ago", claim("exp", 0), 401, token.Expired},
		{"issued in the future", claim("iat", at+61), 401, token.NotYetValid},
		{"nbf in the future", claim("nbf", at+61), 401, token.NotYetValid},
		{"nbf in words", claim("nbf", "now"), 401, token.NotYetValid},
		{"lives too long", claim("exp", at+1209601), 401, token.LivesTooLong},
		{"no version", claim("version", nil), 401, token.WrongVersion},
		{"version as a number", claim("version", number("1.0")), 401, token.WrongVersion},
		{"another version", claim("version", "1.1"), 401, token.WrongVersion},
		{"unknown stage", func(d *draft) {
			d.claims["resource"], d.claims["topic"] = resource.StageARN(home(), "000000000000").String(), "000000000000"
		}, 404, token.UnknownStage},
		{"no topic", claim("topic", nil), 401, token.WrongTopic},
		{"topic of another stage", claim("topic", "000000000000"), 401, token.WrongTopic},
		{"foreign events host", claim("events_url", "wss://elsewhere.example/rt/events"), 401, token.WrongEndpoint},
		{"foreign whip host", claim("whip_url", "https://elsewhere.example/rt/whip"), 401, token.WrongEndpoint},
		{"addresses of two times", claim("whip_url", "http://old.example/rt/whip"), 401, token.WrongEndpoint},
		{"no address", claim("events_url", nil), 401, token.WrongEndpoint},
		{"no jti", claim("jti", nil), 401, token.WrongClaims},
		{"empty jti", claim("jti", ""), 401, token.WrongClaims},
		{"long jti", claim("jti", strings.Repeat("x", 65)), 401, token.WrongClaims},
		{"jti of other characters", claim("jti", "a/b"), 401, token.WrongClaims},
		{"jti as a number", claim("jti", 12), 401, token.WrongClaims},
		{"user id as a number", claim("user_id", 12), 401, token.WrongClaims},
		{"long user id", claim("user_id", strings.Repeat("é", 129)), 401, token.WrongClaims},
		{"attributes as a list", claim("attributes", []string{"a"}), 401, token.WrongClaims},
		{"attributes of numbers", claim("attributes", map[string]int{"a": 1}), 401, token.WrongClaims},
		{"many attributes", claim("attributes", map[string]string{"key": strings.Repeat("x", 1022)}), 401, token.WrongClaims},
		{"no capabilities", claim("capabilities", nil), 401, token.WrongClaims},
		{"capabilities as a list", claim("capabilities", []string{"PUBLISH"}), 401, token.WrongClaims},
		{"capabilities in words", claim("capabilities", map[string]string{"allow_publish": "true"}), 401, token.WrongClaims},
		{"disconnected", claim("jti", "kicked"), 403, token.WasDisconnected},
	}
	w.records.burnt[w.stage.String()+"/kicked"] = true
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := w.draft()
			test.change(&d)
			c, err := w.authority.Verify(t.Context(), d.sign(t))
			wantRefusal(t, err, test.status, test.reason)
			if !reflect.DeepEqual(c, token.Claims{}) {
				t.Errorf("claims %+v of a token that was refused", c)
			}
		})
	}
}

// TestRefusedText holds texts that are no tokens at all.
func TestRefusedText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.draft().sign(t)
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	parts := strings.Split(good, ".")
	other := []byte(strings.Split(w.draft().sign(t), ".")[2])
	other[127] = map[bool]byte{true: 'B', false: 'A'}[other[127] == 'A']
	for name, test := range map[string]struct {
		text   string
		reason token.Reason
	}{
		"nothing":               {"", token.Malformed},
		"two parts":             {parts[0] + "." + parts[1], token.Malformed},
		"four parts":            {good + ".", token.Malformed},
		"padded":                {good + "==", token.Malformed},
		"spaces":                {" " + good, token.Malformed},
		"a line break":          {parts[0] + ".\n" + parts[1] + "." + parts[2], token.Malformed},
		"header is a list":      {encode("[]") + "." + parts[1] + "." + parts[2], token.Malformed},
		"header is null":        {encode("null") + "." + parts[1] + "." + parts[2], token.WrongAlgorithm},
		"claims are a list":     {parts[0] + "." + encode("[]") + "." + parts[2], token.Malformed},
		"claims are null":       {parts[0] + "." + encode("null") + "." + parts[2], token.Malformed},
		"claims are cut":        {parts[0] + "." + encode(`{"jti":`) + "." + parts[2], token.Malformed},
		"no signature":          {parts[0] + "." + parts[1] + ".", token.WrongSignature},
		"zero signature":        {parts[0] + "." + parts[1] + "." + strings.Repeat("A", 128), token.WrongSignature},
		"signature of others":   {parts[0] + "." + parts[1] + "." + string(other), token.WrongSignature},
		"signature in DER":      {parts[0] + "." + parts[1] + "." + encode("\x30\x64\x02\x30"+strings.Repeat("x", 98)), token.WrongSignature},
		"deep claims":           {parts[0] + "." + encode(strings.Repeat("[", 9000)) + "." + parts[2], token.Malformed},
		"claims of another one": {parts[0] + "." + encode(`{"resource":"`+w.stage.String()+`"}`) + "." + parts[2], token.WrongSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := w.authority.Verify(t.Context(), test.text)
			wantRefusal(t, err, 401, test.reason)
			if test.text != "" && strings.Contains(err.Error(), parts[2]) {
				t.Errorf("error %v holds the token", err)
			}
		})
	}
}
