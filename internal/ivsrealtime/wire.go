package ivsrealtime

import (
	"cmp"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/tagging"
)

// wireStage returns a stage as the API shows it. The active session is only there while there is one (spec
// ivs-realtime.md 4.1).
func (s *Service) wireStage(c awsapi.Caller, st resource.Stage, sessionID string) *Stage {
	return &Stage{
		ActiveSessionId:                       unlessEmpty(sessionID),
		Arn:                                   st.ARN.String(),
		AutoParticipantRecordingConfiguration: wireRecording(st.Recording),
		Endpoints:                             s.wireEndpoints(c, st),
		Name:                                  &st.Name,
		Tags:                                  tagging.Shown(st.Tags),
	}
}

// wireEndpoints returns the addresses of a stage at which something listens: none of RTMP, and nil when nobody can join
// here.
func (s *Service) wireEndpoints(c awsapi.Caller, st resource.Stage) *StageEndpoints {
	if s.opts.Closed {
		return nil
	}
	e := s.endpointsFor(c, st.CreatedAt)
	return &StageEndpoints{Events: &e.Events, Whip: &e.WHIP}
}

// wireStageSummary returns a stage as lists show it: without addresses and settings.
func wireStageSummary(st resource.Stage, sessionID string) StageSummary {
	return StageSummary{
		ActiveSessionId: unlessEmpty(sessionID),
		Arn:             st.ARN.String(),
		Name:            &st.Name,
		Tags:            tagging.Shown(st.Tags),
	}
}

// wireRecording returns how participants are recorded, with every default filled in.
func wireRecording(r resource.ParticipantRecording) *AutoParticipantRecordingConfiguration {
	return &AutoParticipantRecordingConfiguration{
		HlsConfiguration: &ParticipantRecordingHlsConfiguration{
			TargetSegmentDurationSeconds: new(int32(r.SegmentDuration)),
		},
		MediaTypes:                      []string{r.MediaType},
		RecordParticipantReplicas:       &r.Replicas,
		RecordingReconnectWindowSeconds: new(int32(r.ReconnectWindow)),
		StorageConfigurationArn:         r.StorageConfigurationARN,
		ThumbnailConfiguration: &ParticipantThumbnailConfiguration{
			RecordingMode:         &r.Thumbnails.Mode,
			Storage:               r.Thumbnails.Storage,
			TargetIntervalSeconds: new(int32(r.Thumbnails.Interval)),
		},
	}
}

func wirePublicKey(k resource.PublicKey) *PublicKey {
	return &PublicKey{
		Arn:               new(k.ARN.String()),
		Fingerprint:       &k.Fingerprint,
		Name:              &k.Name,
		PublicKeyMaterial: &k.Material,
		Tags:              tagging.Shown(k.Tags),
	}
}

func wirePublicKeySummary(k resource.PublicKey) PublicKeySummary {
	return PublicKeySummary{Arn: new(k.ARN.String()), Name: &k.Name, Tags: tagging.Shown(k.Tags)}
}

func wireStorage(sc resource.StorageConfiguration) *StorageConfiguration {
	return &StorageConfiguration{
		Arn:  sc.ARN.String(),
		Name: &sc.Name,
		S3:   &S3StorageConfiguration{BucketName: sc.Bucket},
		Tags: tagging.Shown(sc.Tags),
	}
}

func wireSession(s resource.StageSession) StageSession {
	return StageSession{
		SessionId: &s.SessionID,
		StartTime: restjson.Time(s.StartTime),
		EndTime:   restjson.Time(s.EndTime),
	}
}

// wireParticipant returns a participant as the API shows it. What only replicas and RTMP publishers have is left out for
// others (spec ivs-realtime.md 4.4).
func wireParticipant(p resource.Participant) *Participant {
	s := wireParticipantSummary(p)
	return &Participant{
		Attributes:             tagging.Shown(p.Attributes),
		BrowserName:            &p.BrowserName,
		BrowserVersion:         &p.BrowserVersion,
		FirstJoinTime:          s.FirstJoinTime,
		IngestConfigurationArn: s.IngestConfigurationArn,
		IspName:                &p.ISPName,
		OsName:                 &p.OSName,
		OsVersion:              &p.OSVersion,
		ParticipantId:          s.ParticipantId,
		Protocol:               new(cmp.Or(p.Protocol, resource.ProtocolUnknown)),
		Published:              s.Published,
		RecordingS3BucketName:  &p.RecordingBucket,
		RecordingS3Prefix:      &p.RecordingPrefix,
		RecordingState:         s.RecordingState,
		RedundantIngest:        s.RedundantIngest,
		ReplicationState:       s.ReplicationState,
		ReplicationType:        s.ReplicationType,
		SdkVersion:             &p.SDKVersion,
		SourceSessionId:        s.SourceSessionId,
		SourceStageArn:         s.SourceStageArn,
		State:                  s.State,
		UserId:                 s.UserId,
	}
}

func wireParticipantSummary(p resource.Participant) ParticipantSummary {
	w := ParticipantSummary{
		FirstJoinTime:    restjson.Time(p.FirstJoinTime),
		ParticipantId:    &p.ParticipantID,
		Published:        &p.Published,
		RecordingState:   new(string(cmp.Or(p.RecordingState, resource.RecordingDisabled))),
		ReplicationState: unlessEmpty(p.ReplicationState),
		ReplicationType:  new(cmp.Or(p.ReplicationType, "NONE")),
		SourceSessionId:  unlessEmpty(p.SourceSessionID),
		SourceStageArn:   unlessEmpty(p.SourceStageARN.String()),
		State:            new(string(p.State())),
		UserId:           &p.UserID,
	}
	if !p.IngestConfigurationARN.IsZero() {
		w.IngestConfigurationArn, w.RedundantIngest = new(p.IngestConfigurationARN.String()), &p.RedundantIngest
	}
	return w
}

func wireEvent(e resource.ParticipantEvent) Event {
	return Event{
		DestinationSessionId: unlessEmpty(e.DestinationSessionID),
		DestinationStageArn:  unlessEmpty(e.DestinationStageARN.String()),
		ErrorCode:            unlessEmpty(e.ErrorCode),
		EventTime:            restjson.Time(e.Time),
		Name:                 &e.Name,
		NewToken:             wireExchanged(e.NewToken),
		ParticipantId:        &e.ParticipantID,
		PreviousToken:        wireExchanged(e.PreviousToken),
		RemoteParticipantId:  unlessEmpty(e.RemoteParticipantID),
		Replica:              &e.Replica,
	}
}

func wireExchanged(t *resource.ExchangedToken) *ExchangedParticipantToken {
	if t == nil {
		return nil
	}
	return &ExchangedParticipantToken{
		Attributes:     tagging.Shown(t.Attributes),
		Capabilities:   wireCapabilities(t.Publish, t.Subscribe),
		ExpirationTime: restjson.Time(t.Expires),
		UserId:         &t.UserID,
	}
}

// wireCapabilities returns what a token can do: always a list.
func wireCapabilities(publish, subscribe bool) []string {
	list := []string{}
	if publish {
		list = append(list, capabilityPublish)
	}
	if subscribe {
		list = append(list, capabilitySubscribe)
	}
	return list
}

// unlessEmpty returns an optional member that is left out when it is empty.
func unlessEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
