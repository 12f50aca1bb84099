package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/config"
	"github.com/rivus-live/rivus/internal/rtc"
	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
	"github.com/rivus-live/rivus/internal/strangers"
)

// strictDoors are doors that bound everybody, loopback too.
func strictDoors(most int, log *slog.Logger) *doors {
	return &doors{counter: strangers.NewCounter(most, nil), log: log, clock: time.Now, said: map[string]time.Time{}}
}

func listenLocal(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func dialTCP(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// closed waits until the server hangs up.
func closed(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("it stays: %v", err)
	}
}

// fill opens most silent connections and checks that one more is refused.
func fill(t *testing.T, d *doors, addr string, most int) []net.Conn {
	t.Helper()
	var open []net.Conn
	for range most {
		open = append(open, dialTCP(t, addr))
	}
	until(t, func() bool { return d.counter.Present() == most })
	if closed(t, dialTCP(t, addr)); d.turned.Load() != 1 {
		t.Fatalf("%d turned away", d.turned.Load())
	}
	return open
}

func until(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
		<-time.After(time.Millisecond)
	}
}

// TestStrangersOfHTTP: a complete request makes a client known; who goes makes room.
func TestStrangersOfHTTP(t *testing.T) {
	t.Parallel()
	d, l := strictDoors(3, slog.New(slog.DiscardHandler)), listenLocal(t)
	srv := &http.Server{
		ConnContext: withConnection, ReadHeaderTimeout: time.Minute,
		Handler: proveRequests(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })),
	}
	go func() { _ = srv.Serve(d.guard(l)) }()
	defer func() { _ = srv.Close() }()
	addr := l.Addr().String()
	open := fill(t, d, addr, 3)
	for i, request := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"} {
		if _, err := io.WriteString(open[i], request); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(open[i]), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		until(t, func() bool { return d.counter.Present() == 2-i })
	}
	for _, part := range []string{"GET / HTTP/1.1\r\nHost: x\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"} { // not complete
		if _, err := io.WriteString(dialTCP(t, addr), part); err != nil {
			t.Fatal(err)
		}
	}
	until(t, func() bool { return d.counter.Present() == 3 })
	closed(t, dialTCP(t, addr))
	_ = open[2].Close()
	until(t, func() bool { return d.counter.Present() == 2 })
}

// TestStrangersOfTLS: a handshake makes a client known.
func TestStrangersOfTLS(t *testing.T) {
	t.Parallel()
	d, l := strictDoors(2, slog.New(slog.DiscardHandler)), listenLocal(t)
	sh := newSharedListener(t.Context(), d.guard(l), testTLS(t), 8, nil, nil)
	defer func() { _ = sh.Close(); sh.wait() }()
	open := fill(t, d, l.Addr().String(), 2)
	client := tls.Client(open[0], &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	_ = client.SetDeadline(time.Time{})
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return d.counter.Present() == 1 })
	c, err := sh.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	dialTCP(t, l.Addr().String())
	until(t, func() bool { return d.counter.Present() == 2 })
}

// acceptAll is a handler of encoders that takes every key.
type acceptAll struct{}

func (acceptAll) Publish(_ context.Context, p *rtmp.Publication) error {
	if err := p.Accept(); err != nil {
		return err
	}
	for {
		if _, err := p.Read(); err != nil {
			return err
		}
	}
}

// TestStrangersOfRTMP: a stream key makes an encoder known, a handshake alone does not.
func TestStrangersOfRTMP(t *testing.T) {
	t.Parallel()
	d, l := strictDoors(2, slog.New(slog.DiscardHandler)), listenLocal(t)
	ctx, stop := context.WithCancel(t.Context())
	srv := rtmp.NewServer(rtmp.Options{Handler: acceptAll{}})
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(ctx, d.guard(l), false) })
	defer serving.Wait()
	defer stop()
	open := fill(t, d, l.Addr().String(), 2)
	_ = open[0].Close()
	until(t, func() bool { return d.counter.Present() == 1 })
	encoder := rtmptest.New(dialTCP(t, l.Addr().String()), rtmptest.Options{})
	if err := encoder.Handshake(); err != nil {
		t.Fatal(err)
	}
	if n := d.counter.Present(); n != 2 {
		t.Errorf("%d strangers after a handshake, want 2", n)
	}
	if err := encoder.Publish("app", "good"); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return d.counter.Present() == 1 && srv.Stats().Publishing == 1 })
}

// TestStrangersOfMedia: the TCP port of peers is behind a door too.
func TestStrangersOfMedia(t *testing.T) {
	t.Parallel()
	d := strictDoors(2, slog.New(slog.DiscardHandler))
	port, err := rtc.Listen(t.Context(), "127.0.0.1:0", d.guard)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = port.Close() }()
	open := fill(t, d, port.Addr(), 2)
	_ = open[0].Close()
	until(t, func() bool { return d.counter.Present() == 1 })
}

// TestWhoIsFree: loopback and trusted proxies are, in every spelling.
func TestWhoIsFree(t *testing.T) {
	t.Parallel()
	d, err := newDoors(&config.Config{MaxStrangers: 1, TrustedProxies: []string{"192.0.2.0/24", "2001:db8::7"}}, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "::ffff:127.0.0.9": true, "192.0.2.9": true, "::ffff:192.0.2.9": true, "2001:db8::7": true,
		"198.51.100.1": false, "2001:db8::8": false, "192.0.3.1": false,
	} {
		if got := d.counter.Free(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestOutOfDescriptors runs a listener in a process that may have few file descriptors: strangers are refused before they
// run out, and when they do run out nothing ends.
func TestOutOfDescriptors(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFewDescriptors$", "-test.v")
	child.Env = append(os.Environ(), "RIVUS_TEST_FEW_DESCRIPTORS=1")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	answer := func() string {
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "> "); ok { // the rest is the test's own
				return text
			}
		}
		t.Fatalf("the child ended: %v", lines.Err())
		return ""
	}
	ask := func(what string) string {
		t.Helper()
		if _, err := fmt.Fprintln(in, what); err != nil {
			t.Fatal(err)
		}
		return answer()
	}
	addr := answer()
	get := func() error {
		c := dialTCP(t, addr)
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	if err := get(); err != nil {
		t.Fatalf("at first: %v", err)
	}
	for tries := 0; ; tries++ {
		ask("near") // again: a connection that ended has given its descriptor back
		if get() != nil {
			break
		}
		if tries > 100 {
			t.Fatal("strangers come in although descriptors are short")
		}
	}
	if got := ask("report"); got != "short=true failed=false lines=1" {
		t.Error(got)
	}
	for tries, got := 0, ""; got != "short=true failed=true lines=2"; got = ask("report") {
		if tries++; tries > 100 {
			t.Fatal(got)
		}
		ask("all") // again: connections that ended have given theirs back
		_ = dialTCP(t, addr)
	}
	ask("free")
	if err := get(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	_ = in.Close()
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}

// TestFewDescriptors is the child of TestOutOfDescriptors. It lets its parent say when files are opened and closed.
func TestFewDescriptors(t *testing.T) {
	if os.Getenv("RIVUS_TEST_FEW_DESCRIPTORS") == "" {
		t.Skip("runs in a process of its own, which TestOutOfDescriptors starts")
	}
	limit := syscall.Rlimit{Cur: 128, Max: 128}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var text lockedBuffer
	d := strictDoors(1000, slog.New(slog.NewTextHandler(&text, nil)))
	d.most = maxDescriptors()
	l := listenLocal(t)
	srv := &http.Server{ConnContext: withConnection, ReadHeaderTimeout: time.Minute, Handler: proveRequests(http.NotFoundHandler())}
	go func() { _ = srv.Serve(d.guard(l)) }()
	fmt.Println(">", l.Addr()) //nolint:forbidigo // the parent reads it
	var files []*os.File
	for sc := bufio.NewScanner(os.Stdin); sc.Scan(); {
		answer := "done"
		switch sc.Text() {
		case "near", "all":
			for {
				f, err := os.Open(os.DevNull)
				if err != nil {
					break
				}
				if files = append(files, f); sc.Text() == "near" && int(f.Fd()) > d.most-8 {
					break
				}
			}
		case "free":
			for _, f := range files {
				_ = f.Close()
			}
			files = nil
		case "report":
			answer = fmt.Sprintf("short=%v failed=%v lines=%d", d.short.Load() > 0, d.failed.Load() > 0, strings.Count(text.String(), "\n"))
		}
		fmt.Println(">", answer) //nolint:forbidigo // the parent reads it
	}
	_ = srv.Close()
}

// lockedBuffer collects what several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
