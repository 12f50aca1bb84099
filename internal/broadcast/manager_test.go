package broadcast

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/ingest/flv"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

func TestStreamFromKeyToHistory(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), func(o *Options) { o.Viewers = func(string) int64 { return 7 } })
	ch, key := n.channel(t, nil)
	events := n.events(t, ch)
	p := n.publish(t, key, "priority=3")
	p.send(t.Context(), join([]flv.Tag{script(0, "onMetaData")}, headers(), av(0, 6000, 50))...)
	s := n.waitLive(t, ch)
	if !p.accepted.Load() || s.Priority != 3 || s.StartTime.IsZero() || !strings.HasPrefix(s.StreamID, "st-") || len(s.StreamID) != 26 {
		t.Errorf("live: %+v", s)
	}
	open, err := n.opt.Records.Sessions.Get(t.Context(), ch)
	if err != nil {
		t.Fatal(err)
	}
	if v := open.Value; v.Video.Width != 1280 || v.Audio.SampleRate != 48_000 || v.Encoder != "test" || v.Channel.SRTPassphrase != "" || v.Channel.StreamKeys != nil {
		t.Errorf("open session: %+v %+v", v, v.Video)
	}
	pres, ok := n.Presentation(ch.Scope, ch.ID)
	if !ok || pres.StreamID != s.StreamID || !pres.Variants()[0].Snapshot().Ready() {
		t.Errorf("presentation: %+v %v", pres, ok)
	}
	ts := uint32(6000)
	eventually(t, "viewers counted", func() bool {
		p.send(t.Context(), picture(ts, 0, false))
		ts += 40
		s, _, err := n.opt.Records.Streams.Get(t.Context(), ch)
		return err == nil && s.ViewerCount == 7
	})
	close(p.messages)
	if err := <-p.done; err != nil {
		t.Errorf("a clean end is no error: %v", err)
	}
	n.waitGone(t, ch)
	if _, err := n.opt.Records.Sessions.Get(t.Context(), ch); !fault.Is(err, fault.NotFound) {
		t.Errorf("the session is still open: %v", err)
	}
	last, err := n.opt.Records.History.Last(t.Context(), ch, s.StreamID)
	if err != nil || last.Value.EndReason != EncoderClosed.String() || last.Value.EndTime.IsZero() {
		t.Errorf("history: %+v, %v", last, err)
	}
	eventually(t, "events", func() bool { return slices.Contains(events(), "Stream End") })
	wantEvents(t, events(), "Session Created", "Stream Start", "Session Ended", "Stream End")
	if pres, ok = n.Presentation(ch.Scope, ch.ID); !ok || !pres.Variants()[0].Snapshot().Ended() {
		t.Error("the ended presentation is not there")
	}
}

func TestKeysAreRefusedAlike(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	ch, key := n.channel(t, nil)
	other, deleted := n.channel(t, nil)
	if _, err := n.opt.Records.Channels.Delete(t.Context(), other, nil); err != nil {
		t.Fatal(err)
	}
	answers := map[string]bool{}
	for name, k := range map[string]string{
		"wrong secret": key[:len(key)-1] + "!", "unknown": "sk_us-west-2_000000000000_" + arn.Random(30), "deleted": deleted,
		"other region": strings.Replace(key, "us-west-2", "eu-west-1", 1), "empty": "", "no form": "x",
	} {
		p := n.publish(t, k, "")
		err := <-p.done
		var r *ingest.Refusal
		if !errors.As(err, &r) || p.accepted.Load() {
			t.Fatalf("%s: %v", name, err)
		}
		answers[fmt.Sprint(*r)] = true
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers: %v", len(answers), answers)
	}
	if _, ok := n.Presentation(ch.Scope, ch.ID); ok {
		t.Error("a refused key made a presentation")
	}
	if got := n.Stats().Refused; got != 6 {
		t.Errorf("%d refused", got)
	}
}

func TestMaxStreams(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), func(o *Options) { o.MaxStreams = 1 })
	_, one := n.channel(t, nil)
	_, two := n.channel(t, nil)
	first := n.publish(t, one, "")
	first.send(t.Context(), headers()...)
	var r *ingest.Refusal
	if err := <-n.publish(t, two, "").done; !errors.As(err, &r) || r.Kind != ingest.OverQuota {
		t.Errorf("one too many: %v", err)
	}
	close(first.messages)
	<-first.done
	second := n.publish(t, two, "")
	if !second.send(t.Context(), headers()...) {
		t.Fatalf("after the first has ended: %v", <-second.done)
	}
	close(second.messages)
	<-second.done
}

func TestInsecureIngest(t *testing.T) {
	t.Parallel()
	for _, allow := range []bool{false, true} {
		n := newNode(t, t.TempDir(), func(o *Options) { o.AllowInsecure = allow })
		_, key := n.channel(t, func(c *resource.Channel) { c.InsecureIngest = false })
		p := n.publish(t, key, "")
		if allow {
			p.send(t.Context(), headers()...)
			close(p.messages)
		}
		var r *ingest.Refusal
		if err := <-p.done; errors.As(err, &r) == allow || !allow && r.Kind != ingest.Insecure {
			t.Errorf("allowed %v: %v", allow, err)
		}
	}
}

func TestSecondPublisherAndTakeover(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	ch, key := n.channel(t, nil)
	first := n.publish(t, key, "")
	first.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
	s := n.waitLive(t, ch)

	var r *ingest.Refusal
	if err := <-n.publish(t, key, "").done; !errors.As(err, &r) || r.Kind != ingest.InUse {
		t.Errorf("second publisher: %v", err)
	}
	if err := <-n.publish(t, key, "priority=0").done; !errors.As(err, &r) || !strings.Contains(r.Text, codePriority) {
		t.Errorf("invalid priority: %v", err)
	}
	second := n.publish(t, key, "priority=1")
	second.send(t.Context(), append(headers(), av(0, 6000, 50)...)...)
	if err := <-first.done; !errors.As(err, &r) || r.Kind != ingest.TakenOver {
		t.Errorf("the first publisher ended with %v", err)
	}
	eventually(t, "priority in the record", func() bool {
		now, ok, err := n.opt.Records.Streams.Get(t.Context(), ch)
		return err == nil && ok && now.Priority == 1 && now.StreamID == s.StreamID
	})
	if pres, _ := n.Presentation(ch.Scope, ch.ID); pres.StreamID != s.StreamID || pres.Variants()[0].Snapshot().Ended() {
		t.Error("the presentation did not go on")
	}
	close(second.messages)
	<-second.done
	n.waitGone(t, ch)
}

func TestReconnectIsANewStream(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	ch, key := n.channel(t, nil)
	seen := map[string]bool{}
	for range 3 {
		p := n.publish(t, key, "")
		if !p.send(t.Context(), append(headers(), av(0, 4000, 50)...)...) {
			t.Fatal(<-p.done)
		}
		s := n.waitLive(t, ch)
		if seen[s.StreamID] {
			t.Fatal("the stream id came again")
		}
		seen[s.StreamID] = true
		close(p.messages)
		<-p.done
	}
	n.waitGone(t, ch)
	past, err := n.opt.Records.History.ListNewestFirst(t.Context(), ch, "", 0, 10)
	if err != nil || len(past) != 3 {
		t.Errorf("%d sessions in the history, %v", len(past), err)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	ch, key := n.channel(t, nil)
	channel := arn.Channel(ch.Scope, ch.ID)
	wantKind := func(what string, err error, kind fault.Kind) {
		t.Helper()
		if !fault.Is(err, kind) {
			t.Errorf("%s: %v, want %v", what, err, kind)
		}
	}
	wantKind("stop, offline", n.remote.Stop(t.Context(), channel), fault.NotLive)
	wantKind("metadata, offline", n.remote.PutMetadata(t.Context(), channel, "x"), fault.NotLive)

	p := n.publish(t, key, "")
	p.send(t.Context(), headers()...)
	wantKind("metadata, starting", n.remote.PutMetadata(t.Context(), channel, "x"), fault.NotLive)
	p.send(t.Context(), av(0, 4000, 50)...)
	s := n.waitLive(t, ch)
	if err := n.remote.PutMetadata(t.Context(), channel, "x"); err != nil {
		t.Error(err)
	}
	if err := n.remote.Stop(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	// When Stop has returned, reads agree.
	if _, ok, err := n.opt.Records.Streams.Get(t.Context(), ch); ok || err != nil {
		t.Errorf("still claimed: %v %v", ok, err)
	}
	var r *ingest.Refusal
	if err := <-p.done; !errors.As(err, &r) || r.Kind != ingest.Stopped {
		t.Errorf("the encoder was told %v", err)
	}
	last, err := n.opt.Records.History.Last(t.Context(), ch, s.StreamID)
	if err != nil || last.Value.EndReason != Stopped.String() {
		t.Errorf("%+v %v", last.Value, err)
	}
	wantKind("stop, ended", n.remote.Stop(t.Context(), channel), fault.NotLive)

	// Somebody has the channel and does not answer.
	hold, err := n.opt.Records.Streams.Take(t.Context(), ch, resource.Stream{ChannelARN: channel, State: resource.Live})
	if err != nil {
		t.Fatal(err)
	}
	wantKind("stop, silent owner", n.remote.Stop(t.Context(), channel), fault.StreamUnavailable)
	if err := hold.Release(t.Context(), resource.Stream{State: resource.Ended}); err != nil {
		t.Fatal(err)
	}
}

func TestDeletedKeyRefusesTheNextPublishOnly(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	ch, key := n.channel(t, nil)
	p := n.publish(t, key, "")
	p.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
	n.waitLive(t, ch)
	if _, err := n.opt.Records.Channels.Update(t.Context(), ch, func(c resource.Channel) (resource.Channel, error) {
		c.StreamKeys = nil
		return c, nil
	}); err != nil {
		t.Fatal(err)
	}
	if !p.send(t.Context(), av(4000, 6000, 50)...) {
		t.Errorf("the running stream was cut: %v", <-p.done)
	}
	close(p.messages)
	<-p.done
	n.waitGone(t, ch)
	var r *ingest.Refusal
	if err := <-n.publish(t, key, "").done; !errors.As(err, &r) || r.Kind != ingest.InvalidKey {
		t.Errorf("the next publish: %v", err)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	var keys []store.Key
	var streams []*publisher
	for range 3 {
		ch, key := n.channel(t, nil)
		p := n.publish(t, key, "")
		p.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
		n.waitLive(t, ch)
		keys, streams = append(keys, ch), append(streams, p)
	}
	if err := n.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, p := range streams {
		var r *ingest.Refusal
		if err := <-p.done; !errors.As(err, &r) || r.Kind != ingest.Shutdown {
			t.Errorf("the encoder was told %v", err)
		}
		if pres, ok := n.Presentation(keys[i].Scope, keys[i].ID); !ok || !pres.Variants()[0].Snapshot().Ended() {
			t.Error("no ended presentation for the players")
		}
		if _, err := n.opt.Records.Sessions.Get(t.Context(), keys[i]); !fault.Is(err, fault.NotFound) {
			t.Errorf("session: %v", err)
		}
	}
	_, key := n.channel(t, nil)
	if err := <-n.publish(t, key, "").done; err == nil {
		t.Error("a draining manager took a publisher")
	}
}
