// Package wsock is the server's end of WebSockets that carry text messages both ways: what every socket needs that strangers
// hold the other end of, and nothing of what is said on it.
//
// A Socket is a bounded queue with a way out. Whoever has something to say calls Send, which never waits; the same bytes may
// go to any number of sockets. Whoever has had enough calls Close, and the client is told why before the connection ends: by
// a last message, and by the close code. Serve runs the socket on a connection (Accept): it writes what is queued, asks
// whether the client is still there, and hands on what the client says within its limits. It returns a bounded time after
// the end, whatever the client does.
//
// Imports: nothing of Rivus.
package wsock

import (
	"cmp"
	"sync"
	"time"
	"unicode/utf8"
)

// Defaults of Timing.
const (
	DefaultPing    = 4 * time.Second
	DefaultSilence = 4 * time.Second
	DefaultWrite   = 5 * time.Second
	DefaultGoodbye = 2 * time.Second
)

// Timing is how long a client is waited for; 0 stands for the default of each.
type Timing struct {
	Ping    time.Duration // between pings of ours
	Silence time.Duration // for the answer to one
	Write   time.Duration // for the client to take a message
	Goodbye time.Duration // from Close to the end of the connection
}

func (t Timing) orDefault() Timing {
	return Timing{
		Ping: cmp.Or(t.Ping, DefaultPing), Silence: cmp.Or(t.Silence, DefaultSilence),
		Write: cmp.Or(t.Write, DefaultWrite), Goodbye: cmp.Or(t.Goodbye, DefaultGoodbye),
	}
}

// Options says what a socket bears, and what a client is told that goes beyond it. Queue and Message are required.
type Options struct {
	Queue   int // messages that wait for a client; one more closes the socket
	Message int // bytes of a message of the client
	Rate    int // messages a second of the client; 0: any number

	Slow   Farewell // to a client that does not read
	Unfit  Farewell // to one that sends what is no message, one that is too long, or too many
	Broken Farewell // to one whose message made the server panic

	// Panicked is told of a panic in what a message led to, which ends the socket and nothing else. nil: panics are not caught.
	Panicked func(v any)

	Timing Timing
}

// Farewell is what a client is told at the end.
type Farewell struct {
	Code    int    // of the close frame (RFC 6455, section 7.4)
	Reason  string // in the close frame, as much of it as fits (section 5.5)
	Message []byte // sent before; nil: none
}

// longestReason is what a control frame has room for beside the code, in bytes.
const longestReason = 125 - 2

// shortReason returns the reason as the close frame has it, whole characters of it.
func (f Farewell) shortReason() string {
	s := f.Reason
	if len(s) <= longestReason {
		return s
	}
	end := longestReason
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// Socket is one client's socket. It is safe for use from many goroutines, and may be sent to and closed before it has a
// connection.
type Socket struct {
	opt     Options
	out     chan []byte
	closing chan struct{} // closed with why set

	mu      sync.Mutex
	closed  bool
	why     Farewell
	dropped bool        // what is queued is not worth waiting for
	conn    *Conn       // nil before Serve and after
	late    *time.Timer // cuts conn off; nil until conn is there and the socket closed
}

// New returns a socket without a connection.
func New(o Options) *Socket {
	o.Timing = o.Timing.orDefault()
	return &Socket{opt: o, out: make(chan []byte, o.Queue), closing: make(chan struct{})}
}

// Send queues a message, which nobody changes from then on. A client that has as many waiting as it may is let go.
func (s *Socket) Send(b []byte) {
	select {
	case s.out <- b:
	default:
		s.close(s.opt.Slow, true)
	}
}

// Take takes the oldest message that waits; false when none does.
func (s *Socket) Take() (b []byte, ok bool) {
	select {
	case b = <-s.out:
		return b, true
	default:
		return nil, false
	}
}

// Close ends the socket: what is queued goes out first, and why last. The first Close counts. It does not wait.
func (s *Socket) Close(why Farewell) { s.close(why, false) }

func (s *Socket) close(why Farewell, dropped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed, s.why, s.dropped = true, why, dropped
	close(s.closing)
	s.limitGoodbye()
}

// Closed reports whether the socket is being closed, or has been.
func (s *Socket) Closed() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// limitGoodbye has the connection cut off when the goodbye has taken too long. The caller holds the lock.
func (s *Socket) limitGoodbye() {
	if s.closed && s.conn != nil && s.late == nil {
		s.late = time.AfterFunc(s.opt.Timing.Goodbye, s.conn.cut)
	}
}

// bind gives the socket its connection, nil to take it away.
func (s *Socket) bind(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = c
	if c == nil && s.late != nil {
		s.late.Stop()
	}
	s.limitGoodbye()
}
