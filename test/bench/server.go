package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rivus-live/rivus/internal/sigv4"
)

const (
	region      = "us-west-2"
	accessKeyID = "AKIABENCH"
	secretKey   = "aSecretThatOpensNothingElse" // not a credential of anything outside this run
	stopTimeout = 20 * time.Second
)

// ready is what we need of the line of --ready-json.
type ready struct {
	HTTP  string `json:"http"`
	RTMP  string `json:"rtmp"`
	Media string `json:"media"`
	Admin string `json:"admin"`
}

// server is a rivus process.
type server struct {
	ready
	pid    int
	signer sigv4.Signer
	client *http.Client
	cancel context.CancelFunc
	done   chan error
	dir    string
}

// start runs a server on an empty data directory and returns when it listens. ctx ends it too.
func (b *bench) start(ctx context.Context) (*server, error) {
	dir, err := os.MkdirTemp(b.dir, "data-")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, b.binary, "serve", "--ready-json", "--data-dir="+dir, "--log-level=warn",
		"--http-addr=127.0.0.1:0", "--rtmp-addr=127.0.0.1:0", "--rtmps-addr=127.0.0.1:0", "--media-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0",
		"--access-key-id="+accessKeyID, "--secret-access-key="+secretKey)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start the server: %w", err)
	}
	s := &server{
		pid: cmd.Process.Pid, cancel: cancel, done: make(chan error, 1), dir: dir, client: &http.Client{},
		signer: sigv4.Signer{AccessKeyID: accessKeyID, Secret: secretKey, Region: region, Service: "ivs"}, // of ivs-realtime too
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s.ready)
	}
	go func() { s.done <- cmd.Wait() }()
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("the server does not say where it listens: %w\n%s", err, stderr.String())
	}
	return s, nil
}

// stop ends the server, waits for it and removes its data. A server that was told to stop may say so in its exit code,
// and what it did before was measured already: there is nothing to do about an error.
func (s *server) stop() {
	s.cancel()
	<-s.done
	s.client.CloseIdleConnections()
	_ = os.RemoveAll(s.dir) // the run's directory goes as a whole later
}

// usage is what the server has used up to a moment.
type usage struct {
	at       time.Time
	cpu      time.Duration
	resident int64
	peak     int64 // of resident, since the start
}

func (s *server) usage() (usage, error) { return usageOf(s.pid) }

// usageOf returns what a process has used.
func usageOf(pid int) (usage, error) {
	cpu, err := cpuTime(pid)
	if err != nil {
		return usage{}, err
	}
	resident, peak, err := residentBytes(pid)
	return usage{time.Now(), cpu, resident, peak}, err
}

// since returns the CPU time used since an earlier moment.
func (u usage) since(v usage) time.Duration { return u.cpu - v.cpu }

// cores returns the mean number of cores in use since an earlier moment.
func (u usage) cores(v usage) float64 { return u.since(v).Seconds() / u.at.Sub(v.at).Seconds() }

// scrape reads the server's metrics.
func (s *server) scrape(ctx context.Context) (metrics, error) {
	body, err := s.get(ctx, "http://"+s.Admin+"/metrics")
	if err != nil {
		return nil, err
	}
	return parseMetrics(bytes.NewReader(body))
}

// profile saves one of the server's profiles, when profiles are wanted. It takes as long as the profile does.
func (s *server) profile(ctx context.Context, b *bench, name, query string) error {
	if b.set.profiles == "" {
		return nil
	}
	body, err := s.get(ctx, "http://"+s.Admin+"/debug/pprof/"+query)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.set.profiles, name+".pprof"), body, 0o600)
}

// profileFor profiles the processor and, as two profiles to be compared, the heap, while the load runs for d, else just
// waits.
func (s *server) profileFor(ctx context.Context, b *bench, name string, d time.Duration) error {
	if b.set.profiles == "" {
		return wait(ctx, d)
	}
	return errors.Join(
		s.profile(ctx, b, name+"-heap-before", "heap?gc=1"), // a heap profile is as old as the last collection
		s.profile(ctx, b, name, fmt.Sprintf("profile?seconds=%d", int(d.Seconds()))),
		s.profile(ctx, b, name+"-heap-after", "heap?gc=1"),
	)
}

func (s *server) get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return s.do(req)
}

// do sends a request and returns the body of a good answer.
func (s *server) do(req *http.Request) ([]byte, error) {
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", req.URL.Path, resp.Status, body)
	}
	return body, err
}
