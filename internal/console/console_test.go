package console

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := Handler()
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestPagesNameAssetsThatExist(t *testing.T) {
	t.Parallel()
	page := get(t, http.MethodGet, "/watch?channel=x")
	if page.Code != 200 || !strings.Contains(page.Header().Get("Content-Security-Policy"), "script-src 'self'") {
		t.Fatalf("/watch: %d %v", page.Code, page.Header())
	}
	assets := regexp.MustCompile(`(?:src|href)="(/console/[^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
	if len(assets) < 2 {
		t.Fatalf("the page names %d assets, want its script and its style: %s", len(assets), page.Body)
	}
	for _, a := range assets {
		if w := get(t, http.MethodGet, a[1]); w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", a[1], w.Code, w.Header())
		}
	}
}

func TestOnlyThePagesThemselvesUseDevices(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/watch", "/stage"} {
		w := get(t, http.MethodGet, path)
		if got := w.Header().Get("Permissions-Policy"); w.Code != 200 || !strings.Contains(got, "camera=(self), microphone=(self)") {
			t.Errorf("%s: %d, %q", path, w.Code, got)
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]int{"/console/": 404, "/console/index.html": 404, "/x": 404} {
		if w := get(t, http.MethodGet, path); w.Code != want || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %v, want %d", path, w.Code, w.Header(), want)
		}
	}
	if w := get(t, http.MethodGet, "/console/assets/x.js"); w.Code != 404 || strings.Contains(w.Header().Get("Content-Type"), "html") {
		t.Errorf("an asset that is not there: %d %v", w.Code, w.Header())
	}
	if w := get(t, http.MethodGet, "/favicon.ico"); w.Code != 200 || w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Errorf("the icon: %d %v", w.Code, w.Header())
	}
	if w := get(t, http.MethodPost, "/watch"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}
