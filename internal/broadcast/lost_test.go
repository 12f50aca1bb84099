package broadcast

import (
	"testing"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/natsd/natsdtest"
)

// TestClaimIsNotLeftBehind: a publish fails because the engine does not answer for the claim, which is there all the same, or
// arrives later. The same encoder publishes, and the channel can be stopped, as if nothing had been.
func TestClaimIsNotLeftBehind(t *testing.T) {
	t.Parallel()
	for kind, name := range map[natsdtest.Kind]string{natsdtest.Lost: "lost", natsdtest.Late: "late"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := &natsdtest.Faults{}
			n := newNodeOn(t, natsd.Options{Dir: t.TempDir(), Between: faults.Between}, nil)
			ch, key := n.channel(t, nil)
			p := n.publish(t, key, "")
			p.send(t.Context(), headers()...)
			close(p.messages)
			<-p.done
			n.waitGone(t, ch) // a released claim is in the index: only the look after the write asks the engine
			rule := faults.Inject(kind, "rivus-presence.stream.", 2)
			if kind == natsdtest.Lost {
				faults.Inject(natsdtest.Dropped, "STREAM.MSG.GET.KV_rivus-presence", 1)
			}
			p = n.publish(t, key, "")
			if err := <-p.done; !fault.Is(err, fault.Unavailable) {
				t.Fatalf("the publish ended with %v", err)
			}
			if kind == natsdtest.Late {
				faults.Deliver(t, rule)
			}
			n.waitGone(t, ch)
			p = n.publish(t, key, "")
			p.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
			s := n.waitLive(t, ch)
			if err := n.remote.Stop(t.Context(), s.ChannelARN); err != nil {
				t.Errorf("stop: %v", err)
			}
			<-p.done
			n.waitGone(t, ch)
		})
	}
}

// TestEventsOfLostAnswers: the records of a stream are written, and nobody is told so. Each of its events is told once, and its
// session is in the history once.
func TestEventsOfLostAnswers(t *testing.T) {
	t.Parallel()
	faults := &natsdtest.Faults{}
	n := newNodeOn(t, natsd.Options{Dir: t.TempDir(), Between: faults.Between}, nil)
	ch, key := n.channel(t, nil)
	events := n.events(t, ch)
	p := n.publish(t, key, "")
	p.send(t.Context(), headers()...)
	faults.Inject(natsdtest.Lost, "rivus-facts.session.", 3)
	faults.Inject(natsdtest.Dropped, "STREAM.MSG.GET.KV_rivus-facts", 2)
	faults.Inject(natsdtest.Lost, "rivus.log.session.", 2)
	p.send(t.Context(), av(0, 4000, 50)...)
	s := n.waitLive(t, ch)
	close(p.messages)
	<-p.done
	n.waitGone(t, ch)
	eventually(t, "all events", func() bool { return len(events()) >= 4 })
	wantEvents(t, events(), "Session Created", "Stream Start", "Session Ended", "Stream End")
	list, err := n.opt.Records.History.ListNewestFirst(t.Context(), ch, s.StreamID, 0, 10)
	if err != nil || len(list) != 1 {
		t.Errorf("the session is %d times in the history, %v", len(list), err)
	}
}
