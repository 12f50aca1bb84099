package app

import (
	"net/url"
	"sync"
)

// maxEndpoints bounds the base URLs whose endpoints are remembered. There is one for each name that clients have for
// the server.
const maxEndpoints = 64

// endpoints remembers what channels name as the places to send to, by the base URL that the caller addressed.
type endpoints struct {
	ingest func(baseURL string) string

	mu    sync.RWMutex
	known map[string]endpoint
}

// endpoint is where encoders send to, over RTMPS and over SRT.
type endpoint struct{ ingest, srt string }

func newEndpoints(ingest func(baseURL string) string) *endpoints {
	return &endpoints{ingest: ingest, known: map[string]endpoint{}}
}

// of returns the endpoints for callers of a base URL. When there are too many it starts over.
func (e *endpoints) of(baseURL string) endpoint {
	e.mu.RLock()
	found, ok := e.known[baseURL]
	e.mu.RUnlock()
	if ok {
		return found
	}
	found = endpoint{ingest: e.ingest(baseURL), srt: hostname(baseURL)}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.known) >= maxEndpoints {
		clear(e.known)
	}
	e.known[baseURL] = found
	return found
}

// ingestEndpoint is the value of Channel.ingestEndpoint: encoders put rtmps:// in front and /app/ behind it, so it is a
// bare host when RTMPS is on its usual port, 443, and host:port otherwise.
func (s *server) ingestEndpoint(baseURL string) string {
	if s.cfg.IngestEndpoint != "" {
		return s.cfg.IngestEndpoint
	}
	u, err := url.Parse(baseURL)
	if err != nil {
		return ""
	}
	port := s.rtmpsPort()
	if port == "" || port == "443" {
		return u.Hostname()
	}
	return joinHostPort(u.Hostname(), port)
}

// rtmpsPort is the port to send RTMPS to: an HTTPS listener on the usual port takes it as well.
func (s *server) rtmpsPort() string {
	if s.cfg.TLS() && portOf(s.listeners.http) == "443" {
		return "443"
	}
	return portOf(s.listeners.rtmps)
}

// hostname is the host of a URL without its port.
func hostname(baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
