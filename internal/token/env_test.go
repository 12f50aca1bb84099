package token_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/token"
)

const (
	events = "wss://media.example/rt/events"
	whip   = "https://media.example/rt/whip"
)

// now is when the tests happen.
func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC) }

func home() arn.Scope { return arn.Scope{Region: "eu-west-1", Account: "111122223333"} }

// world is a stage, the public key of its account and the same of a stranger.
type world struct {
	authority *token.Authority
	stage     arn.ARN
	key       arn.ARN
	foreign   arn.ARN // a key of another account
	signer    *ecdsa.PrivateKey
	records   *records
}

// records are the Records of a world.
type records struct {
	stages map[arn.ARN]resource.Stage
	keys   map[arn.ARN]resource.PublicKey
	burnt  map[string]bool
	err    error
}

func (r *records) PublicKey(_ context.Context, a arn.ARN) (resource.PublicKey, error) {
	k, ok := r.keys[a]
	return k, r.answer(ok)
}

func (r *records) Stage(_ context.Context, a arn.ARN) (resource.Stage, error) {
	st, ok := r.stages[a]
	return st, r.answer(ok)
}

func (r *records) Disconnected(_ context.Context, stage arn.ARN, id string) (bool, error) {
	return r.burnt[stage.String()+"/"+id], r.err
}

func (r *records) answer(ok bool) error {
	if r.err == nil && !ok {
		return fault.New(fault.NotFound, "not there")
	}
	return r.err
}

func seed() []byte { return bytes.Repeat([]byte{7}, 32) }

func newWorld(tb testing.TB) *world {
	tb.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(tb, err)
	der, err := x509.MarshalPKIXPublicKey(&signer.PublicKey)
	check(tb, err)
	w := &world{
		stage:   resource.StageARN(home(), "Ab12Cd34Ef56"),
		key:     resource.PublicKeyARN(home(), "Kk12Kk34Kk56"),
		foreign: resource.PublicKeyARN(arn.Scope{Region: "eu-west-1", Account: "444455556666"}, "Ff12Ff34Ff56"),
		signer:  signer,
	}
	w.records = &records{
		stages: map[arn.ARN]resource.Stage{w.stage: {ARN: w.stage, Endpoints: []resource.Endpoints{
			{Events: "ws://old.example/rt/events", WHIP: "http://old.example/rt/whip"}, {Events: events, WHIP: whip},
		}}},
		keys:  map[arn.ARN]resource.PublicKey{w.key: {ARN: w.key, SPKI: der}, w.foreign: {ARN: w.foreign, SPKI: der}},
		burnt: map[string]bool{},
	}
	w.authority, err = token.NewAuthority(token.Options{Seed: seed(), Records: w.records, Clock: now})
	check(tb, err)
	return w
}

// draft is a token that an account is about to sign.
type draft struct {
	method jwt.SigningMethod
	key    any
	header map[string]any
	claims jwt.MapClaims
}

// draft returns a draft that is in order.
func (w *world) draft() draft {
	return draft{
		method: jwt.SigningMethodES384,
		key:    w.signer,
		header: map[string]any{"kid": w.key.String()},
		claims: jwt.MapClaims{
			"exp": now().Add(12 * time.Hour).Unix(), "iat": now().Unix(), "jti": "Zz11_Yy-22Xx",
			"resource": w.stage.String(), "topic": w.stage.ID, "events_url": events, "whip_url": whip,
			"user_id": "alice", "attributes": map[string]string{"displayName": "Alice"},
			"capabilities": map[string]any{"allow_publish": true, "allow_subscribe": true}, "version": "1.0",
		},
	}
}

func (d draft) sign(tb testing.TB) string {
	tb.Helper()
	t := jwt.NewWithClaims(d.method, d.claims)
	for k, v := range d.header {
		if t.Header[k] = v; v == nil {
			delete(t.Header, k)
		}
	}
	text, err := t.SignedString(d.key)
	check(tb, err)
	return text
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// wantRefusal checks why a token was refused.
func wantRefusal(tb testing.TB, err error, status int, reason token.Reason) {
	tb.Helper()
	var r *token.Refusal
	if !errors.As(err, &r) || r.Status != status || r.Reason != reason {
		tb.Errorf("error %v (%+v), want %d %s", err, r, status, reason)
	}
}
