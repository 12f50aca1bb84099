package playhttp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener of connections without a network, which tests with a clock of their own need.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return nowhere{} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// world is an http.Server that plays below testPrefix and echoes elsewhere.
type world struct {
	*Server
	http  *http.Server
	all   sync.WaitGroup
	dial  func() net.Conn
	waits chan struct{} // gets one for each request that waits
	next  chan struct{} // ends waits
}

// play answers with what it was asked; a path that ends in "wait" waits for a minute first, one that ends in "big" has a
// body that no buffer holds.
func (w *world) play(x *Exchange) {
	switch {
	case strings.HasSuffix(x.Path, "wait"):
		ctx, done := x.Wait(time.Minute)
		w.waits <- struct{}{}
		select {
		case <-ctx.Done():
			err := ctx.Err()
			done()
			if errors.Is(err, context.Canceled) {
				w.waits <- struct{}{}
				return
			}
			_, _ = x.Send(http.StatusServiceUnavailable)
			return
		case <-w.next:
			done()
		}
	case strings.HasSuffix(x.Path, "big"):
		x.Write(make([]byte, 64<<20))
	case strings.HasSuffix(x.Path, "panic"):
		panic("as asked")
	}
	x.Set(NewField("Content-Type", "text/plain"))
	x.Write([]byte(x.Method + " "))
	x.Write([]byte(x.Path + "?" + x.Query + " "))
	x.Write(fmt.Append(nil, x.Range, x.IfRange, x.IfNoneMatch, x.AcceptEncoding))
	_, _ = x.Send(http.StatusOK)
}

// start serves l. The test ends when every goroutine has.
func start(t *testing.T, l net.Listener, dial func() net.Conn) *world {
	t.Helper()
	w := &world{waits: make(chan struct{}, 10), next: make(chan struct{}), dial: dial}
	w.Server = New(Options{Prefix: testPrefix, Handle: w.play})
	w.http = &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, testPrefix) {
			w.ServeHTTP(rw, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(rw, "echo %s %s", r.Method, body)
	})}
	back := w.TakeOver()
	w.all.Go(func() { _ = w.http.Serve(l) })
	w.all.Go(func() { _ = w.http.Serve(back) })
	return w
}

func startTCP(t *testing.T) *world {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, l, func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
	t.Cleanup(func() { w.stop(t) })
	return w
}

func (w *world) stop(t *testing.T) {
	t.Helper()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.Shutdown(gone)
	_ = w.http.Close()
	w.all.Wait()
}

// open returns the number of connections that are taken over now.
func (w *world) open() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.conns)
}

// client is a connection that speaks HTTP by hand.
type client struct {
	net.Conn
	in *bufio.Reader
}

func (w *world) client(t *testing.T) *client {
	t.Helper()
	c := w.dial()
	t.Cleanup(func() { _ = c.Close() })
	return &client{c, bufio.NewReader(c)}
}

func (c *client) send(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// answer is what a client has read.
type answer struct {
	status int
	header http.Header
	body   string
	last   bool // the connection ends with it
}

func (c *client) answer(t *testing.T, method string) answer {
	t.Helper()
	r, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{r.StatusCode, r.Header, string(body), r.Close}
}

// get asks for a path below the prefix.
func (c *client) get(t *testing.T, path string) string {
	t.Helper()
	c.send(t, "GET "+testPrefix+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
	return c.answer(t, http.MethodGet).body
}

// wantEnd checks that the server has closed the connection.
func (c *client) wantEnd(t *testing.T) {
	t.Helper()
	if b, err := io.ReadAll(c.in); err != nil || len(b) > 0 {
		t.Errorf("at the end: %q, %v", b, err)
	}
}

// TestBackAndForth lets one connection ask for both sorts of things, one at a time and all at once.
func TestBackAndForth(t *testing.T) {
	t.Parallel()
	w := startTCP(t)
	requests := []struct{ method, text, body string }{
		{"GET", "GET /play/a?b HTTP/1.1\r\nHost: a\r\nRange: r\r\n\r\n", "GET /play/a?b r"},
		{"GET", "GET /play/b HTTP/1.1\r\nHost: a\r\nRange: r\r\nIf-Range: i\r\n\r\n", "GET /play/b? ri"},
		{"POST", "POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /", "echo POST GET /"},
		{"GET", "GET /play/c HTTP/1.1\r\nHost: a\r\n\r\n", "GET /play/c? "},
		{"HEAD", "HEAD /play/c HTTP/1.1\r\nHost: a\r\n\r\n", ""},
		{"GET", "GET /play/d HTTP/1.1\r\nHost: a\r\nIf-None-Match: m\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n", "GET /play/d? mgzip"},
		{"POST", "POST /play/c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n0\r\n\r\n", "POST /play/c? "},
		{"GET", "GET /page HTTP/1.1\nHost: a\n\n", "echo GET "},
		{"GET", "GET /play/e HTTP/1.1\nHost: a\n\n", "GET /play/e? "},
		{"POST", "POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000), "echo POST " + strings.Repeat("x", 20000)},
		{"GET", "GET /play/f?" + strings.Repeat("x", 5000) + " HTTP/1.1\r\nHost: a\r\n\r\n", "GET /play/f?" + strings.Repeat("x", 5000) + " "},
		{"GET", "GET /play/f?" + strings.Repeat("x", 10000) + " HTTP/1.1\r\nHost: a\r\n\r\n", "GET /play/f?" + strings.Repeat("x", 10000) + " "},
		{"GET", "GET /play/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET /play/last? "},
	}
	one, all := w.client(t), w.client(t)
	var text strings.Builder
	for _, r := range requests {
		text.WriteString(r.text)
	}
	var writing sync.WaitGroup
	writing.Go(func() { _, _ = io.WriteString(all, text.String()) })
	defer writing.Wait()
	for _, r := range requests {
		one.send(t, r.text)
		for name, c := range map[string]*client{"one": one, "all": all} {
			a := c.answer(t, r.method)
			if a.status != http.StatusOK || a.body != r.body || a.last != strings.Contains(r.text, "last") || a.header.Get("Date") == "" {
				t.Errorf("%s: %.80q is answered %.200v", name, r.text, a)
			}
		}
	}
	one.wantEnd(t)
	all.wantEnd(t)
}

// TestMalformed: what net/http refuses is refused on a connection that was taken over, in the same way.
func TestMalformed(t *testing.T) {
	t.Parallel()
	w := startTCP(t)
	for _, text := range []string{
		"GET /play/a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /play/a HTTP/1.1\r\n\r\n", "GET /play/a HTTP/1.1\r\nHost: a b\r\n\r\n",
		"GET /play/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "GET /play/a HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
		"GET /play/a HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "GET /play/a HTTP/3.1\r\nHost: a\r\n\r\n", "\r\n\r\n", "x\n",
		"GET /play/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "GET /play/%zz HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		fresh, taken := w.client(t), w.client(t)
		taken.get(t, "a")
		fresh.send(t, text)
		taken.send(t, text)
		want, _ := io.ReadAll(fresh)
		got, _ := io.ReadAll(taken.in)
		if len(want) == 0 || string(got) != string(want) {
			t.Errorf("%q is answered %q, want %q", text, got, want)
		}
	}
}

// TestHangUp: a client that hangs up while its request waits ends the wait, over TCP as well as in every other case.
func TestHangUp(t *testing.T) {
	t.Parallel()
	w := startTCP(t)
	c := w.client(t)
	c.get(t, "a")
	c.send(t, "GET /play/wait HTTP/1.1\r\nHost: a\r\n\r\n")
	<-w.waits
	_ = c.Close()
	<-w.waits
}

// TestPatience: a client may send more requests while one waits, is answered after the limit, and is noticed within a
// little more than a second when it hangs up; nothing is left of it then.
func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		w := start(t, l, l.dial)
		c := w.client(t)
		const wait = "GET /play/wait HTTP/1.1\r\nHost: a\r\n\r\n"
		c.get(t, "a")
		began := time.Now()
		c.send(t, wait)
		<-w.waits
		c.send(t, wait+"GET /play/b HTTP/1.1\r\nHost: a\r\n\r\nGET /pl") // taken in at the next look
		if a := c.answer(t, http.MethodGet); a.status != http.StatusServiceUnavailable || time.Since(began).Round(time.Second) != time.Minute {
			t.Errorf("status %d after %v", a.status, time.Since(began))
		}
		<-w.waits
		w.next <- struct{}{}
		for _, want := range []string{"GET /play/wait? ", "GET /play/b? "} {
			if a := c.answer(t, http.MethodGet); a.body != want {
				t.Errorf("%q, want %q", a.body, want)
			}
		}
		c.send(t, "ay/wait HTTP/1.1\r\nHost: a\r\n\r\n")
		<-w.waits
		began = time.Now()
		_ = c.Close()
		<-w.waits
		synctest.Wait()
		if passed := time.Since(began); passed > lookEvery+glance || w.open() != 0 {
			t.Errorf("noticed after %v, %d connections are left", passed, w.open())
		}
		w.stop(t)
	})
}

// TestSlowClients: who does not read, does not finish a head or asks for nothing is cut.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	const request = "GET /play/big HTTP/1.1\r\nHost: a\r\n\r\n"
	tests := []struct {
		name, text string
		limit      time.Duration
	}{
		{"reads nothing", request, DefaultWriteLimit},
		{"asks for nothing", "", DefaultIdleTimeout},
		{"stops within a head", request[:20], DefaultHeadTimeout},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newPipes()
				w := start(t, l, l.dial)
				c := w.client(t)
				c.get(t, "a")
				began := time.Now()
				c.send(t, test.text)
				synctest.Wait()
				if w.open() != 1 {
					t.Fatalf("%d connections", w.open())
				}
				for w.open() > 0 {
					<-time.After(time.Second)
					synctest.Wait()
				}
				if passed := time.Since(began); passed != test.limit {
					t.Errorf("cut after %v, want %v", passed, test.limit)
				}
				w.stop(t)
			})
		})
	}
}

// TestShutdown: idle connections close at once, one that waits gets its answer and closes, nothing is taken over any
// more, and all that is left when the time is up is cut.
func TestShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		w := start(t, l, l.dial)
		idle, waits, stuck := w.client(t), w.client(t), w.client(t)
		for _, c := range []*client{idle, waits, stuck} {
			c.get(t, "a")
		}
		waits.send(t, "GET /play/wait HTTP/1.1\r\nHost: a\r\n\r\n")
		<-w.waits
		stuck.send(t, "GET /play/big HTTP/1.1\r\nHost: a\r\n\r\n")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		result := make(chan error, 1)
		w.all.Go(func() { result <- w.Shutdown(ctx) })
		synctest.Wait()
		idle.wantEnd(t)
		w.next <- struct{}{}
		if a := waits.answer(t, http.MethodGet); a.body != "GET /play/wait? " || !a.last {
			t.Errorf("%v", a)
		}
		waits.wantEnd(t)
		late := w.client(t)
		if got := late.get(t, "late"); got != "GET /play/late? " || w.open() != 1 {
			t.Errorf("%q, %d connections", got, w.open())
		}
		if err := <-result; !errors.Is(err, context.DeadlineExceeded) || w.open() != 0 {
			t.Errorf("%v, %d connections are left", err, w.open())
		}
		w.stop(t)
	})
}

// TestShutdownAlone: a connection that nobody takes back does not keep Shutdown from its end.
func TestShutdownAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Prefix: testPrefix, Handle: func(x *Exchange) { _, _ = x.Send(http.StatusOK) }})
		_ = s.TakeOver() // and serves nothing
		l := newPipes()
		w := &world{Server: s, http: &http.Server{Handler: s}, dial: l.dial}
		w.all.Go(func() { _ = w.http.Serve(l) })
		c := w.client(t)
		c.get(t, "a")
		c.send(t, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		c.wantEnd(t)
		w.stop(t)
	})
}

// TestPanic: a request that panics ends its connection and nothing else.
func TestPanic(t *testing.T) {
	t.Parallel()
	w := startTCP(t)
	c, other := w.client(t), w.client(t)
	c.get(t, "a")
	other.get(t, "a")
	c.send(t, "GET /play/panic HTTP/1.1\r\nHost: a\r\n\r\n")
	c.wantEnd(t)
	if got := other.get(t, "b"); got != "GET /play/b? " {
		t.Errorf("%q", got)
	}
	if n := w.Panics(); n != 1 {
		t.Errorf("%d panics are counted", n)
	}
}

// tape is a connection that plays requests and throws answers away.
type tape struct {
	net.Conn
	request string
	written int
}

func (*tape) RemoteAddr() net.Addr { return nowhere{} }

func (c *tape) Read(b []byte) (int, error)       { return copy(b, c.request), nil }
func (c *tape) Write(b []byte) (int, error)      { c.written += len(b); return len(b), nil }
func (c *tape) SetReadDeadline(time.Time) error  { return nil }
func (c *tape) SetWriteDeadline(time.Time) error { return nil }

// newTape returns a connection whose every request is like the last.
func newTape() (*conn, *tape) {
	shared := []Field{
		NewField("Content-Type", "video/mp4"), NewField("Cache-Control", "public, max-age=40, immutable"),
		NewField("Access-Control-Allow-Origin", "*"), NewField("Access-Control-Expose-Headers", "Age, Content-Length, Content-Range, Date, ETag"),
	}
	body := slices.Repeat([][]byte{make([]byte, 1000)}, 10)
	s := New(Options{Prefix: testPrefix, Handle: func(x *Exchange) {
		_, done := x.Wait(time.Second)
		done()
		for _, f := range shared {
			x.Set(f)
		}
		for _, data := range body {
			x.Write(data)
		}
		_, _ = x.Send(http.StatusOK)
	}})
	c := &tape{request: "GET /play/us-west-2.111122223333.channel.hT4kPz81QmXc/st-0123456789abcdefghijklm/1080p30/seg42.3.m4s HTTP/1.1\r\n" +
		"Host: play.example.com:8080\r\nConnection: keep-alive\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n" +
		"Accept: */*\r\nOrigin: https://www.example.com\r\nReferer: https://www.example.com/\r\nAccept-Encoding: gzip, deflate, br\r\n" +
		"Accept-Language: en-US,en;q=0.9\r\n\r\n"}
	return newConn(s, c, nil), c
}

// TestAllocs: a request costs one allocation, the strings of its head.
func TestAllocs(t *testing.T) { // not parallel: others' allocations would count
	c, _ := newTape()
	got := testing.AllocsPerRun(1000, func() {
		if r, ok := c.nextRequest(); !ok || !c.answer(r) {
			t.Fatal("the connection has ended")
		}
	})
	if got > 1 && !raceEnabled {
		t.Errorf("%v allocations a request, want 1", got)
	}
}

// BenchmarkRequest measures what the loop adds to the system calls and the handler.
func BenchmarkRequest(b *testing.B) {
	c, tape := newTape()
	b.ReportAllocs()
	for b.Loop() {
		r, _ := c.nextRequest()
		c.answer(r)
	}
	b.SetBytes(int64(tape.written / b.N))
}
