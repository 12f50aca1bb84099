package cluster

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/store"
)

// outside runs a NATS server that is not ours, on a port (0: any) and on files that stay.
func outside(t *testing.T, dir string, port int) (srv *server.Server, at int) {
	t.Helper()
	if port == 0 {
		port = server.RANDOM_PORT
	}
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the outside server does not start")
	}
	return srv, srv.Addr().(*net.TCPAddr).Port
}

func TestHoldsOutliveTheEngine(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	srv, port := outside(t, dir, 0)
	conn, err := natsd.Start(ctx, natsd.Options{ExternalURL: fmt.Sprintf("nats://127.0.0.1:%d", port)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	s, err := store.Open(ctx, conn, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w := world{conn, s}
	node, _ := w.join(t, "a")
	claims := w.claims(t, node)
	h, err := claims.Take(ctx, keyOf("x"), show{"good"})
	if err != nil {
		t.Fatal(err)
	}
	stop, err := node.Serve("test.echo", func(_ context.Context, data []byte) (any, error) { return string(data), nil })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()

	srv.Shutdown()
	srv.WaitForShutdown()
	wantKind(t, h.Put(ctx, show{"bad"}), fault.Unavailable)
	if v, ok, err := claims.Get(ctx, keyOf("x")); !ok || err != nil || v.Health != "good" {
		t.Fatalf("without the engine the claim is %v %v %v", v, ok, err)
	}
	srv, _ = outside(t, dir, port)
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })

	eventually(t, "the claim is written again", func() bool {
		err := h.Put(ctx, show{"back"})
		if fault.Is(err, fault.Fenced) {
			t.Fatal("the owner was fenced by nobody")
		}
		return err == nil
	})
	eventually(t, "the claim is there again", func() bool {
		v, ok, err := claims.Get(ctx, keyOf("x"))
		return ok && err == nil && v.Health == "back"
	})
	eventually(t, "the lease is there again", func() bool {
		got, err := node.Addresses(ctx, "a")
		return err == nil && got["http"] == "a:80"
	})
	eventually(t, "commands work again", func() bool {
		var out string
		return node.Request(ctx, "test.echo", 1, &out) == nil && out == "1"
	})
	select {
	case <-h.Lost():
		t.Fatal("the hold counts as lost")
	default:
	}
}
