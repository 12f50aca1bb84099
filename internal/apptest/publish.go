package apptest

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ivs"
)

// Publisher is an ffmpeg process that publishes to a server.
type Publisher struct {
	cancel func()
	done   chan struct{}
	err    error // after done
	stderr bytes.Buffer
}

// Picture is what a Publisher sends.
type Picture struct {
	Size     string        // "640x360" when empty
	Rate     int           // 30 when 0
	GOP      int           // frames between keyframes, twice the rate when 0
	Duration time.Duration // 0: until stopped
	Fast     bool          // as fast as the server takes it, not in real time
	NoAudio  bool
	Extra    []string // ffmpeg output options, after the defaults and so stronger
}

// Bars is a moving test picture of the given length with a tone; 0 goes on until it is stopped.
func Bars(d time.Duration) Picture { return Picture{Duration: d} }

// args returns the ffmpeg command line that sends p to url.
func (p Picture) args(url string) []string {
	if p.Size == "" {
		p.Size = "640x360"
	}
	if p.Rate == 0 {
		p.Rate = 30
	}
	if p.GOP == 0 {
		p.GOP = 2 * p.Rate
	}
	a := []string{"-hide_banner", "-nostats", "-loglevel", "error"}
	if !p.Fast {
		a = append(a, "-re")
	}
	a = append(a, "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%s:rate=%d", p.Size, p.Rate))
	if !p.NoAudio {
		a = append(a, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-c:a", "aac", "-b:a", "96k", "-ac", "2")
	}
	a = append(a, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
		"-b:v", "1500k", "-g", fmt.Sprint(p.GOP), "-keyint_min", fmt.Sprint(p.GOP), "-sc_threshold", "0")
	if p.Duration > 0 {
		a = append(a, "-t", fmt.Sprintf("%.3f", p.Duration.Seconds()))
	}
	a = append(a, p.Extra...)
	return append(a, "-f", "flv", url)
}

// RTMPURL and RTMPSURL return where an encoder sends a channel's stream.
func (s *Server) RTMPURL(ch Channel) string { return "rtmp://" + s.RTMP + "/app/" + ch.Key }

// RTMPSURL is RTMPURL with encryption.
func (s *Server) RTMPSURL(ch Channel) string { return "rtmps://" + s.RTMPS + "/app/" + ch.Key }

// Publish sends a picture to a channel over plain RTMP with ffmpeg, until it ends or the test does.
func (s *Server) Publish(tb testing.TB, ch Channel, p Picture) *Publisher {
	tb.Helper()
	return PublishTo(tb, s.RTMPURL(ch), p)
}

// PublishTo sends a picture to an RTMP or RTMPS URL with ffmpeg, until it ends or the test does.
func PublishTo(tb testing.TB, url string, p Picture) *Publisher {
	tb.Helper()
	Need(tb, "ffmpeg")
	ctx, cancel := context.WithCancel(context.Background())
	pub := &Publisher{cancel: cancel, done: make(chan struct{})}
	cmd := exec.CommandContext(ctx, "ffmpeg", p.args(url)...)
	cmd.Stderr = &pub.stderr
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		defer close(pub.done)
		pub.err = cmd.Wait()
	}()
	tb.Cleanup(pub.Kill)
	return pub
}

// Kill ends the encoder at once, as a crash would, and waits until it is gone.
func (p *Publisher) Kill() {
	p.cancel()
	<-p.done
}

// Wait waits until the encoder has ended by itself and returns its error with what it printed.
func (p *Publisher) Wait(tb testing.TB) error {
	tb.Helper()
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("%w: %s", p.err, p.stderr.String())
		}
		return nil
	case <-time.After(patience):
		tb.Fatal("the encoder does not end")
		return nil
	}
}

// WaitLive waits until the API shows the channel live, and returns its stream id.
func (s *Server) WaitLive(tb testing.TB, ch Channel) string {
	tb.Helper()
	client := s.IVS(tb)
	var id string
	Eventually(tb, "channel goes live", func() error {
		out, err := client.GetStream(tb.Context(), &ivs.GetStreamInput{ChannelArn: ch.Arn})
		if err != nil {
			return err
		}
		id = *out.Stream.StreamId
		return nil
	})
	return id
}

// WaitOffline waits until the API shows no stream of the channel.
func (s *Server) WaitOffline(tb testing.TB, ch Channel) {
	tb.Helper()
	client := s.IVS(tb)
	Eventually(tb, "channel goes offline", func() error {
		out, err := client.GetStream(tb.Context(), &ivs.GetStreamInput{ChannelArn: ch.Arn})
		if err == nil {
			return fmt.Errorf("stream %s is %s", *out.Stream.StreamId, out.Stream.State)
		}
		return nil
	})
}
