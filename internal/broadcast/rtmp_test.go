package broadcast

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/ingest/flv"
	"github.com/rivus-live/rivus/internal/ingest/rtmpsource"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

// serveRTMP puts an RTMP server in front of a node and returns the URL to which a key is appended.
func (n *node) serveRTMP(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	srv := rtmp.NewServer(rtmp.Options{Handler: rtmpsource.Handler{Sink: n}, RefusalDelay: -1})
	var served sync.WaitGroup
	served.Go(func() {
		if err := srv.Serve(ctx, l, false); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); served.Wait() })
	return "rtmp://" + l.Addr().String() + "/app/"
}

// dial publishes over RTMP and sends what a second of an encoder's life or more is made of.
func dial(t *testing.T, url string, messages []flv.Tag) *rtmptest.Client {
	t.Helper()
	c, err := rtmptest.Dial(t.Context(), url, rtmptest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	for _, m := range messages {
		send := c.Video
		if m.Type == flv.TypeAudio {
			send = c.Audio
		}
		if err := send(m.Timestamp, m.Payload); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// wantStatus waits for the status that ends a publish; code "" is an end in good order.
func wantStatus(t *testing.T, c *rtmptest.Client, code string) {
	t.Helper()
	var s *rtmptest.Status
	err := c.Wait()
	if code == "" && err == nil {
		return
	}
	if !errors.As(err, &s) || s.Code != code {
		t.Errorf("the encoder saw %v, want %s", err, code)
	}
}

// Over a real connection: media, a second publisher, a takeover, StopStream, a codec that is not carried, and media as
// drones, boards and phones send it.
func TestOverRTMP(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	url := n.serveRTMP(t)
	ch, key := n.channel(t, nil)
	first := dial(t, url+key, append(headers(), av(0, 4000, 50)...))
	s := n.waitLive(t, ch)

	var refused *rtmptest.Status
	if _, err := rtmptest.Dial(t.Context(), url+key, rtmptest.Options{}); !errors.As(err, &refused) || refused.Code != rtmp.CodeBadName {
		t.Errorf("second publisher: %v", err)
	}
	if _, err := rtmptest.Dial(t.Context(), url+key+"x", rtmptest.Options{}); !errors.As(err, &refused) || refused.Code != rtmp.CodeBadName {
		t.Errorf("wrong key: %v", err)
	}
	second := dial(t, url+key+"?priority=5", append(headers(), av(0, 4000, 50)...))
	wantStatus(t, first, "")
	eventually(t, "taken over", func() bool {
		now, ok, err := n.opt.Records.Streams.Get(t.Context(), ch)
		return err == nil && ok && now.Priority == 5 && now.StreamID == s.StreamID && now.State == resource.Live
	})
	if err := n.remote.Stop(t.Context(), arn.Channel(ch.Scope, ch.ID)); err != nil {
		t.Error(err)
	}
	wantStatus(t, second, "")

	third := dial(t, url+key, []flv.Tag{message(flv.TypeVideo, 0, []byte{0x90, 'h', 'v', 'c', '1', 1})})
	wantStatus(t, third, rtmp.CodeRejected)
	n.waitGone(t, ch)

	fourth := dial(t, url+key, append(headers(), av(0, 4000, 50)...))
	if now := n.waitLive(t, ch); now.StreamID == s.StreamID {
		t.Error("the stream id came again")
	}
	if err := fourth.Unpublish(); err != nil {
		t.Error(err)
	}
	n.waitGone(t, ch)

	odd := join([]flv.Tag{foreignSound(0)}, headers(), glued(av(0, 2000, 50)), []flv.Tag{foreignPicture(2000), foreignSound(2000)},
		byteStream(av(2000, 4000, 50)))
	fifth := dial(t, url+key, odd)
	n.waitLive(t, ch)
	if err := fifth.Unpublish(); err != nil {
		t.Error(err)
	}
	n.waitGone(t, ch)
}
