package wsock

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Serve runs the socket on a connection until the client is gone, the socket is closed and its farewell said, or ctx is
// done. take is called with one message of the client after the other and keeps nothing of it; false for one that is no
// message. Nothing of the socket runs any more when Serve has returned. Call it once.
func (s *Socket) Serve(ctx context.Context, c *Conn, take func(ctx context.Context, b []byte) bool) {
	s.bind(c)
	defer s.bind(nil)
	ctx, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	for _, part := range [...]func(context.Context, *Conn){s.write, s.ping} {
		group.Go(func() {
			defer stop()
			defer s.guard()
			part(ctx, c)
		})
	}
	defer s.guard()
	s.receive(ctx, c, take)
}

// guard, deferred, makes a panic the end of the socket.
func (s *Socket) guard() {
	if s.opt.Panicked == nil {
		return
	}
	if v := recover(); v != nil {
		s.opt.Panicked(v)
		s.Close(s.opt.Broken)
	}
}

// write sends what is queued until the socket is closed or the client is gone.
func (s *Socket) write(ctx context.Context, c *Conn) {
	for {
		select {
		case b := <-s.out:
			if c.write(ctx, b, s.opt.Timing.Write) != nil {
				return
			}
		case <-s.closing:
			s.leave(ctx, c)
			return
		case <-ctx.Done():
			return
		}
	}
}

// leave sends what is still queued, and says goodbye.
func (s *Socket) leave(ctx context.Context, c *Conn) {
	s.mu.Lock()
	why, dropped := s.why, s.dropped
	s.mu.Unlock()
	for !dropped {
		b, ok := s.Take()
		if !ok {
			break
		}
		if c.write(ctx, b, s.opt.Timing.Goodbye) != nil {
			return
		}
	}
	c.bid(ctx, why, s.opt.Timing.Goodbye)
}

// ping finds out whether the client is still there. What the client is to be told does not wait for its answers.
func (s *Socket) ping(ctx context.Context, c *Conn) {
	every := time.NewTicker(s.opt.Timing.Ping)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			if c.ping(ctx, s.opt.Timing.Silence) != nil {
				return
			}
		case <-s.closing: // write says goodbye, and has its time
			<-ctx.Done()
			return
		case <-ctx.Done():
			return
		}
	}
}

// receive takes messages until the connection ends. While the socket says goodbye they come too late: they are passed over,
// for the client's own close frame is behind them.
func (s *Socket) receive(ctx context.Context, c *Conn, take func(context.Context, []byte) bool) {
	window, count := time.Now(), 0
	for {
		kind, reader, err := c.ws.Reader(ctx)
		if err != nil {
			return
		}
		b, err := io.ReadAll(io.LimitReader(reader, int64(s.opt.Message)+1))
		if err != nil {
			return
		}
		if now := time.Now(); now.Sub(window) > time.Second {
			window, count = now, 0
		}
		count++
		fits := len(b) <= s.opt.Message && kind == websocket.MessageText && (s.opt.Rate == 0 || count <= s.opt.Rate)
		if !s.Closed() && !(fits && s.attempt(ctx, b, take)) {
			s.Close(s.opt.Unfit)
		}
		if _, err := io.Copy(io.Discard, reader); err != nil {
			return
		}
	}
}

// attempt hands on a message. After a panic of who takes it the socket lives for as long as its goodbye.
func (s *Socket) attempt(ctx context.Context, b []byte, take func(context.Context, []byte) bool) bool {
	defer s.guard()
	return take(ctx, b)
}
