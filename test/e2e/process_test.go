package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ivs"

	"github.com/rivus-live/rivus/internal/app"
	"github.com/rivus-live/rivus/internal/apptest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	apptest.RemoveBinary()
	os.Exit(code) //nolint:forbidigo // the end of the test binary
}

// process is rivus as an operator runs it.
type process struct {
	app.Ready
	cmd    *exec.Cmd
	stderr bytes.Buffer
	done   chan struct{}
}

// startProcess runs "rivus serve" on a data directory and waits for its --ready-json line.
func startProcess(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{done: make(chan struct{})}
	p.cmd = exec.Command(apptest.Binary(t), append([]string{
		"serve", "--ready-json", "--data-dir", dir,
		"--http-addr=127.0.0.1:0", "--rtmp-addr=127.0.0.1:0", "--rtmps-addr=127.0.0.1:0", "--media-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0",
		"--access-key-id=AKIATEST", "--secret-access-key=secret-of-the-test",
	}, args...)...)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.signal(syscall.SIGKILL) })
	line := bufio.NewScanner(out)
	line.Scan()
	if err := json.Unmarshal(line.Bytes(), &p.Ready); err != nil {
		p.signal(syscall.SIGKILL)
		t.Fatalf("ready line %q: %v\n%s", line.Text(), err, p.stderr.String())
	}
	return p
}

// signal sends a signal once and waits until the process is gone.
func (p *process) signal(sig syscall.Signal) {
	select {
	case <-p.done:
		return
	default:
	}
	_ = p.cmd.Process.Signal(sig)
	_ = p.cmd.Wait()
	close(p.done)
}

func (p *process) ivs() *ivs.Client {
	return ivs.New(ivs.Options{
		Region: apptest.Region, BaseEndpoint: aws.String(p.PublicURL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(p.AccessKeyID, "secret-of-the-test", ""),
	})
}

func (p *process) waitLive(t *testing.T, arn *string) (streamID string) {
	t.Helper()
	apptest.Eventually(t, "channel goes live", func() error {
		out, err := p.ivs().GetStream(t.Context(), &ivs.GetStreamInput{ChannelArn: arn})
		if err == nil {
			streamID = *out.Stream.StreamId
		}
		return err
	})
	return streamID
}

// TestTermDrains: players find ENDLIST and the process ends by itself.
func TestTermDrains(t *testing.T) {
	t.Parallel()
	p := startProcess(t, t.TempDir())
	made, err := p.ivs().CreateChannel(t.Context(), &ivs.CreateChannelInput{})
	if err != nil {
		t.Fatal(err)
	}
	apptest.PublishTo(t, "rtmp://"+p.RTMP+"/app/"+*made.StreamKey.Value, apptest.Bars(0))
	p.waitLive(t, made.Channel.Arn)
	media := mediaPlaylistURL(t, *made.Channel.PlaybackUrl)
	body := get(t, media, http.StatusOK)
	// A request that waits for what comes next must be answered with the end, not cut.
	waiting := make(chan string, 1)
	go func() {
		b, err := fetch(t.Context(), media+"&_HLS_msn="+nextMSN(body))
		if err != nil {
			b = err.Error()
		}
		waiting <- b
	}()
	p.signal(syscall.SIGTERM)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.stderr.String())
	}
	if b := <-waiting; !strings.Contains(b, "#EXT-X-ENDLIST") {
		t.Errorf("a waiting player got %q", b)
	}
}

// TestKillAndRestart: nothing acknowledged is lost, the session that was open is ended, and an encoder that reconnects is
// live again under the same playback URL path with a new stream id.
func TestKillAndRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startProcess(t, dir)
	made, err := p.ivs().CreateChannel(t.Context(), &ivs.CreateChannelInput{Name: aws.String("survivor")})
	if err != nil {
		t.Fatal(err)
	}
	pub := apptest.PublishTo(t, "rtmp://"+p.RTMP+"/app/"+*made.StreamKey.Value, apptest.Bars(0))
	first := p.waitLive(t, made.Channel.Arn)
	p.signal(syscall.SIGKILL)
	pub.Kill()

	p = startProcess(t, dir)
	got, err := p.ivs().GetChannel(t.Context(), &ivs.GetChannelInput{Arn: made.Channel.Arn})
	if err != nil || *got.Channel.Name != "survivor" {
		t.Fatalf("the channel is gone: %v", err)
	}
	var notLive interface{ ErrorCode() string }
	_, err = p.ivs().GetStream(t.Context(), &ivs.GetStreamInput{ChannelArn: made.Channel.Arn})
	if !errors.As(err, &notLive) || notLive.ErrorCode() != "ChannelNotBroadcasting" {
		t.Errorf("after the restart: %v, want ChannelNotBroadcasting", err)
	}
	apptest.PublishTo(t, "rtmp://"+p.RTMP+"/app/"+*made.StreamKey.Value, apptest.Bars(0))
	if second := p.waitLive(t, made.Channel.Arn); second == first {
		t.Errorf("stream id %s was used again", first)
	}
}

// TestNoSecretInTheLog runs a server at debug level through a life with secrets, and looks for them.
func TestNoSecretInTheLog(t *testing.T) {
	t.Parallel()
	p := startProcess(t, t.TempDir(), "--log-level=debug")
	made, err := p.ivs().CreateChannel(t.Context(), &ivs.CreateChannelInput{})
	if err != nil {
		t.Fatal(err)
	}
	key := *made.StreamKey.Value
	pub := apptest.PublishTo(t, "rtmp://"+p.RTMP+"/app/"+key+"?priority=1", apptest.Bars(3*time.Second))
	p.waitLive(t, made.Channel.Arn)
	refused := apptest.PublishTo(t, "rtmp://"+p.RTMP+"/app/"+key+"x", apptest.Bars(time.Second))
	if refused.Wait(t) == nil {
		t.Error("a wrong key was accepted")
	}
	_ = pub.Wait(t)
	metrics, err := fetch(t.Context(), "http://"+p.Admin+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGTERM)
	log := p.stderr.String()
	if !strings.Contains(log, "channel_arn=") {
		t.Errorf("the log does not even name the channel:\n%s", log)
	}
	secret := key[strings.LastIndexByte(key, '_')+1:]
	for where, text := range map[string]string{"log": log, "metrics": metrics} {
		for _, s := range []string{secret, *made.Channel.Srt.Passphrase, "secret-of-the-test"} {
			if strings.Contains(text, s) {
				t.Errorf("a secret is in the %s", where)
			}
		}
	}
}
