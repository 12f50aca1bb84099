package stage

import (
	"context"
	"errors"
	"testing"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
	"github.com/rivus-live/rivus/internal/token"
	"github.com/rivus-live/rivus/internal/whip"
)

// trap is a Verifier that panics for one token.
type trap struct{ whip.Verifier }

const trapped = "x.trapped.x"

func (v trap) Verify(ctx context.Context, text string) (token.Claims, error) {
	if text == trapped {
		panic("injected")
	}
	return v.Verifier.Verify(ctx, text)
}

// TestPanicEndsTheSocket: a panic in what a client asks for ends its socket and no other.
func TestPanicEndsTheSocket(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(o *Options) { o.Verifier = trap{o.Verifier} })
	alice, bob := e.connect(t, e.token("alice", nil)), e.connect(t, e.token("bob", nil))
	alice.say(typeExchange, map[string]string{"token": trapped})
	if code, name := alice.closed(); code != 1011 {
		t.Errorf("closed with %d %s", code, name)
	}
	bob.say(typePing, nil)
	bob.wait(typePong, nil)
	eventually(t, "alice is gone", func() bool { return e.Stats().Participants == 1 })
	if n := e.Totals().Panics; n != 1 {
		t.Errorf("%d panics are counted", n)
	}
}

// TestPanicEndsTheSession: a panic in a change of a stage ends the stage's session here, and whoever comes back is let in.
func TestPanicEndsTheSession(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	alice := e.connect(t, e.token("alice", nil))
	alice.wait(typeState, nil) // the session is there
	_, err := e.in(t.Context(), e.stage, false, func(*room) error { panic("injected") })
	if !errors.Is(err, errDefect) {
		t.Errorf("who asked was told %v", err)
	}
	if code, name := alice.closed(); code != 1011 {
		t.Errorf("closed with %d %s", code, name)
	}
	again := e.connect(t, e.token("alice", nil))
	again.say(typePing, nil)
	again.wait(typePong, nil)
}

// TestPanicEndsThePublication: a panic of a writer ends the publication whose packets it sends, and the publisher can come
// back.
func TestPanicEndsThePublication(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	pub, _ := e.publish(t, rtctest.Options{})
	pub.Run(30, 2)
	rtctest.WaitClosed(t, "the publisher is connected", pub.Connected())
	sub, _ := e.subscribe(t, "bob", rtctest.Options{})
	rtctest.WaitClosed(t, "the subscriber is connected", sub.Connected())
	injected := false
	eventually(t, "a writer", func() bool {
		_, err := e.in(t.Context(), e.stage, false, func(r *room) error {
			for _, p := range r.participants {
				if p.publication == nil || injected {
					continue
				}
				for _, w := range *p.publication.tracks[Video].writers.Load() {
					injected = w.post(func() { panic("injected") })
				}
			}
			return nil
		})
		return err == nil && injected
	})
	rtctest.WaitClosed(t, "the publication ends", pub.Ended())
	eventually(t, "nobody publishes", func() bool { return e.Stats().Publications == 0 })
	again, _ := e.publish(t, rtctest.Options{})
	again.Run(30, 2)
	rtctest.WaitClosed(t, "the publisher is back", again.Connected())
}

// brokenStudio is a source inside the server that panics once it runs.
type brokenStudio struct{ *studio }

func (brokenStudio) Run(func(Layer) Feed) { panic("injected") }

// TestPanicOfASource: what publishes inside the server and panics ends its publication, and the stage goes on.
func TestPanicOfASource(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	bob := e.connect(t, e.token("bob", nil))
	if _, err := e.Inject(t.Context(), e.injection("alice", Recorded), brokenStudio{newStudio()}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the publication is over", func() bool { return e.Stats().Publications == 0 && e.Totals().Panics == 1 })
	bob.say(typePing, nil)
	bob.wait(typePong, nil)
	e.inject(t, e.injection("alice", Recorded))
	eventually(t, "another one is let in", func() bool { return e.Stats().Publications == 1 })
}

// TestPanicOfTheRecorder: a session whose records cannot be written for a defect ends here, and the process goes on.
func TestPanicOfTheRecorder(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(o *Options) { o.Records.ParticipantEvents = nil })
	alice := e.connect(t, e.token("alice", nil))
	if code, name := alice.closed(); code != 1011 {
		t.Errorf("closed with %d %s", code, name)
	}
	if n := e.Totals().Panics; n == 0 {
		t.Error("no panic is counted")
	}
}
