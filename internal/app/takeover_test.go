package app_test

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/apptest"
)

// TestOneConnectionForAll: a client may ask for playback, pages and the API on one connection, in any order.
func TestOneConnectionForAll(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	ch := s.CreateChannel(t)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	opened := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if !c.Reused {
			opened++
		}
	}})
	for _, want := range []struct {
		method, url, body string
		status            int
	}{
		{http.MethodGet, *ch.PlaybackUrl, "", http.StatusNotFound},
		{http.MethodGet, *ch.PlaybackUrl, "", http.StatusNotFound},
		{http.MethodOptions, *ch.PlaybackUrl, "", http.StatusNoContent},
		{http.MethodPost, s.PublicURL + "/ListChannels", "{}", http.StatusForbidden}, // not signed
		{http.MethodGet, *ch.PlaybackUrl, "", http.StatusNotFound},
		{http.MethodGet, s.PublicURL + "/watch", "", http.StatusOK},
		{http.MethodHead, *ch.PlaybackUrl, "", http.StatusNotFound},
		{http.MethodPost, *ch.PlaybackUrl, "x", http.StatusMethodNotAllowed},
	} {
		r, err := http.NewRequestWithContext(ctx, want.method, want.url, strings.NewReader(want.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != want.status {
			t.Errorf("%s %s: status %d, want %d", want.method, want.url, resp.StatusCode, want.status)
		}
	}
	if opened != 1 {
		t.Errorf("%d connections, want 1", opened)
	}
}
