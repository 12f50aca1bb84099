package ivsrealtime_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/ivsrealtime"
)

// TestStorageConfiguration checks that one in use stays until nothing refers to it.
func TestStorageConfiguration(t *testing.T) {
	t.Parallel()
	e := start(t)
	ctx, api := t.Context(), e.api()
	storage := e.storage(t)
	st, err := api.CreateStage(ctx, &sdk.CreateStageInput{
		AutoParticipantRecordingConfiguration: &types.AutoParticipantRecordingConfiguration{StorageConfigurationArn: storage.Arn},
	})
	check(t, err)
	remove := func() error {
		_, err := api.DeleteStorageConfiguration(ctx, &sdk.DeleteStorageConfigurationInput{Arn: storage.Arn})
		return err
	}
	wantCode(t, remove(), "ConflictException")
	got, err := api.GetStorageConfiguration(ctx, &sdk.GetStorageConfigurationInput{Arn: storage.Arn})
	check(t, err)
	if *got.StorageConfiguration.S3.BucketName != "bucket.of-mine" {
		t.Errorf("storage configuration %+v", got.StorageConfiguration)
	}
	_, err = api.UpdateStage(ctx, &sdk.UpdateStageInput{
		Arn:                                   st.Stage.Arn,
		AutoParticipantRecordingConfiguration: &types.AutoParticipantRecordingConfiguration{StorageConfigurationArn: aws.String("")},
	})
	check(t, err)
	check(t, remove())
	wantCode(t, remove(), "ResourceNotFoundException")
}

// TestUnbuiltRecording: a stage that would never be recorded is not made, unless the operator wants it stored; a record
// that holds such a setting from before stays readable and updatable.
func TestUnbuiltRecording(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := startIn(t, dir)
	on := &types.AutoParticipantRecordingConfiguration{StorageConfigurationArn: e.storage(t).Arn}
	stored, err := e.api().CreateStage(t.Context(), &sdk.CreateStageInput{AutoParticipantRecordingConfiguration: on})
	check(t, err)
	e.state.Close()
	e.conn.Close()

	e = startIn(t, dir, func(o *ivsrealtime.Options) { o.Unbuilt = awsapi.Unbuilt{} })
	ctx, api := t.Context(), e.api()
	_, err = api.CreateStage(ctx, &sdk.CreateStageInput{AutoParticipantRecordingConfiguration: on})
	wantCode(t, err, "ValidationException")
	if e, ok := errors.AsType[*types.ValidationException](err); ok && !strings.Contains(*e.ExceptionMessage, "storageConfigurationArn cannot be used: ") {
		t.Error(*e.ExceptionMessage)
	}
	_, err = api.UpdateStage(ctx, &sdk.UpdateStageInput{Arn: e.create(t, "demo").Arn, AutoParticipantRecordingConfiguration: on})
	wantCode(t, err, "ValidationException")
	got, err := api.GetStage(ctx, &sdk.GetStageInput{Arn: stored.Stage.Arn})
	check(t, err)
	if c := got.Stage.AutoParticipantRecordingConfiguration; *c.StorageConfigurationArn != *on.StorageConfigurationArn {
		t.Errorf("stored %q", *c.StorageConfigurationArn)
	}
	for _, again := range []*types.AutoParticipantRecordingConfiguration{nil, on, {StorageConfigurationArn: aws.String("")}} {
		_, err = api.UpdateStage(ctx, &sdk.UpdateStageInput{
			Arn: stored.Stage.Arn, Name: aws.String("new"), AutoParticipantRecordingConfiguration: again,
		})
		check(t, err)
	}
	_, err = api.UpdateStage(ctx, &sdk.UpdateStageInput{Arn: stored.Stage.Arn, AutoParticipantRecordingConfiguration: on})
	wantCode(t, err, "ValidationException") // it is no longer what is stored
}

// TestStorageOfOthers checks that a stage cannot record to what belongs to another account, or is in another region:
// it may not even learn that it is there.
func TestStorageOfOthers(t *testing.T) {
	t.Parallel()
	e := start(t)
	own := e.create(t, "demo")
	for _, api := range []*sdk.Client{
		sdk.New(sdk.Options{
			BaseEndpoint: &e.url, Region: region, Retryer: aws.NopRetryer{},
			Credentials: credentials.NewStaticCredentialsProvider("AKIDTWO", "secret-two", ""),
		}),
		e.in("eu-west-1"),
	} {
		made, err := api.CreateStorageConfiguration(t.Context(), &sdk.CreateStorageConfigurationInput{
			S3: &types.S3StorageConfiguration{BucketName: aws.String("a-bucket")},
		})
		check(t, err)
		foreign := &types.AutoParticipantRecordingConfiguration{StorageConfigurationArn: made.StorageConfiguration.Arn}
		_, err = e.api().CreateStage(t.Context(), &sdk.CreateStageInput{AutoParticipantRecordingConfiguration: foreign})
		wantCode(t, err, "ValidationException")
		_, err = e.api().UpdateStage(t.Context(), &sdk.UpdateStageInput{Arn: own.Arn, AutoParticipantRecordingConfiguration: foreign})
		wantCode(t, err, "ResourceNotFoundException")
	}
}
