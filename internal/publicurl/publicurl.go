// Package publicurl tells under which origin a client reaches this server, for the absolute URLs in answers, and from where: what
// trusted proxies are believed.
//
// Imports: nothing of Rivus.
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
	Proxies []netip.Prefix // whose X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-For are believed
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
	return err == nil && r.isProxy(remote.Addr().Unmap())
}

func (r *Rule) isProxy(a netip.Addr) bool {
	for _, p := range r.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// From returns the address of the client that a request comes from, which is invalid when its peer has none.
func (r *Rule) From(q *http.Request) netip.Addr {
	var peer netip.AddrPort
	if q.RemoteAddr != "" { // an error costs an allocation
		peer, _ = netip.ParseAddrPort(q.RemoteAddr) // a connection without a network has none
	}
	return r.Client(peer.Addr().Unmap(), strings.Join(q.Header["X-Forwarded-For"], ","))
}

// maxHops bounds the proxies that are believed one after the other.
const maxHops = 16

// Client returns the address of the client that a peer with an address speaks for. forwarded is X-Forwarded-For: each trusted
// proxy is believed about the one before it, and nobody else; what a client itself has written there stands to the left of
// that.
func (r *Rule) Client(peer netip.Addr, forwarded string) netip.Addr {
	for range maxHops {
		if forwarded == "" || !r.isProxy(peer) {
			break
		}
		last := forwarded
		if i := strings.LastIndexByte(forwarded, ','); i >= 0 {
			forwarded, last = forwarded[:i], forwarded[i+1:]
		} else {
			forwarded = ""
		}
		a, ok := parseHop(strings.TrimSpace(last))
		if !ok {
			break
		}
		peer = a
	}
	return peer
}

// parseHop reads an address with or without a port, which some proxies add.
func parseHop(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap(), true
	}
	a, err := netip.ParseAddrPort(s)
	return a.Addr().Unmap(), err == nil
}
