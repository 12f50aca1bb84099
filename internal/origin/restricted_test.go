package origin

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/admission"
	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/token"
)

const (
	wrongToken = "invalid_playback_auth_token"
	testPolicy = "arn:aws:ivs:us-west-2:111122223333:playback-restriction-policy/Pp12Pp34Pp56"
)

// law is what a gate decides from: who signs, and who was revoked.
type law struct {
	mu       sync.Mutex
	policy   resource.PlaybackRestrictionPolicy
	revoked  map[string]int64
	used     map[string]bool
	watchers []func(resource.ViewerRevocation)
	signer   *ecdsa.PrivateKey
	gate     *admission.Gate
}

func (l *law) Policy(_ context.Context, text string) (resource.PlaybackRestrictionPolicy, error) {
	if text != testPolicy {
		return resource.PlaybackRestrictionPolicy{}, fault.New(fault.NotFound, "no policy")
	}
	return l.policy, nil
}

func (l *law) Revocation(_ arn.ARN, viewer string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v, ok := l.revoked[viewer]; ok {
		return v
	}
	return -1
}

func (l *law) WatchRevocations(ctx context.Context, fn func(resource.ViewerRevocation)) {
	l.mu.Lock()
	l.watchers = append(l.watchers, fn)
	l.mu.Unlock()
	<-ctx.Done()
}

func (l *law) Use(_ context.Context, t resource.UsedToken) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.used[t.UUID] {
		return fault.New(fault.Conflict, "used")
	}
	l.used[t.UUID] = true
	return nil
}

func (l *law) Country(a netip.Addr) (string, error) {
	return map[string]string{"192.0.2.1": "DE", "203.0.113.5": "FR"}[a.String()], nil
}

func (l *law) revoke(viewer string, version int64) {
	l.mu.Lock()
	l.revoked[viewer] = version
	watchers := l.watchers
	l.mu.Unlock()
	for _, fn := range watchers {
		fn(resource.ViewerRevocation{ChannelARN: arn.Channel(testScope, testChannel), ViewerID: viewer, Version: version})
	}
}

// testSigner signs for all tests.
var testSigner = sync.OnceValue(func() *ecdsa.PrivateKey { //nolint:gochecknoglobals // made once
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

func newLaw() *law {
	l := &law{revoked: map[string]int64{}, used: map[string]bool{}, signer: testSigner()}
	der, err := x509.MarshalPKIXPublicKey(&l.signer.PublicKey)
	if err != nil {
		panic(err)
	}
	keys := func(context.Context, arn.Scope) ([][]byte, error) { return [][]byte{der}, nil }
	l.gate, err = admission.New(admission.Options{
		Tokens: token.NewPlaybackVerifier(keys, nil), Records: l, Countries: l, Key: bytes.Repeat([]byte{7}, 32),
	})
	if err != nil {
		panic(err)
	}
	return l
}

// sign returns the query with a token for the channel.
func (l *law) sign(tb testing.TB, more jwt.MapClaims) string {
	tb.Helper()
	claims := jwt.MapClaims{"aws:channel-arn": arn.Channel(testScope, testChannel).String(), "exp": time.Now().Add(5 * time.Minute).Unix()}
	maps.Copy(claims, more)
	text, err := jwt.NewWithClaims(jwt.SigningMethodES384, claims).SignedString(l.signer)
	if err != nil {
		tb.Fatal(err)
	}
	return "?token=" + text
}

// restrictedWorld is a channel on air under a law. Its stream has two renditions.
func restrictedWorld(tb testing.TB, channel resource.Channel) (*Handler, *law, *encoder) {
	tb.Helper()
	e := newEncoder(tb, resource.ContainerFMP4, true)
	e.feed(tb, 6500*time.Millisecond)
	w := onAir(e)
	w.channel, w.presentation.Channel = &channel, channel
	l := newLaw()
	return New(Options{Presentations: w, Channels: w, Gate: l.gate, ViewerKey: []byte("key"), Node: "test"}), l, e
}

func private(tb testing.TB) (*Handler, *law, *encoder) {
	tb.Helper()
	return restrictedWorld(tb, resource.Channel{Authorized: true})
}

// enter begins a session and returns the URL of its media playlist.
func enter(tb testing.TB, h *Handler, query string, header ...string) string {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, testMain+query, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		tb.Fatalf("%d %s", w.Code, w.Body)
	}
	text := strings.TrimSpace(w.Body.String())
	base, _ := url.Parse(testMain)
	u, err := base.Parse(text[strings.LastIndexByte(text, '\n')+1:])
	if err != nil {
		tb.Fatal(err)
	}
	return u.String()
}

var passPath = regexp.MustCompile(`/v/[\w-]+/`) //nolint:gochecknoglobals // a constant

// TestPrivateSession: a session of a private channel has the same bytes as a public one, under a path of its own.
func TestPrivateSession(t *testing.T) {
	t.Parallel()
	h, l, e := private(t)
	p := newHandler(onAir(e))
	index := enter(t, h, l.sign(t, jwt.MapClaims{"aws:viewer-id": "zoë"}))
	if !passPath.MatchString(index) || strings.Contains(index, "?") {
		t.Fatalf("the media playlist is at %s", index)
	}
	for _, name := range []string{"index.m3u8", "index.m3u8?_HLS_msn=2&_HLS_part=0", "init1.mp4", "seg1.m4s", "seg2.1.m4s", "seg99.m4s"} {
		at := strings.TrimSuffix(index, "index.m3u8") + name
		got, want := get(t, h, at, "Accept-Encoding", "gzip"), get(t, p, testBelow+name, "Accept-Encoding", "gzip")
		if got.Code != want.Code || got.Code == http.StatusOK && !bytes.Equal(got.Body.Bytes(), want.Body.Bytes()) {
			t.Errorf("%s: %d, want what a public channel answers, %d", name, got.Code, want.Code)
		}
		cc := got.Header().Get("Cache-Control")
		if got.Code == http.StatusOK && (!strings.HasPrefix(cc, "private, max-age=") || strings.Contains(cc, "s-maxage")) {
			t.Errorf("%s: Cache-Control %q", name, cc)
		}
	}
	if n := h.Viewers(testStream); n != 1 {
		t.Errorf("%d viewers, want 1", n)
	}
	main := get(t, h, testMain+l.sign(t, nil))
	if main.Header().Get("Cache-Control") != "no-store" || main.Header().Get("Access-Control-Allow-Origin") != "*" || strings.Contains(main.Body.String(), "token") {
		t.Errorf("%v\n%s", main.Header(), main.Body)
	}
}

// TestPrivateRefusals: paths without a pass, with another's, and of a public channel.
func TestPrivateRefusals(t *testing.T) {
	t.Parallel()
	h, l, e := private(t)
	index := enter(t, h, l.sign(t, nil))
	for _, path := range []string{testMain, testIndex, testBelow + "seg1.m4s", testBelow + "init1.mp4"} {
		wantError(t, get(t, h, path), 403, wrongToken, path)
		wantError(t, get(t, h, path+"?token=x.y.z"), 403, wrongToken, path)
	}
	wantError(t, get(t, h, testMain+l.sign(t, jwt.MapClaims{"exp": time.Now().Add(-time.Second).Unix()})), 403, wrongToken, testMain)
	bad := strings.Replace(index, "/v/", "/v/A", 1)
	wantError(t, get(t, h, bad), 403, "playback_restricted", bad)
	other := strings.Replace(index, testStream, "st-1111111111", 1)
	wantError(t, get(t, h, other), 403, "playback_restricted", other)
	p := newHandler(onAir(e)) // has the key, and the channel is public
	if w := get(t, p, index); w.Code != http.StatusOK {
		t.Errorf("a pass for a channel that everybody may watch: %d", w.Code)
	}
}

// TestResolution: a viewer gets no rendition above what the token says, in whatever way it is asked for.
func TestResolution(t *testing.T) {
	t.Parallel()
	h, l, _ := private(t)
	for limit, status := range map[string]int{"SD": 200, "FULL_HD": 200} {
		if w := get(t, h, testMain+l.sign(t, jwt.MapClaims{"aws:maximum-resolution": limit})); w.Code != status {
			t.Errorf("%s: %d %s", limit, w.Code, w.Body)
		}
	}
	sealed, err := l.gate.Seal(&admission.Pass{MaximumResolution: "none of them"}, testStream)
	if err != nil {
		t.Fatal(err)
	}
	path := strings.Replace(testIndex, "/"+testStream, "/v/"+sealed+"/"+testStream, 1)
	wantError(t, get(t, h, path), 403, wrongToken, path)
	path = strings.Replace(path, "index.m3u8", "seg1.m4s", 1)
	wantError(t, get(t, h, path), 403, wrongToken, path)
}

// TestOriginHeaders: who may read the answer is the page that was allowed; refusals may be read by all.
func TestOriginHeaders(t *testing.T) {
	t.Parallel()
	h, l, _ := private(t)
	for _, strict := range []bool{false, true} {
		query := l.sign(t, jwt.MapClaims{"aws:access-control-allow-origin": "https://*.a.test", "aws:strict-origin-enforcement": strict})
		main := get(t, h, testMain+query, "Origin", "https://x.a.test")
		if main.Code != http.StatusOK || main.Header().Get("Access-Control-Allow-Origin") != "https://x.a.test" || main.Header().Get("Vary") != "Origin" {
			t.Errorf("strict %v: %d %v", strict, main.Code, main.Header())
		}
		wantError(t, get(t, h, testMain+query), 403, wrongToken, testMain)
		wantError(t, get(t, h, testMain+query, "Origin", "https://evil.test"), 403, wrongToken, testMain)
		index := enter(t, h, query, "Referer", "https://x.a.test/player?x")
		for _, name := range []string{"index.m3u8", "init1.mp4", "seg1.m4s", "seg2.1.m4s"} {
			at := strings.TrimSuffix(index, "index.m3u8") + name
			w := get(t, h, at, "Origin", "https://x.a.test")
			allowed := map[bool]string{false: "*", true: "https://x.a.test"}[strict]
			if w.Code != http.StatusOK || w.Header().Get("Access-Control-Allow-Origin") != allowed || strict != strings.Contains(w.Header().Get("Vary"), "Origin") {
				t.Errorf("strict %v, %s: %d %v", strict, name, w.Code, w.Header())
			}
			if strict {
				wantError(t, get(t, h, at), 403, wrongToken, at)
				wantError(t, get(t, h, at, "Origin", "https://evil.test"), 403, wrongToken, at)
			}
		}
	}
}

// TestPolicyOnPaths: a policy that looks at first requests leaves the paths that all viewers share; a strict one does not.
func TestPolicyOnPaths(t *testing.T) {
	t.Parallel()
	h, l, _ := restrictedWorld(t, resource.Channel{PlaybackRestrictionPolicyARN: testPolicy})
	l.policy = resource.PlaybackRestrictionPolicy{Origins: []string{"https://a.test"}, Countries: []string{"DE"}}
	wantError(t, get(t, h, testMain, "Origin", "https://b.test"), 403, "origin_not_allowed", testMain)
	index := enter(t, h, "", "Origin", "https://a.test")
	if passPath.MatchString(index) || !strings.Contains(index, "?v=") {
		t.Errorf("the media playlist is at %s", index)
	}
	if w := get(t, h, index); w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Cache-Control"), "public") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	l.policy.Strict = true
	path, _, _ := strings.Cut(index, "?")
	wantError(t, get(t, h, index, "Origin", "https://a.test"), 403, "playback_restricted", path)
	named := enter(t, h, "", "Origin", "https://a.test")
	if w := get(t, h, named, "Origin", "https://a.test"); !passPath.MatchString(named) || w.Code != http.StatusOK {
		t.Errorf("%s: %d", named, w.Code)
	}
	wantError(t, get(t, h, named, "Origin", "https://b.test"), 403, "origin_not_allowed", named)
}

// TestSingleUseToken: the first session that gets something uses it up; whoever is told that the channel is offline, or asks
// with HEAD, does not.
func TestSingleUseToken(t *testing.T) {
	t.Parallel()
	h, l, _ := private(t)
	query := l.sign(t, jwt.MapClaims{"aws:single-use-uuid": "6e61a2b4-0c0f-4d3c-9f0e-1a2b3c4d5e6f"})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodHead, testMain+query, nil))
	off := New(Options{Presentations: &world{}, Channels: &world{channel: &resource.Channel{Authorized: true}}, Gate: l.gate})
	wantError(t, get(t, off, testMain+query), 404, codeNotFound, testMain)
	if s := get(t, h, testMain+"?status&"+query[1:]); s.Body.String() != statusLive {
		t.Errorf("status %s", s.Body)
	}
	index := enter(t, h, query)
	wantError(t, get(t, h, testMain+query), 403, wrongToken, testMain)
	if w := get(t, h, index); w.Code != http.StatusOK {
		t.Errorf("the session goes on: %d", w.Code)
	}
}

// TestRestrictedStatus: a page with a token is told how the channel is, or why it may not know.
func TestRestrictedStatus(t *testing.T) {
	t.Parallel()
	h, l, e := private(t)
	status := func(query string) (s struct{ State, Reason string }) {
		t.Helper()
		w := get(t, h, testMain+"?status"+query)
		if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return s
	}
	good := "&" + l.sign(t, nil)[1:]
	if got := status(""); got.State != "private" {
		t.Errorf("without a token: %+v", got)
	}
	if got := status(good); got.State != "live" {
		t.Errorf("with a token: %+v", got)
	}
	if got := status("&token=x"); got.State != "refused" || got.Reason != "token contains an invalid number of segments" {
		t.Errorf("with a bad token: %+v", got)
	}
	e.End()
	if got := status(good); got.State != "offline" {
		t.Errorf("after the end: %+v", got)
	}
	p, l, _ := restrictedWorld(t, resource.Channel{PlaybackRestrictionPolicyARN: testPolicy})
	l.policy.Origins = []string{"https://a.test"}
	h = p
	if got := status(""); got.State != "refused" || !strings.Contains(got.Reason, "this page") {
		t.Errorf("on another page: %+v", got)
	}
}

// TestRevokedViewer: who is revoked gets nothing more, and what waits for a part ends at once.
func TestRevokedViewer(t *testing.T) {
	t.Parallel()
	for name, begin := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, l, e := private(t)
				ctx, cancel := context.WithCancel(t.Context())
				var all sync.WaitGroup
				all.Go(func() { _ = l.gate.Run(ctx) })
				index := enter(t, h, l.sign(t, jwt.MapClaims{"aws:viewer-id": "a", "aws:viewer-session-version": 1}))
				other := enter(t, h, l.sign(t, jwt.MapClaims{"aws:viewer-id": "a", "aws:viewer-session-version": 2}))
				s := e.Snapshot()
				msn, part := strconv.FormatInt(s.LastMSN(), 10), strconv.Itoa(s.LastPart()+1)
				var waiting sync.WaitGroup
				reload := begin(t, h, &waiting, index+"?_HLS_msn="+msn+"&_HLS_part="+part)
				hinted := begin(t, h, &waiting, strings.TrimSuffix(index, "index.m3u8")+"seg"+msn+"."+part+".m4s")
				goesOn := begin(t, h, &waiting, other+"?_HLS_msn="+msn+"&_HLS_part="+part)
				synctest.Wait()
				start := time.Now()
				l.revoke("a", 1)
				synctest.Wait()
				if got := h.Stats().Waits; got != 1 || time.Since(start) != 0 {
					t.Errorf("%d requests wait %v after the revocation, want 1", got, time.Since(start))
				}
				e.feed(t, 250*time.Millisecond)
				waiting.Wait()
				wantError(t, reload.w, 403, wrongToken, index)
				if hinted.w.Code != 403 || goesOn.w.Code != 200 {
					t.Errorf("the part %d, the other session %d", hinted.w.Code, goesOn.w.Code)
				}
				wantError(t, get(t, h, index), 403, wrongToken, index)
				if got := l.gate.Stats().Refused[admission.Revoked]; got < 3 {
					t.Errorf("%d refusals counted", got)
				}
				cancel()
				all.Wait()
			})
		})
	}
}

// TestPublicPaysNothing: what restricts other channels costs a public one no allocation.
func TestPublicPaysNothing(t *testing.T) {
	p := &hls.Presentation{Channel: resource.Channel{Name: "x"}}
	restricted := 0
	if n := testing.AllocsPerRun(100, func() {
		t, ok := parsePath(testIndex)
		if !ok || t.pass != "" || admission.Restricts(&p.Channel) {
			restricted++
		}
	}); n != 0 || restricted > 0 {
		t.Errorf("%v allocations, %d restricted", n, restricted)
	}
}

// TestLongPath: a pass may be long, nothing else.
func TestLongPath(t *testing.T) {
	t.Parallel()
	name := Prefix + "us-west-2.111122223333.channel.hT4kPz81QmXc"
	for path, want := range map[string]bool{
		name + "/v/" + strings.Repeat("a", admission.MaxSealed) + "/st-1/1080p60/index.m3u8":   true,
		name + "/v/" + strings.Repeat("a", admission.MaxSealed+1) + "/st-1/1080p60/index.m3u8": false,
		name + "/v//st-1/1080p60/index.m3u8":                                                   false,
		name + "/v/a.b/st-1/1080p60/index.m3u8":                                                false,
		name + "/v/a":                                                                          false,
		name + "/v/a/v/b/st-1/1080p60/index.m3u8":                                              false,
	} {
		if _, ok := parsePath(path); ok != want {
			t.Errorf("%.100s: %v", path, ok)
		}
	}
	if !slices.Contains(badPaths(), name+"/st-1/1080p60/"+strings.Repeat("a", 600)) {
		t.Error("a long path without a pass is not tried")
	}
}
