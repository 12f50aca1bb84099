package config

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestDefaultsAreValidAndPrivate(t *testing.T) {
	t.Parallel()
	c, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{c.HTTPAddr, c.RTMPAddr, c.RTMPSAddr, c.AdminAddr} {
		if !Loopback(a) {
			t.Errorf("default address %s is not loopback", a)
		}
	}
	if !c.InsecureIngestAllowed() || c.TLS() {
		t.Error("on loopback plain RTMP is accepted and HTTP has no TLS")
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, args, want string }{
		{"public http", "--http-addr=0.0.0.0:80", "is public and has no TLS"},
		{"public http allowed", "--http-addr=0.0.0.0:80 --insecure", ""},
		{"public https", "--http-addr=:443 --tls-self-signed", ""},
		{"public rtmp keeps insecureIngest", "--rtmp-addr=:1935", ""},
		{"public rtmp for all", "--rtmp-addr=:1935 --allow-insecure-ingest", "in the clear"},
		{"public rtmps", "--rtmps-addr=:1936", "needs --tls-cert"},
		{"public admin", "--admin-addr=0.0.0.0:8081", "must be a loopback address"},
		{"half a certificate", "--tls-cert=a.pem", "go together"},
		{"half a root key", "--access-key-id=AKIA", "go together"},
		{"account", "--account-id=12", "not 12 digits"},
		{"public url path", "--public-url=https://x.example/a", "not an http or https origin"},
		{"public url", "--public-url=https://x.example --media-addr=:8189", ""},
		{"public url with a slash", "--public-url=https://x.example/ --media-addr=:8189", ""},
		{"public url with a user", "--public-url=https://u:p@x.example", "not an http or https origin"},
		{"public url with a fragment", "--public-url=https://x.example#a", "not an http or https origin"},
		{"ingest endpoint", "--ingest-endpoint=ingest.example:443", ""},
		{"ingest endpoint as a URL", "--ingest-endpoint=rtmps://ingest.example/app", "without a scheme or path"},
		{"root key that cannot sign", "--access-key-id=a/b --secret-access-key=c", "letters, digits"},
		{"proxy", "--trusted-proxies=10.0.0.0/8 --trusted-proxies=nonsense", "not an address or CIDR"},
		{"no port", "--http-addr=localhost", "is not host:port"},
		{"public url without media", "--public-url=https://x.example", "--media-addr 127.0.0.1:8189 is a loopback address"},
		{"public url by address without media", "--public-url=https://192.0.2.1:8443", "or --media-addr off"},
		{"public url of this machine", "--public-url=http://localhost:8080", ""},
		{"public url of this machine, IPv6", "--public-url=http://[::1]:8080", ""},
		{"public url with media behind a NAT", "--public-url=https://x.example --media-addr=10.0.0.1:8189 --external-ip=192.0.2.1", ""},
		{"no stages", "--media-addr=off", ""},
		{"no such word elsewhere", "--rtmp-addr=off", "is not host:port"},
		{"drain delay", "--drain-delay=15s", ""},
		{"drain delay backwards", "--drain-delay=-1s", "--drain-delay"},
		{"drain delay for ever", "--drain-delay=2h", "--drain-delay"},
		{"ingest off", "--rtmp-addr= --rtmps-addr=", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var cfg Config
			p, err := kong.New(&cfg)
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Parse(strings.Fields(c.args)) // kong calls Validate
			switch {
			case c.want == "" && err != nil:
				t.Errorf("unexpected: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		":80": "127.0.0.1:80", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80",
		"[::1]:80": "[::1]:80", "192.0.2.1:80": "192.0.2.1:80", "live.example:80": "live.example:80", "": "",
	} {
		if got := Reachable(addr); got != want {
			t.Errorf("Reachable(%q) = %q, want %q", addr, got, want)
		}
	}
}
