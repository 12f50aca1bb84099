package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/admission"
	"github.com/rivus-live/rivus/internal/config"
	"github.com/rivus-live/rivus/internal/geoip"
	"github.com/rivus-live/rivus/internal/token"
)

// openCountries reads the database of countries, before anything runs; nil when there is none.
func openCountries(cfg *config.Config, clock func() time.Time, log *slog.Logger) (*geoip.Database, error) {
	if cfg.GeoIPDB == "" {
		return nil, nil
	}
	d, err := geoip.Open(cfg.GeoIPDB, clock, log)
	if err != nil {
		return nil, fmt.Errorf("--geoip-db: %w", err)
	}
	return d, nil
}

// newGate makes what decides about viewers.
func (s *server) newGate(ctx context.Context) (*admission.Gate, error) {
	key, err := s.store.Secret(ctx, "playback-pass", 32)
	if err != nil {
		return nil, fmt.Errorf("playback pass key: %w", err)
	}
	r := s.records.Viewers
	o := admission.Options{
		Tokens: token.NewPlaybackVerifier(token.StoredPlaybackKeys(r.PlaybackKeys), s.clock), Records: admission.Tables{Viewers: r}, Key: key,
	}
	if s.countries != nil {
		o.Countries = s.countries
	}
	return admission.New(o)
}
