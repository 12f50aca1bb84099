package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rivus-live/rivus/internal/apptest"
)

func TestJavaScriptSDK(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	ch := s.CreateChannel(t)
	s.Publish(t, ch, apptest.Bars(0))
	s.WaitLive(t, ch)
	cmd := node(t, "--test", "sdk.test.mjs")
	cmd.Env = append(append(cmd.Env, awsEnv(s)...), "RIVUS_LIVE_CHANNEL="+*ch.Arn)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestAWSCLI goes the way of the README's tour. The AWS CLI is not a package that every machine can have, so its
// absence skips the test even where everything else is required.
func TestAWSCLI(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), "aws", "--version").Run(); err != nil {
		t.Skip("the AWS CLI is not installed here; the Go and JavaScript SDK suites cover the same calls")
	}
	s := apptest.Start(t)
	command := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "aws", append([]string{"--endpoint-url", s.PublicURL, "--output", "json"}, args...)...)
		cmd.Env = append(os.Environ(), awsEnv(s)...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	run := func(args ...string) (string, error) { return command(append([]string{"ivs"}, args...)...) }
	if out, err := command("sts", "get-caller-identity"); err != nil || !strings.Contains(out, "arn:aws:iam::"+s.AccountID+":root") {
		t.Errorf("sts get-caller-identity: %v: %s", err, out)
	}
	out, err := run("create-channel", "--name", "cli", "--tags", "team=live")
	if err != nil {
		t.Fatalf("create-channel: %v: %s", err, out)
	}
	var made struct {
		Channel   struct{ Arn, PlaybackURL string }
		StreamKey struct{ Value string }
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"get-channel", "--arn", made.Channel.Arn},
		{"list-channels", "--filter-by-name", "cli"},
		{"tag-resource", "--resource-arn", made.Channel.Arn, "--tags", "a=b"},
		{"list-tags-for-resource", "--resource-arn", made.Channel.Arn},
		{"untag-resource", "--resource-arn", made.Channel.Arn, "--tag-keys", "a", "team"},
		{"update-channel", "--arn", made.Channel.Arn, "--latency-mode", "NORMAL"},
		{"list-stream-keys", "--channel-arn", made.Channel.Arn},
	} {
		if out, err := run(args...); err != nil {
			t.Errorf("%s: %v: %s", args[0], err, out)
		}
	}
	apptest.PublishTo(t, "rtmp://"+s.RTMP+"/app/"+made.StreamKey.Value, apptest.Bars(0))
	ch := apptest.Channel{}
	ch.Arn = aws.String(made.Channel.Arn)
	id := s.WaitLive(t, ch)
	if out, err := run("get-stream", "--channel-arn", made.Channel.Arn); err != nil || !strings.Contains(out, id) {
		t.Errorf("get-stream: %v: %s", err, out)
	}
	if out, err := run("put-metadata", "--channel-arn", made.Channel.Arn, "--metadata", "hello, viewers"); err != nil {
		t.Errorf("put-metadata: %v: %s", err, out)
	}
	if out, err := run("delete-channel", "--arn", made.Channel.Arn); err == nil || !strings.Contains(out, "ConflictException") {
		t.Errorf("delete-channel of a live channel: %v: %s", err, out)
	}
	if out, err := run("stop-stream", "--channel-arn", made.Channel.Arn); err != nil {
		t.Errorf("stop-stream: %v: %s", err, out)
	}
	s.WaitOffline(t, ch)
	if out, err := run("delete-channel", "--arn", made.Channel.Arn); err != nil {
		t.Errorf("delete-channel: %v: %s", err, out)
	}
}
