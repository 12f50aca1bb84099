package rtctest

import (
	"context"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Relay is a TCP connection's way to the server that can stop: what the server sends then stays in the buffers of the
// connection, as with a client that does not read, while the client's own data goes on, unless the way is cut.
type Relay struct {
	listener net.Listener
	server   string
	group    sync.WaitGroup

	mu       sync.Mutex
	conns    []net.Conn
	down, up chan struct{} // closed while data flows from the server, and to it
	ended    bool
}

// NewRelay makes a relay to a server's "host:port" that lasts as long as the test.
func NewRelay(tb testing.TB, server string) *Relay {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r := &Relay{listener: l, server: server, down: make(chan struct{}), up: make(chan struct{})}
	close(r.down)
	close(r.up)
	r.group.Go(r.accept)
	tb.Cleanup(r.close)
	return r
}

// Addr is where clients connect to.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Redirect lets the TCP candidates of an answer point to the relay, and drops those of UDP.
func (r *Relay) Redirect(sdp string) string {
	_, port, _ := net.SplitHostPort(r.Addr())
	place := regexp.MustCompile(`(?i)^(a=candidate:\S+ \d+ tcp \d+) \S+ \d+`)
	var b strings.Builder
	for line := range strings.Lines(sdp) {
		if strings.HasPrefix(line, "a=candidate:") {
			if line = place.ReplaceAllString(line, "${1} 127.0.0.1 "+port); !strings.Contains(line, "127.0.0.1 "+port) {
				continue
			}
		}
		b.WriteString(line)
	}
	return b.String()
}

// Stall stops what comes from the server, or lets it go on.
func (r *Relay) Stall(stalled bool) { r.gate(&r.down, stalled) }

// Cut stops both directions for good, without a word to either side.
func (r *Relay) Cut() {
	r.gate(&r.down, true)
	r.gate(&r.up, true)
}

func (r *Relay) gate(way *chan struct{}, shut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-*way:
		if shut {
			*way = make(chan struct{})
		}
	default:
		if !shut {
			close(*way)
		}
	}
}

func (r *Relay) flowing(way *chan struct{}) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return *way
}

func (r *Relay) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	r.ended = true
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.gate(&r.down, false)
	r.gate(&r.up, false)
	r.group.Wait()
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := new(net.Dialer).DialContext(context.Background(), "tcp", r.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !r.keep(client, server) {
			return
		}
		r.group.Go(func() { r.carry(client, server, &r.up) })
		r.group.Go(func() { r.carry(server, client, &r.down) })
	}
}

// keep notes connections for close; it closes them when that has been.
func (r *Relay) keep(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		if r.ended {
			_ = c.Close()
		}
		r.conns = append(r.conns, c)
	}
	return !r.ended
}

// carry copies one direction until either side ends, and then ends both.
func (r *Relay) carry(from, to net.Conn, way *chan struct{}) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		<-r.flowing(way)
		n, err := from.Read(buf)
		<-r.flowing(way)
		if err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
