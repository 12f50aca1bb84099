package rtctest

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// Link is the access link of one machine: everything that its clients send and receive over UDP goes through it, so that
// they share a bottleneck. What it does is drawn from a seed; when, is up to the machine that runs the test.
type Link struct {
	down, up *wire
	conns    sync.WaitGroup
}

// NewLink makes a link that lasts as long as the test, with its shapes from the server to the client and back.
func NewLink(tb testing.TB, seed uint64, down, up Shape) *Link {
	tb.Helper()
	l := &Link{down: newWire(seed, down), up: newWire(seed+1, up)}
	tb.Cleanup(func() { // the clients were closed before: they began later
		l.down.stop()
		l.up.stop()
		l.conns.Wait()
	})
	return l
}

// Apply returns the setting that puts a client behind the link, for Options.Settings.
func (l *Link) Apply(tb testing.TB) func(*webrtc.SettingEngine) {
	tb.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	_ = udp.SetReadBuffer(4 << 20) // the link alone decides what is lost
	c := &linkConn{udp: udp, link: l, inbox: make(chan datagram, linkInbox), closed: make(chan struct{})}
	l.conns.Go(c.receive)
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: c})
	tb.Cleanup(func() { _ = mux.Close() })
	return func(s *webrtc.SettingEngine) { s.SetICEUDPMux(mux) }
}

// SetDown changes the way from the server, at once.
func (l *Link) SetDown(s Shape) { l.down.change(s) }

// SetUp changes the way to the server.
func (l *Link) SetUp(s Shape) { l.up.change(s) }

// Cut loses everything in both directions until the next SetDown and SetUp.
func (l *Link) Cut() {
	l.SetDown(Shape{Loss: 1})
	l.SetUp(Shape{Loss: 1})
}

// Down returns what the way from the server has done so far.
func (l *Link) Down() Counts { return l.down.count() }

// Up returns what the way to the server has done so far.
func (l *Link) Up() Counts { return l.up.count() }

// wire runs a pipe in real time.
type wire struct {
	begin time.Time
	wake  chan struct{}
	quit  chan struct{}
	done  sync.WaitGroup

	mu   sync.Mutex
	pipe *pipe
}

func newWire(seed uint64, s Shape) *wire {
	w := &wire{begin: time.Now(), wake: make(chan struct{}, 1), quit: make(chan struct{}), pipe: newPipe(seed, s)}
	w.done.Go(w.run)
	return w
}

func (w *wire) now() time.Duration { return time.Since(w.begin) }

func (w *wire) stop() {
	close(w.quit)
	w.done.Wait()
}

// do works on the pipe, and lets the goroutine look at it again.
func (w *wire) do(fn func(p *pipe, now time.Duration)) {
	w.mu.Lock()
	fn(w.pipe, w.now())
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *wire) change(s Shape) { w.do(func(p *pipe, now time.Duration) { p.change(now, s) }) }

func (w *wire) push(b []byte, carry func([]byte)) {
	w.do(func(p *pipe, now time.Duration) { p.push(now, b, carry) })
}

func (w *wire) count() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pipe.counts
}

// run delivers packets when it is their time.
func (w *wire) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait, arrived := w.take()
		for _, a := range arrived {
			a.carry(a.data)
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-w.wake:
		case <-w.quit:
			return
		}
	}
}

// take returns what has arrived, and how long nothing more will.
func (w *wire) take() (wait time.Duration, arrived []parcel) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	for {
		p, ok := w.pipe.pop(now)
		if !ok {
			break
		}
		arrived = append(arrived, p)
	}
	if at, ok := w.pipe.next(); ok {
		return max(0, at-now), arrived
	}
	return time.Hour, arrived
}

// linkInbox is how many packets wait for a client that is slow to read, as in a socket's buffer.
const linkInbox = 4096

type datagram struct {
	data []byte
	from net.Addr
}

// linkConn is a client's socket behind a link.
type linkConn struct {
	udp    *net.UDPConn
	link   *Link
	inbox  chan datagram
	closed chan struct{}
	once   sync.Once
}

var _ net.PacketConn = (*linkConn)(nil)

// receive puts what the socket gets on the link.
func (c *linkConn) receive() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := c.udp.ReadFrom(buf)
		if err != nil {
			return
		}
		c.link.down.push(append([]byte(nil), buf[:n]...), func(b []byte) {
			select {
			case c.inbox <- datagram{b, from}:
			default:
			}
		})
	}
}

// ReadFrom returns the next packet that came through the link.
func (c *linkConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-c.inbox:
		return copy(b, d.data), d.from, nil
	case <-c.closed:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo puts a packet on the link.
func (c *linkConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.link.up.push(append([]byte(nil), b...), func(b []byte) { _, _ = c.udp.WriteTo(b, to) })
	return len(b), nil
}

// Close ends the socket.
func (c *linkConn) Close() error {
	var err error
	c.once.Do(func() {
		close(c.closed)
		err = c.udp.Close()
	})
	return err //nolint:wrapcheck // of a test
}

// LocalAddr is where the client is.
func (c *linkConn) LocalAddr() net.Addr { return c.udp.LocalAddr() }

// SetDeadline, SetReadDeadline and SetWriteDeadline do nothing: who waits is ended by Close.
func (c *linkConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (c *linkConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (c *linkConn) SetWriteDeadline(time.Time) error { return nil }
