package natsd

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// TestRecorder: an operator is warned of what may hurt, and not of what every crash leaves behind.
func TestRecorder(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	r := &recorder{log: slog.New(slog.NewTextHandler(&out, nil))}
	r.Warnf("Filestore [KV_rivus-facts] TTL state is outdated; attempting to recover using linear scan (seq %d to %d)", 1, 9)
	r.Noticef("  Starting JetStream")
	if out.Len() > 0 || len(r.list()) > 0 {
		t.Errorf("told %s, kept %q", out.String(), r.list())
	}
	r.Warnf(" Stream %s has %d bad messages ", "a", 3)
	r.Errorf("disk %s", "gone")
	if want := []string{"Stream a has 3 bad messages", "disk gone"}; !slices.Equal(r.list(), want) {
		t.Errorf("kept %q, want %q", r.list(), want)
	}
	if !strings.Contains(out.String(), "level=WARN") || !strings.Contains(out.String(), "level=ERROR") {
		t.Error(out.String())
	}
}
