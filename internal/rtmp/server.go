package rtmp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"
)

// Options configures a Server. Zero values mean the defaults in parentheses.
type Options struct {
	Handler Handler      // required
	Logger  *slog.Logger // (discards) one line for every connection that ends

	HandshakeTimeout time.Duration // (10 s) from accept to the publish request, TLS included
	WriteTimeout     time.Duration // (10 s) for the encoder to take an answer
	IdleTimeout      time.Duration // (30 s) without a complete message; Publication.SetIdle changes it
	RefusalDelay     time.Duration // (500 ms, negative: none) before a refused publish is answered

	MaxMessageSize      int // (8 MiB) bytes of one media message
	MaxConnections      int // (4096) open at a time
	MaxConnectionsPerIP int // (512) open at a time from one IPv4 address or one IPv6 /64 network
}

// Stats is what a Server has seen since it was made.
type Stats struct {
	Open       int64 // connections now
	Publishing int64 // accepted publications now
	Accepted   int64 // connections admitted so far
	Refused    int64 // publish requests refused so far
	Turned     int64 // connections turned away at once because a limit was reached
	BytesIn    int64 // read from encoders so far
}

// Server accepts encoders. It is safe for use from many goroutines.
type Server struct{ o Options }

// NewServer returns a server that is ready for Serve and ServeConn.
func NewServer(o Options) *Server { return &Server{o: o} }

// Serve accepts connections from l until ctx ends or accepting fails for good, and returns after the last connection
// that it accepted is done. The error is nil when ctx ended. secure says that l's connections are encrypted.
func (s *Server) Serve(ctx context.Context, l net.Listener, secure bool) error {
	_, _, _ = ctx, l, secure
	return errors.ErrUnsupported
}

// ServeConn serves one connection that the caller has accepted and returns when it is done and closed.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn, secure bool) { _, _, _ = ctx, nc, secure }

// Stats returns the present figures.
func (s *Server) Stats() Stats { return Stats{} }
