package ivsrealtime

import (
	"context"
	"slices"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// Values of resource.Thumbnails.
const (
	thumbnailsInterval = "INTERVAL"
	thumbnailsDisabled = "DISABLED"
	storageSequential  = "SEQUENTIAL"
)

// defaultThumbnailInterval is in seconds.
const defaultThumbnailInterval = 60

// defaultRecording is the recording of a stage that was created without one (spec ivs-realtime.md 4.2): off.
func defaultRecording() resource.ParticipantRecording {
	return resource.ParticipantRecording{
		MediaType: resource.MediaAudioVideo,
		Thumbnails: resource.Thumbnails{
			Mode: thumbnailsDisabled, Storage: []string{storageSequential}, Interval: defaultThumbnailInterval,
		},
		SegmentDuration: 6,
		Replicas:        true,
	}
}

// withRecording returns a recording with the members that a request names applied, or the rule that the outcome would
// break. Each member's own constraints have been checked before. No storage configuration is no recording, and takes
// everything back to the defaults.
func withRecording(
	r resource.ParticipantRecording, in *AutoParticipantRecordingConfiguration,
) (resource.ParticipantRecording, error) {
	if in == nil {
		return r, nil
	}
	if in.StorageConfigurationArn == "" {
		return defaultRecording(), nil
	}
	r.StorageConfigurationARN = in.StorageConfigurationArn
	if len(in.MediaTypes) > 0 {
		r.MediaType = in.MediaTypes[0]
	}
	setInt(&r.ReconnectWindow, in.RecordingReconnectWindowSeconds)
	if in.HlsConfiguration != nil {
		setInt(&r.SegmentDuration, in.HlsConfiguration.TargetSegmentDurationSeconds)
	}
	set(&r.Replicas, in.RecordParticipantReplicas)
	if t := in.ThumbnailConfiguration; t != nil {
		set(&r.Thumbnails.Mode, t.RecordingMode)
		if len(t.Storage) > 0 {
			r.Thumbnails.Storage = distinct(t.Storage)
		}
		setInt(&r.Thumbnails.Interval, t.TargetIntervalSeconds)
	}
	if r.Thumbnails.Mode == thumbnailsDisabled && r.Thumbnails.Interval != defaultThumbnailInterval {
		if t := in.ThumbnailConfiguration; t != nil && t.TargetIntervalSeconds != nil {
			return r, fault.New(fault.Invalid, "targetIntervalSeconds is only available when recordingMode is %s", thumbnailsInterval)
		}
		r.Thumbnails.Interval = defaultThumbnailInterval // it meant something to the other mode only
	}
	return r, nil
}

func sameRecording(a, b resource.ParticipantRecording) bool {
	return a.StorageConfigurationARN == b.StorageConfigurationARN && a.MediaType == b.MediaType &&
		a.Thumbnails.Mode == b.Thumbnails.Mode && slices.Equal(a.Thumbnails.Storage, b.Thumbnails.Storage) &&
		a.Thumbnails.Interval == b.Thumbnails.Interval && a.ReconnectWindow == b.ReconnectWindow &&
		a.SegmentDuration == b.SegmentDuration && a.Replicas == b.Replicas
}

// mayRecord checks that participants can be recorded where a recording says.
func (s *Service) mayRecord(ctx context.Context, c awsapi.Caller, wanted, stored resource.ParticipantRecording) error {
	return s.opts.Unbuilt.Refer(ctx, c, "autoParticipantRecordingConfiguration.storageConfigurationArn",
		wanted.StorageConfigurationARN, stored.StorageConfigurationARN)
}

// checkStorage checks that the storage configuration that a request refers to is there and the caller's. There is no
// difference to the caller between what is elsewhere and what is nowhere. It must run under the guard, so that the
// configuration is not deleted before the reference is stored.
func (s *Service) checkStorage(ctx context.Context, c awsapi.Caller, text string) error {
	a, err := arn.Parse(text)
	if err != nil {
		return err
	}
	if a.Scope != c.Scope {
		return awsapi.NotFound(text)
	}
	_, err = s.opts.Records.StorageConfigurations.Get(ctx, keyOf(a))
	return awsapi.Naming(err, text)
}

// checkNotRecording returns a conflict when a participant of the stage is being recorded.
func (s *Service) checkNotRecording(ctx context.Context, stage arn.ARN) error {
	open, ok, err := s.openSession(ctx, stage)
	if err != nil || !ok {
		return err
	}
	for _, state := range []resource.RecordingState{
		resource.RecordingStarting, resource.RecordingActive, resource.RecordingStopping,
	} {
		found, err := s.opts.Records.Participants.List(ctx, store.Query{
			Scope: stage.Scope, Index: "recording", Limit: 1,
			Value: records.ParticipantValue(stage, open.SessionID, string(state)),
		})
		if err != nil {
			return err
		}
		if len(found.Records) > 0 {
			return fault.New(fault.Conflict, "Stage: %s cannot change its recording while a participant is recorded", stage)
		}
	}
	return nil
}

// distinct returns the values without repetitions, each where it came first.
func distinct(values []string) []string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func set[T any](dst *T, v *T) {
	if v != nil {
		*dst = *v
	}
}

func setInt(dst *int, v *int32) {
	if v != nil {
		*dst = int(*v)
	}
}
