package whip

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/rtc"
)

// fragments is a session that reads fragments as the real one does, and restarts for any credentials.
type fragments struct{ *fake }

func (f fragments) Publish(context.Context, Request) (Session, error) { return f, nil }

func (f fragments) Trickle(_ context.Context, text string) (string, error) {
	p, err := rtc.ParseFragment(text)
	if err != nil {
		return "", &Refusal{Status: http.StatusBadRequest, Message: err.Error()}
	}
	if p.Ufrag == "" {
		return "", nil
	}
	return p.String(), nil
}

// FuzzPatch: whatever fragment comes, with whatever precondition, the answer is one of those that RFC 9725 knows, its
// entity tag changes with a restart and only then, and its body is a fragment again.
func FuzzPatch(f *testing.F) {
	for _, body := range []string{
		"a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n",
		"a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n",
		"", "hello", "a=candidate:" + strings.Repeat("1", 300), "m=audio", "a=ice-ufrag:\n",
	} {
		f.Add(body, "*", true)
		f.Add(body, `"x", W/"y"`, true)
		f.Add(body, "", false)
	}
	f.Fuzz(func(t *testing.T, body, match string, current bool) {
		base := &fake{ended: make(chan struct{})}
		session := fragments{base}
		h := New(Options{Prefix: "/rt/whip", Joiner: session, Verifier: base})
		made := call(h, http.MethodPost, "/rt/whip", "alice", typeSDP, "offer")
		url, tag := made.Header().Get("Location"), made.Header().Get("ETag")
		if current {
			match += ", " + tag
		}
		r := httptest.NewRequest(http.MethodPatch, url, strings.NewReader(body))
		r.Header = http.Header{"Authorization": {"Bearer alice"}, "Content-Type": {typeFragment}, "If-Match": {match}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !slices.Contains([]int{200, 204, 400, 412, 413, 428}, w.Code) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		next := w.Header().Get("ETag")
		if (w.Code == 200) != (next != "") || next == tag {
			t.Fatalf("%d with the tag %s after %s", w.Code, next, tag)
		}
		if w.Code == 200 {
			if _, err := rtc.ParseFragment(w.Body.String()); err != nil {
				t.Fatalf("the answer %q: %v", w.Body, err)
			}
		}
	})
}

// FuzzPrefer: whatever a client prefers, what is not there is answered 404, or 204 if the preference says lenient.
func FuzzPrefer(f *testing.F) {
	for _, prefer := range []string{"", "handling=lenient", `a;b, handling = "lenient"`, "handling=lenient2", ",=,", "handling"} {
		f.Add(prefer)
	}
	f.Fuzz(func(t *testing.T, prefer string) {
		h := serve(&fake{})
		switch w := call(h, http.MethodDelete, "/rt/whip/session/x", "alice", "", "", "Prefer", prefer); {
		case w.Code == http.StatusNotFound:
		case w.Code == http.StatusNoContent && strings.Contains(strings.ToLower(prefer), "lenient"):
		default:
			t.Fatalf("%q: %d", prefer, w.Code)
		}
	})
}
