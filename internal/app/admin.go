package app

import (
	"net/http"
	"net/http/pprof"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readiness is whether the server wants traffic: not before everything listens, and not while it drains.
type readiness struct{ ready atomic.Bool }

func (r *readiness) set(v bool) { r.ready.Store(v) }

// adminHandler serves operators: health, metrics, the audit, events that could not be delivered, and profiles. It listens on loopback only.
func (s *server) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if !s.ready.ready.Load() {
			http.Error(w, "not serving", http.StatusServiceUnavailable)
			return
		}
		if err := s.store.Check(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /audit", s.readAudit)
	mux.HandleFunc("GET /events/failed", s.listFailed)
	mux.HandleFunc("POST /events/failed/resend", s.resendFailed)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
