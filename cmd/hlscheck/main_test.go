package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRun: the exit code tells what came of the check.
func TestRun(t *testing.T) {
	t.Parallel()
	const good = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na\n#EXT-X-ENDLIST\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.apple.mpegurl")
		switch r.URL.Path {
		case "/good.m3u8":
			_, _ = w.Write([]byte(good))
		case "/bad.m3u8":
			_, _ = w.Write([]byte(strings.Replace(good, "#EXT-X-TARGETDURATION:2\n", "", 1)))
		case "/a":
			_, _ = w.Write([]byte("x"))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{server.URL + "/good.m3u8"}, 0, "0 violations"},
		{[]string{"-duration", "2s", server.URL + "/bad.m3u8"}, 1, "VIOLATION 4.4.3.1"},
		{[]string{server.URL + "/none.m3u8"}, 2, "Not Found"},
		{[]string{"ftp://x"}, 2, "http"},
		{nil, 2, "usage"},
		{[]string{"-x"}, 2, "usage"},
	}
	for _, test := range tests {
		var out bytes.Buffer
		if code := run(t.Context(), test.args, &out, &out); code != test.code || !strings.Contains(out.String(), test.want) {
			t.Errorf("%v: exit code %d\n%s", test.args, code, &out)
		}
	}
}
