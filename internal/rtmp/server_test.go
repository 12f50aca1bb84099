package rtmp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/media/flv"
	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

const goodKey = "sk_us-west-2_abcdefghijkl_secret"

// patience bounds every wait of these tests; nothing takes nearly as long.
const patience = 20 * time.Second

// handlerFunc is a Handler.
type handlerFunc func(context.Context, *rtmp.Publication) error

func (f handlerFunc) Publish(ctx context.Context, p *rtmp.Publication) error { return f(ctx, p) }

// received is a publication as a handler saw it, complete.
type received struct {
	rtmp.Publication // a copy of its exported fields
	messages         []rtmp.Message
	err              error // of the last Read
}

// recorder accepts goodKey, refuses every other key, and hands on what it received when the publication is over.
type recorder struct {
	done chan *received
	took func(p *rtmp.Publication, m rtmp.Message) error // called for every message; may be nil
}

func newRecorder() *recorder { return &recorder{done: make(chan *received, 16)} }

func (r *recorder) Publish(_ context.Context, p *rtmp.Publication) error {
	if p.Key != goodKey {
		return &rtmp.Rejection{Code: rtmp.CodeBadName, Description: "no such stream key"}
	}
	if err := p.Accept(); err != nil {
		return err
	}
	got := &received{}
	got.App, got.Key, got.Query, got.Secure, got.Remote, got.FlashVersion = p.App, p.Key, p.Query, p.Secure, p.Remote, p.FlashVersion
	defer func() { r.done <- got }()
	for {
		m, err := p.Read()
		if err != nil {
			got.err = err
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		got.messages = append(got.messages, m)
		if r.took != nil {
			if err := r.took(p, m); err != nil {
				got.err = err
				return err
			}
		}
	}
}

// wait returns the next publication that is over.
func (r *recorder) wait(t *testing.T) *received {
	t.Helper()
	select {
	case got := <-r.done:
		return got
	case <-time.After(patience):
		t.Fatal("no publication ended")
		return nil
	}
}

// logbook is a log that tests can read while it is written.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// running is a server under test.
type running struct {
	*rtmp.Server
	addr string
	log  *logbook
	stop func() // ends the server and waits for it
}

// start serves on a port of its own until the test ends. secure adds TLS.
func start(t *testing.T, o rtmp.Options, secure *tls.Config) *running {
	t.Helper()
	r := &running{log: &logbook{}}
	o.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	if o.RefusalDelay == 0 {
		o.RefusalDelay = time.Millisecond
	}
	r.Server = rtmp.NewServer(o)
	r.addr, r.stop = serve(t, r.Server, secure)
	t.Cleanup(r.stop)
	return r
}

// listen serves without TLS; stop ends the server and waits for it.
func listen(tb testing.TB, s *rtmp.Server) (addr string, stop func()) {
	tb.Helper()
	return serve(tb, s, nil)
}

func serve(tb testing.TB, s *rtmp.Server, secure *tls.Config) (addr string, stop func()) {
	tb.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	addr = l.Addr().String()
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l, secure != nil) }()
	return addr, sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			tb.Errorf("Serve: %v", err)
		}
	})
}

func (r *running) url(rest string) string { return "rtmp://" + r.addr + "/" + rest }

// dial publishes, or fails the test.
func (r *running) dial(t *testing.T, rest string, o rtmptest.Options) *rtmptest.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := rtmptest.Dial(ctx, r.url(rest), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Conn().SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// refusal publishes and returns the status that refuses it.
func (r *running) refusal(t *testing.T, rest string, o rtmptest.Options) *rtmptest.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := rtmptest.Dial(ctx, r.url(rest), o)
	if err == nil {
		_ = c.Close()
	}
	status, is := errors.AsType[*rtmptest.Status](err)
	if !is {
		t.Fatalf("got %v, want a refusal", err)
	}
	return status
}

func TestPublish(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	s := start(t, rtmp.Options{Handler: h}, nil)
	for name, o := range map[string]rtmptest.Options{
		"name":      {Encoder: "test/1.0"},
		"whole URL": {Encoder: "test/1.0", KeyInURL: true},
		"enhanced":  {Encoder: "test/1.0", FourCCs: []string{"avc1", "hvc1"}},
	} {
		c := s.dial(t, "app/"+goodKey+"?priority=3&keyframeInterval=2&clientConfigId=abc", o)
		big := bytes.Repeat([]byte("v"), 100_000)
		send(t, c.Data(0, "@setDataFrame", "onMetaData", nil), c.Audio(10, []byte("audio")), c.Video(20, big), c.Video(20, nil), c.Unpublish())
		if err := c.Wait(); err != nil {
			t.Errorf("%s: server complains: %v", name, err)
		}
		got := h.wait(t)
		if got.App != "app" || got.Key != goodKey || got.FlashVersion != "test/1.0" || got.Secure || !got.Remote.IsValid() {
			t.Errorf("%s: published %+v", name, got)
		}
		if q := got.Query; q.Get("priority") != "3" || q.Get("keyframeInterval") != "2" || q.Get("clientConfigId") != "abc" || len(q) != 3 {
			t.Errorf("%s: query %v", name, q)
		}
		if len(got.messages) != 3 || !errors.Is(got.err, io.EOF) {
			t.Fatalf("%s: %d messages, then %v", name, len(got.messages), got.err)
		}
		for i, want := range []rtmp.Message{{Type: rtmp.TypeData}, {Type: rtmp.TypeAudio, Timestamp: 10}, {Type: rtmp.TypeVideo, Timestamp: 20}} {
			if m := got.messages[i]; m.Type != want.Type || m.Timestamp != want.Timestamp || time.Since(m.Arrived) > patience {
				t.Errorf("%s: message %d is %d at %d, arrived %v", name, i, m.Type, m.Timestamp, m.Arrived)
			}
		}
		if script, err := flv.ParseScript(got.messages[0].Payload); err != nil || script.Name != "onMetaData" {
			t.Errorf("%s: script %+v, %v", name, script, err)
		}
		if !bytes.Equal(got.messages[2].Payload, big) {
			t.Errorf("%s: video differs", name)
		}
	}
	s.stop()
	if log := s.log.String(); strings.Count(log, "connection closed") != 3 || strings.Count(log, "reason=unpublished") != 3 || strings.Contains(log, "sk_") {
		t.Errorf("log is\n%s", log)
	}
	if st := s.Stats(); st.Open != 0 || st.Publishing != 0 || st.Accepted != 3 || st.Refused != 0 || st.BytesIn < 300_000 {
		t.Errorf("stats %+v", st)
	}
}

func send(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	s := start(t, rtmp.Options{Handler: h}, nil)
	if st := s.refusal(t, "app/sk_wrong", rtmptest.Options{}); st.Code != rtmp.CodeBadName || st.Description != "no such stream key" {
		t.Errorf("wrong key: %v", st)
	}
	if st := s.refusal(t, "app/sk_wrong", rtmptest.Options{KeyInURL: true}); st.Code != rtmp.CodeBadName {
		t.Errorf("wrong key in the URL: %v", st)
	}
	if st := s.refusal(t, "app/"+goodKey+"?"+strings.Repeat("x", 2000), rtmptest.Options{}); st.Code != rtmp.CodeRejected {
		t.Errorf("long query: %v", st)
	}
	if st := s.refusal(t, "app/"+goodKey+"?"+strings.Repeat("x&", 40)+strings.Repeat("y=1&", 40), rtmptest.Options{}); st.Code != rtmp.CodeRejected {
		t.Errorf("many parameters: %v", st)
	}
	if st := s.refusal(t, "app/"+strings.Repeat("k", 2000), rtmptest.Options{}); st.Code != rtmp.CodeRejected {
		t.Errorf("long key: %v", st)
	}
	s.stop()
	if st := s.Stats(); st.Refused != 5 {
		t.Errorf("stats %+v", st)
	}
	if log := s.log.String(); strings.Contains(log, "sk_") || strings.Contains(log, "kkk") {
		t.Errorf("a key is in the log:\n%s", log)
	}
}

// TestHandlerErrors holds what an encoder is told for each way that a handler can end.
func TestHandlerErrors(t *testing.T) {
	t.Parallel()
	secret := errors.New("database password is 1234")
	for name, c := range map[string]struct {
		publish handlerFunc
		code    string
	}{
		"error before accept":     {func(context.Context, *rtmp.Publication) error { return secret }, rtmp.CodeFailed},
		"nothing before accept":   {func(context.Context, *rtmp.Publication) error { return nil }, rtmp.CodeFailed},
		"error after accept":      {after(func(*rtmp.Publication) error { return secret }), rtmp.CodeFailed},
		"rejection after accept":  {after(func(*rtmp.Publication) error { return &rtmp.Rejection{Code: rtmp.CodeDenied} }), rtmp.CodeDenied},
		"end after accept":        {after(func(*rtmp.Publication) error { return nil }), ""},
		"close, returned":         {after(func(p *rtmp.Publication) error { p.Close("x.Code", "why"); _, err := p.Read(); return err }), "x.Code"},
		"close, forgotten":        {after(func(p *rtmp.Publication) error { p.Close("x.Code", "why"); return nil }), "x.Code"},
		"close twice":             {after(func(p *rtmp.Publication) error { p.Close("x.Code", ""); p.Close("y.Code", ""); return nil }), "x.Code"},
		"silence":                 {after(func(p *rtmp.Publication) error { p.SetIdle(time.Millisecond); _, err := p.Read(); return err }), rtmp.CodeIdle},
		"read before accept":      {func(_ context.Context, p *rtmp.Publication) error { _, err := p.Read(); return err }, rtmp.CodeFailed},
		"close before accept":     {func(_ context.Context, p *rtmp.Publication) error { p.Close("x.Code", ""); return nil }, "x.Code"},
		"accepted more than once": {after(func(p *rtmp.Publication) error { return p.Accept() }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, rtmp.Options{Handler: c.publish}, nil)
			client, err := rtmptest.Dial(t.Context(), s.url("app/k"), rtmptest.Options{})
			if err == nil {
				err = client.Wait()
			}
			status, is := errors.AsType[*rtmptest.Status](err)
			if c.code == "" && err != nil || c.code != "" && (!is || status.Code != c.code) {
				t.Errorf("encoder was told %v, want %q", err, c.code)
			}
			if is && strings.Contains(status.Description, "password") {
				t.Errorf("encoder was told %q", status.Description)
			}
		})
	}
}

func after(f func(*rtmp.Publication) error) handlerFunc {
	return func(_ context.Context, p *rtmp.Publication) error {
		if err := p.Accept(); err != nil {
			return err
		}
		return f(p)
	}
}
