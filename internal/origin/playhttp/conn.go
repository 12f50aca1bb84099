package playhttp

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

const (
	// startBuffer holds the heads of most players; the buffer grows to maxHead for others.
	startBuffer = 2 << 10
	// glance is how long it takes at most to see whether a client has hung up.
	glance = time.Millisecond
)

// conn is a connection that was taken over. Its fields belong to the goroutine that runs it and, while that waits, to
// the patience that looks for a hang-up.
type conn struct {
	server   *Server
	net      net.Conn
	exchange Exchange
	patience *patience
	endWait  func() // patience's, made once

	heads   headParser
	in      []byte    // the buffer of what has come
	unread  int       // how much of it is not part of a request yet
	readBy  time.Time // the read deadline
	writeBy time.Time // the write deadline
	out     []byte    // the head of the answer
	vector  [][]byte  // the answer
	sending net.Buffers
	again   bool // another request may follow
	returns bool // the connection is net/http's again
}

func newConn(s *Server, raw net.Conn, unread []byte) *conn {
	c := &conn{server: s, net: raw, in: make([]byte, max(startBuffer, len(unread)))}
	c.heads = headParser{prefix: s.opt.Prefix, rule: &s.rule, peer: peerOf(raw)}
	c.unread = copy(c.in, unread)
	c.patience = newPatience(c.gone)
	c.endWait = c.patience.end
	return c
}

// peerOf returns the address at the other end of a connection; not valid for one without a network.
func peerOf(raw net.Conn) netip.Addr {
	if a, ok := raw.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// run answers the request that net/http has read and those that follow it.
func (c *conn) run(first Request) {
	defer func() {
		if v := recover(); v != nil { // as net/http does: one request must not end the server
			c.server.panics.Add(1)
			c.server.opt.Logger.Error("playback: a request panicked", "panic", v, "stack", string(debug.Stack()))
		}
		c.patience.stop()
		if !c.returns {
			c.server.removeConn(c)
			_ = c.net.Close() // nothing more is to be said
		}
	}()
	for r, ok := first, true; ok && c.answer(r); {
		r, ok = c.nextRequest()
	}
}

// answer answers a request and reports whether the connection can take another one.
func (c *conn) answer(r Request) bool {
	c.again = false
	c.exchange.begin(r, c)
	c.server.opt.Handle(&c.exchange)
	c.exchange.begin(Request{}, nil) // holds on to no media while it is idle
	return c.again
}

// nextRequest reads a request. It reports false when there is none: the client has gone or is idle for too long, the server
// shuts down, or the request is net/http's.
func (c *conn) nextRequest() (Request, bool) {
	for begun := false; ; {
		if c.unread > 0 {
			r, n, v := c.heads.parse(c.in[:c.unread])
			switch v {
			case accepted:
				c.unread = copy(c.in, c.in[n:c.unread])
				return r, true
			case foreign:
				c.giveBack()
				return Request{}, false
			case partial:
				if !begun {
					begun = true
					c.setReadDeadline(c.server.opt.HeadTimeout)
				}
			}
			if c.unread == len(c.in) {
				c.in = append(make([]byte, 0, maxHead), c.in...)[:maxHead]
			}
		} else if time.Until(c.readBy) < c.server.opt.IdleTimeout*3/4 { // not each time: it is not free
			c.setReadDeadline(c.server.opt.IdleTimeout)
		}
		if c.server.draining.Load() { // looked at after the deadline was set: see Shutdown
			return Request{}, false
		}
		n, err := c.net.Read(c.in[c.unread:])
		c.unread += n
		if n == 0 && err != nil {
			return Request{}, false
		}
	}
}

// setReadDeadline ends a read that takes longer than d. It fails only on a dead connection, which the read tells.
func (c *conn) setReadDeadline(d time.Duration) {
	c.readBy = time.Now().Add(d)
	_ = c.net.SetReadDeadline(c.readBy)
}

// giveBack hands the connection to net/http with what is unread.
func (c *conn) giveBack() {
	c.returns = true
	c.server.removeConn(c)
	_ = c.net.SetDeadline(time.Time{})                                          // fails only on a dead connection
	c.server.giveBack.putConn(c.server.life, &returned{c.net, c.in[:c.unread]}) // the buffer goes with it
}

func (c *conn) context() context.Context { return c.server.life }

func (c *conn) wait(limit time.Duration) (context.Context, func()) {
	c.patience.begin(limit)
	return c.patience, c.endWait
}

// gone reports whether the client has hung up. What it has sent instead of waiting for its answer is kept.
func (c *conn) gone() bool {
	if c.server.life.Err() != nil {
		return true // the connection was cut
	}
	if c.unread == len(c.in) {
		return false
	}
	c.setReadDeadline(glance)
	n, err := c.net.Read(c.in[c.unread:])
	c.unread += n
	return n == 0 && err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// send writes header and body at once.
func (c *conn) send(x *Exchange, status int) (int64, error) {
	last := x.Close || c.server.draining.Load()
	now := time.Now()
	c.out = c.appendHead(c.out[:0], x, status, last, now)
	c.vector = append(c.vector[:0], c.out)
	if x.Method != http.MethodHead {
		c.vector = append(c.vector, x.body...)
	}
	if c.writeBy.Sub(now) < c.server.opt.WriteLimit*3/4 { // not each time: it is not free
		c.writeBy = now.Add(c.server.opt.WriteLimit)
		_ = c.net.SetWriteDeadline(c.writeBy) // fails only on a dead connection
	}
	c.sending = c.vector // which is left in place, empty, while this one is eaten up
	n, err := c.sending.WriteTo(c.net)
	c.again = err == nil && !last
	return max(n-int64(len(c.out)), 0), err
}

func (c *conn) appendHead(b []byte, x *Exchange, status int, last bool, now time.Time) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	b = append(b, "\r\n"...)
	b = append(b, c.server.date.line(now)...)
	for i := range x.fields {
		b = append(b, x.fields[i].line...)
	}
	if n, ok := x.length(status); ok {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, n, 10)
		b = append(b, "\r\n"...)
	}
	if last {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...)
}
