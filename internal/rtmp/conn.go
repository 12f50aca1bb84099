package rtmp

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/rtmp/chunk"
)

const (
	smallBuffer   = 4 << 10  // read buffer of a connection that has not earned more
	mediaBuffer   = 32 << 10 // read buffer of a publication: most frames arrive with one read
	smallMessage  = 64 << 10 // largest message before a publication is accepted
	scriptMessage = 256 << 10
	maxStreams    = 64 // chunk streams of a connection; encoders use three to eight

	sendChunkSize = 4096
	window        = 2_500_000 // what servers of this kind usually announce
	minWindow     = 16 << 10  // asking for more acknowledgements than this would only burn time

	closeTimeout = time.Second // for the encoder to read the last words and hang up
)

// Event types of user control messages (Adobe RTMP 1.0, section 7.1.7).
const (
	eventStreamBegin  = 0
	eventPingRequest  = 6
	eventPingResponse = 7
)

// conn is one connection. All of it belongs to the goroutine that serves it, except for what end touches.
type conn struct {
	server *Server
	nc     net.Conn
	secure bool
	remote netip.AddrPort
	in     *chunk.Reader
	out    []byte // answers that are not written yet

	publication *Publication // nil until there is a request to publish

	deadline time.Time // when waiting for the encoder ends
	armed    time.Time // the read deadline that is set on nc; not after deadline
	arrived  time.Time // when nc last gave bytes
	received uint64    // bytes that nc gave
	acked    uint64    // received, as the last acknowledgement said
	window   uint64    // bytes between acknowledgements; 0 until the encoder wants any

	threshold *threshold // nil until the connection publishes, and where there is none
	batch     batcher
	drained   bool // the last read took all there was: the next one will have to wait

	ended atomic.Pointer[Rejection] // why the server wants this connection to end; nil while it does not
}

// Read gives bytes of the socket to the handshake and the chunk reader. It waits until the deadline of the connection,
// however often that has moved since the socket was told, and acknowledges what has come.
func (c *conn) Read(p []byte) (int, error) {
	if c.threshold != nil && c.drained {
		if err := c.expect(); err != nil {
			return 0, err
		}
	}
	for {
		n, err := c.nc.Read(p)
		if n > 0 {
			c.arrived = time.Now()
			c.drained = n < len(p)
			c.received += uint64(n)
			c.server.bytesIn.Add(int64(n))
			return n, c.acknowledge()
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
		if r := c.ended.Load(); r != nil {
			return 0, r
		}
		if !time.Now().Before(c.deadline) {
			return 0, os.ErrDeadlineExceeded
		}
		if c.threshold != nil {
			c.threshold.wait(1)
		}
		if err := c.armAt(c.deadline); err != nil {
			return 0, err
		}
	}
}

// expect tells the kernel what is worth waking up for.
func (c *conn) expect() error {
	if n := c.in.Missing(); n > 0 {
		c.threshold.wait(min(n, thresholdMost))
		return nil
	}
	n := c.batch.between()
	c.threshold.wait(n)
	if n == 1 {
		return nil
	}
	wake := time.Now().Add(batchTime)
	if wake.After(c.deadline) {
		wake = c.deadline
	}
	return c.armAt(wake)
}

// Write sends p within the write timeout.
func (c *conn) Write(p []byte) (int, error) {
	timeout := c.server.o.WriteTimeout
	if c.ended.Load() != nil {
		timeout = closeTimeout
	}
	if err := c.nc.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	if timeout != closeTimeout && c.ended.Load() != nil { // end came in between, and its shorter deadline was undone
		if err := c.nc.SetWriteDeadline(time.Now().Add(closeTimeout)); err != nil {
			return 0, err
		}
	}
	return c.nc.Write(p)
}

// armAt sets the read deadline of the socket, which is not after c.deadline.
func (c *conn) armAt(t time.Time) error {
	if err := c.nc.SetReadDeadline(t); err != nil {
		return err
	}
	c.armed = t
	if c.ended.Load() != nil { // end came in between, and its deadline was undone
		return c.nc.SetReadDeadline(time.Unix(1, 0))
	}
	return nil
}

// end makes the connection end with these words, from any goroutine. The first call decides. It wakes the goroutine of
// the connection, which then says them: only that one writes.
func (c *conn) end(r *Rejection) {
	if c.ended.CompareAndSwap(nil, r) {
		// Errors mean that the socket is closed, which is what this is for.
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
		_ = c.nc.SetWriteDeadline(time.Now().Add(closeTimeout))
	}
}

// flush writes the answers.
func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.Write(c.out)
	c.out = c.out[:0]
	return err
}

// acknowledge tells the encoder how much has come, once a window is full. An encoder that has not announced a window gets
// none (Adobe RTMP 1.0, section 5.4.4): librtmp, for one, does not read while it publishes, and a socket that is closed
// with our bytes unread in it takes back what the encoder sent last.
func (c *conn) acknowledge() error {
	if c.window == 0 || c.received-c.acked < c.window {
		return nil
	}
	c.acked = c.received
	c.out = appendControl(c.out, chunk.TypeAck, uint32(c.received))
	return c.flush()
}

// next returns the next message that is not about the connection itself.
func (c *conn) next() (chunk.Message, error) {
	for {
		m, err := c.in.Next()
		if err != nil {
			return chunk.Message{}, err
		}
		switch m.Type {
		case chunk.TypeUserControl:
			err = c.userControl(m.Payload)
		case chunk.TypeWindowAckSize:
			if len(m.Payload) == 4 {
				c.window = min(max(uint64(binary.BigEndian.Uint32(m.Payload)), minWindow), window)
			}
		case chunk.TypeAck, chunk.TypeSetPeerBandwidth:
			// What we send is too little to count.
		default:
			return m, nil
		}
		if err != nil {
			return chunk.Message{}, err
		}
	}
}

// userControl answers a ping.
func (c *conn) userControl(payload []byte) error {
	if len(payload) < 6 || binary.BigEndian.Uint16(payload) != eventPingRequest {
		return nil
	}
	c.out = appendEvent(c.out, eventPingResponse, binary.BigEndian.Uint32(payload[2:]))
	return c.flush()
}

// hangUp closes the connection in a way that lets the encoder read what was written last: closing a socket with unread
// bytes in it would reset the connection, and the encoder would drop our words with everything else.
func (c *conn) hangUp() {
	defer func() { _ = c.nc.Close() }() // there is nobody left to tell
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if c.nc.SetReadDeadline(time.Now().Add(closeTimeout)) != nil {
		return
	}
	scratch := make([]byte, smallBuffer)
	for {
		if _, err := c.nc.Read(scratch); err != nil {
			return
		}
	}
}

func appendControl(dst []byte, kind uint8, value uint32) []byte {
	m := chunk.Message{Type: kind, Payload: binary.BigEndian.AppendUint32(nil, value)}
	return chunk.Format{Size: sendChunkSize}.Append(dst, controlStream, m)
}

func appendEvent(dst []byte, event uint16, value uint32) []byte {
	payload := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, event), value)
	m := chunk.Message{Type: chunk.TypeUserControl, Payload: payload}
	return chunk.Format{Size: sendChunkSize}.Append(dst, controlStream, m)
}

var _ io.ReadWriter = (*conn)(nil)
