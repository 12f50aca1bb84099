package ivsrealtime_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
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
