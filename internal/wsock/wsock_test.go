package wsock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// server serves one socket after the other, as a test has made them.
type server struct {
	url     string
	sockets chan *Socket  // the next connection's
	served  chan struct{} // a token for each Serve that has returned
	take    func(*Socket, []byte) bool
}

func newServer(tb testing.TB, take func(*Socket, []byte) bool) *server {
	tb.Helper()
	s := &server{sockets: make(chan *Socket, 100), served: make(chan struct{}, 100), take: take}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, "chat")
		if err != nil {
			tb.Error(err)
			return
		}
		defer c.Release()
		socket := <-s.sockets
		socket.Serve(r.Context(), c, func(_ context.Context, b []byte) bool { return s.take(socket, b) })
		s.served <- struct{}{}
	}))
	tb.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// client connects a client to a socket.
func (s *server) client(tb testing.TB, socket *Socket) *websocket.Conn {
	tb.Helper()
	s.sockets <- socket
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	c, resp, err := websocket.Dial(ctx, s.url, &websocket.DialOptions{Subprotocols: []string{"other", "chat"}})
	if err != nil {
		tb.Fatal(err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	tb.Cleanup(func() { _ = c.CloseNow() })
	c.SetReadLimit(1 << 20)
	return c
}

// ended waits for the end of a Serve.
func (s *server) ended(tb testing.TB) {
	tb.Helper()
	select {
	case <-s.served:
	case <-time.After(patience):
		tb.Fatal("the socket is still served")
	}
}

// heard reads to the end, and returns the messages and how it ended.
func heard(tb testing.TB, c *websocket.Conn) (list []string, end websocket.CloseError) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		_, b, err := c.Read(ctx)
		if err != nil {
			_ = errors.As(err, &end)
			return list, end
		}
		list = append(list, string(b))
	}
}

func say(tb testing.TB, c *websocket.Conn, kind websocket.MessageType, b []byte) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = c.Write(ctx, kind, b) // the server may hang up before all of it is out
}

func echo(s *Socket, b []byte) bool {
	s.Send(b)
	return true
}

var (
	slow   = Farewell{Code: 4005, Reason: "SLOW", Message: []byte(`"slow"`)}     //nolint:gochecknoglobals // a constant
	unfit  = Farewell{Code: 4006, Reason: "UNFIT", Message: []byte(`"unfit"`)}   //nolint:gochecknoglobals // a constant
	broken = Farewell{Code: 1011, Reason: "BROKEN", Message: []byte(`"broken"`)} //nolint:gochecknoglobals // a constant
)

func options() Options {
	return Options{Queue: 16, Message: 100, Slow: slow, Unfit: unfit, Broken: broken}
}

// TestFanOut: the same bytes reach every socket, in order, and before the farewell of one that is closed right after.
func TestFanOut(t *testing.T) {
	t.Parallel()
	s := newServer(t, echo)
	const clients = 20
	var sockets []*Socket
	var conns []*websocket.Conn
	for range clients {
		socket := New(options())
		sockets, conns = append(sockets, socket), append(conns, s.client(t, socket))
	}
	var want []string
	for n := range 10 {
		b := fmt.Appendf(nil, `{"n":%d}`, n)
		want = append(want, string(b))
		for _, socket := range sockets {
			socket.Send(b)
		}
	}
	for _, socket := range sockets {
		socket.Close(Farewell{Code: 4001, Reason: "MOVED", Message: []byte(`"bye"`)})
		socket.Close(broken) // the first counts
	}
	want = append(want, `"bye"`)
	for _, c := range conns {
		got, end := heard(t, c)
		if strings.Join(got, " ") != strings.Join(want, " ") || end.Code != 4001 || end.Reason != "MOVED" {
			t.Errorf("%q, ended with %v", got, end)
		}
		s.ended(t)
	}
}

// TestClosedBeforeServed: what was queued and said before there was a connection comes all the same.
func TestClosedBeforeServed(t *testing.T) {
	t.Parallel()
	s := newServer(t, echo)
	socket := New(options())
	socket.Send([]byte(`"welcome"`))
	socket.Close(Farewell{Code: 4002}) // without words
	got, end := heard(t, s.client(t, socket))
	if len(got) != 1 || got[0] != `"welcome"` || end.Code != 4002 || end.Reason != "" {
		t.Errorf("%q, ended with %v", got, end)
	}
	s.ended(t)
}

// TestSlowReader: who does not read is let go when the queue is full, and told so if it reads after all.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte{' '}, 1<<20)
	flood := func(socket *Socket) {
		for !socket.Closed() {
			socket.Send(big)
		}
	}
	t.Run("reads at last", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, echo)
		o := options()
		o.Timing = Timing{Write: patience, Goodbye: patience}
		socket := New(o)
		c := s.client(t, socket)
		flood(socket)
		got, end := heard(t, c)
		if end.Code != 4005 || end.Reason != "SLOW" || got[len(got)-1] != `"slow"` {
			t.Errorf("%d messages, ended with %v", len(got), end)
		}
		s.ended(t)
	})
	t.Run("never reads", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, echo)
		o := options()
		o.Timing = Timing{Ping: time.Hour, Write: time.Hour, Goodbye: 50 * time.Millisecond}
		socket := New(o)
		s.client(t, socket)
		flood(socket)
		s.ended(t)
	})
}

// TestSilence: a client that answers no ping is given up; one that does stays.
func TestSilence(t *testing.T) {
	t.Parallel()
	s := newServer(t, echo)
	o := options()
	o.Timing = Timing{Ping: 5 * time.Millisecond, Silence: 50 * time.Millisecond}
	s.client(t, New(o)) // who reads answers, and this one does not read
	s.ended(t)

	o.Timing.Silence = patience
	pings := make(chan struct{}, 1000)
	s.sockets <- New(o)
	c, _, err := websocket.Dial(t.Context(), s.url, &websocket.DialOptions{OnPingReceived: func(context.Context, []byte) bool { //nolint:bodyclose // Dial has taken it over
		select {
		case pings <- struct{}{}:
		default:
		}
		return true
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := c.CloseRead(t.Context())
	for range 10 {
		select {
		case <-pings:
		case <-ctx.Done():
			t.Fatal("it was given up")
		}
	}
	_ = c.CloseNow()
	s.ended(t)
}

// TestLimits: what a client must not send is the end of its socket, which it is told.
func TestLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind  websocket.MessageType
		size  int
		times int
		fits  bool
	}{
		"as long as it may be": {websocket.MessageText, 100, 1, true},
		"longer by one":        {websocket.MessageText, 101, 1, false},
		"much longer":          {websocket.MessageText, 4 << 20, 1, false},
		"empty":                {websocket.MessageText, 0, 1, false}, // take says so
		"bytes":                {websocket.MessageBinary, 10, 1, false},
		"as many as it may":    {websocket.MessageText, 10, 10, true},
		"too many":             {websocket.MessageText, 10, 40, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var taken atomic.Int64
			s := newServer(t, func(_ *Socket, b []byte) bool { taken.Add(1); return len(b) > 0 })
			o := options()
			o.Rate = 10
			socket := New(o)
			conn := s.client(t, socket)
			for range c.times {
				say(t, conn, c.kind, bytes.Repeat([]byte{'x'}, c.size))
			}
			if c.fits {
				_ = conn.Close(websocket.StatusNormalClosure, "")
				if s.ended(t); socket.Closed() || int(taken.Load()) != c.times {
					t.Errorf("closed %v, %d taken", socket.Closed(), taken.Load())
				}
				return
			}
			got, end := heard(t, conn)
			if end.Code != 4006 || end.Reason != "UNFIT" || len(got) != 1 || got[0] != `"unfit"` {
				t.Errorf("%q, ended with %v", got, end)
			}
			s.ended(t)
		})
	}
}

// TestPanic: a panic in what a message leads to ends its socket, and whoever is to know does.
func TestPanic(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(*Socket, []byte) bool { panic("injected") })
	told := make(chan any, 1)
	o := options()
	o.Panicked = func(v any) { told <- v }
	c := s.client(t, New(o))
	say(t, c, websocket.MessageText, []byte("x"))
	if got, end := heard(t, c); end.Code != 1011 || len(got) != 1 || got[0] != `"broken"` {
		t.Errorf("%q, ended with %v", got, end)
	}
	s.ended(t)
	if v := <-told; v != "injected" {
		t.Errorf("told of %v", v)
	}
}

// TestEndlessMessage: nobody stays for as long as a message goes on, let in or not.
func TestEndlessMessage(t *testing.T) {
	t.Parallel()
	s := newServer(t, echo)
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := Accept(w, r, ""); err == nil {
			c.Refuse(r.Context(), unfit)
			c.Release()
		}
	}))
	t.Cleanup(refusing.Close)
	s.sockets <- New(options())
	for name, url := range map[string]string{"let in": s.url, "refused": refusing.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dialRaw(t, url)
			_, err := conn.Write([]byte{0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // a terabyte, masked with zeros
			for more := make([]byte, 1<<16); err == nil; {
				_, err = conn.Write(more)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("it is still read")
			}
		})
	}
}

// dialRaw shakes hands on a bare connection, and reads nothing that follows.
func dialRaw(t *testing.T, url string) net.Conn {
	t.Helper()
	host := strings.TrimPrefix(url, "http://")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestRefuse: who is not let in is told why.
func TestRefuse(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, "")
		if err != nil {
			t.Error(err)
			return
		}
		c.Refuse(r.Context(), Farewell{Code: 4401, Reason: strings.Repeat("é", 100), Message: []byte(`"no"`)})
		c.Release()
	}))
	t.Cleanup(srv.Close)
	c, _, err := websocket.Dial(t.Context(), srv.URL, nil) //nolint:bodyclose // Dial has taken it over
	if err != nil {
		t.Fatal(err)
	}
	if got, end := heard(t, c); len(got) != 1 || end.Code != 4401 || end.Reason != strings.Repeat("é", 61) {
		t.Errorf("%q, ended with %v", got, end)
	}
}

// FuzzReason: a reason of any length makes a close frame, is cut at a character, and only where it has to be.
func FuzzReason(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("x", 123))
	f.Add(strings.Repeat("x", 122) + "é")
	f.Add(strings.Repeat("\x80", 200))
	f.Fuzz(func(t *testing.T, reason string) {
		got := Farewell{Reason: reason}.shortReason()
		switch {
		case len(got) > longestReason || !strings.HasPrefix(reason, got):
			t.Fatalf("%q", got)
		case len(reason) <= longestReason && got != reason:
			t.Fatalf("%q was cut", got)
		case utf8.ValidString(reason) && !utf8.ValidString(got):
			t.Fatalf("%q is cut inside a character", got)
		case utf8.ValidString(reason) && len(reason) > longestReason && len(got) <= longestReason-utf8.UTFMax:
			t.Fatalf("%q is cut too short", got)
		}
	})
}
