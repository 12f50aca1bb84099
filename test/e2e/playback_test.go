package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/hlscheck"
)

// TestPlaybackKeepsTheRules publishes what encoders really send and holds the result against RFC 8216bis, then lets
// ffmpeg decode it: no error, no timestamp complaint.
func TestPlaybackKeepsTheRules(t *testing.T) {
	s := apptest.Start(t)
	cases := []struct {
		name    string
		picture apptest.Picture
		format  types.ContainerFormat
		mode    types.ChannelLatencyMode
	}{
		{"fmp4 low", apptest.Picture{}, types.ContainerFormatFragmentedMP4, types.ChannelLatencyModeLowLatency},
		{"fmp4 normal", apptest.Picture{}, types.ContainerFormatFragmentedMP4, types.ChannelLatencyModeNormalLatency},
		{"ts low", apptest.Picture{}, types.ContainerFormatTs, types.ChannelLatencyModeLowLatency},
		{"ts normal", apptest.Picture{}, types.ContainerFormatTs, types.ChannelLatencyModeNormalLatency},
		{"ten second GOP", apptest.Picture{GOP: 300}, types.ContainerFormatFragmentedMP4, types.ChannelLatencyModeLowLatency},
		{"one second GOP", apptest.Picture{GOP: 30}, types.ContainerFormatTs, types.ChannelLatencyModeLowLatency},
		{
			"B-frames",
			apptest.Picture{Extra: []string{"-preset", "veryfast", "-tune", "film", "-bf", "3", "-b_strategy", "0", "-rc-lookahead", "5"}},
			types.ContainerFormatFragmentedMP4, types.ChannelLatencyModeLowLatency,
		},
		{
			"B-frames in ts",
			apptest.Picture{Extra: []string{"-preset", "veryfast", "-tune", "film", "-bf", "3", "-b_strategy", "0", "-rc-lookahead", "5"}},
			types.ContainerFormatTs, types.ChannelLatencyModeLowLatency,
		},
		{"no audio", apptest.Picture{NoAudio: true}, types.ContainerFormatFragmentedMP4, types.ChannelLatencyModeLowLatency},
		{
			"29.97 fps, 44.1 kHz",
			apptest.Picture{Extra: []string{"-r", "30000/1001", "-ar", "44100"}},
			types.ContainerFormatFragmentedMP4, types.ChannelLatencyModeLowLatency,
		},
		{
			"variable frame rate",
			apptest.Picture{Extra: []string{"-vf", "select='not(mod(n,5))+lt(mod(t,4),2)'", "-fps_mode", "vfr"}},
			types.ContainerFormatFragmentedMP4, types.ChannelLatencyModeLowLatency,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ch := s.CreateChannel(t, func(in *ivs.CreateChannelInput) { in.ContainerFormat, in.LatencyMode = c.format, c.mode })
			pub := s.Publish(t, ch, c.picture)
			s.WaitLive(t, ch)
			report, err := hlscheck.Check(t.Context(), hlscheck.Options{URL: *ch.PlaybackUrl, Duration: 12 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range report.Violations {
				t.Errorf("%s", v)
			}
			if low := c.mode == types.ChannelLatencyModeLowLatency; report.LowLatency != low {
				t.Errorf("low latency: %v", report.LowLatency)
			}
			decode(t, *ch.PlaybackUrl, 4)
			pub.Kill()
			s.WaitOffline(t, ch)
			wantEnd(t, *ch.PlaybackUrl)
		})
	}
}

// secondInit is what ffmpeg says when it reads an initialization section again, which its HLS reader does after every
// reload of a playlist, changed or not: on a busy machine it reloads before it has read enough.
var secondInit = regexp.MustCompile(`(?m)^.*Found duplicated MOOV Atom. Skipped it\n?`)

// decode lets ffmpeg play a few seconds of an HLS URL into nothing; anything else it complains about fails the test.
func decode(t *testing.T, url string, seconds int) {
	t.Helper()
	apptest.Need(t, "ffmpeg")
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-hide_banner", "-nostats", "-loglevel", "warning", "-xerror",
		"-i", url, "-t", fmt.Sprint(seconds), "-f", "null", "-").CombinedOutput()
	out = secondInit.ReplaceAll(out, nil)
	if err != nil || len(strings.TrimSpace(string(out))) > 0 {
		t.Errorf("ffmpeg: %v: %s", err, out)
	}
}

// wantEnd follows a multivariant playlist of a stream that has ended to its media playlist, which must say so.
func wantEnd(t *testing.T, url string) {
	t.Helper()
	media := mediaPlaylistURL(t, url)
	if body := get(t, media, http.StatusOK); !strings.Contains(body, "#EXT-X-ENDLIST") {
		t.Errorf("no ENDLIST in %s", body)
	}
}

var uriLine = regexp.MustCompile(`(?m)^[^#\s].*$`)

func mediaPlaylistURL(t *testing.T, url string) string {
	t.Helper()
	uri := uriLine.FindString(get(t, url, http.StatusOK))
	if uri == "" {
		t.Fatalf("no rendition in %s", url)
	}
	return url[:strings.LastIndexByte(url, '/')+1] + uri
}

func get(t *testing.T, url string, status int) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Fatalf("%s: %d, want %d: %v %s", url, resp.StatusCode, status, err, b)
	}
	return string(b)
}

func TestOfflineChannelAnswers404(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	ch := s.CreateChannel(t)
	body := get(t, *ch.PlaybackUrl, http.StatusNotFound)
	if !strings.HasPrefix(body, "[{") || !strings.Contains(body, `"type":"error"`) {
		t.Errorf("body %s, want the JSON array of the service", body)
	}
}

// TestRTMPS publishes over TLS on the RTMPS port, which serves HTTPS as well.
func TestRTMPS(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	ch := s.CreateChannel(t)
	apptest.PublishTo(t, s.RTMPSURL(ch), apptest.Bars(0))
	s.WaitLive(t, ch)
	if *ch.IngestEndpoint != s.RTMPS {
		t.Errorf("ingestEndpoint %s, want %s", *ch.IngestEndpoint, s.RTMPS)
	}
}
