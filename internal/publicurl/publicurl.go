// Package publicurl tells under which origin a client reaches this server, for the absolute URLs in answers.
//
// Imports: standard library only.
package publicurl

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Rule is where the origin comes from: Public, else the headers of a trusted proxy, else the request. The zero value
// believes the request alone.
type Rule struct {
	Public  string         // as "https://live.example.com", with or without a slash at its end; "": see above
	Proxies []netip.Prefix // whose X-Forwarded-Proto and X-Forwarded-Host are believed
}

// Of returns the origin of a request, without a slash at its end.
func (r *Rule) Of(q *http.Request) string {
	host := q.Host
	if forwarded := first(q.Header.Get("X-Forwarded-Host")); r.trusts(q) && isHost(forwarded) {
		host = forwarded
	}
	return r.At(q, host)
}

// At is Of for a request whose host is known better.
func (r *Rule) At(q *http.Request, host string) string {
	if r.Public != "" {
		return strings.TrimRight(r.Public, "/")
	}
	if r.Encrypted(q) {
		return "https://" + host
	}
	return "http://" + host
}

// Encrypted reports whether the client's connection has TLS, here or at a trusted proxy.
func (r *Rule) Encrypted(q *http.Request) bool {
	return q.TLS != nil || first(q.Header.Get("X-Forwarded-Proto")) == "https" && r.trusts(q)
}

// first returns the first value of a list: what the proxy next to the client has said.
func first(list string) string {
	value, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(value)
}

// isHost reports whether s is a host, with or without a port, and nothing else.
func isHost(s string) bool {
	u, err := url.Parse("http://" + s)
	return err == nil && u.Hostname() != "" && u.Host == s
}

// trusts reports whether the request came through a trusted proxy.
func (r *Rule) trusts(q *http.Request) bool {
	remote, err := netip.ParseAddrPort(q.RemoteAddr)
	if err != nil {
		return false
	}
	for _, p := range r.Proxies {
		if p.Contains(remote.Addr().Unmap()) {
			return true
		}
	}
	return false
}
