package rtmp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/rivus-live/rivus/internal/rtmp/chunk"
)

// farewell says the last words to the encoder and reports whether it should be given time to read them.
func (c *conn) farewell(ctx context.Context, p *Publication, err error) bool {
	if p == nil {
		return errors.Is(err, errPlay)
	}
	words := c.lastWords(p, err)
	if !p.accepted {
		c.server.refused.Add(1)
		if !c.server.slowDown(ctx) {
			return false
		}
	}
	if words == nil {
		return false
	}
	level := "error"
	if words.Code == CodeUnpublish {
		level = "status"
	}
	c.out = appendStatus(c.out, p.streamID, level, words.Code, words.Description)
	return c.flush() == nil
}

// lastWords says how the end of a publication is told to the encoder; nil when it is not there to hear it. The text of
// an error that is not meant for it stays here.
func (c *conn) lastWords(p *Publication, err error) *Rejection {
	if r := c.ended.Load(); r != nil {
		return r
	}
	if r, is := errors.AsType[*Rejection](err); is {
		return r
	}
	broken, isBroken := errors.AsType[*chunk.Error](err)
	switch {
	case !p.accepted:
		return &Rejection{CodeFailed, "the server could not start the stream"}
	case err == nil, p.over:
		return &Rejection{CodeUnpublish, "The stream has ended."}
	case isBroken:
		return &Rejection{CodeFailed, broken.Text}
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &Rejection{CodeIdle, "no media came for too long"}
	}
	return &Rejection{CodeFailed, "the server has ended the stream"}
}

// slowDown waits before a refusal is answered, the same time for every reason. It reports false when too many wait
// already and the connection is to be dropped.
func (s *Server) slowDown(ctx context.Context) bool {
	if s.o.RefusalDelay < 0 {
		return true
	}
	select {
	case s.refusals <- struct{}{}:
	default:
		return false
	}
	defer func() { <-s.refusals }()
	timer := time.NewTimer(s.o.RefusalDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return true
}

// log writes the one line about a connection that has ended. Whoever only knocked (a port check) is a debug line, and of
// those who published nothing only so many get one.
func (c *conn) log(ctx context.Context, p *Publication, reason string, lasted time.Duration) {
	level := slog.LevelInfo
	if c.received == 0 {
		level = slog.LevelDebug
	}
	published, silent := p != nil && p.accepted, 0
	if !published && level == slog.LevelInfo {
		var ok bool
		if silent, ok = c.server.hush.line(time.Now()); !ok {
			return
		}
	}
	attrs := []slog.Attr{
		slog.String("remote", c.remote.String()),
		slog.Bool("secure", c.secure),
		slog.String("reason", reason),
		slog.Bool("published", published),
		slog.Uint64("bytes_in", c.received),
		slog.Duration("lasted", lasted.Round(time.Millisecond)),
	}
	if p != nil {
		attrs = append(attrs, slog.String("encoder", p.FlashVersion))
	}
	if silent > 0 {
		attrs = append(attrs, slog.Int("not_logged", silent))
	}
	c.server.o.Logger.LogAttrs(ctx, level, "rtmp connection closed", attrs...)
}

// reason is the end of a connection in words for the operator.
func (c *conn) reason(p *Publication, err error) string {
	if r := c.ended.Load(); r != nil {
		return r.Error()
	}
	switch {
	case p != nil && p.over, err == nil:
		return "unpublished"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "encoder hung up"
	case errors.Is(err, syscall.ECONNRESET):
		return "encoder reset the connection"
	case errors.Is(err, os.ErrDeadlineExceeded) && p == nil:
		return "no publish request in time"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "no media in time"
	}
	return err.Error()
}
