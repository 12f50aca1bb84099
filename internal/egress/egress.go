// Package egress sends HTTP requests to addresses that API users name.
//
// Whoever may call the API may name a URL, and it is the server that will connect to it, from inside the operator's
// network. So nothing here ever connects to an address that is not one of the public internet, unless the operator has
// named its network: the name is resolved here, every address is judged, and the connection goes to the very address that
// was judged. Redirects are not followed, proxies of the environment are not used, every request ends in time, and there
// are only so many at once.
//
// Imports: nothing of Rivus.
package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

// Limits of a request.
const (
	DefaultTimeout    = 15 * time.Second
	DefaultConcurrent = 256
	dialTimeout       = 5 * time.Second // for one address
	maxAddresses      = 8               // of a name, that are tried
	maxAnswer         = 64 << 10        // bytes of a body that are kept
	maxHeader         = 64 << 10
)

// Options of a Client.
type Options struct {
	AllowPrivate  []netip.Prefix // networks that are not public and may be reached all the same
	AllowLoopback bool           // for a server that nobody but this machine can reach
	Timeout       time.Duration  // of a request with its answer; 0 means DefaultTimeout
	Concurrent    int            // requests at once; 0 means DefaultConcurrent
	TLS           *tls.Config    // nil: the certificate authorities of the system, and TLS 1.2 or later

	// Resolve looks a name up; nil means the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// ForbiddenError is the error of an address that requests may not go to.
type ForbiddenError struct{ Host string }

// Error names what was asked for, and not what it resolved to.
func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("%s is not an address of the public internet", e.Host)
}

// ErrBusy is the error of a request that found no place among those under way before its time was over.
var ErrBusy = errors.New("too many requests are under way")

// Answer is what came back. The body is cut off at 64 KiB.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Client sends requests. It is safe for concurrent use.
type Client struct {
	opt    Options
	client http.Client
	places chan struct{}
}

// New returns a client.
func New(opt Options) *Client {
	if opt.Timeout == 0 {
		opt.Timeout = DefaultTimeout
	}
	if opt.Concurrent == 0 {
		opt.Concurrent = DefaultConcurrent
	}
	if opt.Resolve == nil {
		opt.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	c := &Client{opt: opt, places: make(chan struct{}, opt.Concurrent)}
	config := opt.TLS
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c.client = http.Client{
		Transport: &http.Transport{
			DialContext: c.dial, TLSClientConfig: config, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxIdleConns: opt.Concurrent, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
			TLSHandshakeTimeout: dialTimeout, MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Close closes connections that are kept open.
func (c *Client) Close() { c.client.CloseIdleConnections() }

// Check tells whether a text is a URL to which requests can be sent, as far as that can be known without looking its name
// up. The error says what is wrong; for an address it is a *ForbiddenError.
func (c *Client) Check(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("it is not an absolute URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("its scheme is neither http nor https")
	case u.User != nil:
		return errors.New("it holds a user name or a password")
	case u.Hostname() == "":
		return errors.New("it names no host")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return errors.New("its port is none")
		}
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !c.allowed(a) {
		return &ForbiddenError{Host: u.Hostname()}
	}
	return nil
}

// Do sends a request and returns what came back. A *ForbiddenError says that it may not be sent there.
func (c *Client) Do(ctx context.Context, r *http.Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	if err := c.Check(r.URL.String()); err != nil {
		return Answer{}, err
	}
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("egress: %w: %w", ErrBusy, ctx.Err())
	}
	resp, err := c.client.Do(r.WithContext(ctx)) //nolint:bodyclose // it is, below
	if err != nil {
		return Answer{}, cause(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return Answer{}, fmt.Errorf("egress: read the answer: %w", cause(err))
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// cause takes the URL out of an error: it may hold a secret.
func cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// dial resolves a name and connects to the first of its addresses that may be reached and answers.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("egress: %w", err)
	}
	addresses, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	failed := error(&ForbiddenError{Host: host})
	dialer := net.Dialer{Timeout: dialTimeout}
	for _, a := range addresses[:min(len(addresses), maxAddresses)] {
		if !c.allowed(a) {
			continue
		}
		var conn net.Conn
		if conn, err = dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port)); err == nil {
			return conn, nil
		}
		failed = err
	}
	return nil, failed
}

func (c *Client) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	addresses, err := c.opt.Resolve(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("egress: look up %s: %w", host, err)
	}
	if len(addresses) == 0 {
		return nil, fmt.Errorf("egress: %s has no address", host)
	}
	return addresses, nil
}
