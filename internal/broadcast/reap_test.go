package broadcast

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/natsd/natsdtest"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// short is a node that counts as gone soon after it has crashed.
func short(id string) cluster.Options {
	return cluster.Options{NodeID: id, LeaseTTL: time.Second, Renew: 50 * time.Millisecond}
}

// ahead is a clock by which an encoder of now has been silent for long.
func ahead(o *Options) { o.Clock = func() time.Time { return time.Now().Add(silenceLimit) } }

// died starts a stream on a node, which crashes.
func died(t *testing.T, n *node) (ch store.Key, live resource.Stream, p *publisher) {
	t.Helper()
	ch, key := n.channel(t, nil)
	p = n.publish(t, key, "")
	p.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
	live = n.waitLive(t, ch)
	n.crash()
	return ch, live, p
}

// TestStreamOfADeadNodeIsEnded: another node ends it, once, as of the last frame, and whatever becomes of the engine's answers
// meanwhile. What is left of the owner writes nothing any more.
func TestStreamOfADeadNodeIsEnded(t *testing.T) {
	t.Parallel()
	for _, kind := range []natsdtest.Kind{natsdtest.Lost, natsdtest.Late, natsdtest.Doubled, natsdtest.Dropped} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			t.Parallel()
			faults := &natsdtest.Faults{}
			w := newWorld(t, natsd.Options{Dir: t.TempDir(), Between: faults.Between})
			one := w.join(t, short("one"), nil)
			two := w.join(t, short("two"), ahead)
			w.join(t, short("three"), ahead)
			ch, live, p := died(t, one)
			for _, writes := range []string{"rivus-facts.session.", "rivus.log.session.", "rivus-presence.stream."} {
				faults.Inject(kind, writes, 2)
			}
			events := two.events(t, ch)
			eventually(t, "the session is closed", func() bool {
				_, err := two.opt.Records.Sessions.Get(t.Context(), ch)
				return fault.Is(err, fault.NotFound)
			})
			two.waitGone(t, ch)
			list, err := two.opt.Records.History.ListNewestFirst(t.Context(), ch, live.StreamID, 0, 10)
			if err != nil || len(list) != 1 {
				t.Fatalf("the session is %d times in the history, %v", len(list), err)
			}
			s := list[0].Value
			if s.EndReason != Abandoned.String() || s.EndTime.Before(s.StartTime) || s.EndTime.After(time.Now()) {
				t.Errorf("it ended with %q at %v", s.EndReason, s.EndTime)
			}
			eventually(t, "all events", func() bool { return len(events()) >= 4 })
			wantEvents(t, events(), "Session Created", "Stream Start", "Session Ended", "Stream End")
			if err := <-p.done; err == nil {
				t.Error("the encoder of the dead node was not told")
			}
			reaped := int64(0)
			for _, n := range w.nodes {
				reaped += n.Stats().Reaped
			}
			if reaped != 1 {
				t.Errorf("%d sessions were reaped", reaped)
			}
		})
	}
}

// TestStreamOfADeadNodeWaits: its encoder has 30 s to come back, unless somebody stops the stream before.
func TestStreamOfADeadNodeWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, natsd.Options{Dir: t.TempDir()})
	one := w.join(t, short("one"), nil)
	two := w.join(t, short("two"), nil)
	ch, live, _ := died(t, one)
	session, err := two.opt.Records.Sessions.Get(t.Context(), ch)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node is gone", func() bool {
		gone, err := two.opt.Node.Departed(t.Context(), session.Value.Holder.Node, session.Value.Holder.Incarnation)
		return gone && err == nil
	})
	next, err := two.Reap(t.Context())
	if last, _ := two.lastSign(t.Context(), ch, session.Value); err != nil || !next.Equal(last.Add(silenceLimit)) {
		t.Errorf("it is due at %v, %v; the last frame was at %v", next, err, last)
	}
	if s, err := two.opt.Records.Sessions.Get(t.Context(), ch); err != nil || s.Value.StreamID != live.StreamID {
		t.Fatalf("the session did not wait: %v", err)
	}
	if err := two.remote.Stop(t.Context(), live.ChannelARN); err != nil {
		t.Fatalf("stop: %v", err)
	}
	if _, err := two.opt.Records.Sessions.Get(t.Context(), ch); !fault.Is(err, fault.NotFound) {
		t.Errorf("after StopStream the session is open: %v", err)
	}
	if err := two.remote.Stop(t.Context(), live.ChannelARN); !fault.Is(err, fault.NotLive) {
		t.Errorf("a second stop: %v", err)
	}
}

// TestRestartWaitsForTheEncoder: the rule is the same for the node itself that comes back; and a stream that begins ends the
// one before at once.
func TestRestartWaitsForTheEncoder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, natsd.Options{Dir: t.TempDir()})
	one := w.join(t, short("one"), nil)
	ch, live, _ := died(t, one)
	again := w.join(t, short("one"), nil)
	if next, err := again.Reap(t.Context()); err != nil || next.IsZero() {
		t.Fatalf("due at %v, %v", next, err)
	}
	channel, err := again.opt.Records.Channels.Get(t.Context(), ch)
	if err != nil {
		t.Fatal(err)
	}
	p := again.publish(t, channel.Value.StreamKeys[0].Value(ch.Region), "")
	p.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
	eventually(t, "another stream", func() bool { return again.waitLive(t, ch).StreamID != live.StreamID })
	last, err := again.opt.Records.History.Last(t.Context(), ch, live.StreamID)
	if err != nil || last.Value.EndReason != Abandoned.String() {
		t.Errorf("the stream before: %+v, %v", last.Value, err)
	}
	close(p.messages)
	<-p.done
}

// TestLivingStreamsAreNotReaped: neither by a node that has just come nor after the engine forgot who has the channel.
func TestLivingStreamsAreNotReaped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, natsd.Options{Dir: t.TempDir()})
	one := w.join(t, short("one"), nil)
	ch, key := one.channel(t, nil)
	p := one.publish(t, key, "")
	p.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
	live := one.waitLive(t, ch)
	two := w.join(t, short("two"), ahead)
	if next, err := two.Reap(t.Context()); err != nil || !next.IsZero() {
		t.Errorf("due at %v, %v", next, err)
	}
	if s, err := two.opt.Records.Sessions.Get(t.Context(), ch); err != nil || s.Value.StreamID != live.StreamID {
		t.Errorf("the session is %+v, %v", s.Value, err)
	}
	close(p.messages)
	<-p.done
}

// TestRecordsKnowTheLastFrame: the stream's own soon, the session's, which goes to the disk, a little later.
func TestRecordsKnowTheLastFrame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		r.stream(t.Context(), append(headers(), av(0, 30_000, 50)...))
		heard := r.heard()
		stream, _ := r.ledger.see()
		if behind := heard.Sub(stream.LastFrame); behind > viewerInterval {
			t.Errorf("the stream's record is %v behind", behind)
		}
		r.source.Close(&ingest.Refusal{})
		<-r.left
		r.ledger.see()
		r.ledger.mu.Lock()
		session := r.ledger.final.session
		r.ledger.mu.Unlock()
		if behind := heard.Sub(session.LastFrame); behind > signInterval+viewerInterval || session.LastFrame.IsZero() {
			t.Errorf("the session's record is %v behind", behind)
		}
	})
}
