package e2e

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"

	"github.com/rivus-live/rivus/internal/apptest"
)

// TestWatchPage plays every kind of channel in a real browser. The cases run one after the other: each decodes video
// and a machine with two cores has no room for four of them.
func TestWatchPage(t *testing.T) {
	s := apptest.Start(t)
	for _, format := range []types.ContainerFormat{types.ContainerFormatFragmentedMP4, types.ContainerFormatTs} {
		for _, mode := range []types.ChannelLatencyMode{types.ChannelLatencyModeLowLatency, types.ChannelLatencyModeNormalLatency} {
			t.Run(string(format)+"/"+string(mode), func(t *testing.T) {
				ch := s.CreateChannel(t, func(in *ivs.CreateChannelInput) { in.ContainerFormat, in.LatencyMode = format, mode })
				pub := s.Publish(t, ch, apptest.Bars(0))
				s.WaitLive(t, ch)
				// Multi-byte text of the full 1,024 bytes: "ä" is two of them.
				text := "metadata " + strings.Repeat("ä", (1024-9)/2) + "!"
				if len(text) != 1024 {
					t.Fatalf("%d bytes", len(text))
				}
				w := watch(t, s, *ch.Arn, text, func() {
					_, err := s.IVS(t).PutMetadata(t.Context(), &ivs.PutMetadataInput{ChannelArn: ch.Arn, Metadata: aws.String(text)})
					if err != nil {
						t.Errorf("PutMetadata: %v", err)
					}
				})
				pub.Kill()
				check(t, w, mode)
			})
		}
	}
}

func check(t *testing.T, w watched, mode types.ChannelLatencyMode) {
	t.Helper()
	if w.Error != "" {
		t.Fatalf("the page failed: %s", w.Error)
	}
	if w.Width != 640 || w.Resolution != "640 × 360" {
		t.Errorf("resolution %d, shown %q", w.Width, w.Resolution)
	}
	if w.ChangedPixels < 500 || w.BrightPixels < 500 {
		t.Errorf("the picture does not move: %d changed, %d bright pixels", w.ChangedPixels, w.BrightPixels)
	}
	if w.AudioBytes == 0 {
		t.Error("no audio was decoded")
	}
	if w.State != "live" || w.LatencyMs <= 0 {
		t.Errorf("state %q, latency %v ms", w.State, w.LatencyMs)
	}
	if len(w.Console) > 0 || len(w.Requests.Failed) > 0 {
		t.Errorf("errors in the page: %v, failed requests: %v", w.Console, w.Requests.Failed)
	}
	low := mode == types.ChannelLatencyModeLowLatency
	if low && (w.Mode != "LL-HLS" || w.Requests.Parts < 10*w.Requests.Segments) {
		t.Errorf("LOW: mode %s, %d parts and %d whole segments loaded", w.Mode, w.Requests.Parts, w.Requests.Segments)
	}
	if !low && (w.Mode != "HLS" || w.Requests.Parts > 0 || w.Requests.Segments == 0) {
		t.Errorf("NORMAL: mode %s, %d parts and %d segments loaded", w.Mode, w.Requests.Parts, w.Requests.Segments)
	}
}
