package ivsrealtime

import (
	"context"
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/tagging"
)

// CreateStage makes a stage and the tokens that the request asks for, in the same order: all of it or nothing.
func (s *Service) CreateStage(ctx context.Context, c awsapi.Caller, in *CreateStageRequest) (*CreateStageResponse, error) {
	now := s.opts.Clock().UTC()
	st := resource.Stage{ARN: resource.StageARN(c.Scope, arn.NewID()), CreatedAt: now}
	st.Endpoints, _ = withEndpoints(nil, s.endpointsFor(c, now))
	set(&st.Name, in.Name)
	var err error
	if st.Tags, err = tagging.Tagged(nil, in.Tags); err != nil {
		return nil, err
	}
	if st.Recording, err = withRecording(defaultRecording(), in.AutoParticipantRecordingConfiguration); err != nil {
		return nil, err
	}
	if err := s.mayRecord(ctx, c, st.Recording, resource.ParticipantRecording{}); err != nil {
		return nil, err
	}
	tokens := make([]ParticipantToken, len(in.ParticipantTokenConfigurations))
	for i, t := range in.ParticipantTokenConfigurations {
		if tokens[i], err = s.mint(c, st.ARN, grant(t)); err != nil {
			return nil, err
		}
	}
	if err := s.create(ctx, c, st); err != nil {
		return nil, err
	}
	return &CreateStageResponse{Stage: s.wireStage(c, st, ""), ParticipantTokens: tokens}, nil
}

// create stores a new stage, under the guard when that depends on how many there are or on what it refers to.
func (s *Service) create(ctx context.Context, c awsapi.Caller, st resource.Stage) error {
	storage := st.Recording.StorageConfigurationARN
	if !s.opts.Quotas && storage == "" {
		_, err := s.opts.Records.Stages.Create(ctx, keyOf(st.ARN), st)
		return err
	}
	_, err := s.opts.Records.Stages.Under(guardOf(c.Scope)).Create(ctx, keyOf(st.ARN), st, func() error {
		err := s.withinQuota(s.opts.Records.Stages.Count(c.Scope), quotaStages, "stages", c.Region)
		if err == nil && storage != "" {
			err = s.checkStorage(ctx, c, storage)
		}
		return err
	})
	return err
}

// GetStage returns a stage.
func (s *Service) GetStage(ctx context.Context, c awsapi.Caller, in *GetStageRequest) (*GetStageResponse, error) {
	st, err := s.stage(ctx, c, in.Arn)
	if err != nil {
		return nil, err
	}
	if err := s.advertise(ctx, c, st); err != nil {
		return nil, err
	}
	session, err := s.activeSessionID(ctx, st.ARN)
	if err != nil {
		return nil, err
	}
	return &GetStageResponse{Stage: s.wireStage(c, st, session)}, nil
}

// ListStages returns a page of stages by id.
func (s *Service) ListStages(ctx context.Context, c awsapi.Caller, in *ListStagesRequest) (*ListStagesResponse, error) {
	stages, next, err := listed(ctx, c, s.opts.Pager.Pages(c, "ListStages", ""), s.opts.Records.Stages, in.NextToken,
		awsapi.PageSize(in.MaxResults, defaultLimit), func(st resource.Stage) (StageSummary, error) {
			session, err := s.activeSessionID(ctx, st.ARN)
			return wireStageSummary(st, session), err
		})
	if err != nil {
		return nil, err
	}
	return &ListStagesResponse{Stages: stages, NextToken: next}, nil
}

// UpdateStage changes the settings that the request names. How participants are recorded cannot change while one is.
func (s *Service) UpdateStage(ctx context.Context, c awsapi.Caller, in *UpdateStageRequest) (*UpdateStageResponse, error) {
	found, err := s.stage(ctx, c, in.Arn)
	if err != nil {
		return nil, err
	}
	a := found.ARN
	update, check := s.opts.Records.Stages.Update, func() error { return nil }
	if r := in.AutoParticipantRecordingConfiguration; r != nil && r.StorageConfigurationArn != "" {
		update = s.opts.Records.Stages.Under(guardOf(c.Scope)).Update
		check = func() error { return s.checkStorage(ctx, c, r.StorageConfigurationArn) }
	}
	if err := check(); err != nil { // it has the caller's own name for what is missing
		return nil, err
	}
	e := s.endpointsFor(c, s.opts.Clock().UTC())
	rec, err := update(ctx, keyOf(a), func(st resource.Stage) (resource.Stage, error) {
		if err := c.May(a, st.Tags); err != nil {
			return st, err
		}
		if err := check(); err != nil {
			return st, err
		}
		recording, err := withRecording(st.Recording, in.AutoParticipantRecordingConfiguration)
		if err == nil {
			err = s.mayRecord(ctx, c, recording, st.Recording)
		}
		if err == nil && !sameRecording(recording, st.Recording) {
			err = s.checkNotRecording(ctx, a)
		}
		set(&st.Name, in.Name)
		st.Recording = recording
		st.Endpoints, _ = withEndpoints(st.Endpoints, e)
		return st, err
	})
	if err != nil {
		return nil, awsapi.Naming(err, in.Arn)
	}
	session, err := s.activeSessionID(ctx, a)
	if err != nil {
		return nil, err
	}
	return &UpdateStageResponse{Stage: s.wireStage(c, rec.Value, session)}, nil
}

// DeleteStage deletes a stage, disconnects everybody and ends its session.
func (s *Service) DeleteStage(ctx context.Context, c awsapi.Caller, in *DeleteStageRequest) (*DeleteStageResponse, error) {
	a, err := c.Own(in.Arn)
	if err != nil {
		return nil, err
	}
	_, err = s.opts.Records.Stages.Delete(ctx, keyOf(a), func(st resource.Stage) error { return c.May(a, st.Tags) })
	if err != nil {
		return nil, awsapi.Naming(err, in.Arn)
	}
	s.close(ctx, a)
	return &DeleteStageResponse{}, nil
}

// How long a delete tries to close the stage, and how long it waits between two tries.
const (
	closeTimeout = 5 * time.Second
	closeRetry   = 100 * time.Millisecond
)

// close disconnects everybody from a stage that was deleted. The delete stands whatever comes of this, and a caller that
// hangs up does not change it: the nodes see for themselves that the record is gone.
func (s *Service) close(ctx context.Context, a arn.ARN) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	for {
		err := s.opts.Media.Close(ctx, a)
		if err == nil || fault.Is(err, fault.NotLive) {
			return
		}
		select {
		case <-time.After(closeRetry):
		case <-ctx.Done():
			s.opts.Logger.LogAttrs(ctx, slog.LevelError, "a deleted stage was not closed in time",
				slog.String("stage_arn", a.String()), slog.Any("error", err))
			return
		}
	}
}
