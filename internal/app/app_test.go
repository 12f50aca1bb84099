package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/config"
)

// startEngine runs a state engine outside of the server; port -1 chooses one.
func startEngine(t *testing.T, dir string, port int) *natsserver.Server {
	t.Helper()
	s, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the engine does not start")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

func admin(t *testing.T, s *apptest.Server, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestReadyMeansThatStateCanBeWritten: a balancer must see that the engine is away, and that it is back.
func TestReadyMeansThatStateCanBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	engine := startEngine(t, dir, natsserver.RANDOM_PORT)
	url := engine.ClientURL()
	var port int
	if _, err := fmt.Sscanf(url[strings.LastIndexByte(url, ':'):], ":%d", &port); err != nil {
		t.Fatal(err)
	}
	s := apptest.Start(t, func(c *config.Config) { c.NATSURL = url })
	if status, body := admin(t, s, "/readyz"); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	engine.Shutdown()
	engine.WaitForShutdown()
	if status, body := admin(t, s, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "engine") {
		t.Errorf("without the engine: %d %s", status, body)
	}
	if status, _ := admin(t, s, "/healthz"); status != http.StatusOK {
		t.Errorf("the process is healthy without its engine: %d", status)
	}
	startEngine(t, dir, port)
	apptest.Eventually(t, "ready again", func() error {
		if status, body := admin(t, s, "/readyz"); status != http.StatusOK {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	s.Stop() // before the engine, which it says goodbye to
}

// TestOneProcessADirectory: the keys in a data directory are one process's, with an engine of its own or without.
func TestOneProcessADirectory(t *testing.T) {
	t.Parallel()
	engine := startEngine(t, t.TempDir(), natsserver.RANDOM_PORT)
	s := apptest.Start(t, func(c *config.Config) { c.NATSURL = engine.ClientURL() })
	if _, err := apptest.TryStart(t, s.Config); err == nil || !strings.Contains(err.Error(), "another process uses it") {
		t.Errorf("a second process: %v", err)
	}
	s.Stop()
	s.Config.NATSURL = ""
	s.Restart(t) // on its own engine, in the directory that holds its keys
}
