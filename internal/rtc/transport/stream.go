package transport

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/rtc/ice"
	"github.com/rivus-live/rivus/internal/strangers"
)

// What a TCP connection may have waiting, and how long its last words may take.
const (
	streamBuffer = 512 << 10
	lastWords    = 200 * time.Millisecond
)

// MaxFrame is the longest frame that is read from a TCP connection.
const MaxFrame = ice.MaxMessage

var errFrame = errors.New("a frame is too long")

// ReadFrame reads a packet from a TCP connection (RFC 4571, section 2) into b and returns its length.
func ReadFrame(r io.Reader, b []byte) (int, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return 0, err //nolint:wrapcheck // the end of a connection
	}
	n := int(binary.BigEndian.Uint16(size[:]))
	if n > len(b) {
		return 0, errFrame
	}
	return io.ReadFull(r, b[:n])
}

// stream is a TCP connection of a peer. What is sent waits in a buffer, so that a slow peer makes nobody wait; what
// does not fit is lost.
type stream struct {
	conn net.Conn
	path ice.Path

	mu      sync.Mutex // guards pending
	pending []byte
	wake    chan struct{}
	ended   chan struct{} // closed when the connection is over
}

// Serve owns a TCP connection whose first frame, which was read already, has to be a check of one of our peers. It
// returns when the connection is over.
func (m *Mux) Serve(c net.Conn, frame []byte) {
	defer m.guard()
	defer func() { _ = c.Close() }()
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	var msg ice.Message
	if !ok || !ice.Parse(frame, &msg) {
		return
	}
	p := m.named(msg.Ufrag())
	if p == nil {
		return
	}
	from := remote.AddrPort()
	s := &stream{
		conn: c, wake: make(chan struct{}, 1), ended: make(chan struct{}),
		path: ice.Path{Addr: netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), Stream: m.streams.Add(1)},
	}
	if !p.message(&msg, s.path, s) {
		return
	}
	strangers.Prove(c)
	var writer sync.WaitGroup
	writer.Go(func() {
		defer p.guard()
		s.run(p)
	})
	s.read(p)
	p.detach(s.path)
	close(s.ended)
	writer.Wait()
}

// read takes frames until the connection fails.
func (s *stream) read(p *Peer) {
	b := make([]byte, MaxFrame)
	for {
		n, err := ReadFrame(s.conn, b)
		if err != nil {
			return
		}
		if !ice.IsMessage(b[:n]) {
			p.packet(b[:n], s.path)
			continue
		}
		var msg ice.Message
		if ice.Parse(b[:n], &msg) {
			p.message(&msg, s.path, s)
		}
	}
}

// run writes what waits, until the connection or the peer ends.
func (s *stream) run(p *Peer) {
	var out []byte
	for over := false; !over; {
		select {
		case <-s.wake:
		case <-s.ended:
			return
		case <-p.gone:
			over = true
			_ = s.conn.SetWriteDeadline(time.Now().Add(lastWords))
		}
		s.mu.Lock()
		out, s.pending = s.pending, out[:0]
		s.mu.Unlock()
		if _, err := s.conn.Write(out); err != nil {
			over = true
		}
	}
	_ = s.conn.Close() // ends the reader
}

// write sends a packet.
func (s *stream) write(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if frame := s.frame(len(b)); frame != nil {
		copy(frame, b)
	}
}

// seal encrypts a packet and sends it.
func (s *stream) seal(gcm cipher.AEAD, iv, b []byte, header int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if frame := s.frame(len(b) + gcmTag); frame != nil {
		seal(frame, gcm, iv, b, header)
	}
}

// frame appends a frame of n bytes and returns it, nil when there is no room. The caller holds the lock.
func (s *stream) frame(n int) []byte {
	begin := len(s.pending)
	if begin+2+n > streamBuffer {
		return nil
	}
	s.pending = slices.Grow(s.pending, 2+n)[:begin+2+n]
	binary.BigEndian.PutUint16(s.pending[begin:], uint16(n))
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return s.pending[begin+2:]
}
