package app

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
)

// httpGuard makes a panic of a handler the end of its connection, with a line that operators see and a figure: net/http
// alone ends it too, but quietly. Sockets that a handler has taken over end with the handler.
type httpGuard struct {
	log    *slog.Logger
	panics atomic.Int64
}

func (g *httpGuard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
				g.panics.Add(1)
				// No query: it may hold a token.
				g.log.LogAttrs(r.Context(), slog.LevelError, "http: a panic ended a request", slog.Any("panic", v),
					slog.String("method", r.Method), slog.String("remote", r.RemoteAddr), slog.String("stack", string(debug.Stack())))
			}
			panic(http.ErrAbortHandler) // half an answer may be out: the client must see that it is broken
		}()
		next.ServeHTTP(w, r)
	})
}

// tlsDefect counts a panic that has ended a connection before its protocol was known, and tells of it.
func (s *server) tlsDefect(v any) {
	s.tlsPanics.Add(1)
	s.log.Error("tls: a panic ended a connection", "panic", v, "stack", string(debug.Stack()))
}
