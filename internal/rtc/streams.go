package rtc

import (
	"encoding/binary"
	"net"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/rtc/sendonly"
)

// maxFirstFrame is how long the first frame of a TCP connection may be: it is a check, which has about 100 bytes.
const maxFirstFrame = 512

// streams accepts TCP connections (RFC 6544). The first frame of each tells whose it is: connections of our own peers
// are served, the others are handed to Pion, who sees a listener. No more are accepted than there are slots; others
// wait in the system's queue.
type streams struct {
	net.Listener
	own    *sendonly.Mux
	slots  chan struct{}
	others chan net.Conn
	closed chan struct{}
	once   sync.Once
	group  sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]struct{} // those that were not handed on
}

func newStreams(l net.Listener, own *sendonly.Mux) *streams {
	s := &streams{
		Listener: l, own: own, slots: make(chan struct{}, maxTCPConns), others: make(chan net.Conn),
		closed: make(chan struct{}), open: make(map[net.Conn]struct{}),
	}
	s.group.Go(s.run)
	return s
}

// Accept returns the next connection that is not one of our own peers'.
func (s *streams) Accept() (net.Conn, error) {
	select {
	case c := <-s.others:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close stops accepting, ends what was not handed on, and waits for it.
func (s *streams) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closed)
		err = s.Listener.Close()
		s.mu.Lock()
		for c := range s.open {
			_ = c.Close()
		}
		s.mu.Unlock()
	})
	s.group.Wait()
	return err //nolint:wrapcheck // says what failed
}

// run accepts until the listener fails.
func (s *streams) run() {
	for {
		select {
		case s.slots <- struct{}{}:
		case <-s.closed:
			return
		}
		c, err := s.Listener.Accept()
		if err != nil {
			<-s.slots
			return
		}
		b := &slotted{Conn: c, free: func() { <-s.slots }}
		if s.keep(b) {
			s.group.Go(func() { s.sort(b) })
		}
	}
}

// keep lists a connection, unless everything is closed already.
func (s *streams) keep(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		_ = c.Close()
		return false
	default:
		s.open[c] = struct{}{}
		return true
	}
}

func (s *streams) drop(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// sort reads the first frame of a connection and passes it to whom it is for.
func (s *streams) sort(c net.Conn) {
	defer s.drop(c)
	b := make([]byte, 2+maxFirstFrame)
	_ = c.SetReadDeadline(time.Now().Add(stunPatience))
	n, err := sendonly.ReadFrame(c, b[2:])
	if err != nil {
		_ = c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	if s.own.Owns(b[2 : 2+n]) {
		s.own.Serve(c, b[2:2+n])
		return
	}
	binary.BigEndian.PutUint16(b, uint16(n)) // at most maxFirstFrame
	select {
	case s.others <- &replayed{Conn: c, first: b[:2+n]}:
	case <-s.closed:
		_ = c.Close()
	}
}

// slotted gives its slot back when it is closed.
type slotted struct {
	net.Conn
	free func()
	once sync.Once
}

// Close closes the connection.
func (c *slotted) Close() error {
	c.once.Do(c.free)
	return c.Conn.Close() //nolint:wrapcheck // says what failed
}

// replayed is a connection whose first bytes were read already.
type replayed struct {
	net.Conn
	first []byte
}

// Read returns the first bytes first.
func (c *replayed) Read(b []byte) (int, error) {
	if len(c.first) == 0 {
		return c.Conn.Read(b) //nolint:wrapcheck // io.EOF must stay what it is
	}
	n := copy(b, c.first)
	c.first = c.first[n:]
	return n, nil
}
