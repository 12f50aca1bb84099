package demo_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/config"
	"github.com/rivus-live/rivus/internal/demo"
)

// output collects what is printed and what is logged.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// TestDemo: the demo goes on air however the server is set up, prints addresses that a person can use, and ends without
// an error.
func TestDemo(t *testing.T) {
	t.Parallel()
	apptest.Need(t, "ffmpeg")
	for name, c := range map[string]struct {
		change   func(*config.Config)
		terminal bool
		want     []string
	}{
		"as it comes":   {func(*config.Config) {}, false, []string{"Watch       http://127.0.0.1:", "create-participant-token --stage-arn arn:"}},
		"on a terminal": {func(*config.Config) {}, true, []string{"alice       http://127.0.0.1:", "bob         http://127.0.0.1:", "/stage#token=eyJ"}},
		"a public URL that leads elsewhere": {
			func(c *config.Config) {
				c.PublicURL, c.TLSSelfSigned, c.MediaAddr = "https://live.invalid/", true, "0.0.0.0:0"
			},
			false,
			[]string{"Watch       https://live.invalid/watch"},
		},
		"all addresses": {
			func(c *config.Config) { c.HTTPAddr, c.RTMPAddr, c.Insecure = ":0", ":0", true },
			false,
			[]string{"Watch       http://127.0.0.1:", "Server rtmp://127.0.0.1:"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := apptest.Config(t)
			c.change(&cfg)
			var tour, log output
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() {
				done <- demo.Run(ctx, cfg, demo.Options{
					Logger: slog.New(slog.NewTextHandler(io.MultiWriter(&log, t.Output()), nil)), Stdout: &tour,
					ShowSecret: c.terminal,
				})
			}()
			apptest.Eventually(t, "the demo channel is live", func() error {
				select {
				case err := <-done:
					t.Fatalf("it ended: %v", err)
				default:
				}
				return contains(log.String(), "state=LIVE")
			})
			for _, want := range c.want {
				if err := contains(tour.String(), want); err != nil {
					t.Error(err)
				}
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if strings.Contains(tour.String(), "token=") != c.terminal {
				t.Errorf("tokens belong on a terminal, and nowhere else: %s", tour.String())
			}
			for line := range strings.Lines(log.String()) {
				if strings.Contains(line, "sk_us-east-1_") || strings.Contains(line, "eyJ") {
					t.Errorf("a stream key or token is in the log: %s", line)
				}
			}
		})
	}
}

type missing struct{ text, want string }

func (e missing) Error() string { return "no \"" + e.want + "\" in\n" + e.text }

func contains(text, want string) error {
	if strings.Contains(text, want) {
		return nil
	}
	return missing{text, want}
}
