package ivsrealtime_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
)

// TestTags runs through the life of the tags of each type of resource.
func TestTags(t *testing.T) {
	t.Parallel()
	e := start(t)
	key, _ := e.importKey(t)
	for kind, text := range map[string]*string{
		"stage": e.create(t, "demo").Arn, "public key": key.Arn, "storage configuration": e.storage(t).Arn,
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			api, ctx := e.api(), t.Context()
			tag := func(tags map[string]string) error {
				_, err := api.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: text, Tags: tags})
				return err
			}
			want := func(tags map[string]string) {
				t.Helper()
				out, err := api.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: text})
				check(t, err)
				if !maps.Equal(out.Tags, tags) {
					t.Errorf("%d tags %v, want %d", len(out.Tags), out.Tags, len(tags))
				}
			}
			want(nil)
			all := make(map[string]string)
			for i := range 50 {
				all[fmt.Sprintf("Schlüssel %d:/=+-@", i)] = kind
			}
			check(t, tag(all))
			want(all)
			wantCode(t, tag(map[string]string{"one too many": ""}), "ValidationException")
			all["Schlüssel 7:/=+-@"] = ""
			check(t, tag(map[string]string{"Schlüssel 7:/=+-@": ""}))
			want(all)
			_, err := api.UntagResource(ctx, &sdk.UntagResourceInput{
				ResourceArn: text, TagKeys: []string{"Schlüssel 7:/=+-@", "Schlüssel 8:/=+-@", "never there"},
			})
			check(t, err)
			delete(all, "Schlüssel 7:/=+-@")
			delete(all, "Schlüssel 8:/=+-@")
			want(all)
		})
	}
}

// TestTagsGoAlong gives tags to new resources and finds them in the other answers.
func TestTagsGoAlong(t *testing.T) {
	t.Parallel()
	e := start(t)
	ctx, api := t.Context(), e.api()
	tags := map[string]string{"of": "mine"}
	_, material := newKey(t)
	st, err := api.CreateStage(ctx, &sdk.CreateStageInput{Tags: tags})
	check(t, err)
	key, err := api.ImportPublicKey(ctx, &sdk.ImportPublicKeyInput{Tags: tags, PublicKeyMaterial: &material})
	check(t, err)
	storage, err := api.CreateStorageConfiguration(ctx, &sdk.CreateStorageConfigurationInput{
		Tags: tags, Name: aws.String("here"), S3: &types.S3StorageConfiguration{BucketName: aws.String("a-bucket")},
	})
	check(t, err)
	stage, err := api.GetStage(ctx, &sdk.GetStageInput{Arn: st.Stage.Arn})
	check(t, err)
	stages, err := api.ListStages(ctx, &sdk.ListStagesInput{})
	check(t, err)
	keys, err := api.ListPublicKeys(ctx, &sdk.ListPublicKeysInput{})
	check(t, err)
	configs, err := api.ListStorageConfigurations(ctx, &sdk.ListStorageConfigurationsInput{})
	check(t, err)
	for i, got := range []map[string]string{
		st.Stage.Tags, key.PublicKey.Tags, storage.StorageConfiguration.Tags,
		stage.Stage.Tags, stages.Stages[0].Tags, keys.PublicKeys[0].Tags, configs.StorageConfigurations[0].Tags,
	} {
		if !maps.Equal(got, tags) {
			t.Errorf("answer %d has the tags %v", i, got)
		}
	}
	if c := configs.StorageConfigurations[0]; *c.Name != "here" || *c.S3.BucketName != "a-bucket" {
		t.Errorf("storage configuration %+v", c)
	}
}
