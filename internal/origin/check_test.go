package origin

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/hlscheck"
	"github.com/rivus-live/rivus/internal/resource"
)

// drive feeds the encoder whenever a viewer waits, and a whole segment whenever one has asked again for a playlist that
// nobody waits for, until the broadcast is as long as wanted; then it ends. So the check takes as long as its requests.
func drive(ctx context.Context, t *testing.T, h *Handler, e *encoder, low bool, length time.Duration) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	playlists := func() (n int64) {
		for _, c := range h.Stats().Requests {
			if c.Kind == Playlist {
				n += c.Count
			}
		}
		return n
	}
	for before := playlists(); e.at() < length; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch now := playlists(); {
		case low && h.Stats().Waits > 0:
			e.feed(t, time.Second/30)
		case !low && now > before:
			before = now
			e.feed(t, 2*time.Second)
		}
	}
	e.End()
}

// TestCheck lets the checker play what the origin serves, over HTTP, from a running broadcast to its end.
func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, container string
		low             bool
		begun, length   time.Duration
	}{
		{"LOW fMP4", resource.ContainerFMP4, true, 30 * time.Second, 44 * time.Second},
		{"LOW TS", resource.ContainerTS, true, 30 * time.Second, 44 * time.Second},
		{"LOW fMP4, new", resource.ContainerFMP4, true, 2500 * time.Millisecond, 14 * time.Second},
		{"NORMAL fMP4", resource.ContainerFMP4, false, 30 * time.Second, 35 * time.Second},
		{"NORMAL TS", resource.ContainerTS, false, 30 * time.Second, 35 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEncoder(t, test.container, test.low)
			e.feed(t, test.begun)
			h := newHandler(onAir(e))
			server := httptest.NewServer(h)
			var driving sync.WaitGroup
			back := h.TakeOver()
			driving.Go(func() { _ = server.Config.Serve(back) })
			defer driving.Wait()
			defer server.Close()
			defer func() {
				_ = h.Shutdown(t.Context())
				_ = back.Close()
			}()
			ctx, cancel := context.WithCancel(t.Context())
			driving.Go(func() { drive(ctx, t, h, e, test.low, test.length) })
			report, err := hlscheck.Check(ctx, hlscheck.Options{URL: server.URL + testMain, Duration: time.Minute, Client: server.Client()})
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			_ = report.Print(&text) // a builder does not fail
			if len(report.Violations)+len(report.Warnings) > 0 || !report.Ended || report.LowLatency != test.low {
				t.Errorf("\n%s", &text)
			}
			if q := report.Renditions[0]; q.Segments < 5 || test.low && (q.Parts < 50 || q.BlockedReload.Count() < 40) {
				t.Errorf("little was played:\n%s", &text)
			}
			if got := h.Stats(); got.Waits != 0 || h.Viewers(testStream) != 1 {
				t.Errorf("%d requests wait, %d viewers", got.Waits, h.Viewers(testStream))
			}
		})
	}
}
