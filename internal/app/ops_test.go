package app_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/config"
)

// TestPlainHTTPOnTLSPort: who types http:// for https:// reads why it does not work. A stranger who sends anything else
// gets nothing.
func TestPlainHTTPOnTLSPort(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, func(c *config.Config) { c.TLSSelfSigned = true })
	for _, addr := range []string{s.HTTP, s.RTMPS} {
		for sent, want := range map[string]int{
			"GET /watch HTTP/1.1\r\nHost: x\r\n\r\n": 400, "POST /ListChannels HTTP/1.1\r\nHost: x\r\n\r\n": 400,
			"\x03nonsense": 0, "SSH-2.0-x\r\n": 0,
		} {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(c, sent); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if want == 0 {
				if err == nil {
					t.Errorf("%q was answered %s", sent, resp.Status)
				}
				_ = c.Close()
				continue
			}
			if err != nil {
				t.Fatalf("%q: %v", sent, err)
			}
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			_ = c.Close()
			if resp.StatusCode != want || !strings.Contains(string(text), "https://") {
				t.Errorf("%q: %s %s", sent, resp.Status, text)
			}
		}
	}
}

// TestDrainDelay: a server that is told to stop says so where load balancers ask, and goes on serving until they have
// heard.
func TestDrainDelay(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, func(c *config.Config) { c.DrainDelay = 3 * time.Second })
	ch := s.CreateChannel(t)
	s.Publish(t, ch, apptest.Bars(0))
	s.WaitLive(t, ch)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.Stop()
	}()
	defer func() { <-stopped }()
	apptest.Eventually(t, "it says that it is not ready", func() error {
		_, err := fetch(t, "http://"+s.Admin+"/readyz")
		if err == nil {
			return io.ErrNoProgress
		}
		if !strings.Contains(err.Error(), "503") {
			t.Fatalf("after the signal: %v", err)
		}
		return nil
	})
	body, err := fetch(t, *ch.PlaybackUrl)
	if err != nil || !strings.Contains(body, "#EXT-X-STREAM-INF") {
		t.Errorf("the stream within the drain delay: %v\n%s", err, body)
	}
}

// TestUnknownPaths: a person sees a page, a program gets an error that it can read.
func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	for _, c := range []struct {
		method, path, accept string
		status               int
		kind                 string
	}{
		{"GET", "/nothing", "text/html,application/xhtml+xml,*/*;q=0.8", 404, "text/html"},
		{"GET", "/nothing/deeper", "text/html", 404, "text/html"},
		{"GET", "/favicon.ico", "image/avif,image/webp,*/*", 200, "image/svg+xml"},
		{"GET", "/nothing", "*/*", 403, "application/json"},
		{"POST", "/nothing", "text/html", 403, "application/json"},
		{"POST", "/", "", 403, "application/json"},
		{"GET", "/stage", "text/html", 200, "text/html"},
		{"OPTIONS", "/", "", 204, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, s.PublicURL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", c.accept)
		if c.method == http.MethodOptions { // a page on another origin that wants to publish
			r.Header.Set("Access-Control-Request-Method", http.MethodPost)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.status || !strings.HasPrefix(resp.Header.Get("Content-Type"), c.kind) {
			t.Errorf("%s %s for %s: %s %s", c.method, c.path, c.accept, resp.Status, resp.Header.Get("Content-Type"))
		}
	}
}

// TestNoStages: a server without a media port says nothing of one and answers for the rest.
func TestNoStages(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, func(c *config.Config) { c.MediaAddr = config.Off })
	if s.Media != "" {
		t.Errorf("media at %q", s.Media)
	}
	s.CreateChannel(t)
}
