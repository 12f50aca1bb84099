package app

import (
	"testing"

	"github.com/rivus-live/rivus/internal/config"
)

func TestMaxStreams(t *testing.T) {
	t.Parallel()
	for quotas, want := range map[string]int{"off": 0, "aws": 100} {
		s := &server{cfg: &config.Config{Quotas: quotas}}
		if got := s.maxStreams(); got != want {
			t.Errorf("--quotas=%s: %d streams, want %d", quotas, got, want)
		}
	}
}
