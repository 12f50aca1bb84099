package playhttp

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// front is a server whose answers tell who asks: version, whether the request loop carries it, origin, referer, client.
type front struct {
	*httptest.Server
	playback *Server
}

func newFront(t *testing.T, encrypted bool, proxies ...netip.Prefix) *front {
	t.Helper()
	f := &front{}
	f.playback = New(Options{Prefix: testPrefix, Proxies: proxies, Handle: func(x *Exchange) {
		_, loop := x.to.(*conn)
		x.Write(fmt.Appendf(nil, "%v|%s|%s|%v", loop, x.Origin, x.Referer, x.Client))
		_, _ = x.Send(http.StatusOK)
	}})
	f.Server = httptest.NewUnstartedServer(f.playback)
	f.EnableHTTP2 = encrypted
	back := f.playback.TakeOver()
	var all sync.WaitGroup
	if encrypted {
		f.StartTLS()
	} else {
		f.Start()
	}
	all.Go(func() { _ = f.Config.Serve(back) })
	t.Cleanup(func() {
		_ = f.playback.Shutdown(t.Context()) // its context has ended: the connections are cut
		f.Close()
		_ = back.Close()
		all.Wait()
	})
	return f
}

// TestRequestTellsWhoAsks asks over HTTP/1.1, first through net/http and then through the request loop, over HTTPS with HTTP/1.1
// and with HTTP/2, from a stranger and through a trusted proxy.
func TestRequestTellsWhoAsks(t *testing.T) {
	t.Parallel()
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	long := strings.Repeat("x", 3000)
	for _, test := range []struct {
		name    string
		header  http.Header
		proxies []netip.Prefix
		want    string
	}{
		{"nothing", http.Header{}, nil, "||127.0.0.1"},
		{"a page", http.Header{"Origin": {"https://a.test"}, "Referer": {"https://a.test/watch?x=1"}}, nil, "https://a.test|https://a.test/watch?x=1|127.0.0.1"},
		{"a stranger's word", http.Header{"X-Forwarded-For": {"203.0.113.5"}}, nil, "||127.0.0.1"},
		{"a proxy's word", http.Header{"X-Forwarded-For": {"10.0.0.1, 203.0.113.5"}}, []netip.Prefix{loopback}, "||203.0.113.5"},
		{"two proxies", http.Header{"X-Forwarded-For": {"203.0.113.5", "127.0.0.9"}}, []netip.Prefix{loopback}, "||203.0.113.5"},
		{"too long", http.Header{"Origin": {"https://" + long}, "Referer": {"https://a.test/" + long}}, nil, "null|" + ("https://a.test/" + long)[:maxReferer] + "|127.0.0.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plain, encrypted := newFront(t, false, test.proxies...), newFront(t, true, test.proxies...)
			old := encrypted.Client().Transport.(*http.Transport).Clone()
			old.ForceAttemptHTTP2, old.TLSNextProto = false, map[string]func(string, *tls.Conn) http.RoundTripper{}
			old.TLSClientConfig.NextProtos = []string{"http/1.1"}
			t.Cleanup(old.CloseIdleConnections)
			for _, way := range []struct {
				name, url string
				client    *http.Client
				major     int
			}{
				{"HTTP/1.1", plain.URL, plain.Client(), 1},
				{"HTTPS, HTTP/1.1", encrypted.URL, &http.Client{Transport: old}, 1},
				{"HTTP/2", encrypted.URL, encrypted.Client(), 2},
			} {
				for i := range 2 {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, way.url+testPrefix+"a", nil)
					if err != nil {
						t.Fatal(err)
					}
					r.Header = test.header
					answer, err := way.client.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(answer.Body)
					_ = answer.Body.Close()
					_, got, _ := strings.Cut(string(body), "|")
					if err != nil || got != test.want || answer.ProtoMajor != way.major {
						t.Errorf("%s, request %d: HTTP/%d, %.300s, want %.300s", way.name, i, answer.ProtoMajor, got, test.want)
					}
				}
			}
		})
	}
}

// TestRequestOfLoop sends two requests on a connection that the loop carries: what the first one told is not the second's.
func TestRequestOfLoop(t *testing.T) {
	t.Parallel()
	f := newFront(t, false, netip.MustParsePrefix("127.0.0.0/8"))
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", f.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // only read from
	for _, step := range []struct{ fields, want string }{
		{"Origin: https://a.test\r\nX-Forwarded-For: 203.0.113.5\r\n", "true|https://a.test||203.0.113.5"},
		{"Referer: https://b.test/\r\nX-Forwarded-For: 203.0.113.6\r\n", "true||https://b.test/|203.0.113.6"},
		{"", "true|||127.0.0.1"},
	} {
		if _, err := io.WriteString(c, "GET "+testPrefix+"a HTTP/1.1\r\nHost: a\r\n"+step.fields+"\r\n"); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4096)
		n := 0
		for !strings.Contains(string(buf[:n]), step.want) {
			m, err := c.Read(buf[n:])
			if n += m; err != nil || n > 1000 {
				t.Fatalf("%q, want %s: %v", buf[:n], step.want, err)
			}
		}
	}
}
