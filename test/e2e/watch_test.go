package e2e

import (
	"math"
	"os"
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

// lived is what watchlife.mjs saw.
type lived struct {
	Error    string
	Console  []string
	Veils    struct{ Missing, Offline, Ended string }
	Contrast map[string]float64
	Keys     struct {
		Space, M, SoundOff bool
		Volume, Back       float64
	}
	Mains, Jumps, Overflow int
	Jump                   string
}

// TestWatchPageLife follows a channel from before its stream to after its deletion. A page that waits, plays, starves and
// waits again has nothing to report as an error, and says at every moment what is the case.
func TestWatchPageLife(t *testing.T) {
	s := apptest.Start(t)
	ch := s.CreateChannel(t)
	var pub *apptest.Publisher
	act := map[string]func(){
		"offline": func() { pub = s.Publish(t, ch, apptest.Bars(0)) },
		"seen":    func() { pub.Kill() },
		"ended": func() {
			s.WaitOffline(t, ch)
			if _, err := s.IVS(t).DeleteChannel(t.Context(), &ivs.DeleteChannelInput{Arn: ch.Arn}); err != nil {
				t.Errorf("DeleteChannel: %v", err)
			}
		},
	}
	page := s.PublicURL + "/watch?channel="
	var w lived
	runPage(t, &w, func(step string) {
		if do := act[step]; do != nil {
			do()
		}
	}, "watchlife.mjs", page+*ch.Arn, page+strings.Replace(*ch.Arn, "channel/", "channel/x", 1), os.Getenv("RIVUS_TEST_SHOTS"))
	if w.Error != "" {
		t.Fatalf("the page failed: %s", w.Error)
	}
	if len(w.Console) > 0 {
		t.Errorf("errors in the page's console: %q", w.Console)
	}
	if w.Veils.Offline == w.Veils.Missing || !strings.Contains(w.Veils.Missing, "no such channel") || !strings.Contains(w.Veils.Ended, "ended") {
		t.Errorf("what the page says: %+v", w.Veils)
	}
	for what, ratio := range w.Contrast {
		if ratio < 4.5 {
			t.Errorf("contrast of %s is %.2f", what, ratio)
		}
	}
	if k := w.Keys; !k.Space || !k.M || !k.SoundOff || math.Abs(k.Volume-0.9) > 0.01 || k.Back < 2 {
		t.Errorf("keys: %+v", k)
	}
	if w.Mains != 1 || w.Overflow > 0 {
		t.Errorf("%d main landmarks, %d pixels too wide for a phone", w.Mains, w.Overflow)
	}
	if w.Jumps == 0 || !strings.Contains(w.Jump, "live edge") {
		t.Errorf("%d leaps to the live edge, told as %q", w.Jumps, w.Jump)
	}
}
