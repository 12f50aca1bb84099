package whip

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/token"
)

// fake is a joiner, a verifier and a session in one.
type fake struct {
	joinErr, verifyErr error
	publisher          string
	request            Request
	ended              chan struct{}
	closed             int
	answer             string // to a fragment
}

func (f *fake) Publish(_ context.Context, r Request) (Session, error) {
	f.request = r
	return f, f.joinErr
}

func (f *fake) Subscribe(_ context.Context, id string, r Request) (Session, error) {
	f.publisher, f.request = id, r
	return f, f.joinErr
}

func (f *fake) Verify(_ context.Context, text string) (token.Claims, error) {
	stage := arn.ARN{Service: "ivs", Scope: arn.Scope{Region: "us-west-2", Account: "000000000000"}, Type: "stage", ID: "abc"}
	return token.Claims{ParticipantID: strings.TrimSuffix(text, "-2"), StageARN: stage}, f.verifyErr
}

func (f *fake) Answer() string { return "v=0 answer" }
func (f *fake) Trickle(_ context.Context, fragment string) (string, error) {
	if !strings.Contains(fragment, "ufrag") {
		return "", nil
	}
	return f.answer, nil
}
func (f *fake) Close(context.Context)  { f.closed++ }
func (f *fake) Ended() <-chan struct{} { return f.ended }

func serve(f *fake) *Handler {
	f.ended = make(chan struct{})
	return New(Options{Prefix: "/rt/whip", Joiner: f, Verifier: f, ICEServers: []string{`<stun:s.example>; rel="ice-server"`}})
}

func call(h http.Handler, method, path, tok, kind, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if tok != "" {
		r.Header.Set("Authorization", "Bearer "+tok)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestSessionLife(t *testing.T) {
	t.Parallel()
	f := &fake{answer: "a=ice-ufrag:x"}
	h := serve(f)
	w := call(h, "POST", "/rt/whip/subscribe/bob", "alice", "application/sdp; charset=utf-8", "offer", "User-Agent", "me")
	url, etag := w.Header().Get("Location"), w.Header().Get("ETag")
	if w.Code != 201 || w.Body.String() != "v=0 answer" || w.Header().Get("Content-Type") != typeSDP || etag == "" ||
		!strings.HasPrefix(url, "http://example.com/rt/whip/session/") || w.Header().Get("Link") == "" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if f.publisher != "bob" || f.request.Offer != "offer" || f.request.UserAgent != "me" || f.request.Claims.ParticipantID != "alice" {
		t.Errorf("%+v", f.request)
	}
	const frag = typeFragment
	for _, c := range []struct {
		name, method, tok, kind, match string
		status                         int
		body                           string
	}{
		{"no token", "PATCH", "", frag, etag, 401, ""},
		{"another participant", "PATCH", "carol", frag, etag, 403, ""},
		{"another token of the same", "PATCH", "alice-2", frag, etag, 204, ""},
		{"wrong type", "PATCH", "alice", typeSDP, etag, 415, ""},
		{"no precondition", "PATCH", "alice", frag, "", 428, ""},
		{"stale", "PATCH", "alice", frag, `"x"`, 412, ""},
		{"trickle", "PATCH", "alice", frag, etag, 204, ""},
		{"one of several", "PATCH", "alice", frag, `"x", ` + etag, 204, ""},
		{"weak", "PATCH", "alice", frag, "W/" + etag, 412, ""},
		{"any tag", "PATCH", "alice", frag, "*", 204, ""},
		{"any tag in quotes", "PATCH", "alice", frag, `"*"`, 204, ""},
		{"restart", "PATCH", "alice", frag, etag, 200, "ufrag"},
		{"the tag has changed", "PATCH", "alice", frag, etag, 412, ""},
		{"GET", "GET", "", "", "", 204, ""},
		{"HEAD", "HEAD", "", "", "", 204, ""},
		{"PUT", "PUT", "alice", "", "", 405, ""},
		{"POST", "POST", "alice", typeSDP, "", 405, ""},
		{"OPTIONS", "OPTIONS", "", "", "", 204, ""},
		{"another's DELETE", "DELETE", "carol", "", "", 403, ""},
		{"DELETE", "DELETE", "alice", "", "", 200, ""},
		{"second DELETE", "DELETE", "alice", "", "", 404, ""},
	} {
		header := []string{}
		if c.match != "" {
			header = []string{"If-Match", c.match}
		}
		if w := call(h, c.method, url, c.tok, c.kind, "a=x"+c.body, header...); w.Code != c.status {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
	if f.closed != 1 || h.Sessions() != 0 {
		t.Errorf("closed %d times, %d sessions", f.closed, h.Sessions())
	}
}

func TestExpiredTokenMayStillLeave(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h := serve(f)
	url := call(h, "POST", "/rt/whip", "alice", typeSDP, "offer").Header().Get("Location")
	f.verifyErr = &token.Refusal{Status: 401, Reason: token.Expired}
	if w := call(h, "DELETE", url, "alice-2", "", ""); w.Code != 401 {
		t.Errorf("another expired token: %d", w.Code)
	}
	if w := call(h, "DELETE", url, "alice", "", ""); w.Code != 200 {
		t.Errorf("the token that made it: %d", w.Code)
	}
}

func TestEdition(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Edition{
		"": {}, "page.1": {"page", 1}, "A-b_9.9007199254740991": {"A-b_9", 1<<53 - 1}, strings.Repeat("a", 64) + ".2": {strings.Repeat("a", 64), 2},
	} {
		if got, err := parseEdition(text); err != nil || got != want {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	f := &fake{}
	for _, text := range []string{"page", "page.", ".1", "page.0", "page.-1", "page.+1", "page.9007199254740992", "page.1.2", "pa ge.1", "page.1, x.2", strings.Repeat("a", 65) + ".1"} {
		if w := call(serve(f), "POST", "/rt/whip", "alice", typeSDP, "offer", headerEdition, text); w.Code != http.StatusBadRequest {
			t.Errorf("%q: %d", text, w.Code)
		}
	}
	call(serve(f), "POST", "/rt/whip", "alice", typeSDP, "offer", headerEdition, "page.7")
	if f.request.Edition != (Edition{"page", 7}) {
		t.Errorf("%+v", f.request)
	}
	if w := call(serve(f), "OPTIONS", "/rt/whip", "", "", ""); !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), headerEdition) {
		t.Error("pages may not send the header")
	}
}

// FuzzEdition: what is taken names a page and a number that a page can count to, and says so again when it is written.
func FuzzEdition(f *testing.F) {
	for _, text := range []string{"", "page.1", "a-b_c.9007199254740991", "page.0", "page.01", "..", "page.18446744073709551616"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseEdition(text)
		if err != nil || text == "" {
			if e != (Edition{}) {
				t.Fatalf("%q: %v with %v", text, e, err)
			}
			return
		}
		again, err := parseEdition(e.Page + "." + strconv.FormatUint(e.Number, 10))
		if err != nil || again != e || !participantID(e.Page) || e.Number == 0 || e.Number > maxEdition || e.Before(e) {
			t.Fatalf("%q: %v, then %v %v", text, e, again, err)
		}
	})
}

func TestGone(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h := serve(f)
	call(h, "POST", "/rt/whip", "alice", typeSDP, "offer")
	if f.request.Gone(); h.Sessions() != 0 {
		t.Error("the session is still there")
	}
	close(f.ended) // one that ends before it is listed
	if call(h, "POST", "/rt/whip", "alice", typeSDP, "offer"); h.Sessions() != 0 {
		t.Error("an ended session is listed")
	}
}

// TestLenient: a page that asks for it is not shown an error for what has ended while its request was under way.
func TestLenient(t *testing.T) {
	t.Parallel()
	h := serve(&fake{joinErr: &Refusal{Status: 404, Message: "the participant does not publish"}})
	for _, c := range []struct {
		method, path, prefer string
		status               int
	}{
		{"POST", "/rt/whip/subscribe/bob", "", 404},
		{"POST", "/rt/whip/subscribe/bob", "handling=strict", 404},
		{"POST", "/rt/whip/subscribe/bob", "handling=lenient", 204},
		{"POST", "/rt/whip/subscribe/bob", `respond-async, Handling="lenient"`, 204},
		{"DELETE", "/rt/whip/session/x", "", 404},
		{"DELETE", "/rt/whip/session/x", "handling=lenient", 204},
		{"PATCH", "/rt/whip/session/x", "handling=lenient", 204},
		{"GET", "/rt/whip/session/x", "handling=lenient", 404},
	} {
		w := call(h, c.method, c.path, "alice", typeSDP, "offer", "Prefer", c.prefer)
		if w.Code != c.status || (w.Header().Get("Preference-Applied") != "") != (w.Code == 204) {
			t.Errorf("%s %s with %q: %d %v", c.method, c.path, c.prefer, w.Code, w.Header())
		}
	}
	full := serve(&fake{joinErr: &Refusal{Status: 429, Message: "the stage is full"}})
	if w := call(full, "POST", "/rt/whip/subscribe/bob", "alice", typeSDP, "offer", "Prefer", "handling=lenient"); w.Code != 429 {
		t.Errorf("another refusal: %d", w.Code)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		verify, join error
		status       int
		retry        bool
	}{
		{"token", &token.Refusal{Status: 403, Reason: token.WasDisconnected}, nil, 403, false},
		{"engine", fault.New(fault.Unavailable, "x"), nil, 503, true},
		{"refusal", nil, &Refusal{Status: 422, Message: "no"}, 422, false},
		{"full", nil, &Refusal{Status: 503, Message: "no", RetryAfter: 100 * time.Millisecond}, 503, true},
		{"engine again", nil, fault.New(fault.Unavailable, "x"), 503, true},
		{"defect", nil, errors.New("secret"), 500, false},
	} {
		w := call(serve(&fake{verifyErr: c.verify, joinErr: c.join}), "POST", "/rt/whip", "alice", typeSDP, "offer")
		if w.Code != c.status || (w.Header().Get("Retry-After") != "") != c.retry || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %v %s", c.name, w.Code, w.Header(), w.Body)
		}
	}
	h := serve(&fake{})
	for path, status := range map[string]int{
		"/rt/whip/subscribe/": 404, "/rt/whip/subscribe/a/b": 404, "/rt/whip/subscribe/" + strings.Repeat("a", 65): 404,
		"/rt/whip/": 201, "/rt/whip/subscribe/a_B-9": 201, "/rt/whipx": 404, "/rt/whip/session/x": 405, "/rt/other": 404,
	} {
		if w := call(h, "POST", path, "alice", typeSDP, "offer"); w.Code != status {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	h.Redirect(w, httptest.NewRequest("POST", "/", nil))
	if w.Code != 307 || w.Header().Get("Location") != "http://example.com/rt/whip" {
		t.Errorf("redirect: %d %v", w.Code, w.Header())
	}
	h.opt.URLs.Public = "https://live.example/"
	w = httptest.NewRecorder()
	if h.Redirect(w, httptest.NewRequest("POST", "/", nil)); w.Header().Get("Location") != "https://live.example/rt/whip" {
		t.Errorf("redirect with a public URL: %v", w.Header())
	}
	w = httptest.NewRecorder()
	ask := httptest.NewRequest("OPTIONS", "/", nil)
	ask.Header.Set("Access-Control-Request-Method", "POST")
	if h.Redirect(w, ask); w.Code != 204 || w.Header().Get("Location") != "" || !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("a preflight of the root: %d %v", w.Code, w.Header())
	}
}

// TestICEServersAreNotForEverybody: a preflight, which any page may cause, is not told of them.
func TestICEServersAreNotForEverybody(t *testing.T) {
	t.Parallel()
	h := serve(&fake{})
	for _, path := range []string{"/rt/whip", "/rt/whip/session/x"} {
		if w := call(h, "OPTIONS", path, "", "", "", "Access-Control-Request-Method", "POST"); w.Code != 204 || w.Header().Get("Link") != "" {
			t.Errorf("preflight of %s: %d %v", path, w.Code, w.Header())
		}
		if w := call(h, "OPTIONS", path, "", "", ""); w.Header().Get("Link") == "" {
			t.Errorf("OPTIONS of %s: %v", path, w.Header())
		}
	}
	for _, method := range []string{"GET", "HEAD"} {
		if w := call(h, method, "/rt/whip", "", "", ""); w.Code != 204 || w.Body.Len() > 0 {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
		if w := call(h, method, "/rt/whip/session/none", "", "", ""); w.Code != 404 {
			t.Errorf("%s of no session: %d", method, w.Code)
		}
	}
}
