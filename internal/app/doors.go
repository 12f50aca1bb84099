package app

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/config"
	"github.com/rivus-live/rivus/internal/strangers"
)

// reserveMost and reservePart say how many file descriptors are kept for what is not a stranger's connection: records,
// connections that proved themselves, answers to those who already wait.
const (
	reserveMost = 256
	reservePart = 8 // of the limit
)

// sayEvery is how often a shortage that lasts is said in the log.
const sayEvery = time.Minute

// doors are what every listener of the server stands behind. They bound the strangers of each address, refuse new ones
// when file descriptors run out, and outlive failures to accept.
type doors struct {
	counter *strangers.Counter
	most    int // file descriptors of the process; 0: not known
	log     *slog.Logger
	clock   func() time.Time

	turned, short, failed atomic.Int64 // refused for their number, for want of descriptors; failures to accept

	mu   sync.Mutex
	said map[string]time.Time // what was told last, and when
}

func newDoors(c *config.Config, clock func() time.Time, log *slog.Logger) (*doors, error) {
	proxies, err := c.Proxies()
	if err != nil {
		return nil, err
	}
	free := func(a netip.Addr) bool {
		if a.IsLoopback() {
			return true
		}
		for _, p := range proxies {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	return &doors{
		counter: strangers.NewCounter(c.MaxStrangers, free), most: maxDescriptors(),
		log: log, clock: clock, said: map[string]time.Time{},
	}, nil
}

// say writes a line once a minute.
func (d *doors) say(text string, attrs ...any) {
	d.mu.Lock()
	now := d.clock()
	last, told := d.said[text]
	due := !told || now.Sub(last) >= sayEvery
	if due {
		d.said[text] = now
	}
	d.mu.Unlock()
	if due {
		d.log.Warn(text, attrs...) //nolint:sloglint // every caller gives a constant
	}
}

// guard puts a listener behind a door.
func (d *doors) guard(l net.Listener) net.Listener {
	return &door{Listener: l, doors: d, closed: make(chan struct{})}
}

// door is a listener that counts strangers.
type door struct {
	net.Listener
	doors  *doors
	closed chan struct{}
	once   sync.Once
}

// Accept returns the next connection that may come in. It fails only when the listener is closed: any other error is a
// shortage, of file descriptors for instance, that connections which end will ease.
func (d *door) Accept() (net.Conn, error) {
	const shortest, longest = 5 * time.Millisecond, time.Second
	for pause := shortest; ; {
		c, err := d.Listener.Accept()
		if err == nil {
			pause = shortest
			if c := d.doors.admit(c); c != nil {
				return c, nil
			}
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, err //nolint:wrapcheck // net/http compares it
		}
		d.doors.failed.Add(1)
		d.doors.say("connections cannot be accepted", "address", d.Addr().String(), "error", err, "so_far", d.doors.failed.Load())
		select {
		case <-time.After(pause):
		case <-d.closed:
			return nil, net.ErrClosed
		}
		pause = min(2*pause, longest)
	}
}

// Close ends Accept.
func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Listener.Close() //nolint:wrapcheck // says what failed
}

// admit lets a connection in, or closes it and returns nil. A new connection has the lowest number that is free, so a
// high one says that nearly all are taken.
func (d *doors) admit(c net.Conn) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c // of a test
	}
	remote, ok := tcp.RemoteAddr().(*net.TCPAddr)
	if !ok { // it is gone already
		_ = tcp.Close()
		return nil
	}
	from := remote.AddrPort().Addr()
	if d.most > 0 && !d.counter.Free(from) && descriptor(tcp) >= d.most-min(reserveMost, d.most/reservePart) {
		d.say("strangers are refused: the file descriptors of the process are nearly used up", "limit", d.most, "so_far", d.short.Add(1))
		_ = tcp.Close()
		return nil
	}
	visit := d.counter.Enter(from)
	if visit == nil {
		d.say("strangers are refused: too many connections of one address have proved nothing yet", "address", from.String(), "so_far", d.turned.Add(1))
		_ = tcp.Close()
		return nil
	}
	return &visitor{TCPConn: tcp, visit: visit}
}

// descriptor returns the number of a connection's file descriptor, -1 when it has none any more.
func descriptor(c *net.TCPConn) int {
	number := -1
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { number = int(fd) })
	}
	return number
}

// visitor is a connection that is a stranger's until Prove. It embeds the connection itself and not its interface: what
// the system can do for a TCP connection, such as to write many buffers at once, is found by its methods.
type visitor struct {
	*net.TCPConn
	visit *strangers.Visit
}

// Prove tells that the other end has proved something.
func (v *visitor) Prove() { v.visit.End() }

// Close closes the connection.
func (v *visitor) Close() error {
	v.visit.End()
	return v.TCPConn.Close() //nolint:wrapcheck // it is the connection
}

// proveRequests ends the time of a stranger with its first complete request: when it has come, or when it is answered if
// it has a body. A socket proves itself by its token.
func proveRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
			next.ServeHTTP(w, r)
			return
		case r.ContentLength == 0:
			strangers.ProveRequest(r.Context())
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
		strangers.ProveRequest(r.Context())
	})
}
