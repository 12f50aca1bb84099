package app

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fakeListener accepts what the test gives it.
type fakeListener struct {
	accepts atomic.Int64 // calls of Accept
	next    chan any     // net.Conn or error
	closed  chan struct{}
}

func newFakeListener() *fakeListener {
	return &fakeListener{next: make(chan any), closed: make(chan struct{})}
}

func (l *fakeListener) Accept() (net.Conn, error) {
	l.accepts.Add(1)
	select {
	case v := <-l.next:
		if err, ok := v.(error); ok {
			return nil, &net.OpError{Op: "accept", Err: err}
		}
		return v.(net.Conn), nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *fakeListener) Close() error   { close(l.closed); return nil }
func (l *fakeListener) Addr() net.Addr { return &net.TCPAddr{} }

func testTLS(t *testing.T) *tls.Config {
	t.Helper()
	cert, err := selfSigned(t.TempDir(), []string{"localhost"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
}

// dial connects to l as a client that speaks the protocols, and returns when the handshake is done.
func dial(t *testing.T, l *fakeListener, protocols ...string) *tls.Conn {
	t.Helper()
	near, far := net.Pipe()
	l.next <- far
	c := tls.Client(near, &tls.Config{InsecureSkipVerify: true, NextProtos: protocols})
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSharedListenerOutlivesFailedAccepts: a process that is out of file handles for a moment must not be deaf for ever.
func TestSharedListenerOutlivesFailedAccepts(t *testing.T) {
	t.Parallel()
	config := testTLS(t)
	synctest.Test(t, func(t *testing.T) {
		l := newFakeListener()
		sh := newSharedListener(t.Context(), l, config, 8, nil, nil)
		for range 20 {
			l.next <- syscall.EMFILE
		}
		got := make(chan net.Conn)
		go func() {
			c, err := sh.Accept()
			if err != nil {
				t.Error(err)
			}
			got <- c
		}()
		client := dial(t, l, "http/1.1")
		_ = (<-got).Close()
		_ = client.Close()
		_ = sh.Close()
		sh.wait()
		if _, err := sh.Accept(); err == nil {
			t.Error("a closed listener accepts")
		}
	})
}

// TestSharedListenerBoundsHandshakes: strangers who connect and say nothing cost a bounded number of goroutines, and
// only for as long as a handshake may take.
func TestSharedListenerBoundsHandshakes(t *testing.T) {
	t.Parallel()
	config := testTLS(t)
	synctest.Test(t, func(t *testing.T) {
		const limit = 3
		l := newFakeListener()
		sh := newSharedListener(t.Context(), l, config, limit, func(_ context.Context, c net.Conn) {
			_, _ = io.Copy(io.Discard, c) // an encoder stays
			_ = c.Close()
		}, nil)
		var encoders []net.Conn
		for range limit - 1 { // encoders do not count once they are known as such
			encoder := dial(t, l)
			if _, err := encoder.Write([]byte{3}); err != nil {
				t.Fatal(err)
			}
			encoders = append(encoders, encoder)
		}
		for range limit {
			_, far := net.Pipe()
			l.next <- far
		}
		synctest.Wait()
		if n := l.accepts.Load(); n != 2*limit-1 {
			t.Errorf("%d calls of Accept, want %d", n, 2*limit-1)
		}
		<-time.After(tlsHandshakeTimeout + time.Second) // of the bubble's clock
		synctest.Wait()
		if n := l.accepts.Load(); n != 2*limit {
			t.Errorf("%d calls of Accept when the silent ones are gone, want %d", n, 2*limit)
		}
		for _, c := range encoders {
			_ = c.Close()
		}
		_ = sh.Close()
		sh.wait()
	})
}

// TestPanicInAHandshake ends the connection whose handshake it was, and no other one.
func TestPanicInAHandshake(t *testing.T) {
	t.Parallel()
	config := testTLS(t)
	config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if h.ServerName == "bad" {
			panic("injected")
		}
		return nil, nil
	}
	l, told := newFakeListener(), make(chan any, 1)
	sh := newSharedListener(t.Context(), l, config, 8, nil, func(v any) { told <- v })
	near, far := net.Pipe()
	l.next <- far
	bad := tls.Client(near, &tls.Config{InsecureSkipVerify: true, ServerName: "bad"})
	if err := bad.HandshakeContext(t.Context()); err == nil {
		t.Error("the handshake went on")
	}
	if v := <-told; v != "injected" {
		t.Errorf("told of %v", v)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := sh.Accept(); err == nil {
			accepted <- c
		}
	}()
	good := dial(t, l, "http/1.1")
	_ = (<-accepted).Close()
	_ = good.Close()
	_ = sh.Close()
	sh.wait()
}
