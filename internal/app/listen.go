package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/strangers"
)

// tlsHandshakeTimeout bounds the handshake and the wait for the first byte of a connection on a shared TLS listener.
const tlsHandshakeTimeout = 10 * time.Second

// maxHandshakes bounds the connections of a TLS listener whose protocol is not known yet. Further ones wait in the
// kernel's queue.
const maxHandshakes = 4096

// sharedListener splits a TLS port between HTTP and RTMPS, so that one port (usually 443) serves both.
//
// A client that negotiated h2 or http/1.1 by ALPN speaks HTTP. Encoders offer no ALPN and start with the RTMP version
// byte 0x03, which no HTTP request starts with. Accept yields the HTTP connections; RTMP ones go to serveRTMP.
type sharedListener struct {
	net.Listener
	config    *tls.Config
	serveRTMP func(context.Context, net.Conn)
	defect    func(v any) // told of a panic

	ctx    context.Context // the listener's own life: net.Listener has no ctx in Accept
	cancel context.CancelFunc
	conns  chan net.Conn
	slots  chan struct{} // holds one entry for each connection whose protocol is not known yet
	done   sync.WaitGroup
	errc   chan error
}

func newSharedListener(
	ctx context.Context, l net.Listener, config *tls.Config, handshakes int, serveRTMP func(context.Context, net.Conn), defect func(v any),
) *sharedListener {
	ctx, cancel := context.WithCancel(ctx)
	s := &sharedListener{
		Listener: l, config: config, serveRTMP: serveRTMP, defect: defect,
		ctx: ctx, cancel: cancel, conns: make(chan net.Conn), slots: make(chan struct{}, handshakes), errc: make(chan error, 1),
	}
	s.done.Go(s.acceptLoop)
	return s
}

// acceptLoop accepts until the listener is closed. Any other error is a shortage, of file handles for instance, that
// connections which end will ease.
func (s *sharedListener) acceptLoop() {
	const shortest, longest = 5 * time.Millisecond, time.Second
	for pause := shortest; ; {
		select {
		case s.slots <- struct{}{}:
		case <-s.ctx.Done():
			s.errc <- net.ErrClosed
			return
		}
		c, err := s.Listener.Accept()
		if err == nil {
			pause = shortest
			s.done.Go(func() { s.sort(c, sync.OnceFunc(func() { <-s.slots })) })
			continue
		}
		<-s.slots
		if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			s.errc <- err
			return
		}
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
		}
		pause = min(2*pause, longest)
	}
}

// sort finishes the handshake and hands the connection to its protocol. It calls known when that is settled. A panic in it,
// of a certificate's callback for instance, is the end of this connection only.
func (s *sharedListener) sort(raw net.Conn, known func()) {
	defer known()
	defer func() {
		if v := recover(); v != nil {
			s.defect(v)
			_ = raw.Close()
		}
	}()
	c := tls.Server(raw, s.config)
	stop := context.AfterFunc(s.ctx, func() { _ = raw.Close() })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(tlsHandshakeTimeout))
	if err := c.HandshakeContext(s.ctx); err != nil {
		notTLS(err)
		_ = raw.Close()
		return
	}
	strangers.Prove(raw)
	var conn net.Conn = c
	if c.ConnectionState().NegotiatedProtocol == "" {
		var first [1]byte
		if _, err := io.ReadFull(c, first[:]); err != nil {
			_ = c.Close()
			return
		}
		conn = &peekedConn{Conn: c, Reader: io.MultiReader(bytes.NewReader(first[:]), c), state: c.ConnectionState()}
		if first[0] == 0x03 {
			_ = c.SetDeadline(time.Time{})
			known()
			stop() // the RTMP server says goodbye before it closes
			s.serveRTMP(s.ctx, conn)
			return
		}
	}
	_ = c.SetDeadline(time.Time{})
	select {
	case s.conns <- conn:
	case <-s.ctx.Done():
		_ = conn.Close()
	}
}

// Accept returns the next connection that speaks HTTP.
func (s *sharedListener) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case err := <-s.errc:
		s.errc <- err
		return nil, err
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close stops accepting; wait returns when the RTMP connections are done too.
func (s *sharedListener) Close() error {
	s.cancel()
	err := s.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *sharedListener) wait() { s.done.Wait() }

// peekedConn is a TLS connection whose first byte was read ahead.
type peekedConn struct {
	net.Conn
	io.Reader
	state tls.ConnectionState
}

// Read gives the peeked byte first.
func (c *peekedConn) Read(b []byte) (int, error) { return c.Reader.Read(b) }

type tlsStateKey struct{}

// withConnection keeps what requests need of their connection: who is there, and the TLS state of a peeked one, which
// net/http cannot see by itself.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	switch c := c.(type) {
	case *peekedConn:
		return context.WithValue(ctx, tlsStateKey{}, &c.state)
	case *visitor:
		return strangers.With(ctx, c)
	}
	return ctx
}

// restoreTLS sets r.TLS for requests on peeked connections, so that handlers need one test for "is this https".
func restoreTLS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			if st, ok := r.Context().Value(tlsStateKey{}).(*tls.ConnectionState); ok {
				r.TLS = st
			}
		}
		next.ServeHTTP(w, r)
	})
}
