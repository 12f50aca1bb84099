package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// LiveKit is what our stages are compared with: the server that most people would take, at this version.
const (
	livekitVersion = "v1.13.5"
	livekitModule  = "github.com/livekit/livekit-server/cmd/server@" + livekitVersion
	livekitKey     = "bench"
	livekitSecret  = "a secret that opens nothing else but it is long" // not a credential of anything outside this run
)

// livekit is a LiveKit server process.
type livekit struct {
	pid     int
	http    string
	metrics string
	media   int // port
	rooms   int
	cancel  context.CancelFunc
	done    chan error
}

// errNotNow is why a short run has no LiveKit unless an earlier one has built it.
var errNotNow = errors.New("a short run does not build it")

// buildLiveKit returns the path of the server, which it builds from its module when the user's cache has none yet.
func (b *bench) buildLiveKit(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "rivus-bench")
	binary := filepath.Join(dir, "livekit-server-"+livekitVersion)
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	if b.set.short {
		return "", errNotNow
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	b.progress("building LiveKit %s, once; this takes a minute or more", livekitVersion)
	bin := filepath.Join(b.dir, "gobin")
	install := exec.CommandContext(ctx, "go", "install", "-ldflags=-s -w", livekitModule)
	install.Dir = b.dir // not in our module
	install.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=-mod=mod")
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, lastBytes(out, 500))
	}
	text, err := os.ReadFile(filepath.Join(bin, "server"))
	if err != nil {
		return "", err
	}
	return binary, os.WriteFile(binary, text, 0o700)
}

func lastBytes(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// startLiveKit runs a server as it comes, with everything on loopback, one UDP port for media as ours, and ICE-lite,
// which is its faster way to connect.
func (b *bench) startLiveKit(ctx context.Context, binary string) (*livekit, error) {
	ports, err := freePorts(ctx, 4)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`{"port": %d, "bind_addresses": ["127.0.0.1"], "prometheus_port": %d, "keys": {%q: %q},
		"logging": {"level": "error", "pion_level": "error"},
		"rtc": {"udp_port": %d, "tcp_port": %d, "node_ip": "127.0.0.1", "use_external_ip": false, "use_ice_lite": true,
			"enable_loopback_candidate": true, "interfaces": {"includes": ["lo"]}}}`,
		ports[0], ports[1], livekitKey, livekitSecret, ports[2], ports[3])
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, binary, "--config-body", config)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	l := &livekit{
		pid: cmd.Process.Pid, cancel: cancel, done: make(chan error, 1), media: ports[2],
		http: "127.0.0.1:" + strconv.Itoa(ports[0]), metrics: "http://127.0.0.1:" + strconv.Itoa(ports[1]) + "/metrics",
	}
	go func() { l.done <- cmd.Wait() }()
	if err := poll(ctx, "LiveKit listens", func() error {
		_, err := fetch(ctx, "http://"+l.http+"/")
		return err
	}); err != nil {
		l.stop()
		return nil, fmt.Errorf("%w\n%s", err, lastBytes(log.Bytes(), 500))
	}
	return l, nil
}

// freePorts returns n ports of loopback that nobody listens on, for UDP either.
func freePorts(ctx context.Context, n int) ([]int, error) {
	var ports []int
	var lc net.ListenConfig
	for len(ports) < n {
		l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() //nolint:errcheck // held until all are chosen
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, errors.New("a TCP listener without a port")
		}
		u, err := lc.ListenPacket(ctx, "udp", addr.String())
		if err != nil {
			continue // taken there
		}
		_ = u.Close()
		ports = append(ports, addr.Port)
	}
	return ports, nil
}

// fetch returns the body of a good answer.
func fetch(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	s := server{client: http.DefaultClient}
	return s.do(req)
}

func (l *livekit) name() string { return "livekit" }

func (l *livekit) mediaPort() uint16 { return uint16(l.media) }

func (l *livekit) usage() (usage, error) { return usageOf(l.pid) }

func (l *livekit) scrape(ctx context.Context) (metrics, error) {
	body, err := fetch(ctx, l.metrics)
	if err != nil {
		return nil, err
	}
	return parseMetrics(bytes.NewReader(body))
}

// profileFor just waits: LiveKit's profiles are not our business.
func (l *livekit) profileFor(ctx context.Context, _ *bench, _ string, d time.Duration) error {
	return wait(ctx, d)
}

// collect can do nothing: LiveKit collects when it wants to.
func (l *livekit) collect(context.Context) error { return nil }

// open makes tickets to a new room, which the first of its participants opens.
func (l *livekit) open(_ context.Context, n int) ([]ticket, error) {
	l.rooms++
	tickets := make([]ticket, n)
	for i := range tickets {
		id := fmt.Sprintf("p%d", i)
		token, err := livekitToken(id, fmt.Sprintf("room%d", l.rooms), time.Now())
		if err != nil {
			return nil, err
		}
		tickets[i] = ticket{ID: id, Token: token, URL: "ws://" + l.http + "/rtc", LiveKit: true}
	}
	return tickets, nil
}

// livekitToken signs an access token (a JWT with HS256).
func livekitToken(identity, room string, now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iss": livekitKey, "sub": identity, "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
		"identity": identity, "video": map[string]any{"roomJoin": true, "room": room},
	})
	if err != nil {
		return "", err
	}
	e := base64.RawURLEncoding
	text := e.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + e.EncodeToString(claims)
	mac := hmac.New(sha256.New, []byte(livekitSecret))
	mac.Write([]byte(text))
	return text + "." + e.EncodeToString(mac.Sum(nil)), nil
}

func (l *livekit) stop() {
	l.cancel()
	<-l.done
}

// contender is a server that is measured.
type contender struct {
	ours  bool
	start func(context.Context) (sfu, error)
}

// tolerate returns an error of ours. That another server cannot do what is asked of it is noted, and no failure of the run.
func (b *bench) tolerate(ctx context.Context, c contender, what string, err error) error {
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case c.ours:
		return fmt.Errorf("%s: %w", what, err)
	}
	b.progress("livekit, %s: %v", what, err)
	b.report.note("LiveKit did NOT manage %s here: %v", what, err)
	return nil
}

// eachServer measures our server, then LiveKit, unless that cannot be built here.
func (b *bench) eachServer(ctx context.Context, measure func(contender) error) error {
	if err := measure(contender{true, func(ctx context.Context) (sfu, error) { return b.start(ctx) }}); err != nil {
		return err
	}
	if b.set.alone {
		return nil
	}
	binary, err := b.buildLiveKit(ctx)
	if err != nil {
		b.report.note("LiveKit %s was NOT measured, as it is not there: %v", livekitVersion, err)
		b.progress("no LiveKit: %v", err)
		return ctx.Err()
	}
	if err := measure(contender{false, func(ctx context.Context) (sfu, error) { return b.startLiveKit(ctx, binary) }}); err != nil {
		return fmt.Errorf("livekit: %w", err)
	}
	b.report.note("LiveKit %s is built from its module and runs as it comes, with one UDP port, ICE-lite and its own signalling; the clients, their packets and their feedback are the same (it asks for REMB instead of transport-wide feedback and is told 100 Mbit/s)", livekitVersion)
	return nil
}
