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
)

// tlsHandshakeTimeout bounds the handshake and the wait for the first byte of a connection on a shared TLS listener.
const tlsHandshakeTimeout = 10 * time.Second

// sharedListener splits a TLS port between HTTP and RTMPS, so that one port (usually 443) serves both.
//
// A client that negotiated h2 or http/1.1 by ALPN speaks HTTP. Encoders offer no ALPN and start with the RTMP version
// byte 0x03, which no HTTP request starts with. Accept yields the HTTP connections; RTMP ones go to serveRTMP.
type sharedListener struct {
	net.Listener
	config    *tls.Config
	serveRTMP func(context.Context, net.Conn)

	ctx    context.Context //nolint:containedctx // the listener's own life: net.Listener has no ctx in Accept
	cancel context.CancelFunc
	conns  chan net.Conn
	done   sync.WaitGroup
	errc   chan error
}

func newSharedListener(ctx context.Context, l net.Listener, config *tls.Config, serveRTMP func(context.Context, net.Conn)) *sharedListener {
	ctx, cancel := context.WithCancel(ctx)
	s := &sharedListener{
		Listener: l, config: config, serveRTMP: serveRTMP,
		ctx: ctx, cancel: cancel, conns: make(chan net.Conn), errc: make(chan error, 1),
	}
	s.done.Go(s.acceptLoop)
	return s
}

func (s *sharedListener) acceptLoop() {
	for {
		c, err := s.Listener.Accept()
		if err != nil {
			s.errc <- err
			return
		}
		s.done.Go(func() { s.sort(c) })
	}
}

// sort finishes the handshake and hands the connection to its protocol.
func (s *sharedListener) sort(raw net.Conn) {
	c := tls.Server(raw, s.config)
	stop := context.AfterFunc(s.ctx, func() { _ = raw.Close() })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(tlsHandshakeTimeout))
	if err := c.HandshakeContext(s.ctx); err != nil {
		_ = raw.Close()
		return
	}
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

// Close stops accepting; Wait returns when the RTMP connections are done too.
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

// withTLSState keeps the TLS state of a peeked connection, which net/http cannot see by itself.
func withTLSState(ctx context.Context, c net.Conn) context.Context {
	if p, ok := c.(*peekedConn); ok {
		return context.WithValue(ctx, tlsStateKey{}, &p.state)
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
