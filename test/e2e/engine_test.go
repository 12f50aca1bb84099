package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivs"
	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/config"
)

// startNATS runs an external state engine on a directory; port -1 chooses one.
func startNATS(t *testing.T, dir string, port int) *natsserver.Server {
	t.Helper()
	s, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, SyncAlways: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

// TestExternalEngineStopsAndStarts: while the engine is away writes fail with a clear error, reads and media go on; when
// it is back everything works again.
func TestExternalEngineStopsAndStarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	engine := startNATS(t, dir, natsserver.RANDOM_PORT)
	port, err := strconv.Atoi(engine.ClientURL()[strings.LastIndexByte(engine.ClientURL(), ':')+1:])
	if err != nil {
		t.Fatal(err)
	}
	s := apptest.Start(t, func(c *config.Config) { c.NATSURL = engine.ClientURL() })
	client := s.IVS(t)
	ch := s.CreateChannel(t)
	s.Publish(t, ch, apptest.Bars(0))
	s.WaitLive(t, ch)
	media := mediaPlaylistURL(t, *ch.PlaybackUrl)

	engine.Shutdown()
	engine.WaitForShutdown()

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // far more than a call may take
	defer cancel()
	var refused interface{ ErrorCode() string }
	if _, err := client.CreateChannel(ctx, &ivs.CreateChannelInput{}); !errors.As(err, &refused) {
		t.Errorf("CreateChannel without an engine: %v, want an error of the API", err)
	}
	if _, err := client.GetChannel(ctx, &ivs.GetChannelInput{Arn: ch.Arn}); err != nil {
		t.Errorf("GetChannel without an engine: %v", err)
	}
	for range 3 { // each of these waits for a segment that is not there yet
		if body := get(t, media+"&_HLS_msn="+nextMSN(get(t, media, 200)), 200); strings.Contains(body, "ENDLIST") {
			t.Fatal("the stream ended with the engine")
		}
	}

	startNATS(t, dir, port)
	apptest.Eventually(t, "writes work again", func() error {
		_, err := client.CreateChannel(t.Context(), &ivs.CreateChannelInput{})
		return err
	})
	// The engine came back without its memory, where the stream's record was: the node has to say again what it runs.
	apptest.Eventually(t, "the stream that went on is known again", func() error {
		_, err := client.PutMetadata(t.Context(), &ivs.PutMetadataInput{ChannelArn: ch.Arn, Metadata: aws.String("back")})
		return err
	})
	s.Stop() // before the engine, which it says goodbye to
}

// TestFullDisk: a write that finds no room is refused and nothing that was acknowledged is lost; when there is room
// again, writes work again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=24m", "rivus-test", dir).CombinedOutput(); err != nil {
		t.Skipf("a small file system needs the right to mount one: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.CommandContext(context.Background(), "umount", "-l", dir).Run() })
	p := startProcess(t, filepath.Join(dir, "data"))
	kept, err := p.ivs().CreateChannel(t.Context(), &ivs.CreateChannelInput{Name: aws.String("kept")})
	if err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	if err := fill(filler); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	apptest.Eventually(t, "the disk is full", func() error {
		made, err := p.ivs().CreateChannel(t.Context(), &ivs.CreateChannelInput{})
		if err == nil {
			acknowledged = append(acknowledged, *made.Channel.Arn)
			return errors.New("still room")
		}
		var refused interface{ ErrorCode() string }
		if !errors.As(err, &refused) {
			t.Fatalf("CreateChannel on a full disk: %v, want an error of the API", err)
		}
		return nil
	})
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	apptest.Eventually(t, "writes work again", func() error {
		_, err := p.ivs().CreateChannel(t.Context(), &ivs.CreateChannelInput{})
		return err
	})
	for _, arn := range append(acknowledged, *kept.Channel.Arn) {
		if _, err := p.ivs().GetChannel(t.Context(), &ivs.GetChannelInput{Arn: aws.String(arn)}); err != nil {
			t.Errorf("%s was acknowledged: %v", arn, err)
		}
	}
}

// fill writes a file until its file system has no room left.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<16)
	for {
		if _, err := f.Write(block); err != nil {
			return f.Close() // no room: what we wanted
		}
	}
}
