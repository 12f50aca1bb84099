package ivsrealtime

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/token"
)

// burntFor is how long a participant stays burnt: as long as a token of today can live, and as long again for one that
// its signer has dated ahead.
const burntFor = 2 * token.MaxLifetime

// sweepEvery is how often burnt participants are forgotten that no token can name any more.
const sweepEvery = time.Hour

// DisconnectParticipant burns a participant, so that no token with its id is good any more, and drops its connections.
// A participant that was never seen is burnt as well: its token may be on its way. When a node that has a connection
// does not answer, the participant is burnt all the same, and the call can be repeated.
func (s *Service) DisconnectParticipant(
	ctx context.Context, c awsapi.Caller, in *DisconnectParticipantRequest,
) (*DisconnectParticipantResponse, error) {
	if !token.IsParticipantID(in.ParticipantId) {
		return nil, fault.New(fault.Invalid, "participantId must not be empty")
	}
	st, err := s.stage(ctx, c, in.StageArn)
	if err != nil {
		return nil, err
	}
	reason := ""
	set(&reason, in.Reason)
	if err := s.burn(ctx, st.ARN, in.ParticipantId, reason); err != nil {
		return nil, err
	}
	err = s.opts.Media.Disconnect(ctx, st.ARN, in.ParticipantId, reason)
	if err != nil && !fault.Is(err, fault.NotLive) {
		return nil, err
	}
	return &DisconnectParticipantResponse{}, nil
}

// burn stores that a participant's tokens are no good any more. Doing it again lets it last longer.
func (s *Service) burn(ctx context.Context, stage arn.ARN, participantID, reason string) error {
	now := s.opts.Clock().UTC()
	d := resource.Disconnected{
		StageARN: stage, ParticipantID: participantID, Reason: reason, At: now, Until: now.Add(burntFor),
	}
	key := records.ParticipantKey(stage, "", participantID)
	for {
		_, err := s.opts.Records.Disconnected.Create(ctx, key, d)
		if !fault.Is(err, fault.Conflict) {
			return err
		}
		_, err = s.opts.Records.Disconnected.Update(ctx, key, func(resource.Disconnected) (resource.Disconnected, error) {
			return d, nil
		})
		if !fault.Is(err, fault.NotFound) { // it was forgotten a moment ago
			return err
		}
	}
}

// Run forgets burnt participants that no token can name any more, now and then, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	every := time.NewTicker(sweepEvery)
	defer every.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "burnt participants were not swept", slog.Any("error", err))
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return nil
		}
	}
}

var errKept = errors.New("the participant was burnt again")

// Sweep forgets the burnt participants whose time is over or whose stage is gone.
func (s *Service) Sweep(ctx context.Context) error {
	for _, r := range s.opts.Records.Disconnected.All() {
		if !s.over(ctx, r.Value) {
			continue
		}
		_, err := s.opts.Records.Disconnected.Delete(ctx, r.Key, func(d resource.Disconnected) error {
			if !s.over(ctx, d) {
				return errKept
			}
			return nil
		})
		if err != nil && !fault.Is(err, fault.NotFound) && !errors.Is(err, errKept) {
			return err
		}
	}
	return nil
}

func (s *Service) over(ctx context.Context, d resource.Disconnected) bool {
	if !d.Until.After(s.opts.Clock()) {
		return true
	}
	_, err := s.opts.Records.Stages.Get(ctx, keyOf(d.StageARN))
	return fault.Is(err, fault.NotFound)
}
