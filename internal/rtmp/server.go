package rtmp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/rtmp/chunk"
)

// Options configures a Server. Zero values mean the defaults in parentheses.
type Options struct {
	Handler Handler      // required
	Logger  *slog.Logger // (discards) one line for a connection that ends, unless too many come to nothing

	HandshakeTimeout time.Duration // (10 s) from accept to the publish request, TLS included
	WriteTimeout     time.Duration // (10 s) for the encoder to take an answer
	IdleTimeout      time.Duration // (30 s) without a complete message; Publication.SetIdle changes it
	RefusalDelay     time.Duration // (500 ms, negative: none) before a refused publish is answered

	MaxMessageSize      int // (8 MiB) bytes of one media message
	MaxConnections      int // (4096) open at a time
	MaxConnectionsPerIP int // (512) open at a time from one IPv4 address or one IPv6 /64 network
}

// withDefaults fills in zero values.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, 10*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 10*time.Second)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 30*time.Second)
	o.RefusalDelay = cmp.Or(o.RefusalDelay, 500*time.Millisecond)
	o.MaxMessageSize = cmp.Or(o.MaxMessageSize, 8<<20)
	o.MaxConnections = cmp.Or(o.MaxConnections, 4096)
	o.MaxConnectionsPerIP = cmp.Or(o.MaxConnectionsPerIP, 512)
	return o
}

// Stats is what a Server has seen since it was made.
type Stats struct {
	Open       int64 // connections now
	Publishing int64 // accepted publications now
	Accepted   int64 // connections admitted so far
	Refused    int64 // publish requests refused so far
	Turned     int64 // connections turned away at once because a limit was reached
	BytesIn    int64 // read from encoders so far
	Panics     int64 // connections ended by a defect of the server
}

// maxRefusals is how many refused publish requests wait for their answer at a time. Beyond that the connection is
// dropped without one, so that guessing keys in parallel is no faster.
const maxRefusals = 256

// Server accepts encoders. It is safe for use from many goroutines.
type Server struct {
	o        Options
	gate     *gate
	refusals chan struct{} // holds one entry for each refusal that waits
	hush     hush

	publishing, accepted, refused, turned, bytesIn, panics atomic.Int64
}

// NewServer returns a server that is ready for Serve and ServeConn.
func NewServer(o Options) *Server {
	o = o.withDefaults()
	return &Server{
		o:        o,
		gate:     newGate(o.MaxConnections, o.MaxConnectionsPerIP),
		refusals: make(chan struct{}, maxRefusals),
	}
}

// Stats returns the present figures.
func (s *Server) Stats() Stats {
	return Stats{
		Open:       s.gate.count(),
		Publishing: s.publishing.Load(),
		Accepted:   s.accepted.Load(),
		Refused:    s.refused.Load(),
		Turned:     s.turned.Load(),
		BytesIn:    s.bytesIn.Load(),
		Panics:     s.panics.Load(),
	}
}

// Serve accepts connections from l until ctx ends or accepting fails for good, and returns after the last connection
// that it accepted is done; l is closed then. The error is nil when ctx ended. secure says that l's connections are
// encrypted.
func (s *Server) Serve(ctx context.Context, l net.Listener, secure bool) error {
	ctx, cancel := context.WithCancel(ctx)
	var connections sync.WaitGroup
	var closing sync.WaitGroup
	closing.Go(func() {
		<-ctx.Done()
		_ = l.Close() // wakes Accept; there is nothing to do about an error
	})
	err := s.accept(ctx, l, func(nc net.Conn) {
		connections.Go(func() { s.ServeConn(ctx, nc, secure) })
	})
	cancel()
	connections.Wait()
	closing.Wait()
	return err
}

// accept hands connections to serve until ctx ends or accepting fails for good.
func (s *Server) accept(ctx context.Context, l net.Listener, serve func(net.Conn)) error {
	const shortest, longest = 5 * time.Millisecond, time.Second
	pause := shortest
	for ctx.Err() == nil {
		nc, err := l.Accept()
		if err == nil {
			pause = shortest
			serve(nc)
			continue
		}
		if ctx.Err() == nil && errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("rtmp: accept: %w", err)
		}
		// Otherwise we stop, or we are out of file handles: connections that end will help then.
		s.o.Logger.LogAttrs(ctx, slog.LevelDebug, "rtmp accept failed", slog.Any("error", err))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, longest)
	}
	return nil
}

// ServeConn serves one connection that the caller has accepted and returns when it is done and closed. The connection
// may be a *tls.Conn before its handshake.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn, secure bool) {
	c := &conn{server: s, nc: nc, secure: secure, remote: remoteOf(nc)}
	if !s.gate.enter(c.remote.Addr()) {
		if n := s.turned.Add(1); n&(n-1) == 0 { // a flood must not flood the log: the 1st, 2nd, 4th, 8th, …
			s.o.Logger.LogAttrs(ctx, slog.LevelWarn, "rtmp connection turned away, too many are open", slog.Int64("so_far", n))
		}
		_ = nc.Close()
		return
	}
	defer s.gate.leave(c.remote.Addr())
	s.accepted.Add(1)

	var watching sync.WaitGroup
	watching.Add(1)
	stop := context.AfterFunc(ctx, func() {
		defer watching.Done()
		c.end(&Rejection{CodeShutdown, "the server is shutting down"})
	})
	begun := time.Now()
	p, err := c.guarded(ctx, begun)
	reason := c.reason(p, err) // before the server stops, which would be the reason then
	if c.farewell(ctx, p, err) {
		c.hangUp()
	} else {
		_ = nc.Close() // there is nobody left to tell
	}
	if stop() {
		watching.Done()
	}
	watching.Wait()
	if p != nil && p.accepted {
		s.publishing.Add(-1)
	}
	c.log(ctx, p, reason, time.Since(begun))
}

// guarded is serve. A panic in it, the handler's included, is the end of this connection only; its state is not used any
// more but for the last words.
func (c *conn) guarded(ctx context.Context, begun time.Time) (p *Publication, err error) {
	defer func() {
		if v := recover(); v != nil {
			c.server.panics.Add(1)
			c.server.o.Logger.LogAttrs(ctx, slog.LevelError, "rtmp: a panic ended a connection", slog.Any("panic", v),
				slog.String("remote", c.remote.String()), slog.String("stack", string(debug.Stack())))
			p, err = c.publication, errDefect
			c.out = nil // may be half a message
		}
	}()
	return c.serve(ctx, begun)
}

var errDefect = errors.New("a defect of the server")

// serve takes the connection from its first byte to the end of its publication, if it comes to one.
func (c *conn) serve(ctx context.Context, begun time.Time) (*Publication, error) {
	o := &c.server.o
	c.deadline = begun.Add(o.HandshakeTimeout)
	if err := c.nc.SetWriteDeadline(c.deadline); err != nil { // a TLS handshake writes on its own
		return nil, err
	}
	if err := c.armAt(c.deadline); err != nil {
		return nil, err
	}
	if err := handshake(c); err != nil {
		return nil, err
	}
	c.in = chunk.NewReader(c, smallBuffer, chunk.Limits{
		MaxMedia: smallMessage, MaxOther: smallMessage, MaxPending: 2 * smallMessage, MaxStreams: maxStreams,
	})
	s := session{conn: c}
	p, err := s.awaitPublish()
	if err != nil {
		return p, err
	}
	c.publication = p
	return p, o.Handler.Publish(ctx, p)
}

// remoteOf returns the address of the peer, the zero value when it is not one of TCP.
func remoteOf(nc net.Conn) netip.AddrPort {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
