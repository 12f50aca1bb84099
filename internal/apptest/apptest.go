// Package apptest starts whole servers inside tests and speaks to them through real clients.
//
// Every server has its own data directory and ports that the system chose, so tests run in parallel. It is stopped when
// the test ends, and the test fails when it does not stop or left goroutines behind.
//
// Imports: app, config, resource.
package apptest

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/app"
	"github.com/rivus-live/rivus/internal/config"
)

// Region is where the clients of a test server sign for.
const Region = "us-west-2"

// patience is how long a helper waits for something that must happen. It bounds a hang; nothing is measured with it.
const patience = 60 * time.Second

// Server is a running server.
type Server struct {
	app.Ready
	Config config.Config
	stop   func()
}

// Config returns the configuration of a test server: all ports free, state in a directory of the test.
func Config(t testing.TB) config.Config {
	t.Helper()
	cfg, err := config.Default()
	if err != nil {
		t.Fatal(err)
	}
	cfg.HTTPAddr, cfg.RTMPAddr, cfg.RTMPSAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.DataDir = t.TempDir()
	return cfg
}

// Start starts a server with the configuration of Config after the changes, and returns when it listens.
func Start(t testing.TB, changes ...func(*config.Config)) *Server {
	t.Helper()
	cfg := Config(t)
	for _, change := range changes {
		change(&cfg)
	}
	s, err := tryStart(t, cfg)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return s
}

// TryStart starts a server that may refuse to start.
func TryStart(t testing.TB, cfg config.Config) (*Server, error) {
	t.Helper()
	return tryStart(t, cfg)
}

func tryStart(t testing.TB, cfg config.Config) (*Server, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan app.Ready, 1)
	done := make(chan error, 1)
	go func() {
		done <- app.Run(ctx, cfg, app.Options{Logger: logger(t), Ready: func(r app.Ready) { ready <- r }})
	}()
	s := &Server{Config: cfg}
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("server: %v", err)
			}
		case <-time.After(patience):
			t.Error("server: does not stop")
		}
	}
	select {
	case s.Ready = <-ready:
		t.Cleanup(s.stop)
		return s, nil
	case err := <-done:
		cancel()
		return nil, err
	case <-time.After(patience):
		s.stop()
		t.Fatal("server: does not start")
		return nil, nil
	}
}

// Stop stops the server before the test ends. Restart starts it again on the same data.
func (s *Server) Stop() { s.stop() }

// Restart starts a server with the configuration and data of one that was stopped, on new ports.
func (s *Server) Restart(t testing.TB) *Server {
	t.Helper()
	n, err := tryStart(t, s.Config)
	if err != nil {
		t.Fatalf("restart: %v", err)
	}
	return n
}

// logger writes to the test's log, at the level in RIVUS_TEST_LOG (warn when unset).
func logger(t testing.TB) *slog.Logger {
	level := slog.LevelWarn
	if text := os.Getenv("RIVUS_TEST_LOG"); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
}

// Need skips the test when a program that it drives is missing. With RIVUS_TEST=all, as make test sets it after it has
// installed everything, a missing program fails the test instead: nothing is left out silently.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("RIVUS_TEST") == "all" {
			t.Fatalf("%s is missing", p)
		}
		t.Skipf("%s is missing; make test installs it", p)
	}
}

// Eventually waits until check returns nil.
func Eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// port returns the port of a host:port.
func port(t testing.TB, addr string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(p)
}
