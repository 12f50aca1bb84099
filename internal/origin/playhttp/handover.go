package playhttp

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// handover is the listener that gives connections back to net/http.
type handover struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// putConn gives a connection to whoever accepts, or closes it when nobody does any more or ctx ends.
func (h *handover) putConn(ctx context.Context, c net.Conn) {
	select {
	case h.conns <- c:
		return
	case <-h.closed:
	case <-ctx.Done():
	}
	_ = c.Close() // the server is going down
}

// Accept returns the next connection that came back.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept; what comes back from then on is closed.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr names the listener: it has no address.
func (h *handover) Addr() net.Addr { return nowhere{} }

type nowhere struct{}

func (nowhere) Network() string { return "handover" }
func (nowhere) String() string  { return "handover" }

// returned is a connection that came back, with the bytes that were read and not understood.
type returned struct {
	net.Conn
	unread []byte
}

// Read gives the unread bytes first.
func (r *returned) Read(b []byte) (int, error) {
	if len(r.unread) > 0 {
		n := copy(b, r.unread)
		r.unread = r.unread[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}

// mayTake reports whether the loop would read the request that net/http has read, and go on after it.
func (s *Server) mayTake(r *http.Request) bool {
	return s.taking.Load() && r.TLS == nil && r.ProtoMajor == 1 && r.ProtoMinor == 1 && !r.Close &&
		(r.Method == http.MethodGet || r.Method == http.MethodHead) && r.ContentLength == 0 && len(r.Trailer) == 0 &&
		isOwn(r.RequestURI, s.opt.Prefix)
}

// take takes the connection of a request over and starts its loop with the request. It reports false when the request
// must be answered where it is.
func (s *Server) take(w http.ResponseWriter, r *http.Request) bool {
	if !s.reserve() {
		return false
	}
	raw, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil { // a writer without a connection of its own
		s.running.Done()
		return false
	}
	unread, _ := buffered.Reader.Peek(buffered.Reader.Buffered()) // no more than there is: never fails
	if back, ok := raw.(*returned); ok {
		raw, unread = back.Conn, append(unread[:len(unread):len(unread)], back.unread...)
	}
	c := newConn(s, raw, unread)
	s.addConn(c)
	first := requestOf(r, &s.rule)
	go func() { // Shutdown waits for it
		defer s.running.Done()
		c.run(first)
	}()
	return true
}
