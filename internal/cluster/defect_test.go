package cluster

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
)

// TestPanicOfACommand: who gave the command is told that it failed, and the node serves the next one.
func TestPanicOfACommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _ := w.join(t, "a")
	b, _ := w.join(t, "b")
	stop, err := a.Serve("test.defect", func(_ context.Context, data []byte) (any, error) {
		if len(data) > len(`""`) {
			panic("injected")
		}
		return 1, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var reply int
	if err := b.Request(t.Context(), "test.defect", "do", &reply); !fault.Is(err, fault.Internal) {
		t.Errorf("error %v, want an internal one", err)
	}
	if err := b.Request(t.Context(), "test.defect", "", &reply); err != nil || reply != 1 {
		t.Errorf("got %d, %v", reply, err)
	}
	if n := a.Panics(); n != 1 {
		t.Errorf("%d panics are counted", n)
	}
}

// TestPanicOfADuty: a duty that panics is done again, and the others are done.
func TestPanicOfADuty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _ := w.join(t, "a")
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	calls, others, broken := make(chan struct{}), make(chan struct{}, 1), true
	running.Go(func() {
		err := a.Reap(ctx, func(ctx context.Context) (time.Time, error) {
			if broken {
				broken = false
				panic("injected")
			}
			select {
			case calls <- struct{}{}:
			case <-ctx.Done():
			}
			return time.Time{}, nil
		}, func(context.Context) (time.Time, error) {
			select {
			case others <- struct{}{}:
			default:
			}
			return time.Time{}, nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-others
	<-calls
	if n := a.Panics(); n != 1 {
		t.Errorf("%d panics are counted", n)
	}
}
