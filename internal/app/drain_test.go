package app_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/apptest"
)

// fetch returns the body of a playlist.
func fetch(t *testing.T, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	return string(b), err
}

// TestPollingPlayersFindTheEnd: a player without blocking reload asks once in a target duration. A server that stops
// waits for it, so that it sees the end of the stream and not a refused connection.
func TestPollingPlayersFindTheEnd(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	ch := s.CreateChannel(t)
	s.Publish(t, ch, apptest.Bars(0))
	s.WaitLive(t, ch)
	master, err := fetch(t, *ch.PlaybackUrl)
	if err != nil {
		t.Fatal(err)
	}
	media := (*ch.PlaybackUrl)[:strings.LastIndexByte(*ch.PlaybackUrl, '/')+1] + regexp.MustCompile(`(?m)^[^#\s].*$`).FindString(master)
	if _, err := fetch(t, media); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.Stop()
	}()
	defer func() { <-stopped }()
	const reload = time.Second // less than any target duration, and more than a server needs that does not wait
	for tick := time.NewTicker(reload); ; {
		<-tick.C
		body, err := fetch(t, media)
		if err != nil {
			t.Fatalf("before it saw the end: %v", err)
		}
		if strings.Contains(body, "#EXT-X-ENDLIST") {
			return
		}
	}
}
