package admission_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/admission"
	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/token"
)

const (
	policyARN = "arn:aws:ivs:us-west-2:111122223333:playback-restriction-policy/Pp12Pp34Pp56"
	stream    = "st-0123456789abcdefghijklm"
)

func channel() arn.ARN {
	return arn.Channel(arn.Scope{Region: "us-west-2", Account: "111122223333"}, "hT4kPz81QmXc")
}

func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// world is what a Gate decides from.
type world struct {
	mu       sync.Mutex
	policy   *resource.PlaybackRestrictionPolicy
	revoked  map[string]int64
	used     map[string]bool
	err      error // of the engine
	watchers []func(resource.ViewerRevocation)
	places   map[string]string // country by address; "!" is an error
	signer   *ecdsa.PrivateKey
	gate     *admission.Gate
}

func (w *world) Policy(_ context.Context, text string) (resource.PlaybackRestrictionPolicy, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.policy == nil || text != policyARN {
		return resource.PlaybackRestrictionPolicy{}, fault.New(fault.NotFound, "no policy")
	}
	return *w.policy, nil
}

func (w *world) Revocation(c arn.ARN, viewer string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v, ok := w.revoked[c.ID+"/"+viewer]; ok {
		return v
	}
	return -1
}

func (w *world) WatchRevocations(ctx context.Context, fn func(resource.ViewerRevocation)) {
	w.mu.Lock()
	w.watchers = append(w.watchers, fn)
	w.mu.Unlock()
	<-ctx.Done()
}

func (w *world) Use(_ context.Context, t resource.UsedToken) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := t.ChannelARN.ID + "/" + t.UUID
	if w.err == nil && w.used[key] {
		return fault.New(fault.Conflict, "used")
	}
	if w.err == nil {
		w.used[key] = true
	}
	return w.err
}

// Country implements admission.Countries.
func (w *world) Country(a netip.Addr) (string, error) {
	code := w.places[a.String()]
	if code == "!" {
		return "", errors.New("damaged")
	}
	return code, nil
}

// revoke stores a revocation and tells those who watch.
func (w *world) revoke(viewer string, version int64) {
	w.mu.Lock()
	w.revoked[channel().ID+"/"+viewer] = version
	watchers := w.watchers
	w.mu.Unlock()
	for _, fn := range watchers {
		fn(resource.ViewerRevocation{ChannelARN: channel(), ViewerID: viewer, Version: version})
	}
}

// newWorld returns a world in which somebody can sign; with countries its gate knows where addresses are.
func newWorld(tb testing.TB, countries bool) *world {
	tb.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(tb, err)
	der, err := x509.MarshalPKIXPublicKey(&signer.PublicKey)
	check(tb, err)
	w := &world{
		revoked: map[string]int64{}, used: map[string]bool{}, signer: signer,
		places: map[string]string{"127.0.0.1": "DE", "203.0.113.5": "FR", "203.0.113.6": "!"},
	}
	o := admission.Options{
		Tokens:  token.NewPlaybackVerifier(func(context.Context, arn.Scope) ([][]byte, error) { return [][]byte{der}, w.err }, now),
		Records: w, Key: bytes.Repeat([]byte{7}, 32),
	}
	if countries {
		o.Countries = w
	}
	w.gate, err = admission.New(o)
	check(tb, err)
	return w
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// sign signs a token for the channel with more claims.
func (w *world) sign(tb testing.TB, more jwt.MapClaims) string {
	tb.Helper()
	claims := jwt.MapClaims{"aws:channel-arn": channel().String(), "exp": now().Add(5 * time.Minute).Unix()}
	maps.Copy(claims, more)
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // as signers in other languages write it
	check(tb, e.Encode(claims))
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES384","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(body.Bytes())
	signature, err := jwt.SigningMethodES384.Sign(text, w.signer)
	check(tb, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// private is the first request of a session of a private channel.
func (w *world) private(tb testing.TB, more jwt.MapClaims) admission.Visit {
	tb.Helper()
	return admission.Visit{Channel: channel(), Record: &resource.Channel{Authorized: true, PlaybackRestrictionPolicyARN: policyARN}, Token: w.sign(tb, more)}
}

// restricted is the first request of a session of a public channel with a policy.
func restricted(origin, client string) admission.Visit {
	v := admission.Visit{Channel: channel(), Record: &resource.Channel{PlaybackRestrictionPolicyARN: policyARN}, Origin: origin}
	if client != "" {
		v.Client = netip.MustParseAddr(client)
	}
	return v
}

// wantRefusal checks why somebody was refused.
func wantRefusal(tb testing.TB, err error, code string, reason admission.Reason) {
	tb.Helper()
	r, ok := errors.AsType[*admission.Refusal](err)
	if !ok || r.Status != 403 || r.Code != code || r.Reason != reason || r.Text == "" {
		tb.Errorf("error %v (%+v), want %s for %q", err, r, code, reason)
	}
}
