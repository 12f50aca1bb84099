package ivsrealtime_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"github.com/rivus-live/rivus/internal/token"
)

// TestPublicKeyForms imports one key in the forms that text editors and other servers make of its PEM.
func TestPublicKeyForms(t *testing.T) {
	t.Parallel()
	e := start(t)
	ctx, api := t.Context(), e.api()
	_, material := newKey(t)
	lines := strings.Split(strings.TrimSpace(material), "\n")
	print := ""
	for name, text := range map[string]string{
		"as it is":            material,
		"no end of line":      strings.TrimSpace(material),
		"CRLF":                strings.ReplaceAll(material, "\n", "\r\n"),
		"one line":            lines[0] + "\n" + strings.Join(lines[1:len(lines)-1], "") + "\n" + lines[len(lines)-1],
		"text on the line":    "key: " + strings.TrimSpace(material) + " # mine",
		"text on the next":    material + "# mine",
		"empty lines in it":   strings.Replace(material, "\n", "\n\n\n", 1),
		"surrounding padding": "  " + material + "  ",
	} {
		out, err := api.ImportPublicKey(ctx, &sdk.ImportPublicKeyInput{PublicKeyMaterial: &text, Name: aws.String("k")})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		k := out.PublicKey
		if *k.PublicKeyMaterial != text || *k.Name != "k" {
			t.Errorf("%s: answered %q", name, *k.PublicKeyMaterial)
		}
		if !regexp.MustCompile(`^([0-9a-f]{2}:){15}[0-9a-f]{2}$`).MatchString(*k.Fingerprint) || print != "" && *k.Fingerprint != print {
			t.Errorf("%s: fingerprint %s, others %s", name, *k.Fingerprint, print)
		}
		print = *k.Fingerprint
		_, err = api.ImportPublicKey(ctx, &sdk.ImportPublicKeyInput{PublicKeyMaterial: &material})
		wantCode(t, err, "ConflictException")
		_, err = api.DeletePublicKey(ctx, &sdk.DeletePublicKeyInput{Arn: k.Arn})
		check(t, err)
	}
	for _, region := range []string{"eu-west-1", region} { // it is another key in another region
		_, err := e.in(region).ImportPublicKey(ctx, &sdk.ImportPublicKeyInput{PublicKeyMaterial: &material})
		check(t, err)
	}
}

// TestPublicKeyKinds refuses what is no public key for ES384.
func TestPublicKeyKinds(t *testing.T) {
	t.Parallel()
	e := start(t)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	check(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	edKey, _, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	_, good := newKey(t)
	for name, material := range map[string]string{
		"P-256":          publicPEM(t, &p256.PublicKey),
		"P-521":          publicPEM(t, &p521.PublicKey),
		"RSA":            publicPEM(t, &rsaKey.PublicKey),
		"Ed25519":        publicPEM(t, edKey),
		"another point":  strings.Replace(good, "\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE", "\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEAAAA", 1),
		"a private key":  strings.ReplaceAll(good, "PUBLIC", "PRIVATE"),
		"a certificate":  strings.ReplaceAll(good, "PUBLIC KEY", "CERTIFICATE"),
		"nothing in it":  "-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----",
		"half of it":     good[:len(good)/2],
		"not base64":     strings.Replace(good, "MHYw", "====", 1),
		"more than one":  strings.TrimSpace(good) + strings.Repeat(" ", 4096),
		"trailing bytes": strings.Replace(good, "\n-----END", "AAAA\n-----END", 1),
	} {
		_, err := e.api().ImportPublicKey(t.Context(), &sdk.ImportPublicKeyInput{PublicKeyMaterial: &material})
		var invalid *types.ValidationException
		if !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSelfSignedTokens follows a key through its life: what it signs is good from its import to its deletion, for the
// stages of its own account and region.
func TestSelfSignedTokens(t *testing.T) {
	t.Parallel()
	e := start(t)
	ctx := t.Context()
	st := e.create(t, "demo")
	key, private := e.importKey(t)
	verify := func(stage, key *string) (token.Claims, error) {
		return e.authority.Verify(ctx, e.selfSigned(t, stage, key, private, "me", *st.Endpoints.Events, *st.Endpoints.Whip))
	}
	c, err := verify(st.Arn, key.Arn)
	check(t, err)
	if c.ParticipantID != "me" || c.OurOwn || c.KeyARN.String() != *key.Arn {
		t.Errorf("claims %+v", c)
	}
	abroad, err := e.in("eu-west-1").CreateStage(ctx, &sdk.CreateStageInput{})
	check(t, err)
	_, err = verify(abroad.Stage.Arn, key.Arn)
	wantRefusal(t, err, token.UnknownKey)
	other, _ := e.importKey(t)
	_, err = verify(st.Arn, other.Arn)
	wantRefusal(t, err, token.WrongSignature)
	got, err := e.api().GetPublicKey(ctx, &sdk.GetPublicKeyInput{Arn: key.Arn})
	check(t, err)
	if *got.PublicKey.PublicKeyMaterial != *key.PublicKeyMaterial || *got.PublicKey.Fingerprint != *key.Fingerprint {
		t.Errorf("key %+v", got.PublicKey)
	}
	_, err = e.api().DeletePublicKey(ctx, &sdk.DeletePublicKeyInput{Arn: key.Arn})
	check(t, err)
	_, err = verify(st.Arn, key.Arn)
	wantRefusal(t, err, token.UnknownKey)
	again, err := e.api().ImportPublicKey(ctx, &sdk.ImportPublicKeyInput{PublicKeyMaterial: key.PublicKeyMaterial})
	check(t, err)
	_, err = verify(st.Arn, key.Arn)
	wantRefusal(t, err, token.UnknownKey) // what was revoked stays so when the key comes back
	_, err = verify(st.Arn, again.PublicKey.Arn)
	check(t, err)
}

// TestSameKeyAtOnce lets many callers import one key.
func TestSameKeyAtOnce(t *testing.T) {
	t.Parallel()
	e := start(t)
	_, material := newKey(t)
	results := make(chan error)
	for range 8 {
		go func() {
			_, err := e.api().ImportPublicKey(t.Context(), &sdk.ImportPublicKeyInput{PublicKeyMaterial: &material})
			results <- err
		}()
	}
	good := 0
	for range 8 {
		if err := <-results; err == nil {
			good++
		} else {
			wantCode(t, err, "ConflictException")
		}
	}
	if good != 1 {
		t.Errorf("imported %d times", good)
	}
}
