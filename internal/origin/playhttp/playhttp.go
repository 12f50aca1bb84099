// Package playhttp carries playback requests and answers: over net/http, and over plain HTTP/1.1 connections that it
// takes over from net/http and serves with a request loop of its own.
//
// A low-latency viewer asks ten times a second for bytes that a thousand others get too. What net/http adds to each
// request (a second goroutine that reads ahead, header maps, buffers that are copied, timers) costs more than sending the
// bytes. The loop here has one goroutine a connection, allocates one string a request, and sends header and body with
// one system call.
//
// It understands one narrow form of request (see headParser): GET or HEAD of a path below a prefix, without a body. Every
// other request, malformed ones included, goes back to net/http together with the connection and every byte from the
// request's first on. So odd requests are judged in one place only, and no request is read in two ways. Connections
// with TLS, HTTP/2 and HTTP/1.0 stay with net/http. Handlers see no difference but one: that a viewer has hung up is
// known after a second of waiting, not at once.
//
// The owner of a Server calls Shutdown, which returns after the last goroutine.
//
// Imports: publicurl.
package playhttp

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/publicurl"
)

// Defaults of Options.
const (
	DefaultWriteLimit  = 30 * time.Second
	DefaultIdleTimeout = 2 * time.Minute
	DefaultHeadTimeout = 10 * time.Second
)

// Options configures a Server. Prefix and Handle are required.
type Options struct {
	// Prefix begins the paths that the request loop answers.
	Prefix string
	// Handle answers a request by one call of Exchange.Send, or leaves a client that hung up without an answer. It must
	// not keep the Exchange. It is called for any number of requests at once.
	Handle func(*Exchange)
	// WriteLimit is how long a client may take at most to read one answer; it is given three quarters of it at least.
	// Zero means DefaultWriteLimit.
	WriteLimit time.Duration
	// IdleTimeout is how long a connection may stay without a request, within the same bounds. Zero means DefaultIdleTimeout.
	IdleTimeout time.Duration
	// HeadTimeout is how long a request's head may take from its first byte. Zero means DefaultHeadTimeout.
	HeadTimeout time.Duration
	// Proxies are those whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	// Logger is told of a Handle that panics; nil discards.
	Logger *slog.Logger
}

// Server is an http.Handler that answers with Options.Handle, and the owner of the connections it took over.
type Server struct {
	opt       Options
	rule      publicurl.Rule
	giveBack  *handover
	taking    atomic.Bool
	draining  atomic.Bool
	panics    atomic.Int64
	exchanges sync.Pool // of net/http's requests
	date      dateCache

	life context.Context // what requests of the loop live in, until Shutdown has lost its patience
	cut  context.CancelFunc

	running sync.WaitGroup
	mu      sync.Mutex
	conns   map[*conn]struct{}
}

// New returns a Server. It takes no connection over before TakeOver is called.
func New(o Options) *Server {
	if o.WriteLimit == 0 {
		o.WriteLimit = DefaultWriteLimit
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = DefaultIdleTimeout
	}
	if o.HeadTimeout == 0 {
		o.HeadTimeout = DefaultHeadTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{opt: o, rule: publicurl.Rule{Proxies: o.Proxies}, giveBack: newHandover(), conns: map[*conn]struct{}{}}
	s.life, s.cut = context.WithCancel(context.Background())
	return s
}

// TakeOver makes the Server take plain connections over from now on. The listener yields those that it gives back: the
// http.Server that calls ServeHTTP must serve it beside its port, and closes it when it shuts down.
func (s *Server) TakeOver() net.Listener {
	s.taking.Store(true)
	return s.giveBack
}

// ServeHTTP answers a request, or takes its connection over and lets the request loop answer it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.mayTake(r) && s.take(w, r) {
		return
	}
	x, ok := s.exchanges.Get().(*Exchange)
	if !ok {
		x = &Exchange{}
	}
	x.begin(requestOf(r, &s.rule), &standard{w: w, r: r, limit: s.opt.WriteLimit})
	s.opt.Handle(x)
	x.begin(Request{}, nil) // holds on to nothing
	s.exchanges.Put(x)
}

// Panics returns how many requests of the loop have panicked. Those that net/http carries it handles itself.
func (s *Server) Panics() int64 { return s.panics.Load() }

// Shutdown takes no more connections over, closes those that are idle and lets the others finish their answers, as
// http.Server.Shutdown does. When ctx ends it cuts the rest. It returns ctx's error if it came to that, and always after
// the last goroutine; those that wait for something notice the cut within a second.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	for c := range s.conns {
		_ = c.net.SetReadDeadline(time.Unix(1, 0)) // ends the wait for a request; fails only on a dead connection
	}
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, s.closeAll)
	s.running.Wait()
	if !stop() {
		return ctx.Err()
	}
	s.cut()
	return nil
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut()
	for c := range s.conns {
		_ = c.net.Close() // it is cut, not ended
	}
}

// reserve announces a goroutine to Shutdown. It reports false when the server is shutting down.
func (s *Server) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.running.Add(1)
	return true
}

func (s *Server) addConn(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
	if s.life.Err() != nil {
		_ = c.net.Close() // it came too late
	}
}

func (s *Server) removeConn(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}
