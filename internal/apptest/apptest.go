// Package apptest starts whole servers inside tests and speaks to them through real clients.
//
// Every server has its own data directory and ports that the system chose, so tests run in parallel. It is stopped when
// the test ends, and the test fails when it does not stop or stops with an error.
//
// Imports: app, config.
package apptest

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
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
func Config(tb testing.TB) config.Config {
	tb.Helper()
	cfg, err := config.Default()
	if err != nil {
		tb.Fatal(err)
	}
	cfg.HTTPAddr, cfg.RTMPAddr, cfg.RTMPSAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.MediaAddr = "127.0.0.1:0"
	cfg.DataDir = tb.TempDir()
	return cfg
}

// Start starts a server with the configuration of Config after the changes, and returns when it listens.
func Start(tb testing.TB, changes ...func(*config.Config)) *Server {
	tb.Helper()
	cfg := Config(tb)
	for _, change := range changes {
		change(&cfg)
	}
	s, err := tryStart(tb, cfg)
	if err != nil {
		tb.Fatalf("start: %v", err)
	}
	return s
}

// TryStart starts a server that may refuse to start.
func TryStart(tb testing.TB, cfg config.Config) (*Server, error) {
	tb.Helper()
	return tryStart(tb, cfg)
}

func tryStart(tb testing.TB, cfg config.Config) (*Server, error) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan app.Ready, 1)
	done := make(chan error, 1)
	go func() {
		done <- app.Run(ctx, cfg, app.Options{Logger: logger(tb), Ready: func(r app.Ready) { ready <- r }})
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
				tb.Errorf("server: %v", err)
			}
		case <-time.After(patience):
			tb.Error("server: does not stop")
		}
	}
	select {
	case s.Ready = <-ready:
		tb.Cleanup(s.stop)
		return s, nil
	case err := <-done:
		cancel()
		return nil, err
	case <-time.After(patience):
		s.stop()
		tb.Fatal("server: does not start")
		return nil, nil
	}
}

// Stop stops the server before the test ends. Restart starts it again on the same data.
func (s *Server) Stop() { s.stop() }

// Restart starts a server with the configuration and data of one that was stopped, on new ports.
func (s *Server) Restart(tb testing.TB) *Server {
	tb.Helper()
	n, err := tryStart(tb, s.Config)
	if err != nil {
		tb.Fatalf("restart: %v", err)
	}
	return n
}

// logger writes to the test's log, at the level in RIVUS_TEST_LOG (warn when unset).
func logger(tb testing.TB) *slog.Logger {
	tb.Helper()
	level := slog.LevelWarn
	if text := os.Getenv("RIVUS_TEST_LOG"); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			tb.Fatal(err)
		}
	}
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: level}))
}

// Need skips the test when a program that it drives is missing. With RIVUS_TEST=all, as make test sets it after it has
// installed everything, a missing program fails the test instead: nothing is left out silently.
func Need(tb testing.TB, programs ...string) {
	tb.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("RIVUS_TEST") == "all" {
			tb.Fatalf("%s is missing", p)
		}
		tb.Skipf("%s is missing; make test installs it", p)
	}
}

// Eventually waits until check returns nil.
func Eventually(tb testing.TB, what string, check func() error) {
	tb.Helper()
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
			tb.Fatalf("%s: %v", what, err)
		}
	}
}
