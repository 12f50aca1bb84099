package app

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestPanicEndsTheRequest: the client whose request it was sees a broken connection, the next one its answer, and the
// operator where it was and nothing secret.
func TestPanicEndsTheRequest(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	g := httpGuard{log: slog.New(slog.NewTextHandler(&text, nil))}
	srv := httptest.NewServer(g.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			_, _ = w.Write([]byte("half"))
			panic("injected")
		case "/abort":
			panic(http.ErrAbortHandler)
		}
	})))
	defer srv.Close()
	get := func(path string) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := srv.Client().Do(req)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	for _, path := range []string{"/panic?token=sesame", "/abort"} {
		if err := get(path); err == nil {
			t.Errorf("%s was answered", path)
		}
	}
	if err := get("/"); err != nil {
		t.Errorf("the next request: %v", err)
	}
	srv.Close() // after which nobody writes the log
	if n := g.panics.Load(); n != 1 {
		t.Errorf("%d panics are counted", n)
	}
	if s := text.String(); !strings.Contains(s, "injected") || !strings.Contains(s, "guard_test.go") || strings.Contains(s, "sesame") {
		t.Errorf("the log says\n%s", s)
	}
}
