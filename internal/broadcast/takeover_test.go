package broadcast

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/ingest/flv"
	"github.com/rivus-live/rivus/internal/resource"
)

// challenger is a second publisher of a rig's channel.
type challenger struct {
	source *fakeSource
	done   chan error // how its publish ended
}

// challenger starts a second publisher, as the manager does when the channel has a stream.
func (r *rig) challenger(t *testing.T, p ingest.Priority) *challenger {
	t.Helper()
	c := &challenger{source: newFakeSource(), done: make(chan error, 1)}
	f := &feed{Source: c.source, Request: ingest.Request{Priority: p, Software: "second"}}
	r.owner.Go(func() {
		in, err := r.supersede(t.Context(), f)
		if err == nil {
			err = r.ingest(f, in)
		}
		c.source.Close(&ingest.Refusal{}) // as the server does
		c.done <- err
	})
	return c
}

// base moves messages to another clock, as that of another encoder.
func base(by uint32, messages []flv.Tag) []flv.Tag {
	for i := range messages {
		messages[i].Timestamp += by
	}
	return messages
}

func TestTakeoverMatrix(t *testing.T) {
	t.Parallel()
	has := func(n int32) ingest.Priority { return ingest.Priority{Given: true, Value: n} }
	tests := []struct {
		name      string
		running   ingest.Priority
		next      ingest.Priority
		header    []flv.Tag // of the newcomer
		takeovers int       // so far
		code      string    // of the failure; "-" for a refusal that is no failed takeover
	}{
		{name: "running has none", next: has(1), header: headers()},
		{name: "higher", running: has(5), next: has(6), header: headers()},
		{name: "highest", running: has(5), next: has(1<<31 - 1), header: headers()},
		{name: "a drone with strange audio", next: has(1), header: append([]flv.Tag{foreignSound(0)}, headers()...)},
		{name: "an old camera", next: has(1), header: append(headers(), foreignPicture(0))},
		{name: "no priority", next: ingest.Priority{}, code: "-"},
		{name: "no priority against one", running: has(5), next: ingest.Priority{}, code: "-"},
		{name: "equal", running: has(5), next: has(5), code: codePriority},
		{name: "lower", running: has(5), next: has(4), code: codePriority},
		{name: "out of range", next: ingest.Priority{Given: true}, code: codePriority},
		{name: "the hundredth", next: has(1), header: headers(), takeovers: maxTakeovers - 1},
		{name: "one too many", next: has(1), takeovers: maxTakeovers, code: codeLimit},
		{name: "other size", next: has(1), header: []flv.Tag{videoHeader(0, 640, 352), audioHeader(0)}, code: codeMismatch},
		{name: "no audio", next: has(1), header: []flv.Tag{videoHeader(0, 1280, 720)}, code: codeMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, tt.running)
				r.post(func() { r.broadcast.stream.Takeovers = tt.takeovers })
				r.stream(t.Context(), append(headers(), av(0, 1000, 25)...))
				r.post(r.playable)
				c := r.challenger(t, tt.next)
				media := append(tt.header, base(7_000_000, av(0, 6000, 25))...)
				if len(tt.header) == 1 { // an encoder without sound sends none
					media = pictures(media)
				}
				sent := make(chan bool, 1)
				go func() { sent <- c.source.send(t.Context(), media...) }()
				synctest.Wait()
				if tt.code != "" {
					r.wantRefused(t, c, tt.code)
					return
				}
				<-sent
				s, events := r.ledger.see()
				wantEvents(t, events, "Stream Start", "Stream Takeover")
				if s.StreamID != "st-1" || s.State != resource.Live || s.Priority != tt.next.Value || s.Takeovers != tt.takeovers+1 {
					t.Errorf("after the takeover: %+v", s)
				}
				var rejection *ingest.Refusal
				if err := <-r.left; !errors.As(err, &rejection) || rejection.Kind != ingest.TakenOver {
					t.Errorf("the first encoder was told %v", err)
				}
				close(c.source.messages)
				r.owner.Wait()
				if d := r.counters.drops.Load(); d != 0 {
					t.Errorf("%d messages dropped", d)
				}
				if f, want := r.counters.frames.Load(), int64(len(av(0, 1000, 25))+len(av(0, 6000, 25))); f != want {
					t.Errorf("%d frames, want %d", f, want)
				}
			})
		})
	}
}

func pictures(messages []flv.Tag) []flv.Tag {
	var out []flv.Tag
	for _, m := range messages {
		if m.Type == flv.TypeVideo {
			out = append(out, m)
		}
	}
	return out
}

// wantRefused checks that the newcomer was turned away and the running stream is unharmed.
func (r *rig) wantRefused(t *testing.T, c *challenger, code string) {
	t.Helper()
	var rejection *ingest.Refusal
	if err := <-c.done; !errors.As(err, &rejection) {
		t.Fatalf("the newcomer was told %v", err)
	}
	want := []string{"Stream Start"}
	if code != "-" {
		want = append(want, "Stream Takeover Failure "+code)
		if !strings.Contains(rejection.Text, code) {
			t.Errorf("the newcomer was told %q, without %s", rejection.Text, code)
		}
	}
	r.stream(t.Context(), av(1000, 1400, 25))
	_, events := r.ledger.see()
	wantEvents(t, events, want...)
	close(r.source.messages)
	r.owner.Wait()
	if f, want := r.counters.frames.Load(), int64(len(av(0, 1400, 25))); f != want {
		t.Errorf("%d frames of the running stream, want %d", f, want)
	}
}

// The stream may end while a newcomer is looked at: nobody may wait for ever.
func TestStreamEndsDuringTakeover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		r.stream(t.Context(), append(headers(), av(0, 1000, 25)...))
		c := r.challenger(t, ingest.Priority{Given: true, Value: 9})
		c.source.send(t.Context(), headers()...)
		close(r.source.messages)
		synctest.Wait()
		c.source.send(t.Context(), av(0, 1000, 25)...)
		var rejection *ingest.Refusal
		if err := <-c.done; !errors.As(err, &rejection) || rejection.Kind != ingest.ComeAgain {
			t.Errorf("the newcomer was told %v", err)
		}
	})
}

// A newcomer that sends nothing usable is not read for ever.
func TestProbeIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		r.stream(t.Context(), append(headers(), av(0, 1000, 25)...))
		c := r.challenger(t, ingest.Priority{Given: true, Value: 9})
		for ts := uint32(0); c.source.send(t.Context(), sound(ts)); ts += 21 {
			if len(c.done) > 0 || ts > 60_000 {
				break
			}
			time.Sleep(time.Millisecond) //nolint:forbidigo // synctest
		}
		select {
		case err := <-c.done:
			var rejection *ingest.Refusal
			if !errors.As(err, &rejection) {
				t.Errorf("the newcomer was told %v", err)
			}
		default:
			t.Error("still reading after a minute of media")
		}
		close(r.source.messages)
		r.owner.Wait()
	})
}
