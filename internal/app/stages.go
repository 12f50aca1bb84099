package app

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/rivus-live/rivus/internal/config"
	"github.com/rivus-live/rivus/internal/publicurl"
	"github.com/rivus-live/rivus/internal/rtc"
	"github.com/rivus-live/rivus/internal/stage"
	"github.com/rivus-live/rivus/internal/whip"
)

// Paths of the real-time addresses that stages advertise.
const (
	whipPath   = "/rt/whip"
	eventsPath = "/rt/events/"
)

// stages is the media side of stages: the port of all peers, the manager and the HTTP front of joining. A server whose media
// port is turned off has a manager too, which nobody can join: what other nodes leave behind is everybody's to end.
type stages struct {
	manager *stage.Manager
	port    *rtc.Port     // nil: turned off
	whip    *whip.Handler // nil with the port
}

// openStages opens the media port, unless it is turned off, and builds what stands on it.
func (s *server) openStages(ctx context.Context) error {
	o := stage.Options{
		Verifier: s.tokens, Node: s.node, Records: s.records.Stages, Codecs: s.cfg.Codecs, Clock: s.clock, Logger: s.log,
	}
	if s.cfg.Quotas == "aws" { // spec ivs-realtime.md 15.2
		o.Limits = stage.ServiceLimits()
	}
	if s.cfg.MediaAddr == "" || s.cfg.MediaAddr == config.Off {
		s.stages.manager = stage.NewManager(o)
		return nil
	}
	external, err := s.cfg.ExternalIPs()
	if err != nil {
		return err
	}
	if s.stages.port, err = rtc.Listen(ctx, s.cfg.MediaAddr, s.doors.guard); err != nil {
		return fmt.Errorf("--media-addr: %w", err)
	}
	if o.Engine, err = rtc.NewEngine(rtc.Options{Port: s.stages.port, ExternalIPs: external, Logger: s.log}); err != nil {
		return err
	}
	s.stages.manager = stage.NewManager(o)
	proxies, err := s.cfg.Proxies()
	if err != nil {
		return err
	}
	s.stages.whip = whip.New(whip.Options{
		Prefix: whipPath, Joiner: s.stages.manager, Verifier: s.tokens, Logger: s.log,
		URLs: publicurl.Rule{Public: s.cfg.PublicURL, Proxies: proxies},
	})
	return nil
}

// open reports whether stages can be joined here.
func (m *stages) open() bool { return m.port != nil }

// close closes the media port; the manager has ended by then.
func (m *stages) close() {
	if m.open() {
		_ = m.port.Close()
	}
}

// totals reports what has been forwarded since the start.
func (m *stages) totals(counter func(name, help string, v int64, labels ...string)) {
	t, u := m.manager.Totals(), m.port.Stats()
	for _, c := range [...]struct {
		name, help string
		v          uint64
	}{
		{"packets_received", "RTP packets taken from publishers, of all layers.", t.Received},
		{"packets_sent", "RTP packets sent to subscribers, without retransmissions and padding.", t.Sent},
		{"packets_resent", "Retransmissions in answer to subscribers.", t.Resent},
		{"padding", "Packets sent to probe links.", t.Padded},
		{"nacked", "Packets that subscribers asked for again, answered or not.", t.Nacked},
		{"feedback", "Transport-wide feedback messages of subscribers.", t.Feedback},
		{"allocations", "Times that bandwidth was divided.", t.Allocations},
		{"layer_changes", "Layers chosen that differ from those before.", t.LayerChanges},
		{"probes", "Probes begun.", t.Probes},
		{"keyframe_requests", "Keyframes asked of publishers.", t.KeyframeRequests},
		{"dropped", "Packets that came faster than they could be sent on.", t.Dropped},
		{"sockets_turned_away", "Events sockets without a good token that were not told why, because too many such were open.", t.Turned},
		{"datagrams_unread", "Datagrams that came faster than they could be read. Where it grows, the server needs more processor time, or net.core.rmem_max is too low.", u.Unread},
		{"datagrams_failed", "Datagrams that the system refused to send.", u.Failed},
	} {
		counter("rivus_stage_"+c.name+"_total", c.help, int64(c.v)) //nolint:gosec // it takes centuries to overflow
	}
}

// addr is the address of the media port, "" when it is turned off.
func (m *stages) addr() string {
	if !m.open() {
		return ""
	}
	return m.port.Addr()
}

// handler returns what serves a request of the real-time addresses, nil when it is none.
func (m *stages) handler(r *http.Request) http.Handler {
	if !m.open() {
		return nil
	}
	path := r.URL.Path
	if path == whipPath || strings.HasPrefix(path, whipPath+"/") {
		return m.whip
	}
	if path == "/" && (r.Method == http.MethodPost && isSDP(r) || preflight(r)) {
		return http.HandlerFunc(m.whip.Redirect) // clients that were given the bare origin
	}
	if id, ok := strings.CutPrefix(path, eventsPath); ok && id != "" && !strings.Contains(id, "/") {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.manager.ServeEvents(w, r, id) })
	}
	return nil
}

func isSDP(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/sdp"
}

// preflight reports whether a page asks if it may send a POST.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") == http.MethodPost
}
