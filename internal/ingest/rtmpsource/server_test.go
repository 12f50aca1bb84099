package rtmpsource_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/ingest/rtmpsource"
	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

// sinkFunc is a Sink.
type sinkFunc func(context.Context, ingest.Request, ingest.Source) error

func (f sinkFunc) Publish(ctx context.Context, r ingest.Request, s ingest.Source) error {
	return f(ctx, r, s)
}

// serve runs a server whose publications go to the sink, and returns its address and what stops it.
func serve(t *testing.T, sink sinkFunc) (addr string, stop func()) {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	srv := rtmp.NewServer(rtmp.Options{Handler: rtmpsource.Handler{Sink: sink}, RefusalDelay: -1})
	var served sync.WaitGroup
	served.Go(func() {
		if err := srv.Serve(ctx, l, false); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	stop = func() { cancel(); served.Wait() }
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

// dial publishes. The error is a status when the sink refuses.
func dial(t *testing.T, addr, name string) (*rtmptest.Client, error) {
	t.Helper()
	c, err := rtmptest.Dial(t.Context(), "rtmp://"+addr+"/app/"+name, rtmptest.Options{Encoder: "FMLE/3.0"})
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

// Every kind of refusal, before the encoder may send and after that, is told in the words of RTMP. An end in good order is
// no error there.
func TestRefusalsInWordsOfRTMP(t *testing.T) {
	t.Parallel()
	codes := map[ingest.RefusalKind]string{
		ingest.InvalidKey: rtmp.CodeBadName, ingest.InUse: rtmp.CodeBadName,
		ingest.Insecure: rtmp.CodeDenied, ingest.Unserved: rtmp.CodeDenied, ingest.OverQuota: rtmp.CodeDenied, ingest.TakeoverDenied: rtmp.CodeDenied,
		ingest.ComeAgain: rtmp.CodeFailed, ingest.Failed: rtmp.CodeFailed,
		ingest.Unsupported: rtmp.CodeRejected, ingest.Unplayable: rtmp.CodeRejected, ingest.TooMuch: rtmp.CodeRejected,
		ingest.Multitrack: rtmp.CodeRejected, ingest.SingleTrack: rtmp.CodeRejected,
		ingest.Stopped: "", ingest.TakenOver: "", ingest.TimeIsUp: "",
		ingest.Silent: rtmp.CodeIdle, ingest.Shutdown: rtmp.CodeShutdown,
	}
	for kind, code := range codes {
		text := "The reason in words."
		if kind == ingest.Insecure {
			text = "This channel takes RTMPS only."
		}
		check := func(when string, err error) {
			t.Helper()
			var s *rtmptest.Status
			switch {
			case code == "" && err == nil:
			case !errors.As(err, &s) || s.Code != code || s.Description != text:
				t.Errorf("kind %d, %s: the encoder was told %v, want %q", kind, when, err, code)
			}
		}
		accept := false
		addr, stop := serve(t, func(_ context.Context, _ ingest.Request, s ingest.Source) error {
			if accept {
				if err := s.Accept(); err != nil {
					return err
				}
			}
			return &ingest.Refusal{Kind: kind, Text: "The reason in words."}
		})
		if code != "" { // nobody is stopped before the beginning
			_, err := dial(t, addr, "key")
			check("before", err)
		}
		stop()
		accept = true
		addr, stop = serve(t, func(_ context.Context, _ ingest.Request, s ingest.Source) error {
			if err := s.Accept(); err != nil {
				return err
			}
			closing := &ingest.Refusal{Kind: kind, Text: "The reason in words."}
			go s.Close(closing)
			var m ingest.Message
			err := s.Read(&m)
			if !errors.Is(err, closing) {
				t.Errorf("kind %d: Read returned %v after Close", kind, err)
			}
			return err
		})
		c, err := dial(t, addr, "key")
		if err != nil {
			t.Fatal(err)
		}
		check("later", c.Wait())
		_ = c.Close()
		stop()
	}
}

// A sink hears what the encoder asks for, then its messages, then an end in good order.
func TestPublicationIsASource(t *testing.T) {
	t.Parallel()
	type told struct {
		request  ingest.Request
		settings ingest.Settings
		frames   int
		end      error
	}
	heard := make(chan told, 1)
	addr, _ := serve(t, func(_ context.Context, r ingest.Request, s ingest.Source) error {
		got := told{request: r}
		defer func() { heard <- got }()
		if got.end = s.Accept(); got.end != nil {
			return got.end
		}
		for {
			var m ingest.Message
			if got.end = s.Read(&m); got.end != nil {
				return nil
			}
			if m.Frame.Track != nil {
				got.frames++
			}
			got.settings = s.Settings()
		}
	})
	c, err := dial(t, addr, "sk_key?priority=7&keyframeInterval=4")
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"\xaf\x00\x11\x90", "\xaf\x01\x21\x00\x00", "\xaf\x01\x21\x00\x00"} {
		if err := c.Audio(0, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Unpublish(); err != nil {
		t.Error(err)
	}
	got := <-heard
	want := ingest.Request{
		Key: "sk_key", Remote: "127.0.0.1", Software: "FMLE/3.0", Priority: ingest.Priority{Given: true, Value: 7},
		Target: 4e9, ParameterSets: "AVC sequence header",
	}
	if got.request != want {
		t.Errorf("asked for %+v, want %+v", got.request, want)
	}
	if !errors.Is(got.end, io.EOF) || got.frames == 0 || got.settings.Audio == nil || got.settings.Audio.SampleRate != 48_000 {
		t.Errorf("%+v", got)
	}
}

// A failure of the server says nothing to the encoder of what it was.
func TestFailureOfTheServer(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, func(context.Context, ingest.Request, ingest.Source) error { return errors.New("a secret of the house") })
	_, err := dial(t, addr, "key")
	var s *rtmptest.Status
	if !errors.As(err, &s) || s.Code != rtmp.CodeFailed || strings.Contains(s.Description, "secret") {
		t.Errorf("the encoder was told %v", err)
	}
}

// A server that stops ends a source in its own name: nobody has closed it.
func TestServerStopsUnderASource(t *testing.T) {
	t.Parallel()
	reading, end := make(chan struct{}), make(chan error, 1)
	addr, stop := serve(t, func(_ context.Context, _ ingest.Request, s ingest.Source) error {
		if err := s.Accept(); err != nil {
			return err
		}
		close(reading)
		var m ingest.Message
		err := s.Read(&m)
		end <- err
		return err
	})
	if _, err := dial(t, addr, "key"); err != nil {
		t.Fatal(err)
	}
	<-reading
	stop()
	var refusal *ingest.Refusal
	if err := <-end; err == nil || errors.As(err, &refusal) {
		t.Errorf("the source ended with %v", err)
	}
}
