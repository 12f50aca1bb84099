package origin

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/rivus-live/rivus/internal/origin/playhttp"
)

// single is a listener of one connection, which is no network's: tests with a clock of their own can use it.
type single struct {
	conn   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (s *single) Accept() (net.Conn, error) {
	select {
	case c := <-s.conn:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *single) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *single) Addr() net.Addr { return &net.UnixAddr{} }

// direct is a viewer's connection to a handler that serves it without net/http from the second request on.
type direct struct {
	net.Conn
	in   *bufio.Reader
	stop func()
}

func newDirect(h *Handler) *direct {
	server := playhttp.New(playhttp.Options{Prefix: Prefix, Handle: h.answer})
	ours, theirs := net.Pipe()
	l := &single{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.conn <- theirs
	std := &http.Server{Handler: server}
	var all sync.WaitGroup
	back := server.TakeOver()
	all.Go(func() { _ = std.Serve(l) })
	all.Go(func() { _ = std.Serve(back) })
	stop := func() {
		_ = ours.Close()
		_ = server.Shutdown(context.Background())
		_ = std.Close()
		all.Wait()
	}
	return &direct{ours, bufio.NewReader(ours), stop}
}

// ask sends a request and reads the answer.
func (d *direct) ask(method, target string, header ...string) (*httptest.ResponseRecorder, error) {
	text := method + " " + target + " HTTP/1.1\r\nHost: example.com\r\n"
	for i := 0; i < len(header); i += 2 {
		text += header[i] + ": " + header[i+1] + "\r\n"
	}
	if _, err := io.WriteString(d, text+"\r\n"); err != nil {
		return nil, err
	}
	r, err := http.ReadResponse(d.in, &http.Request{Method: method})
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Body.Close() }()
	w := httptest.NewRecorder()
	maps.Copy(w.Header(), r.Header)
	w.WriteHeader(r.StatusCode)
	_, err = io.Copy(w, r.Body)
	return w, err
}

// personal is what differs from viewer to viewer and moment to moment in a multivariant playlist.
var personal = regexp.MustCompile(`VIDEO-SESSION-ID",VALUE="[^"]*|/v/[\w-]+/|[\w-]{24}|[0-9.]+`) //nolint:gochecknoglobals // a constant

// wantSame checks that a request has the answer want also when it comes first on a connection, which is then taken over,
// and when it comes second.
func wantSame(tb testing.TB, h *Handler, want *httptest.ResponseRecorder, method, target string, header ...string) {
	tb.Helper()
	d := newDirect(h)
	defer d.stop()
	for range 2 {
		got, err := d.ask(method, target, header...)
		if err != nil {
			tb.Errorf("%s %.200s: %v", method, target, err)
			return
		}
		a, b := want.Body.Bytes(), got.Body.Bytes()
		ha, hb := want.Header().Clone(), got.Header().Clone()
		delete(hb, "Date")
		if bytes.Contains(a, []byte("VIDEO-SESSION-ID")) || method == http.MethodHead {
			a, b = personal.ReplaceAll(a, nil), personal.ReplaceAll(b, nil)
			delete(ha, "Content-Length")
			delete(hb, "Content-Length")
		}
		if want.Code != got.Code || !bytes.Equal(a, b) || !maps.EqualFunc(ha, hb, slices.Equal) {
			tb.Errorf("%s %.200s %v: net/http answers %d %v %.500q, the connection that was taken over %d %v %.500q",
				method, target, header, want.Code, ha, a, got.Code, hb, b)
		}
	}
}
