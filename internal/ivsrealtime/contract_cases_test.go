package ivsrealtime_test

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

// the returns the ARN that a case names, the scene's own for "".
func the(named string, own *string) *string {
	if named == "" {
		return own
	}
	return &named
}

// call is what a case does.
type call = func(ctx context.Context, s scene) error

func stageCases() []contractCase {
	create := func(in sdk.CreateStageInput) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.CreateStage(ctx, &in)
			return err
		}
	}
	get := func(a string) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.GetStage(ctx, &sdk.GetStageInput{Arn: &a})
			return err
		}
	}
	list := func(in sdk.ListStagesInput) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.ListStages(ctx, &in)
			return err
		}
	}
	update := func(a string, r *types.AutoParticipantRecordingConfiguration) call {
		return func(ctx context.Context, s scene) error {
			in := &sdk.UpdateStageInput{Arn: the(a, s.stage), AutoParticipantRecordingConfiguration: r}
			if r == nil {
				in.Name = aws.String("two words")
			} else if r.StorageConfigurationArn == nil {
				in.AutoParticipantRecordingConfiguration.StorageConfigurationArn = s.storage
			}
			_, err := s.api.UpdateStage(ctx, in)
			return err
		}
	}
	remove := func(a string) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.DeleteStage(ctx, &sdk.DeleteStageInput{Arn: &a})
			return err
		}
	}
	recorded := func(a string) *types.AutoParticipantRecordingConfiguration {
		return &types.AutoParticipantRecordingConfiguration{StorageConfigurationArn: &a}
	}
	own := func() *types.AutoParticipantRecordingConfiguration {
		return &types.AutoParticipantRecordingConfiguration{}
	}
	interval := own()
	interval.ThumbnailConfiguration = &types.ParticipantThumbnailConfiguration{TargetIntervalSeconds: aws.Int32(10)}
	tokens := func(c types.ParticipantTokenConfiguration, n int) sdk.CreateStageInput {
		var in sdk.CreateStageInput
		for range n {
			in.ParticipantTokenConfigurations = append(in.ParticipantTokenConfigurations, c)
		}
		return in
	}
	whileRecording := func(state resource.RecordingState) call {
		return func(ctx context.Context, s scene) error {
			on := s.openSession(s.t, s.stage, noSession)
			on.join(resource.Participant{ParticipantID: "a", RecordingState: state})
			return update("", own())(ctx, s)
		}
	}
	return []contractCase{
		{operation: "CreateStage", code: "ValidationException", status: 400, call: create(sdk.CreateStageInput{Name: aws.String("two words")})},
		{operation: "CreateStage", code: "ValidationException", status: 400, text: "reserved", call: create(sdk.CreateStageInput{Tags: map[string]string{"AWS:x": "y"}})},
		{operation: "CreateStage", code: "ValidationException", status: 400, text: "participantTokenConfigurations", call: create(tokens(types.ParticipantTokenConfiguration{}, 13))},
		{operation: "CreateStage", code: "ValidationException", status: 400, text: "duration", call: create(tokens(types.ParticipantTokenConfiguration{Duration: aws.Int32(20161)}, 1))},
		{operation: "CreateStage", code: "ValidationException", status: 400, text: "1025 bytes", call: create(tokens(types.ParticipantTokenConfiguration{
			Attributes: map[string]string{"x": strings.Repeat("é", 512)},
		}, 2))},
		{operation: "CreateStage", code: "ValidationException", status: 400, text: noStorage, call: create(sdk.CreateStageInput{AutoParticipantRecordingConfiguration: recorded(noStorage)})},
		{operation: "CreateStage", code: "ValidationException", status: 400, text: foreignStorage, call: create(sdk.CreateStageInput{AutoParticipantRecordingConfiguration: recorded(foreignStorage)})},
		{operation: "CreateStage", code: "ValidationException", status: 400, call: create(sdk.CreateStageInput{AutoParticipantRecordingConfiguration: recorded(noStage)})},
		{
			operation: "CreateStage", code: "ServiceQuotaExceededException", status: 402, quotas: true, text: "1000",
			call: func(ctx context.Context, s scene) error {
				s.fill(s.t, 1)
				check(s.t, create(sdk.CreateStageInput{})(ctx, s))
				return create(sdk.CreateStageInput{})(ctx, s)
			},
		},
		{operation: "GetStage", code: "AccessDeniedException", status: 403, text: "not authorized", call: get(foreignStage)},
		{operation: "GetStage", code: "ValidationException", status: 400, call: get(noKey)},
		{operation: "GetStage", code: "ResourceNotFoundException", status: 404, text: "Resource: " + noStage + " not found", call: get(noStage)},
		{operation: "ListStages", code: "ValidationException", status: 400, call: list(sdk.ListStagesInput{MaxResults: aws.Int32(101)})},
		{operation: "ListStages", code: "ValidationException", status: 400, text: "nextToken", call: list(sdk.ListStagesInput{NextToken: aws.String("abcd")})},
		{operation: "UpdateStage", code: "AccessDeniedException", status: 403, call: update(foreignStage, own())},
		{operation: "UpdateStage", code: "ValidationException", status: 400, call: update("", nil)},
		{operation: "UpdateStage", code: "ValidationException", status: 400, text: "targetIntervalSeconds", call: update("", interval)},
		{operation: "UpdateStage", code: "ResourceNotFoundException", status: 404, text: noStage, call: update(noStage, own())},
		{operation: "UpdateStage", code: "ResourceNotFoundException", status: 404, text: noStorage, call: update("", recorded(noStorage))},
		{operation: "UpdateStage", code: "ConflictException", status: 409, text: "recorded", call: whileRecording(resource.RecordingStarting)},
		{operation: "UpdateStage", code: "ConflictException", status: 409, text: "recorded", call: whileRecording(resource.RecordingActive)},
		{operation: "UpdateStage", code: "ConflictException", status: 409, text: "recorded", call: whileRecording(resource.RecordingStopping)},
		{operation: "DeleteStage", code: "AccessDeniedException", status: 403, call: remove(foreignStage)},
		{operation: "DeleteStage", code: "ValidationException", status: 400, call: remove(noKey)},
		{operation: "DeleteStage", code: "ResourceNotFoundException", status: 404, text: noStage, call: remove(noStage)},
	}
}

func tokenCases() []contractCase {
	mint := func(in sdk.CreateParticipantTokenInput) call {
		return func(ctx context.Context, s scene) error {
			if in.StageArn == nil {
				in.StageArn = s.stage
			}
			_, err := s.api.CreateParticipantToken(ctx, &in)
			return err
		}
	}
	disconnect := func(a, id, reason string) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.DisconnectParticipant(ctx, &sdk.DisconnectParticipantInput{
				StageArn: the(a, s.stage), ParticipantId: &id, Reason: &reason,
			})
			return err
		}
	}
	return []contractCase{
		{operation: "CreateParticipantToken", code: "AccessDeniedException", status: 403, call: mint(sdk.CreateParticipantTokenInput{StageArn: aws.String(foreignStage)})},
		{operation: "CreateParticipantToken", code: "ResourceNotFoundException", status: 404, text: noStage, call: mint(sdk.CreateParticipantTokenInput{StageArn: aws.String(noStage)})},
		{operation: "CreateParticipantToken", code: "ValidationException", status: 400, call: mint(sdk.CreateParticipantTokenInput{Duration: aws.Int32(0)})},
		{operation: "CreateParticipantToken", code: "ValidationException", status: 400, call: mint(sdk.CreateParticipantTokenInput{UserId: aws.String(strings.Repeat("é", 129))})},
		{operation: "CreateParticipantToken", code: "ValidationException", status: 400, call: mint(sdk.CreateParticipantTokenInput{Capabilities: []types.ParticipantTokenCapability{"FLY"}})},
		{operation: "CreateParticipantToken", code: "ValidationException", status: 400, text: "1025 bytes", call: mint(sdk.CreateParticipantTokenInput{
			Attributes: map[string]string{"x": strings.Repeat("é", 512)},
		})},
		{operation: "DisconnectParticipant", code: "AccessDeniedException", status: 403, call: disconnect(foreignStage, "a", "")},
		{operation: "DisconnectParticipant", code: "ResourceNotFoundException", status: 404, text: noStage, call: disconnect(noStage, "a", "")},
		{operation: "DisconnectParticipant", code: "ValidationException", status: 400, call: disconnect("", "a/b", "")},
		{operation: "DisconnectParticipant", code: "ValidationException", status: 400, text: "empty", call: disconnect("", "", "")},
		{operation: "DisconnectParticipant", code: "ValidationException", status: 400, call: disconnect("", "a", strings.Repeat("x", 129))},
	}
}

func sessionCases() []contractCase {
	session := func(a, id string) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.GetStageSession(ctx, &sdk.GetStageSessionInput{StageArn: the(a, s.stage), SessionId: &id})
			return err
		}
	}
	sessions := func(a string, size int32) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.ListStageSessions(ctx, &sdk.ListStageSessionsInput{StageArn: the(a, s.stage), MaxResults: &size})
			return err
		}
	}
	participant := func(a, id string, open bool) call {
		return func(ctx context.Context, s scene) error {
			if open {
				s.openSession(s.t, s.stage, noSession)
			}
			_, err := s.api.GetParticipant(ctx, &sdk.GetParticipantInput{
				StageArn: the(a, s.stage), SessionId: aws.String(noSession), ParticipantId: &id,
			})
			return err
		}
	}
	participants := func(in sdk.ListParticipantsInput) call {
		return func(ctx context.Context, s scene) error {
			if in.StageArn == nil {
				in.StageArn = s.stage
			}
			if in.SessionId == nil {
				in.SessionId = aws.String(noSession)
			}
			_, err := s.api.ListParticipants(ctx, &in)
			return err
		}
	}
	events := func(a string, open bool) call {
		return func(ctx context.Context, s scene) error {
			if open {
				s.openSession(s.t, s.stage, noSession)
			}
			_, err := s.api.ListParticipantEvents(ctx, &sdk.ListParticipantEventsInput{
				StageArn: the(a, s.stage), SessionId: aws.String(noSession), ParticipantId: aws.String("a"),
			})
			return err
		}
	}
	return []contractCase{
		{operation: "GetStageSession", code: "AccessDeniedException", status: 403, call: session(foreignStage, noSession)},
		{operation: "GetStageSession", code: "ValidationException", status: 400, call: session("", "st-0")},
		{operation: "GetStageSession", code: "ResourceNotFoundException", status: 404, text: noStage, call: session(noStage, noSession)},
		{operation: "GetStageSession", code: "ResourceNotFoundException", status: 404, text: noSession, call: session("", noSession)},
		{operation: "ListStageSessions", code: "AccessDeniedException", status: 403, call: sessions(foreignStage, 1)},
		{operation: "ListStageSessions", code: "ValidationException", status: 400, call: sessions("", 101)},
		{operation: "ListStageSessions", code: "ValidationException", status: 400, text: noStage, call: sessions(noStage, 1)},
		{operation: "GetParticipant", code: "AccessDeniedException", status: 403, call: participant(foreignStage, "a", false)},
		{operation: "GetParticipant", code: "ValidationException", status: 400, call: participant("", "a/b", false)},
		{operation: "GetParticipant", code: "ResourceNotFoundException", status: 404, text: noStage, call: participant(noStage, "a", false)},
		{operation: "GetParticipant", code: "ResourceNotFoundException", status: 404, text: "Resource: a not found", call: participant("", "a", false)},
		{operation: "GetParticipant", code: "ResourceNotFoundException", status: 404, text: "Resource: a not found", call: participant("", "a", true)},
		{operation: "ListParticipants", code: "AccessDeniedException", status: 403, call: participants(sdk.ListParticipantsInput{StageArn: aws.String(foreignStage)})},
		{operation: "ListParticipants", code: "ValidationException", status: 400, text: noStage, call: participants(sdk.ListParticipantsInput{StageArn: aws.String(noStage)})},
		{operation: "ListParticipants", code: "ValidationException", status: 400, text: noSession, call: participants(sdk.ListParticipantsInput{})},
		{operation: "ListParticipants", code: "ValidationException", status: 400, call: participants(sdk.ListParticipantsInput{FilterByRecordingState: "DISABLED"})},
		{operation: "ListParticipants", code: "ValidationException", status: 400, text: "only one filter", call: participants(sdk.ListParticipantsInput{
			FilterByPublished: true, FilterByState: types.ParticipantStateConnected,
		})},
		{operation: "ListParticipantEvents", code: "AccessDeniedException", status: 403, call: events(foreignStage, false)},
		{operation: "ListParticipantEvents", code: "ValidationException", status: 400, text: noStage, call: events(noStage, false)},
		{operation: "ListParticipantEvents", code: "ValidationException", status: 400, text: "Resource: a not found", call: events("", false)},
		{operation: "ListParticipantEvents", code: "ValidationException", status: 400, text: "Resource: a not found", call: events("", true)},
	}
}

func keyCases() []contractCase {
	importing := func(material string) call {
		return func(ctx context.Context, s scene) error {
			if material == "" {
				_, material = newKey(s.t)
			}
			_, err := s.api.ImportPublicKey(ctx, &sdk.ImportPublicKeyInput{PublicKeyMaterial: &material})
			return err
		}
	}
	get := func(a string) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.GetPublicKey(ctx, &sdk.GetPublicKeyInput{Arn: &a})
			return err
		}
	}
	remove := func(a string) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.DeletePublicKey(ctx, &sdk.DeletePublicKeyInput{Arn: &a})
			return err
		}
	}
	return []contractCase{
		{operation: "ImportPublicKey", code: "ValidationException", status: 400, call: importing("no key")},
		{operation: "ImportPublicKey", code: "ValidationException", status: 400, call: importing("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")},
		{
			operation: "ImportPublicKey", code: "ConflictException", status: 409, text: "imported already",
			call: func(ctx context.Context, s scene) error {
				k, err := s.api.GetPublicKey(ctx, &sdk.GetPublicKeyInput{Arn: s.key})
				check(s.t, err)
				return importing(*k.PublicKey.PublicKeyMaterial)(ctx, s)
			},
		},
		{
			operation: "ImportPublicKey", code: "ServiceQuotaExceededException", status: 402, quotas: true, text: "quota of 3",
			call: func(ctx context.Context, s scene) error {
				s.importKey(s.t)
				s.importKey(s.t)
				return importing("")(ctx, s)
			},
		},
		{operation: "GetPublicKey", code: "AccessDeniedException", status: 403, call: get(foreignKey)},
		{operation: "GetPublicKey", code: "ValidationException", status: 400, call: get(noStage)},
		{operation: "GetPublicKey", code: "ResourceNotFoundException", status: 404, text: noKey, call: get(noKey)},
		{operation: "ListPublicKeys", code: "ValidationException", status: 400, call: func(ctx context.Context, s scene) error {
			_, err := s.api.ListPublicKeys(ctx, &sdk.ListPublicKeysInput{MaxResults: aws.Int32(0)})
			return err
		}},
		{operation: "DeletePublicKey", code: "AccessDeniedException", status: 403, call: remove(foreignKey)},
		{operation: "DeletePublicKey", code: "ValidationException", status: 400, call: remove(noStage)},
		{operation: "DeletePublicKey", code: "ResourceNotFoundException", status: 404, text: noKey, call: remove(noKey)},
	}
}

// broken lets the state engine go away before a call.
func broken(do call) call {
	return func(ctx context.Context, s scene) error {
		s.conn.Close()
		return do(ctx, s)
	}
}

func storageCases() []contractCase {
	create := func(bucket string) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.CreateStorageConfiguration(ctx, &sdk.CreateStorageConfigurationInput{
				S3: &types.S3StorageConfiguration{BucketName: &bucket},
			})
			return err
		}
	}
	get := func(a string) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.GetStorageConfiguration(ctx, &sdk.GetStorageConfigurationInput{Arn: &a})
			return err
		}
	}
	remove := func(a string) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.DeleteStorageConfiguration(ctx, &sdk.DeleteStorageConfigurationInput{Arn: the(a, s.storage)})
			return err
		}
	}
	return []contractCase{
		{operation: "CreateStorageConfiguration", code: "ValidationException", status: 400, call: create("A_B")},
		{operation: "CreateStorageConfiguration", code: "InternalServerException", status: 500, call: broken(create("abc"))},
		{
			operation: "CreateStorageConfiguration", code: "ServiceQuotaExceededException", status: 402, quotas: true, text: "quota of 5",
			call: func(ctx context.Context, s scene) error {
				for range 4 {
					s.env.storage(s.t)
				}
				return create("abc")(ctx, s)
			},
		},
		{operation: "GetStorageConfiguration", code: "AccessDeniedException", status: 403, call: get(foreignStorage)},
		{operation: "GetStorageConfiguration", code: "ValidationException", status: 400, call: get(noStage)},
		{operation: "GetStorageConfiguration", code: "ResourceNotFoundException", status: 404, text: noStorage, call: get(noStorage)},
		{operation: "GetStorageConfiguration", code: "InternalServerException", status: 500, call: broken(get(noStorage))},
		{operation: "ListStorageConfigurations", code: "ValidationException", status: 400, call: func(ctx context.Context, s scene) error {
			_, err := s.api.ListStorageConfigurations(ctx, &sdk.ListStorageConfigurationsInput{MaxResults: aws.Int32(101)})
			return err
		}},
		{operation: "DeleteStorageConfiguration", code: "AccessDeniedException", status: 403, call: remove(foreignStorage)},
		{operation: "DeleteStorageConfiguration", code: "ValidationException", status: 400, call: remove(noStage)},
		{operation: "DeleteStorageConfiguration", code: "ResourceNotFoundException", status: 404, text: noStorage, call: remove(noStorage)},
		{operation: "DeleteStorageConfiguration", code: "InternalServerException", status: 500, call: broken(remove(""))},
		{
			operation: "DeleteStorageConfiguration", code: "ConflictException", status: 409, text: "is used by",
			call: func(ctx context.Context, s scene) error {
				_, err := s.api.CreateStage(ctx, &sdk.CreateStageInput{
					AutoParticipantRecordingConfiguration: &types.AutoParticipantRecordingConfiguration{StorageConfigurationArn: s.storage},
				})
				check(s.t, err)
				return remove("")(ctx, s)
			},
		},
	}
}

func tagCases() []contractCase {
	tag := func(a string, tags map[string]string) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: the(a, s.stage), Tags: tags})
			return err
		}
	}
	untag := func(a string) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: the(a, s.stage), TagKeys: []string{"x"}})
			return err
		}
	}
	list := func(a string) call {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &a})
			return err
		}
	}
	one := map[string]string{"x": "y"}
	long := map[string]string{strings.Repeat("x", 129): "y"}
	return []contractCase{
		{operation: "TagResource", code: "ValidationException", status: 400, text: "reserved", call: tag("", map[string]string{"aws:x": "y"})},
		{operation: "TagResource", code: "ValidationException", status: 400, call: tag("", long)},
		{operation: "TagResource", code: "ResourceNotFoundException", status: 404, text: noStage, call: tag(noStage, one)},
		{operation: "TagResource", code: "ResourceNotFoundException", status: 404, text: noKey, call: tag(noKey, one)},
		{operation: "TagResource", code: "ResourceNotFoundException", status: 404, text: noComposition, call: tag(noComposition, one)},
		{operation: "TagResource", code: "InternalServerException", status: 500, call: broken(tag("", one))},
		{operation: "UntagResource", code: "ValidationException", status: 400, call: func(ctx context.Context, s scene) error {
			_, err := s.api.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: s.stage, TagKeys: make([]string, 51)})
			return err
		}},
		{operation: "UntagResource", code: "ResourceNotFoundException", status: 404, text: noStorage, call: untag(noStorage)},
		{operation: "UntagResource", code: "InternalServerException", status: 500, call: broken(untag(""))},
		{operation: "ListTagsForResource", code: "ValidationException", status: 400, call: list(noStage + strings.Repeat("0", 128))},
		{operation: "ListTagsForResource", code: "ResourceNotFoundException", status: 404, text: noKey, call: list(noKey)},
		{operation: "ListTagsForResource", code: "InternalServerException", status: 500, call: broken(list(noStage))},
	}
}

// nobodyThere is the answer of nodes that have no connection.
func nobodyThere(arn.ARN) error { return fault.New(fault.NotLive, "nobody is connected") }
