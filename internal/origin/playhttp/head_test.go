package playhttp

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/publicurl"
)

// parseHead reads a head as the first one of a connection.
func parseHead(b []byte) (Request, int, verdict) {
	return (&headParser{prefix: testPrefix, rule: &testRule, peer: testPeer}).parse(b)
}

const testPrefix = "/play/"

// testRule believes the proxies of a test network, of which testPeer is one.
//
//nolint:gochecknoglobals // constants
var (
	testRule = publicurl.Rule{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	testPeer = netip.MustParseAddr("192.0.2.1")
)

// heads are requests and what the loop makes of them.
func heads() map[string]verdict {
	long := strings.Repeat("x", maxHead)
	all := map[string]verdict{
		"GET /play/a/b-1_2.m4s?v=%41&x HTTP/1.1\r\nHost: a\r\n\r\n":                                               accepted,
		"HEAD /play/ HTTP/1.1\r\nhost:[::1]:80\r\nRANGE:\tbytes=0-1 \r\nIf-Range: x\r\n\r\n":                      accepted,
		"GET /play/a HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive\r\nX: 1\r\nX: 2\r\n\r\nGET":                    accepted,
		"GET /play/a HTTP/1.1\r\nConnection: close\r\nHost: a\r\nIf-None-Match: \"a\", W/\"b\"\r\n\r\n":           accepted,
		"GET /play/a HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip;q=0.5, *\r\nUser-Agent: \xe4\r\nEmpty:\r\n\r\n": accepted,
		"GET /play/..//a HTTP/1.1\r\nHost: a\r\nContent-Lengths: 5\r\nTE: trailers\r\n\r\n":                       accepted,
		"GET /play/a HTTP/1.1\r\nHost: a\r\nX: " + long[:maxHead-45] + "\r\n\r\n":                                 accepted,
		"":                                    partial,
		"G":                                   partial,
		"POST /x HTTP/1.1\r\nHost: a\r":       partial,
		"GET /play/a HTTP/1.1\r\nHost: a\r\n": partial,
		long:                                  foreign,
		"GET /play/a HTTP/1.1\r\nHost: a\r\nX: " + long + "\r\n\r\n": foreign,
	}
	for _, line := range []string{
		"POST /play/a HTTP/1.1", "get /play/a HTTP/1.1", "GET /other HTTP/1.1", "GET /play/a HTTP/1.0", "GET /play/a HTTP/1.1 ",
		"GET  /play/a HTTP/1.1", "GET /play/a%20b HTTP/1.1", "GET /play/a b HTTP/1.1", "GET /play/a#b HTTP/1.1", "GET /play/a?b c HTTP/1.1",
		"GET http://a/play/a HTTP/1.1", "GET /play/a", "GET /play/a?\x7f HTTP/1.1", "GET /play/a?\xff HTTP/1.1", "GET /play/a HTTP/2.0", "",
		"GET\t/play/a HTTP/1.1", "GET /play/a\rHTTP/1.1",
	} {
		all[line+"\r\nHost: a\r\n\r\n"] = foreign
	}
	for _, field := range []string{
		"Host: b", "Host: a\r\nhost: a", "Content-Length: 0", "Content-Length: 5", "Transfer-Encoding: chunked",
		"transfer-encoding : chunked", "Transfer-Encoding\t: chunked", "Upgrade: h2c", "Expect: 100-continue", "Trailer: X",
		"Connection: upgrade", "Connection: close, x", "Connection: close\r\nConnection: close", "Connection:",
		"Origin: a\r\nOrigin: b", "Referer: a\r\nReferer: b", "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8",
		"Range: bytes=0-1\r\nRange: bytes=0-2", "Accept-Encoding: gzip\r\nAccept-Encoding: br",
		" folded: x", "X: 1\r\n 2", "X: 1\r\n\t2", "X", ":x", "X Y: 1", "X: a\x00b", "X: a\rb", "X: a\nb", "X: \x7f", "\xe4: 1",
	} {
		all["GET /play/a HTTP/1.1\r\nHost: a\r\n"+field+"\r\n\r\n"] = foreign
	}
	for _, head := range []string{
		"GET /play/a HTTP/1.1\n\n", "GET /play/a HTTP/1.1\r\n\r\n", "GET /play/a HTTP/1.1\r\nHost:\r\n\r\n", "\n",
		"GET /play/a HTTP/1.1\r\nHost: a\n\r\n", "GET /play/a HTTP/1.1\nHost: a\r\n\r\n", "\r\n\r\n", "GET /play/a HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"GET /play/a HTTP/1.1\r\nHost: a@b\r\n\r\n",
	} {
		all[head] = foreign
	}
	return all
}

func TestParseHead(t *testing.T) {
	t.Parallel()
	for text, want := range heads() {
		if _, n, got := parseHead([]byte(text)); got != want || (n > 0) != (want == accepted) {
			t.Errorf("%.200q: %d, length %d; want %d", text, got, n, want)
		}
	}
	text := "GET /play/a?b=c?d HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\nRange: r\r\nIf-Range: i\r\n" +
		"If-None-Match:  m m\t\r\nACCEPT-encoding:gzip\r\norigin: https://a.test\r\nReferer: https://a.test/b\r\n" +
		"X-Forwarded-For: 203.0.113.5, 198.51.100.7:1234\r\n\r\n"
	r, n, _ := parseHead([]byte(text + "GET"))
	want := Request{
		Method: "GET", Path: "/play/a", Query: "b=c?d", Close: true, Range: "r", IfRange: "i", IfNoneMatch: "m m", AcceptEncoding: "gzip",
		Origin: "https://a.test", Referer: "https://a.test/b", Client: netip.MustParseAddr("198.51.100.7"),
	}
	if r != want || n != len(text) {
		t.Errorf("%+v, length %d", r, n)
	}
}

// FuzzParseHead: what is accepted, net/http reads as the same request of the same length, without a body; it is accepted
// however many bytes follow; and it was not refused before it had come whole.
func FuzzParseHead(f *testing.F) {
	for text := range heads() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, v := parseHead(b)
		if v != accepted {
			return
		}
		in := bufio.NewReaderSize(bytes.NewReader(b), len(b)+16)
		std, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", b, err)
		}
		if rest, _ := io.ReadAll(in); !bytes.Equal(rest, b[n:]) {
			t.Fatalf("net/http leaves %q of %q, not %q", rest, b, b[n:])
		}
		std.RemoteAddr = netip.AddrPortFrom(testPeer, 1).String()
		if got := requestOf(std, &testRule); got != r || got.Escaped {
			t.Fatalf("%q: %+v, net/http says %+v", b, r, got)
		}
		if std.ContentLength != 0 || len(std.TransferEncoding) > 0 || len(std.Trailer) > 0 || std.Host == "" ||
			std.ProtoMajor != 1 || std.ProtoMinor != 1 {
			t.Fatalf("%q: %+v", b, std)
		}
		for _, name := range []string{"Range", "If-Range", "If-None-Match", "Accept-Encoding", "Connection", "Origin", "Referer", "X-Forwarded-For"} {
			if len(std.Header[name]) > 1 {
				t.Fatalf("%q: %s more than once", b, name)
			}
		}
		p := headParser{prefix: testPrefix, rule: &testRule, peer: testPeer} // what another request left behind changes nothing
		_, _, _ = p.parse([]byte("GET /play/b HTTP/1.1\r\nHost: b\r\nRange: x\r\nConnection: close\r\n\r\n"))
		for range 2 {
			if again, m, v := p.parse(b); again != r || m != n || v != accepted {
				t.Fatalf("%q is read differently on a used connection", b[:n])
			}
		}
		for i := range n {
			if _, _, v := parseHead(b[:i]); v != partial {
				t.Fatalf("%q is judged %d", b[:i], v)
			}
		}
		if again, m, v := parseHead(append(b[:n:n], "\nPOST"...)); again != r || m != n || v != accepted {
			t.Fatalf("%q is read differently before other bytes", b[:n])
		}
	})
}
