package ivs

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/quota"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/token"
)

// revokedFor is how long a revocation is kept at least: as long as a stream may go on, and a token live that was signed before
// it (spec ivs.md 10.4). One of a viewer who may still watch a longer stream stays until that is over.
const revokedFor = quota.StreamDuration + time.Hour

// sweepEvery is how often records are forgotten that nobody can need any more.
const sweepEvery = time.Minute

// sweepGrace is how much longer a used token is remembered than it is good, for a node whose clock is behind.
const sweepGrace = time.Minute

// StartViewerSessionRevocation ends what a viewer of a channel watches with a token of the version or a lower one, and lets
// nobody in with such a token. It holds when it is answered; other nodes have it a moment later.
func (s *Service) StartViewerSessionRevocation(
	ctx context.Context, c awsapi.Caller, in *StartViewerSessionRevocationRequest,
) (*StartViewerSessionRevocationResponse, error) {
	if err := s.revoke(ctx, c, in.ChannelArn, in.ViewerId, in.ViewerSessionVersionsLessThanOrEqualTo); err != nil {
		return nil, err
	}
	return &StartViewerSessionRevocationResponse{}, nil
}

// BatchStartViewerSessionRevocation is StartViewerSessionRevocation for several viewers. What keeps one from being revoked is in
// the answer, with the status that a call for it alone would have.
func (s *Service) BatchStartViewerSessionRevocation(
	ctx context.Context, c awsapi.Caller, in *BatchStartViewerSessionRevocationRequest,
) (*BatchStartViewerSessionRevocationResponse, error) {
	out := &BatchStartViewerSessionRevocationResponse{Errors: []BatchStartViewerSessionRevocationError{}}
	for _, v := range in.ViewerSessions {
		err := s.revoke(ctx, c, v.ChannelArn, v.ViewerId, v.ViewerSessionVersionsLessThanOrEqualTo)
		if err == nil {
			continue
		}
		code, known := batchCode(err)
		if !known {
			s.opts.Logger.LogAttrs(ctx, slog.LevelError, "a viewer was not revoked", slog.String("channel_arn", v.ChannelArn),
				slog.String("request_id", c.RequestID), slog.Any("error", err))
		}
		out.Errors = append(out.Errors, BatchStartViewerSessionRevocationError{
			ChannelArn: v.ChannelArn, ViewerId: v.ViewerId, Code: &code,
			Message: new(cmp.Or(fault.Message(err), "The request failed on the server")),
		})
	}
	return out, nil
}

// batchCode returns the status of an error as batches tell it, and whether it is the caller's to mend.
func batchCode(err error) (code string, known bool) {
	switch fault.KindOf(err) {
	case fault.NotFound:
		return "404", true
	case fault.Denied:
		return "403", true
	case fault.Invalid:
		return "400", true
	case fault.Unavailable:
		return "503", false
	default:
		return "500", false
	}
}

// revoke stores a revocation. A later one of a lower version takes nothing back.
func (s *Service) revoke(ctx context.Context, c awsapi.Caller, channel, viewer string, version *int32) error {
	ch, err := s.channel(ctx, c, channel)
	if err != nil {
		return err
	}
	r := resource.ViewerRevocation{ChannelARN: ch.ARN, ViewerID: viewer}
	if version != nil {
		r.Version = int64(*version)
	}
	r.At = s.opts.Clock().UTC()
	r.Until = r.At.Add(revokedFor)
	return s.storeRevocation(ctx, r)
}

func (s *Service) storeRevocation(ctx context.Context, r resource.ViewerRevocation) error {
	key := records.ViewerKey(r.ChannelARN, r.ViewerID)
	for {
		_, err := s.opts.Viewers.Revocations.Create(ctx, key, r)
		if !fault.Is(err, fault.Conflict) {
			return err
		}
		_, err = s.opts.Viewers.Revocations.Update(ctx, key, func(old resource.ViewerRevocation) (resource.ViewerRevocation, error) {
			next := r
			next.Version = max(old.Version, r.Version)
			return next, nil
		})
		if !fault.Is(err, fault.NotFound) { // it was forgotten a moment ago
			return err
		}
	}
}

// Run forgets revocations and used tokens that nobody can need any more, now and then, until ctx ends. One node does it for all.
func (s *Service) Run(ctx context.Context) error {
	every := time.NewTicker(sweepEvery)
	defer every.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "records of viewers were not swept", slog.Any("error", err))
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Sweep forgets the revocations and used tokens whose time is over.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.opts.Clock()
	err := sweep(ctx, s.opts.Viewers.UsedTokens, func(t resource.UsedToken) (bool, error) {
		return now.Sub(t.Until) > sweepGrace, nil
	})
	return errors.Join(err, sweep(ctx, s.opts.Viewers.Revocations, func(r resource.ViewerRevocation) (bool, error) {
		if !r.Until.Before(now) {
			return false, nil
		}
		st, live, err := s.opts.Streams.Get(ctx, keyOf(r.ChannelARN))
		return err == nil && (!live || st.CreatedAt.After(r.At.Add(token.MaxNamedLifetime))), err
	}))
}

var errKept = errors.New("the record counts again")

// sweep deletes the records of a table that are over.
func sweep[T any](ctx context.Context, t *store.Table[T], isOver func(T) (bool, error)) error {
	for _, r := range t.All() {
		if over, err := isOver(r.Value); err != nil || !over {
			if err != nil {
				return err
			}
			continue
		}
		_, err := t.Delete(ctx, r.Key, func(v T) error {
			over, err := isOver(v)
			if err == nil && !over {
				err = errKept
			}
			return err
		})
		if err != nil && !fault.Is(err, fault.NotFound) && !errors.Is(err, errKept) {
			return err
		}
	}
	return nil
}

// guardOf is the guard of all changes in an account's region that depend on other records.
func guardOf(sc arn.Scope) store.Key { return store.Key{Scope: sc, ID: "ivs"} }

// withinQuota returns an error when one more would be too many.
func (s *Service) withinQuota(have, limit int, what, region string) error {
	if s.opts.Quotas && have >= limit {
		return fault.New(fault.Quota, "the quota of %d %s in %s is reached", limit, what, region)
	}
	return nil
}
