// Package e2e watches whole servers from the outside: SDKs of other languages, the AWS CLI, ffmpeg and ffprobe, and
// Chromium on the watch page.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/apptest"
)

// node prepares a run of a script in js/.
func node(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	apptest.Need(t, "node")
	if _, err := os.Stat("js/node_modules"); err != nil {
		if os.Getenv("RIVUS_TEST") == "all" {
			t.Fatal("js/node_modules is missing")
		}
		t.Skip("js/node_modules is missing; make test installs it")
	}
	cmd := exec.CommandContext(t.Context(), "node", args...)
	cmd.Dir = "js"
	cmd.Env = os.Environ()
	return cmd
}

// awsEnv is the environment of an AWS client that signs with the server's root key.
func awsEnv(s *apptest.Server) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + s.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + s.SecretAccessKey, "AWS_REGION=" + apptest.Region,
		"AWS_DEFAULT_REGION=" + apptest.Region, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_PAGER=",
		"RIVUS_URL=" + s.PublicURL,
	}
}

// watched is what js/watch.mjs saw.
type watched struct {
	Error         string
	State         string
	Resolution    string
	Mode          string
	Dropped       string
	FPS           string
	Width         int
	LatencyMs     float64
	ChangedPixels int
	BrightPixels  int
	AudioBytes    int
	Console       []string
	Requests      struct {
		Parts, Segments, Playlists int
		Failed                     []string
	}
}

// watch opens the watch page of a channel in Chromium. When the picture moves it calls playing, which has to send the
// metadata text that the page then waits for.
func watch(t *testing.T, s *apptest.Server, channelARN, text string, playing func()) watched {
	t.Helper()
	args := []string{"watch.mjs", s.PublicURL + "/watch?channel=" + channelARN, text}
	if dir := os.Getenv("RIVUS_TEST_SHOTS"); dir != "" {
		args = append(args, filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+".png"))
	}
	var w watched
	runPage(t, &w, func(step string) {
		if step == "playing" {
			playing()
		}
	}, args...)
	return w
}

// runPage runs a script that drives Chromium. It prints the steps at which the test has to do something, and last what it
// saw as JSON, which is decoded into seen.
func runPage(t *testing.T, seen any, step func(string), args ...string) {
	t.Helper()
	cmd := node(t, args...)
	cmd.Env = append(cmd.Env, "CHROMIUM="+chromium(t))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var last string
	for sc := bufio.NewScanner(out); sc.Scan(); {
		last = sc.Text()
		step(last)
	}
	_ = cmd.Wait() // the script reports its failure in its last line
	if err := json.Unmarshal([]byte(last), seen); err != nil {
		t.Fatalf("%s printed %q: %s", args[0], last, stderr.String())
	}
	t.Logf("watched: %+v", seen)
}

// fetch returns the body of a URL that answers 200.
func fetch(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	return string(b), err
}

// nextMSN returns the media sequence number of the segment after the last complete one of a media playlist.
func nextMSN(playlist string) string {
	first, _ := strconv.Atoi(mediaSequence.FindStringSubmatch(playlist)[1])
	return strconv.Itoa(first + strings.Count(playlist, "#EXTINF"))
}

var mediaSequence = regexp.MustCompile(`#EXT-X-MEDIA-SEQUENCE:(\d+)`)
