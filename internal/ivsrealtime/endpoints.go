package ivsrealtime

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/resource"
)

// Clients may keep the addresses of a stage for 14 days and then sign a token that lives as long (spec ivs-realtime.md
// 4.1, 5.3), so that is how long one stays good after it was last given out. The number of them is bounded, since a
// caller can name any host.
const (
	endpointsKept    = 28 * 24 * time.Hour
	endpointsRenewed = 24 * time.Hour
	maxEndpoints     = 32
)

// endpointsFor returns the addresses that clients of a caller dial (DESIGN.md, "Real-time addresses"), empty ones when
// nobody can join here.
func (s *Service) endpointsFor(c awsapi.Caller, now time.Time) resource.Endpoints {
	if s.opts.Closed {
		return resource.Endpoints{At: now}
	}
	return resource.Endpoints{
		Events: "ws" + strings.TrimPrefix(c.BaseURL, "http") + "/rt/events",
		WHIP:   c.BaseURL + "/rt/whip",
		At:     now,
	}
}

// withEndpoints returns the list with e last, without those that are too old, and whether that is worth a write.
// Addresses that are empty are none.
func withEndpoints(list []resource.Endpoints, e resource.Endpoints) ([]resource.Endpoints, bool) {
	if e.Events == "" && e.WHIP == "" {
		return list, false
	}
	for _, old := range list {
		if old.Events == e.Events && old.WHIP == e.WHIP && e.At.Sub(old.At) < endpointsRenewed {
			return list, false
		}
	}
	next := slices.DeleteFunc(slices.Clone(list), func(old resource.Endpoints) bool {
		return old.Events == e.Events && old.WHIP == e.WHIP || e.At.Sub(old.At) > endpointsKept
	})
	next = append(next, e)
	return next[max(0, len(next)-maxEndpoints):], true
}

// advertise stores the addresses that an answer to the caller is about to name.
func (s *Service) advertise(ctx context.Context, c awsapi.Caller, st resource.Stage) error {
	e := s.endpointsFor(c, s.opts.Clock().UTC())
	if _, changed := withEndpoints(st.Endpoints, e); !changed {
		return nil
	}
	_, err := s.opts.Records.Stages.Update(ctx, keyOf(st.ARN), func(st resource.Stage) (resource.Stage, error) {
		st.Endpoints, _ = withEndpoints(st.Endpoints, e)
		return st, nil
	})
	if err != nil && st.Advertised(e.Events, e.WHIP) { // only its date is old: the next answer renews it
		s.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "addresses of a stage were not renewed",
			slog.String("stage_arn", st.ARN.String()), slog.Any("error", err))
		return nil
	}
	return awsapi.Naming(err, st.ARN.String())
}
