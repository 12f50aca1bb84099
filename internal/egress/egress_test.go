package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestAddresses: what is public, and what only looks like it.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450::1", "2001:4860:4860::8888"} {
		if !Public(netip.MustParseAddr(s)) {
			t.Errorf("%s is not public", s)
		}
	}
	for _, s := range []string{
		"0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.169.254",
		"169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
		"203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1",
		"2001::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
		"fec0::1", "ff02::1",
	} {
		if Public(netip.MustParseAddr(s)) {
			t.Errorf("%s is public", s)
		}
	}
}

func TestExceptions(t *testing.T) {
	t.Parallel()
	c := New(Options{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}})
	loop := New(Options{AllowLoopback: true})
	for _, x := range []struct {
		client *Client
		addr   string
		want   bool
	}{
		{c, "10.1.2.3", true},
		{c, "::ffff:10.1.2.3", true},
		{c, "10.2.0.1", false},
		{c, "fd00::1", true},
		{c, "127.0.0.1", false},
		{c, "fc00::1", false},
		{loop, "127.0.0.1", true},
		{loop, "127.1.2.3", true},
		{loop, "::1", true},
		{loop, "::ffff:127.0.0.1", true},
		{loop, "10.0.0.1", false},
		{loop, "0.0.0.0", false},
		{loop, "::", false},
		{loop, "fe80::1%lo", false},
		{loop, "169.254.169.254", false},
	} {
		if got := x.client.allowed(netip.MustParseAddr(x.addr)); got != x.want {
			t.Errorf("%s: %v", x.addr, got)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	c := New(Options{})
	for _, s := range []string{"https://example.com", "http://example.com:8080/x?y=z", "https://1.1.1.1/", "https://[2606:4700::1111]:8443/"} {
		if err := c.Check(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{
		"", "example.com", "//example.com", "ftp://example.com", "file:///etc/passwd", "gopher://example.com", "https://", "https://user@example.com",
		"https://user:secret@example.com", "https://:443/", "https://example.com:0", "https://example.com:70000", "https://example.com:port", "http:example.com",
		"http://127.0.0.1", "http://[::1]/", "http://[::ffff:7f00:1]/", "http://169.254.169.254/latest/meta-data", "http://0.0.0.0", "http://10.0.0.1", "https://[fe80::1%25eth0]/",
	} {
		if err := c.Check(s); err == nil {
			t.Errorf("%s is taken", s)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%v tells a password", err)
		}
	}
}

func get(t *testing.T, c *Client, url string) (Answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Do(t.Context(), r)
}

func isForbidden(err error) bool {
	_, ok := errors.AsType[*ForbiddenError](err)
	return ok
}

// TestNamesAreJudgedByAddress: what a name says it is does not matter, only where the connection would go, at the moment when
// it is made.
func TestNamesAreJudgedByAddress(t *testing.T) {
	t.Parallel()
	var called atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	var answers sync.Map
	c := New(Options{Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
		v, ok := answers.Load(host)
		if !ok {
			return nil, errors.New("no such name")
		}
		return v.([]netip.Addr), nil
	}})
	defer c.Close()
	for _, name := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "169.254.169.254", "10.0.0.1"} {
		answers.Store("inside.example.com", []netip.Addr{netip.MustParseAddr(name)})
		if _, err := get(t, c, "http://inside.example.com:"+port); !isForbidden(err) {
			t.Errorf("a name for %s: %v", name, err)
		}
	}
	if _, err := get(t, c, "http://unknown.example.com:"+port); err == nil || isForbidden(err) {
		t.Errorf("an unknown name: %v", err)
	}
	if called.Load() != 0 {
		t.Error("the server was reached")
	}
}

// TestNameThatChanges: a name that is public when it is checked and private when it is used, or both at once, leads nowhere.
func TestNameThatChanges(t *testing.T) {
	t.Parallel()
	var called atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	var asked atomic.Int32
	public, private := netip.MustParseAddr("192.0.1.1"), netip.MustParseAddr("127.0.0.1")
	c := New(Options{Timeout: 2 * time.Second, Resolve: func(ctx context.Context, _ string) ([]netip.Addr, error) {
		if asked.Add(1) == 1 {
			return []netip.Addr{public}, context.Canceled // as if it were checked, and then something else happened
		}
		return []netip.Addr{private}, nil
	}})
	defer c.Close()
	if err := c.Check("http://rebind.example.com:" + port); err != nil {
		t.Fatal(err)
	}
	_, _ = get(t, c, "http://rebind.example.com:"+port)
	if _, err := get(t, c, "http://rebind.example.com:"+port); !isForbidden(err) {
		t.Errorf("the second time: %v", err)
	}
	if called.Load() != 0 {
		t.Error("the server was reached")
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var called atomic.Int32
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer inner.Close()
	outer := httptest.NewServer(http.RedirectHandler(inner.URL, http.StatusTemporaryRedirect))
	defer outer.Close()
	c := New(Options{AllowLoopback: true})
	defer c.Close()
	a, err := get(t, c, outer.URL)
	if err != nil || a.Status != http.StatusTemporaryRedirect || called.Load() != 0 {
		t.Errorf("%d %v, and the other server was called %d times", a.Status, err, called.Load())
	}
}

// TestBounds: answers are cut off, hanging servers are left, and there are only so many requests at once.
func TestBounds(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	inside := make(chan struct{}, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			_, _ = io.Copy(w, strings.NewReader(strings.Repeat("x", 1<<20)))
			return
		}
		inside <- struct{}{}
		<-release
	}))
	defer srv.Close()
	defer close(release)
	c := New(Options{AllowLoopback: true, Concurrent: 1, Timeout: 300 * time.Millisecond})
	defer c.Close()
	if a, err := get(t, c, srv.URL+"/large"); err != nil || len(a.Body) != maxAnswer {
		t.Errorf("%d bytes, %v", len(a.Body), err)
	}
	first := make(chan error, 1)
	go func() {
		r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, srv.URL+"/hang", nil)
		_, err := c.Do(context.Background(), r)
		first <- err
	}()
	<-inside
	busy, cancel := context.WithCancel(t.Context())
	cancel()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/hang", nil)
	if _, err := c.Do(busy, r); !errors.Is(err, ErrBusy) {
		t.Errorf("beside another: %v", err)
	}
	if err := <-first; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a server that hangs: %v", err)
	}
}

// TestErrorsTellNoURL: a URL may hold a secret.
func TestErrorsTellNoURL(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	c := New(Options{AllowLoopback: true})
	if _, err := get(t, c, "http://"+address+"/?key=secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

// TestTLS: certificates are checked.
func TestTLS(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ErrorLog = nil
	defer srv.Close()
	strict := New(Options{AllowLoopback: true})
	if _, err := get(t, strict, srv.URL); err == nil {
		t.Error("a certificate that nobody knows is taken")
	}
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	c := New(Options{AllowLoopback: true, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	defer c.Close()
	if a, err := get(t, c, srv.URL); err != nil || a.Status != http.StatusOK {
		t.Errorf("%d %v", a.Status, err)
	}
}

// FuzzCheck: what is taken for a URL can be asked, and names no address that is not public.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"http://example.com", "https://[::1]:80/", "http://2130706433/", "http://0x7f.1/", "http://127.1"} {
		f.Add(s)
	}
	c := New(Options{})
	f.Fuzz(func(t *testing.T, s string) {
		if c.Check(s) != nil {
			return
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s, nil)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if a, err := netip.ParseAddr(r.URL.Hostname()); err == nil && !Public(a.Unmap()) {
			t.Fatalf("%q is let through", s)
		}
	})
}
