// Package demo shows a new user a running Rivus: a server, a channel that is live from a test picture, a second channel
// for the user's own encoder, a stage for two people, and the lines to paste.
//
// It is a client of the public API like any other; only the server's start is in the same process.
//
// Imports: app, config, sigv4.
package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rivus-live/rivus/internal/app"
	"github.com/rivus-live/rivus/internal/config"
)

// Options are what the command gives.
type Options struct {
	Logger     *slog.Logger
	Stdout     io.Writer
	ShowSecret bool // print the root key's secret and participant tokens: stdout is a terminal
}

// Names of the two channels and of the stage; they are found again by them at the next start.
const (
	demoName  = "demo"
	yoursName = "yours"
	region    = "us-east-1"
)

// restartDelay keeps a test source that cannot run from being started in a tight loop.
const restartDelay = 2 * time.Second

// Run starts the server and the test source, prints where everything is, and returns when ctx ends.
func Run(ctx context.Context, cfg config.Config, o Options) error {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		return errors.New("the demo needs ffmpeg for its test picture; install it (apt-get install ffmpeg), or run \"rivus serve\"")
	}
	g, ctx := errgroup.WithContext(ctx)
	ready := make(chan app.Ready, 1)
	g.Go(func() error {
		return app.Run(ctx, cfg, app.Options{Logger: o.Logger, Ready: func(r app.Ready) { ready <- r }})
	})
	g.Go(func() error {
		select {
		case r := <-ready:
			if err := present(ctx, o, r, newClient(r, cfg.TLS()), ffmpeg); ctx.Err() == nil {
				return err
			}
			return nil
		case <-ctx.Done():
			return nil
		}
	})
	return g.Wait()
}

// present makes the channels, prints the tour and keeps the demo channel on air.
func present(ctx context.Context, o Options, r app.Ready, api *client, ffmpeg string) error {
	if r.RTMP == "" {
		return errors.New("the demo publishes over plain RTMP: give it an --rtmp-addr")
	}
	shown, err := api.channel(ctx, demoName)
	if err != nil {
		return fmt.Errorf("demo channel: %w", err)
	}
	yours, err := api.channel(ctx, yoursName)
	if err != nil {
		return fmt.Errorf("your channel: %w", err)
	}
	stage, people, err := meeting(ctx, o, r, api)
	if err != nil {
		return fmt.Errorf("demo stage: %w", err)
	}
	printTour(o, r, tour{shown: shown, yours: yours, stage: stage, people: people})
	for ctx.Err() == nil {
		if err := publishBars(ctx, ffmpeg, "rtmp://"+config.Reachable(r.RTMP)+"/app/", shown.key); ctx.Err() == nil {
			o.Logger.Warn("the test source stopped and is started again", "error", err)
			pause(ctx)
		}
	}
	return nil
}

// meeting makes the stage, and tokens for two people where they can be shown. Without media there is none.
func meeting(ctx context.Context, o Options, r app.Ready, api *client) (stage string, people []person, err error) {
	if r.Media == "" {
		return "", nil, nil
	}
	if stage, err = api.stage(ctx, demoName); err != nil || !o.ShowSecret {
		return stage, nil, err
	}
	people, err = api.invite(ctx, stage, "alice", "bob")
	return stage, people, err
}

// pause waits restartDelay, or until ctx ends.
func pause(ctx context.Context) {
	wait := time.NewTimer(restartDelay)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}

// publishBars runs ffmpeg with a moving test picture that counts seconds, and a tone that ticks with them.
func publishBars(ctx context.Context, ffmpeg, server, key string) error {
	cmd := exec.CommandContext(ctx, ffmpeg, "-hide_banner", "-nostats", "-loglevel", "error", "-re",
		"-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30",
		"-f", "lavfi", "-i", "sine=frequency=330:beep_factor=3:sample_rate=48000",
		"-filter:a", "volume=0.2",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-b:v", "2500k", "-g", "60",
		"-c:a", "aac", "-b:a", "128k", "-ac", "2", "-f", "flv", server+key)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 3 * time.Second
	_, err := cmd.Output() // it writes none, but this keeps what it says on stderr
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%w: %s", err, bytes.ReplaceAll(bytes.TrimSpace(exit.Stderr), []byte(key), []byte("(stream key)")))
	}
	return err
}
