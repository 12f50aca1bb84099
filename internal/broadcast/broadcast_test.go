package broadcast

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/ingest/flv"
	"github.com/rivus-live/rivus/internal/media/amf0"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// fakeLedger keeps records in memory and fails as it is told.
type fakeLedger struct {
	mu     sync.Mutex
	err    error // of every write, while set
	saves  int
	stream resource.Stream
	events []string
	final  *record
	gone   chan struct{}
}

func (l *fakeLedger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *fakeLedger) save(_ context.Context, r *record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.saves++
	l.stream = r.stream
	l.note(r)
	return nil
}

func (l *fakeLedger) close(ctx context.Context, r *record) error {
	if err := l.save(ctx, r); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.final = r
	return nil
}

func (l *fakeLedger) note(r *record) {
	for _, e := range r.events {
		var d detail
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			panic(err)
		}
		name := d.EventName
		for _, more := range []string{d.Code, d.Reason} {
			if more != "" {
				name += " " + more
			}
		}
		l.events = append(l.events, name)
	}
	r.events = nil
}

func (l *fakeLedger) lost() <-chan struct{} { return l.gone }

// see waits until the owner and the writer have nothing to do and returns what was written.
func (l *fakeLedger) see() (resource.Stream, []string) {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stream, slices.Clone(l.events)
}

// rig is a broadcast with its owner, one publisher and a ledger in memory, inside a synctest bubble.
type rig struct {
	*broadcast
	ledger *fakeLedger
	source *fakeSource
	in     *intake
	feed   *feed
	left   chan error // what the publisher's loop returned
	owner  sync.WaitGroup
}

func newRig(t *testing.T, p ingest.Priority) *rig {
	t.Helper()
	return rigOf(t, p, resource.Multitrack{})
}

func newMultitrackRig(t *testing.T, c resource.Multitrack) *rig {
	t.Helper()
	return rigOf(t, ingest.Priority{}, c)
}

func rigOf(t *testing.T, p ingest.Priority, c resource.Multitrack) *rig {
	t.Helper()
	m := NewManager(Options{})
	key := store.Key{Scope: arn.Scope{Region: "us-west-2", Account: "111122223333"}, ID: "hT4kPz81QmXc"}
	r := &rig{ledger: &fakeLedger{gone: make(chan struct{})}, source: newFakeSource(), left: make(chan error, 1)}
	r.feed = &feed{Source: r.source, Request: ingest.Request{Priority: p, Software: "test"}}
	ch := resource.Channel{
		ARN: arn.Channel(key.Scope, key.ID), Name: "demo", LatencyMode: resource.LatencyLow,
		ContainerFormat: resource.ContainerFMP4, Multitrack: c,
	}
	r.broadcast, r.in = m.newBroadcast(key, ch, resource.Stream{
		ChannelARN: ch.ARN, StreamID: "st-1", State: resource.Starting, Health: resource.Unknown,
		CreatedAt: time.Now(), Priority: p.Value,
	}, r.ledger, r.feed)
	r.owner.Go(func() { r.live(t.Context()) })
	t.Cleanup(r.owner.Wait)
	r.owner.Go(func() {
		r.left <- r.ingest(r.feed, r.in)
		r.source.Close(&ingest.Refusal{}) // as the server does
	})
	return r
}

// stream sends media in real time.
func (r *rig) stream(ctx context.Context, messages []flv.Tag) {
	start := time.Now()
	for _, m := range messages {
		time.Sleep(time.Until(start.Add(time.Duration(m.Timestamp) * time.Millisecond))) //nolint:forbidigo // synctest
		if !r.source.send(ctx, m) {
			return
		}
	}
}

func wantEvents(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("events %q, want %q", got, want)
	}
}

func TestStarvationAndSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		r.stream(t.Context(), headers())
		r.post(r.playable)
		s, _ := r.ledger.see()
		if s.State != resource.Live || s.Health != resource.Unknown || s.StartTime.IsZero() {
			t.Fatalf("after the first segment: %+v", s)
		}
		r.stream(t.Context(), av(0, 2500, 50))
		if s, _ = r.ledger.see(); s.Health != resource.Healthy {
			t.Fatalf("after %v: %s", settleTime, s.Health)
		}
		time.Sleep(starvingTime + 100*time.Millisecond) //nolint:forbidigo // synctest
		s, events := r.ledger.see()
		if s.State != resource.Stalled || s.Health != resource.Starving {
			t.Fatalf("without media: %+v", s)
		}
		wantEvents(t, events, "Stream Start", "Starvation Start")
		r.stream(t.Context(), []flv.Tag{picture(6000, 0, true)})
		if s, events = r.ledger.see(); s.State != resource.Live || s.Health != resource.Healthy {
			t.Fatalf("with media again: %+v", s)
		}
		wantEvents(t, events, "Stream Start", "Starvation Start", "Starvation End")
		time.Sleep(silenceLimit) //nolint:forbidigo // synctest
		r.owner.Wait()
		_, events = r.ledger.see()
		wantEvents(t, events, "Stream Start", "Starvation Start", "Starvation End", "Starvation Start", "Session Ended", "Stream End")
		if f := r.ledger.final; f == nil || f.session.EndReason != Silence.String() || f.session.EndTime.IsZero() || f.stream.State != resource.Ended {
			t.Errorf("last record: %+v", r.ledger.final)
		}
		if r.source.refusal == nil || r.source.refusal.Kind != ingest.Silent {
			t.Errorf("the encoder was told %v", r.source.refusal)
		}
		if !r.in.packager.Snapshot().Ended() {
			t.Error("the presentation has not ended")
		}
	})
}

func TestCleanEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		close(r.source.messages)
		r.owner.Wait()
		_, events := r.ledger.see()
		wantEvents(t, events, "Session Ended")
		if r.ledger.final.session.EndReason != EncoderClosed.String() {
			t.Errorf("reason %q", r.ledger.final.session.EndReason)
		}
		if err := r.putMetadata(t.Context(), "x"); !fault.Is(err, fault.NotLive) {
			t.Errorf("metadata after the end: %v", err)
		}
	})
}

// A state engine that does not answer for 10 s delays records and nothing else.
func TestEngineStall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		r.stream(t.Context(), headers())
		r.ledger.fail(fault.New(fault.Unavailable, "no answer"))
		media := av(0, 10_000, 50)
		r.post(r.playable)
		start := time.Now()
		r.stream(t.Context(), media)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("10 s of media took %v", took)
		}
		if s, _ := r.ledger.see(); s.State == resource.Live {
			t.Fatal("something was written")
		}
		if r.State() != resource.Live || r.counters.frames.Load() != int64(len(media)) {
			t.Errorf("%s, %d frames of %d", r.State(), r.counters.frames.Load(), len(media))
		}
		if err := r.putMetadata(t.Context(), "still here"); err != nil {
			t.Error(err)
		}
		r.ledger.fail(nil)
		time.Sleep(lastRetry) //nolint:forbidigo // synctest
		s, events := r.ledger.see()
		wantEvents(t, events, "Stream Start")
		if s.State != resource.Live || s.Health != resource.Healthy {
			t.Errorf("after the stall: %+v", s)
		}
		r.post(func() { r.broadcast.stop(Stopped) })
		r.owner.Wait()
	})
}

func TestEngineGoneAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		r.ledger.fail(fault.New(fault.Unavailable, "no answer"))
		close(r.source.messages)
		time.Sleep(time.Minute) //nolint:forbidigo // synctest
		select {
		case <-r.ended:
			t.Fatal("the session was given up while the server runs")
		default:
		}
		r.ledger.fail(nil)
		r.owner.Wait()
		if r.ledger.final == nil {
			t.Error("the last record was not written")
		}
	})
}

func TestFencedOwnerStops(t *testing.T) {
	t.Parallel()
	for name, fence := range map[string]func(*rig){
		"told":       func(r *rig) { close(r.ledger.gone) },
		"at a write": func(r *rig) { r.ledger.fail(fault.New(fault.Fenced, "another owner")); r.post(r.playable) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, ingest.Priority{})
				r.stream(t.Context(), headers())
				r.ledger.see()
				fence(r)
				r.owner.Wait()
				if r.ledger.final != nil {
					t.Error("a fenced owner closed the session of another")
				}
				var rejection *ingest.Refusal
				if err := <-r.left; !errors.As(err, &rejection) || rejection.Kind != ingest.Failed {
					t.Errorf("the encoder was told %v", err)
				}
				if !r.in.packager.Snapshot().Ended() {
					t.Error("the presentation has not ended")
				}
			})
		})
	}
}

func TestStopWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		r.stream(t.Context(), headers())
		if err := r.stopAndWait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r.ledger.final == nil || r.ledger.final.session.EndReason != Stopped.String() {
			t.Errorf("%+v", r.ledger.final)
		}
		if err := r.stopAndWait(t.Context()); !fault.Is(err, fault.NotLive) {
			t.Errorf("second stop: %v", err)
		}
		r.owner.Wait()
	})
}

func TestDurationCap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		r.stream(t.Context(), append(headers(), av(0, 8000, 50)...))
		for at := 8 * time.Second; at < maxDuration; at += 20 * time.Second {
			if !r.source.send(t.Context(), message(flv.TypeAudio, uint32(at.Milliseconds()), []byte{0xAF, 0, 0x11, 0x90})) {
				t.Fatalf("ended after %v", at)
			}
			time.Sleep(20 * time.Second) //nolint:forbidigo // synctest
		}
		r.owner.Wait()
		if got := r.ledger.final.session.EndReason; got != DurationCap.String() {
			t.Errorf("reason %q", got)
		}
	})
}

func TestUnsupportedMediaIsRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]flv.Tag{
		"HEVC":          message(flv.TypeVideo, 0, []byte{0x90, 'h', 'v', 'c', '1', 1}),
		"Sorenson":      message(flv.TypeVideo, 0, []byte{0x12, 0, 0, 0}),
		"HE-AAC":        message(flv.TypeAudio, 0, []byte{0xAF, 0, 0x2B, 0x11, 0x88}),
		"no parameters": message(flv.TypeVideo, 0, []byte{0x17, 0, 0, 0, 0, 1, 2, 3}),
	}
	for name, m := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, ingest.Priority{})
				r.source.send(t.Context(), m)
				r.owner.Wait()
				r.wantUnfit(t, "")
			})
		})
	}
}

func TestDamageIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		bad := picture(40, 0, false)
		bad.Payload[8] = 200 // the NAL unit leaves the message
		r.stream(t.Context(), append(headers(), picture(0, 0, true), bad, message(flv.TypeVideo, 50, nil), picture(80, 0, false)))
		synctest.Wait()
		if f, d := r.counters.frames.Load(), r.counters.drops.Load(); f != 2 || d != 2 {
			t.Errorf("%d frames, %d dropped; want 2 and 2", f, d)
		}
		close(r.source.messages)
		r.owner.Wait()
	})
}

func TestMetadataInboxIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		r.stream(t.Context(), headers())
		if err := r.putMetadata(t.Context(), "too early"); !fault.Is(err, fault.NotLive) {
			t.Errorf("metadata before the first segment: %v", err)
		}
		r.post(r.playable)
		for i := range metadataInbox {
			if err := r.putMetadata(t.Context(), "x"); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
		}
		if err := r.putMetadata(t.Context(), "x"); !fault.Is(err, fault.Throttled) {
			t.Errorf("one too many: %v", err)
		}
		r.stream(t.Context(), []flv.Tag{picture(0, 0, true)})
		synctest.Wait()
		if err := r.putMetadata(t.Context(), "x"); err != nil {
			t.Errorf("after a frame: %v", err)
		}
		close(r.source.messages)
		r.owner.Wait()
	})
}

// TestAnEncoderThatChangesWithEveryMessage writes its settings down at the start and then once a second.
func TestAnEncoderThatChangesWithEveryMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		var messages []flv.Tag
		for ms := range uint32(10_000) {
			messages = append(messages, script(ms, "onMetaData", amf0.Object{{Name: "encoder", Value: strconv.Itoa(int(ms))}}))
		}
		r.stream(t.Context(), messages)
		r.ledger.see()
		r.ledger.mu.Lock()
		saves := r.ledger.saves
		r.ledger.mu.Unlock()
		if saves < 10 || saves > describeFreely+12 {
			t.Errorf("%d records for %d changes in 10 s", saves, len(messages))
		}
		close(r.source.messages)
		r.owner.Wait()
	})
}

// TestFencedWhileEnding loses the channel after the end was decided: the last record is not written any more.
func TestFencedWhileEnding(t *testing.T) {
	t.Parallel()
	m := NewManager(Options{})
	f := &feed{Source: newFakeSource()}
	b, in := m.newBroadcast(store.Key{}, resource.Channel{}, resource.Stream{CreatedAt: epoch()}, &fakeLedger{}, f)
	b.stop(Stopped)
	b.wrote(fault.New(fault.Fenced, "lost"))
	b.left(in, nil)
	if b.final || !b.closed || b.reason != Fenced {
		t.Errorf("final %v, closed %v, reason %v", b.final, b.closed, b.reason)
	}
}
