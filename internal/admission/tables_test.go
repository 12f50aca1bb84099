package admission_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/admission"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// node is a server's view of the records in an engine.
func node(t *testing.T, conn *natsd.Conn) admission.Tables {
	t.Helper()
	s, err := store.Open(t.Context(), conn, store.Options{})
	check(t, err)
	t.Cleanup(s.Close)
	r, err := records.OpenViewers(t.Context(), s)
	check(t, err)
	return admission.Tables{Viewers: r}
}

// TestTables: what one node has let in or revoked holds on the other, and after a restart of both.
func TestTables(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conn, err := natsd.Start(t.Context(), natsd.Options{Dir: dir})
	check(t, err)
	one, two := node(t, conn), node(t, conn)
	used := resource.UsedToken{ChannelARN: channel(), UUID: "6e61a2b4-0c0f-4d3c-9f0e-1a2b3c4d5e6f", Until: now().Add(time.Minute)}
	var all sync.WaitGroup
	results := make(chan error, 20)
	for i := range cap(results) {
		at := []admission.Tables{one, two}[i%2]
		all.Go(func() { results <- at.Use(context.Background(), used) })
	}
	all.Wait()
	close(results)
	let := 0
	for err := range results {
		if err == nil {
			let++
		} else if !fault.Is(err, fault.Conflict) {
			t.Error(err)
		}
	}
	if let != 1 {
		t.Errorf("%d nodes used the token", let)
	}

	seen := make(chan resource.ViewerRevocation, 1)
	ctx, cancel := context.WithCancel(t.Context())
	all.Go(func() { two.WatchRevocations(ctx, func(r resource.ViewerRevocation) { seen <- r }) })
	r := resource.ViewerRevocation{ChannelARN: channel(), ViewerID: "zoë\x00.*>/", Version: 4}
	_, err = one.Revocations.Create(t.Context(), records.ViewerKey(channel(), r.ViewerID), r)
	check(t, err)
	if got := one.Revocation(channel(), r.ViewerID); got != 4 {
		t.Errorf("version %d is revoked when that is answered, want 4", got)
	}
	if got := <-seen; got != r || two.Revocation(channel(), r.ViewerID) != 4 || two.Revocation(channel(), "zoë") != -1 {
		t.Errorf("%+v", got)
	}
	cancel()
	all.Wait()
	if _, err := one.Policy(t.Context(), policyARN); !fault.Is(err, fault.NotFound) {
		t.Errorf("a policy that is not there: %v", err)
	}

	conn.Close()
	conn, err = natsd.Start(t.Context(), natsd.Options{Dir: dir})
	check(t, err)
	t.Cleanup(conn.Close)
	again := node(t, conn)
	if err := again.Use(t.Context(), used); !fault.Is(err, fault.Conflict) {
		t.Errorf("after a restart: %v", err)
	}
	if got := again.Revocation(channel(), r.ViewerID); got != 4 {
		t.Errorf("after a restart version %d is revoked, want 4", got)
	}
}
