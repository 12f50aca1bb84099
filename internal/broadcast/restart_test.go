package broadcast

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

// What an earlier run left open is ended at start, or by the first publisher if that is faster.
func TestRestartEndsOpenSessions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := newNode(t, dir, nil)
	ch, key := n.channel(t, nil)
	old := resource.Session{StreamID: arn.NewStreamID(), CreatedAt: time.Now().Add(-time.Hour), StartTime: time.Now().Add(-time.Hour)}
	old.Channel.ARN = arn.Channel(ch.Scope, ch.ID)
	n.stop()
	n = newNode(t, dir, nil)
	if _, err := n.opt.Records.Sessions.Create(t.Context(), ch, old); err != nil {
		t.Fatal(err)
	}
	n.stop()

	n = newNode(t, dir, nil)
	events := n.events(t, ch)
	eventually(t, "the session is closed", func() bool {
		_, err := n.opt.Records.Sessions.Get(t.Context(), ch)
		return fault.Is(err, fault.NotFound)
	})
	last, err := n.opt.Records.History.Last(t.Context(), ch, old.StreamID)
	if err != nil || last.Value.EndReason != Abandoned.String() {
		t.Errorf("%+v %v", last, err)
	}
	eventually(t, "events", func() bool { return len(events()) == 2 })
	wantEvents(t, events(), "Session Ended", "Stream End")

	p := n.publish(t, key, "")
	p.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
	if s := n.waitLive(t, ch); s.StreamID == old.StreamID {
		t.Error("the stream id came again")
	}
	close(p.messages)
	<-p.done
}

// A session that is in the way of a publisher is closed by it.
func TestPublisherClosesWhatIsLeft(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	ch, key := n.channel(t, nil)
	old := resource.Session{StreamID: arn.NewStreamID(), CreatedAt: time.Now().Add(time.Hour)} // too new to be swept
	old.Channel.ARN = arn.Channel(ch.Scope, ch.ID)
	if _, err := n.opt.Records.Sessions.Create(t.Context(), ch, old); err != nil {
		t.Fatal(err)
	}
	p := n.publish(t, key, "")
	p.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
	n.waitLive(t, ch)
	if last, err := n.opt.Records.History.Last(t.Context(), ch, old.StreamID); err != nil || last.Value.EndReason != Abandoned.String() {
		t.Errorf("%+v %v", last, err)
	}
	close(p.messages)
	<-p.done
}

// A thousand streams on one channel leave nothing behind. Not parallel: it counts the process's goroutines.
func TestThousandPublishCyclesAreFlat(t *testing.T) {
	n := newNode(t, t.TempDir(), func(o *Options) { o.Logger = slog.New(slog.DiscardHandler) })
	ch, key := n.channel(t, nil)
	n.events(t, ch) // relayed, or they would pile up in the record
	cycle := func(i int) {
		p := n.publish(t, key, "")
		media := headers()
		if i%10 == 0 {
			media = append(media, av(0, 4000, 50)...)
		}
		if !p.send(t.Context(), media...) {
			t.Fatalf("cycle %d: %v", i, <-p.done)
		}
		close(p.messages)
		if err := <-p.done; err != nil {
			t.Fatalf("cycle %d: %v", i, err)
		}
	}
	measure := func() (goroutines int, heap uint64) {
		n.waitGone(t, ch)
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc
	}
	for i := range 100 {
		cycle(i)
	}
	goroutines, before := measure()
	for i := range 1000 {
		cycle(i)
	}
	goroutinesAfter, after := measure()
	n.mu.Lock()
	left := fmt.Sprintf("%d slots, %d past", len(n.slots), len(n.past))
	n.mu.Unlock()
	t.Logf("%s, heap %d -> %d, goroutines %d -> %d", left, before, after, goroutines, goroutinesAfter)
	if after > before+16<<20 {
		t.Error("the heap grew")
	}
	if goroutinesAfter > goroutines+4 {
		t.Error("goroutines are left")
	}
	if left != "0 slots, 1 past" && left != "0 slots, 0 past" {
		t.Error(left)
	}
}
