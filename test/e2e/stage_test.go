package e2e

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"github.com/rivus-live/rivus/internal/apptest"
)

// TestStageInChromium: one page publishes by WHIP with a token of the API, another subscribes, sees and hears it.
func TestStageInChromium(t *testing.T) {
	srv := apptest.Start(t)
	api := srv.IVSRealTime(t)
	made, err := api.CreateStage(t.Context(), &sdk.CreateStageInput{
		ParticipantTokenConfigurations: []types.ParticipantTokenConfiguration{
			{UserId: aws.String("alice")}, {UserId: aws.String("bob"), Capabilities: []types.ParticipantTokenCapability{"SUBSCRIBE"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	alice, bob := made.ParticipantTokens[0], made.ParticipantTokens[1]
	cmd := node(t, "stage.mjs", srv.PublicURL+"/", *made.Stage.Endpoints.Whip, *alice.Token, *alice.ParticipantId, *bob.Token)
	cmd.Env = append(cmd.Env, "CHROMIUM="+chromium(t))
	out, err := cmd.Output()
	var seen struct {
		Error                             string
		Frames, Width, AudioPackets, Lost int
		AudioSeconds                      float64
		Cipher                            string
		Bitrate                           float64 // that the publisher may send, by our feedback
		Reports                           int     // of ours, that told the publisher its round trip
	}
	if err != nil || json.Unmarshal(out, &seen) != nil {
		t.Fatalf("stage.mjs: %v: %s", err, out)
	}
	t.Logf("seen: %s", strings.TrimSpace(string(out)))
	if seen.Error != "" || seen.Frames <= 60 || seen.Width == 0 || seen.AudioPackets <= 50 || seen.AudioSeconds == 0 {
		t.Errorf("the subscriber did not see and hear the publisher: %s", out)
	}
	if seen.Bitrate <= 400_000 || seen.Reports == 0 { // it begins with 300,000, and without feedback it falls
		t.Errorf("the publisher does not understand our feedback: %s", out)
	}
	if !strings.Contains(seen.Cipher, "GCM") {
		t.Errorf("cipher %q, want AES-GCM: the other one costs five times as much a packet", seen.Cipher)
	}
}

// chromium returns the browser's path.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	apptest.Need(t, "chromium")
	return ""
}
