package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const token = "a-token-of-the-test"

// counterOffer is a WHEP server that keeps the rules as far as the checker can follow: it makes an offer of its own.
func counterOffer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	status := http.StatusNotAcceptable
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		status = http.StatusNoContent
	case r.Method == http.MethodOptions:
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		w.Header().Set("Accept-Post", "application/sdp")
		status = http.StatusNoContent
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST, GET, HEAD, OPTIONS")
		status = http.StatusMethodNotAllowed
	case r.Header.Get("Authorization") != "Bearer "+token:
		w.Header().Set("WWW-Authenticate", "Bearer")
		status = http.StatusUnauthorized
	case r.Header.Get("Content-Type") != "application/sdp":
		status = http.StatusUnsupportedMediaType
	case err != nil || !strings.Contains(string(body), "m=video"):
		status = http.StatusBadRequest
	default:
		w.Header().Set("Content-Type", "application/sdp")
		w.Header().Set("Location", "/session")
	}
	w.WriteHeader(status)
	if status == http.StatusNotAcceptable {
		_, _ = io.WriteString(w, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendonly\r\n")
	}
}

// TestRun: the exit code tells what came of the check, and the token comes from where it should.
func TestRun(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/counter-offer":
			counterOffer(w, r)
		case r.Header.Get("Authorization") != "Bearer "+token:
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
		}
	})) // which answers no offer
	defer server.Close()
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	tests := []struct {
		args []string
		env  string
		code int
		want string
	}{
		{args: []string{"-token", token, server.URL}, code: 1, want: "VIOLATION RFC 9725, 4.2"},
		{args: []string{"-token-file", file(token + "\n"), "-whep", server.URL}, code: 1, want: "VIOLATION draft-ietf-wish-whep-03, 4.2.1"},
		{args: []string{"-token", token, "-whep", server.URL + "/counter-offer"}, code: 0, want: "0 violations"},
		{args: []string{"-json", server.URL}, env: token, code: 1, want: `"verdict": "violated"`},
		{args: []string{server.URL}, env: "another", code: 2, want: "401"},
		{args: []string{"-token-file", file("two words"), server.URL}, code: 2, want: "holds no token"},
		{args: []string{"-token-file", filepath.Join(t.TempDir(), "none"), server.URL}, code: 2, want: "none"},
		{args: []string{"-token", "x", "-token-file", "y", server.URL}, code: 2, want: "usage"},
		{args: []string{"ftp://x"}, code: 2, want: "http"},
		{code: 2, want: "usage"},
		{args: []string{"-x"}, code: 2, want: "usage"},
	}
	for _, test := range tests {
		var out bytes.Buffer
		getenv := func(name string) string {
			if name == "WHIPCHECK_TOKEN" {
				return test.env
			}
			return ""
		}
		code := run(t.Context(), test.args, getenv, &out, &out)
		if code != test.code || !strings.Contains(out.String(), test.want) || strings.Contains(out.String(), token) {
			t.Errorf("%v: exit code %d\n%s", test.args, code, &out)
		}
	}
}
