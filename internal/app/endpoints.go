package app

import (
	"net/url"
	"sync"
)

// maxEndpoints bounds the base URLs whose endpoints are remembered. There is one for each name that clients have for
// the server.
const maxEndpoints = 64

// endpoints remembers what channels name as the place to send to, by the base URL that the caller addressed.
type endpoints struct {
	ingest func(baseURL string) string

	mu    sync.RWMutex
	known map[string]string
}

func newEndpoints(ingest func(baseURL string) string) *endpoints {
	return &endpoints{ingest: ingest, known: map[string]string{}}
}

// of returns the endpoint for callers of a base URL. When there are too many it starts over.
func (e *endpoints) of(baseURL string) string {
	e.mu.RLock()
	found, ok := e.known[baseURL]
	e.mu.RUnlock()
	if ok {
		return found
	}
	found = e.ingest(baseURL)
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.known) >= maxEndpoints {
		clear(e.known)
	}
	e.known[baseURL] = found
	return found
}

// ingestEndpoint is the value of Channel.ingestEndpoint: encoders put rtmps:// in front and /app/ behind it, so it is a
// bare host when RTMPS is on its usual port, 443, and host:port otherwise. It is "" when nothing listens for RTMPS.
func (s *server) ingestEndpoint(baseURL string) string {
	if s.cfg.IngestEndpoint != "" {
		return s.cfg.IngestEndpoint
	}
	u, err := url.Parse(baseURL)
	if err != nil {
		return ""
	}
	switch port := s.rtmpsPort(); port {
	case "":
		return ""
	case "443":
		return u.Hostname()
	default:
		return joinHostPort(u.Hostname(), port)
	}
}

// rtmpsPort is the port to send RTMPS to, "" for none. An HTTPS listener takes it as well: it is the first choice on the
// usual port, and the only one without a port for RTMPS alone.
func (s *server) rtmpsPort() string {
	https := ""
	if s.cfg.TLS() {
		https = portOf(s.listeners.http)
	}
	if own := portOf(s.listeners.rtmps); own != "" && https != "443" {
		return own
	}
	return https
}
