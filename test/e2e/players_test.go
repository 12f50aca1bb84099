package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"

	"github.com/rivus-live/rivus/internal/apptest"
)

// TestPlayers plays every form of channel in two players that are not ours, with their defaults, one after the other.
func TestPlayers(t *testing.T) {
	apptest.Need(t, "node", "chromium")
	s := apptest.Start(t)
	for _, format := range []types.ContainerFormat{types.ContainerFormatTs, types.ContainerFormatFragmentedMP4} {
		for _, mode := range []types.ChannelLatencyMode{types.ChannelLatencyModeLowLatency, types.ChannelLatencyModeNormalLatency} {
			t.Run(string(format)+"/"+string(mode), func(t *testing.T) {
				ch := s.CreateChannel(t, func(in *ivs.CreateChannelInput) { in.ContainerFormat, in.LatencyMode = format, mode })
				pub := s.Publish(t, ch, apptest.Bars(0))
				s.WaitLive(t, ch)
				for _, player := range []string{"videojs", "shaka"} {
					playIn(t, player, *ch.PlaybackUrl)
				}
				pub.Kill()
			})
		}
	}
}

// playIn watches six seconds. Freezes are told in media that was published meanwhile, so a slow server makes none; a
// browser that gets no processor time may.
func playIn(t *testing.T, player, url string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "players.mjs", player, url, "6")
	cmd.Dir, cmd.Stderr = "js", os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", player, err)
	}
	var seen struct {
		Played, Freeze float64
		Busy           float64 // how many times as long as on a quiet machine things take
		Error          string
		Notes          []string
		Requests       struct{ Failed []string }
	}
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatalf("%s: %v in %s", player, err, out)
	}
	if seen.Played < 6 || seen.Freeze > 1.2*seen.Busy || seen.Error != "" || len(seen.Notes)+len(seen.Requests.Failed) > 0 {
		t.Errorf("%s: %s", player, out)
	}
}
