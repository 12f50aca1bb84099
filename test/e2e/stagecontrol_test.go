package e2e

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"github.com/rivus-live/rivus/internal/apptest"
)

// TestStageControl drives a stage through the whole server.
func TestStageControl(t *testing.T) {
	t.Parallel()
	srv := apptest.Start(t)
	api, ctx := srv.IVSRealTime(t), t.Context()
	out, err := api.CreateStage(ctx, &sdk.CreateStageInput{
		Name: aws.String("demo"), ParticipantTokenConfigurations: make([]types.ParticipantTokenConfiguration, 2),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.ParticipantTokens) != 2 || *out.Stage.Endpoints.Whip != srv.PublicURL+"/rt/whip" {
		t.Errorf("stage %+v", out.Stage)
	}
	if _, err := api.DisconnectParticipant(ctx, &sdk.DisconnectParticipantInput{
		StageArn: out.Stage.Arn, ParticipantId: out.ParticipantTokens[0].ParticipantId,
	}); err != nil {
		t.Error(err)
	}
	if _, err := api.DeleteStage(ctx, &sdk.DeleteStageInput{Arn: out.Stage.Arn}); err != nil {
		t.Error(err)
	}
}
