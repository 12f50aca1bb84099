package cluster

import (
	"log/slog"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/natsd/natsdtest"
)

// Parts of the subjects of requests.
const (
	claimWrites = "rivus-presence.show."
	leaseWrites = "rivus-presence.node."
	looks       = "STREAM.MSG.GET"
)

// newFaultyWorld is newWorld on an engine that fails on purpose.
func newFaultyWorld(t *testing.T) (world, *natsdtest.Faults) {
	t.Helper()
	faults := &natsdtest.Faults{}
	return newWorldOn(t, natsd.Options{Dir: t.TempDir(), Between: faults.Between}), faults
}

// TestClaimIsTakenWhateverBecomesOfTheAnswer: a lost answer, a request that is late or came twice make no difference to who
// takes, writes and releases.
func TestClaimIsTakenWhateverBecomesOfTheAnswer(t *testing.T) {
	t.Parallel()
	w, faults := newFaultyWorld(t)
	a, _ := w.join(t, "a")
	claims, ctx := w.claims(t, a), t.Context()
	for _, kind := range []natsdtest.Kind{natsdtest.Lost, natsdtest.Doubled, natsdtest.Dropped, natsdtest.Late} {
		faults.Inject(kind, claimWrites, 1)
		h, err := claims.Take(ctx, keyOf("x"), show{"taken"})
		if err != nil {
			t.Fatalf("fault %d: %v", kind, err)
		}
		faults.Inject(kind, claimWrites, 1)
		if err := h.Put(ctx, show{"put"}); err != nil {
			t.Fatalf("fault %d: %v", kind, err)
		}
		if v, ok, err := claims.Get(ctx, keyOf("x")); !ok || err != nil || v.Health != "put" {
			t.Fatalf("fault %d: got %v %v %v", kind, v, ok, err)
		}
		select {
		case <-h.Lost():
			t.Fatalf("fault %d: the hold counts as lost", kind)
		default:
		}
		faults.Inject(kind, claimWrites, 1)
		if err := h.Release(ctx, show{"released"}); err != nil {
			t.Fatalf("fault %d: %v", kind, err)
		}
		if c, _, err := claims.Owner(ctx, keyOf("x")); err != nil || !c.Released || c.Value.Health != "released" {
			t.Fatalf("fault %d: got %+v %v", kind, c, err)
		}
	}
}

// TestClaimThatArrivesLateIsGivenUp: Take failed, and what it asked for comes true afterwards. Nobody holds the claim, so this
// node can take it at once, and every other one as soon as it was given up.
func TestClaimThatArrivesLateIsGivenUp(t *testing.T) {
	t.Parallel()
	w, faults := newFaultyWorld(t)
	a, _ := w.join(t, "a")
	b, _ := w.join(t, "b")
	here, there, ctx := w.claims(t, a), w.claims(t, b), t.Context()
	late := faults.Inject(natsdtest.Late, claimWrites, 2)
	_, err := here.Take(ctx, keyOf("x"), show{"never"})
	wantKind(t, err, fault.Unavailable)
	faults.Deliver(t, late)
	eventually(t, "the other node takes it", func() bool {
		_, err := there.Take(ctx, keyOf("x"), show{"there"})
		return err == nil
	})
	if _, err = here.Take(ctx, keyOf("x"), show{"here"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("both nodes have it: %v", err)
	}
}

// TestTakeFindsWhatItLeft: the engine took a claim, could neither say so nor be asked, and the same node tries again.
func TestTakeFindsWhatItLeft(t *testing.T) {
	t.Parallel()
	w, faults := newFaultyWorld(t)
	a, _ := w.join(t, "a")
	claims, ctx := w.claims(t, a), t.Context()
	left := 0
	for range 20 {
		if h, err := claims.Take(ctx, keyOf("x"), show{}); err != nil {
			t.Fatal(err)
		} else if err := h.Release(ctx, show{}); err != nil {
			t.Fatal(err)
		}
		faults.Inject(natsdtest.Lost, claimWrites, 1)
		faults.Inject(natsdtest.Dropped, looks, 1)
		h, err := claims.Take(ctx, keyOf("x"), show{"left"})
		if err != nil { // else the sweep of the round before asked in its place, and met the fault
			left++
			wantKind(t, err, fault.Unavailable)
			h, err = claims.Take(ctx, keyOf("x"), show{"found"})
		}
		if err != nil {
			t.Fatalf("the same node at once: %v", err)
		}
		if err := h.Put(ctx, show{"on"}); err != nil {
			t.Fatal(err)
		}
		if err := h.Release(ctx, show{}); err != nil {
			t.Fatal(err)
		}
	}
	if left == 0 {
		t.Error("no claim was left")
	}
}

// TestReleaseIsMadeGood: a release that failed for want of the engine happens when it is back.
func TestReleaseIsMadeGood(t *testing.T) {
	t.Parallel()
	w, faults := newFaultyWorld(t)
	a, _ := w.join(t, "a")
	claims, ctx := w.claims(t, a), t.Context()
	h, err := claims.Take(ctx, keyOf("x"), show{"on"})
	if err != nil {
		t.Fatal(err)
	}
	faults.Inject(natsdtest.Dropped, claimWrites, 3)
	wantKind(t, h.Release(ctx, show{"off"}), fault.Unavailable)
	eventually(t, "the claim is given up", func() bool {
		c, _, err := claims.Owner(ctx, keyOf("x"))
		return err == nil && c.Released && c.Value.Health == "off"
	})
}

// TestLeaseOutlivesTheEngine: renewals whose answers are lost, late or doubled, a lease that was forgotten, and one of an
// earlier life that came back are no reason to stop.
func TestLeaseOutlivesTheEngine(t *testing.T) {
	t.Parallel()
	w, faults := newFaultyWorld(t)
	ctx := t.Context()
	n, err := Join(ctx, Options{Store: w.store, Conn: w.conn, NodeID: "a", Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	ours := func(what string) {
		t.Helper()
		if there, err := n.stored(ctx); err != nil || there.Value.Incarnation != n.incarnation {
			t.Fatalf("%s: the lease is %+v, %v", what, there.Value, err)
		}
	}
	renew := func(what string) {
		t.Helper()
		if err := n.renew(ctx); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		ours(what)
	}
	for _, kind := range []natsdtest.Kind{natsdtest.Lost, natsdtest.Doubled, natsdtest.Dropped, natsdtest.Late} {
		faults.Inject(kind, leaseWrites, 1)
		renew("a fault of the engine")
	}
	for range 3 { // renewals that came true and whose answers nobody got
		faults.Inject(natsdtest.Lost, leaseWrites, 1)
		faults.Inject(natsdtest.Dropped, looks, 1)
		wantKind(t, n.renew(ctx), fault.Unavailable)
		renew("a stale revision")
	}
	if _, err := n.leases.Delete(ctx, n.key(), nil); err != nil {
		t.Fatal(err)
	}
	renew("a forgotten lease")
	r, err := n.leases.GetNewest(ctx, n.key())
	if err != nil {
		t.Fatal(err)
	}
	earlier := Lease{Incarnation: "earlier", Life: n.life - 1}
	if _, err := n.leases.PutTTL(ctx, n.key(), earlier, r.Revision, time.Minute); err != nil {
		t.Fatal(err)
	}
	renew("a lease from before")
	later := Lease{Incarnation: "later", Life: n.life + 1}
	if r, err = n.leases.GetNewest(ctx, n.key()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.leases.PutTTL(ctx, n.key(), later, r.Revision, time.Minute); err != nil {
		t.Fatal(err)
	}
	wantKind(t, n.renew(ctx), fault.Fenced)
}
