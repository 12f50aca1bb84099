package rtc

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/rtc/transport"
)

// maxFirstFrame is how long the first frame of a TCP connection may be: it is a check, which has about 100 bytes.
const maxFirstFrame = 512

// streams accepts TCP connections (RFC 6544), each of which belongs to the peer that its first frame names. No more are
// accepted than there are slots; others wait in the system's queue.
type streams struct {
	listener net.Listener
	peers    *transport.Mux
	slots    chan struct{}
	closed   chan struct{}
	once     sync.Once
	group    sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]struct{}
}

func newStreams(l net.Listener, peers *transport.Mux) *streams {
	s := &streams{
		listener: l, peers: peers, slots: make(chan struct{}, maxTCPConns),
		closed: make(chan struct{}), open: make(map[net.Conn]struct{}),
	}
	s.group.Go(s.run)
	return s
}

// Close stops accepting, ends what is open, and waits for it.
func (s *streams) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closed)
		err = s.listener.Close()
		s.mu.Lock()
		for c := range s.open {
			_ = c.Close()
		}
		s.mu.Unlock()
	})
	s.group.Wait()
	return err //nolint:wrapcheck // says what failed
}

// run accepts until the listener is closed. Any other error is a shortage, of file descriptors for instance, that
// connections which end will ease.
func (s *streams) run() {
	const shortest, longest = 5 * time.Millisecond, time.Second
	for pause := shortest; ; {
		select {
		case s.slots <- struct{}{}:
		case <-s.closed:
			return
		}
		c, err := s.listener.Accept()
		if err == nil && s.keep(c) {
			pause = shortest
			s.group.Go(func() {
				s.serve(c)
				s.drop(c)
				<-s.slots
			})
			continue
		}
		<-s.slots
		if errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case <-time.After(pause):
		case <-s.closed:
			return
		}
		pause = min(2*pause, longest)
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

// serve reads the first frame of a connection and gives it to the peer that it is for, until it is over.
func (s *streams) serve(c net.Conn) {
	b := make([]byte, maxFirstFrame)
	_ = c.SetReadDeadline(time.Now().Add(stunPatience))
	n, err := transport.ReadFrame(c, b)
	if err != nil {
		_ = c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	s.peers.Serve(c, b[:n])
}
