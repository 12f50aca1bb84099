package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rivus-live/rivus/internal/apptest"
)

// engineJob in the environment makes a process of the test binary a server of the engine.
const engineJob = "RIVUS_FAULTS_ENGINE"

// seat is one server of the engine: where it listens and keeps its files.
type seat struct {
	Name, Dir, Client, Route string
	Routes                   []string
}

func TestMain(m *testing.M) {
	if job := os.Getenv(engineJob); job != "" {
		if err := serveEngine(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // a process of its own
		}
		return
	}
	code := m.Run()
	apptest.RemoveBinary()
	os.Exit(code) //nolint:forbidigo // the end of the test binary
}

// serveEngine runs a server until standard input ends.
func serveEngine(job string) error {
	var s seat
	if err := json.Unmarshal([]byte(job), &s); err != nil {
		return err
	}
	opt := &server.Options{ServerName: s.Name, JetStream: true, StoreDir: s.Dir, SyncAlways: true, NoSigs: true}
	opt.Host, opt.Port = hostPort(s.Client)
	opt.Cluster.Name = "faults"
	opt.Cluster.Host, opt.Cluster.Port = hostPort(s.Route)
	for _, r := range s.Routes {
		opt.Routes = append(opt.Routes, &url.URL{Scheme: "nats", Host: r})
	}
	srv, err := server.NewServer(opt)
	if err != nil {
		return err
	}
	srv.ConfigureLogger()
	srv.Start()
	_, err = io.Copy(io.Discard, os.Stdin)
	srv.Shutdown()
	return err
}

func hostPort(addr string) (string, int) {
	host, text, _ := net.SplitHostPort(addr)
	port, _ := strconv.Atoi(text)
	return host, port
}

// engine is a cluster of three servers.
type engine struct {
	servers [3]*process
	urls    string
}

func startEngine(t *testing.T) *engine {
	t.Helper()
	var seats [3]seat
	var routes, clients []string
	var taken []net.Listener
	for i := range seats {
		seats[i] = seat{Name: fmt.Sprintf("engine-%d", i), Dir: t.TempDir(), Client: freeAddress(t, &taken), Route: freeAddress(t, &taken)}
		routes, clients = append(routes, seats[i].Route), append(clients, "nats://"+seats[i].Client)
	}
	release(taken)
	e := &engine{urls: strings.Join(clients, ",")}
	for i, s := range seats {
		s.Routes = routes
		job, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		e.servers[i] = &process{t: t, name: s.Name, make: func() *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), engineJob+"="+string(job))
			return cmd
		}}
		e.servers[i].start()
		t.Cleanup(e.servers[i].kill)
	}
	return e
}

// whole returns nil when every server has all of every stream.
func (e *engine) whole(ctx context.Context) error {
	nc, err := nats.Connect(e.urls)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	list := js.ListStreams(ctx)
	for info := range list.Info() {
		c := info.Cluster
		if c == nil || c.Leader == "" || len(c.Replicas) != len(e.servers)-1 {
			return fmt.Errorf("stream %s has no leader, or too few copies", info.Config.Name)
		}
		for _, r := range c.Replicas {
			if !r.Current || r.Offline {
				return fmt.Errorf("stream %s is not whole at %s", info.Config.Name, r.Name)
			}
		}
	}
	return list.Err()
}

// freeAddress is where nobody listens now. Servers that come back need the address that they had, so it is below the ports that
// the system gives to whoever asks for any, and stays taken until all addresses of the run are found.
func freeAddress(t *testing.T, taken *[]net.Listener) string {
	t.Helper()
	const lowest, ephemeral = 10_000, 32_768
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(ephemeral-lowest))
		if l, err := net.Listen("tcp", addr); err == nil {
			*taken = append(*taken, l)
			return addr
		}
	}
	t.Fatal("no address is free")
	return ""
}

// release makes addresses free for those that they were found for.
func release(taken []net.Listener) {
	for _, l := range taken {
		_ = l.Close()
	}
}
