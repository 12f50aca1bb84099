package publicurl_test

import (
	"crypto/tls"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	"github.com/rivus-live/rivus/internal/publicurl"
)

func TestOf(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest requests come from 192.0.2.1
	for name, c := range map[string]struct {
		rule        publicurl.Rule
		tls         bool
		proto, host string
		want        string
	}{
		"the request":               {publicurl.Rule{}, false, "", "", "http://media.test:8080"},
		"the request over TLS":      {publicurl.Rule{}, true, "", "", "https://media.test:8080"},
		"a stranger's headers":      {publicurl.Rule{}, false, "https", "evil.test", "http://media.test:8080"},
		"a proxy's headers":         {publicurl.Rule{Proxies: proxies}, false, "https", "live.test", "https://live.test"},
		"a proxy's scheme":          {publicurl.Rule{Proxies: proxies}, false, "https", "", "https://media.test:8080"},
		"two proxies":               {publicurl.Rule{Proxies: proxies}, false, "https, http", "live.test:444, inner.test", "https://live.test:444"},
		"a host that is none":       {publicurl.Rule{Proxies: proxies}, false, "", "a/b", "http://media.test:8080"},
		"a user in front of a host": {publicurl.Rule{Proxies: proxies}, false, "", "a@b", "http://media.test:8080"},
		"the flag":                  {publicurl.Rule{Public: "https://live.test/", Proxies: proxies}, false, "http", "other.test", "https://live.test"},
	} {
		q := httptest.NewRequest("POST", "http://media.test:8080/", nil)
		q.TLS = nil
		if c.tls {
			q.TLS = &tls.ConnectionState{}
		}
		q.Header.Set("X-Forwarded-Proto", c.proto)
		q.Header.Set("X-Forwarded-Host", c.host)
		if got := c.rule.Of(q); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// FuzzOf: whatever a proxy says, the origin is one.
func FuzzOf(f *testing.F) {
	for _, host := range []string{"", "live.test", "live.test:443", "[::1]:80", "a/b", "a@b", "a?b", "a b", "%41", "[::1", ":80", "x\r\ny"} {
		f.Add("https", host)
	}
	rule := publicurl.Rule{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	f.Fuzz(func(t *testing.T, proto, host string) {
		q := httptest.NewRequest("POST", "http://media.test:8080/", nil)
		q.Header.Set("X-Forwarded-Proto", proto)
		q.Header.Set("X-Forwarded-Host", host)
		got := rule.Of(q)
		u, err := url.Parse(got + "/path")
		if err != nil || u.Path != "/path" || u.User != nil || u.Hostname() == "" || u.RawQuery != "" || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("%q, %q: %q", proto, host, got)
		}
	})
}

func TestClient(t *testing.T) {
	t.Parallel()
	rule := publicurl.Rule{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}}
	for _, test := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1", "", "192.0.2.1"},
		{"198.51.100.7", "203.0.113.5", "198.51.100.7"}, // a stranger's word
		{"192.0.2.1", "203.0.113.5", "203.0.113.5"},
		{"192.0.2.1", "203.0.113.5:4711", "203.0.113.5"},
		{"192.0.2.1", "[2001:db9::5]:4711", "2001:db9::5"},
		{"192.0.2.1", "[2001:db9::5]", "2001:db9::5"},
		{"192.0.2.1", "::ffff:203.0.113.5", "203.0.113.5"},
		{"192.0.2.1", "10.9.9.9, 203.0.113.5", "203.0.113.5"}, // what the client itself wrote is to the left
		{"192.0.2.1", "203.0.113.5 ,2001:db8::1, 192.0.2.9", "203.0.113.5"},
		{"192.0.2.1", "203.0.113.5, unknown", "192.0.2.1"},
		{"192.0.2.1", ",", "192.0.2.1"},
	} {
		if got := rule.Client(netip.MustParseAddr(test.peer), test.forwarded); got != netip.MustParseAddr(test.want) {
			t.Errorf("%s with %q is %v, want %s", test.peer, test.forwarded, got, test.want)
		}
	}
	if got := rule.Client(netip.Addr{}, "203.0.113.5"); got.IsValid() {
		t.Errorf("a connection without an address is from %v", got)
	}
}
