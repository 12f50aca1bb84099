package broadcast

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/store"
)

// node is a manager on a real state engine.
type node struct {
	*Manager
	remote *Remote
	store  *store.Store
	stop   func() // ends Run and everything below, once
}

func scope() arn.Scope { return arn.Scope{Region: "us-west-2", Account: "111122223333"} }

// newNode starts a node on the data in dir; the test's end stops it.
func newNode(t *testing.T, dir string, change func(*Options)) *node {
	t.Helper()
	ctx, log := t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil))
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	conn, err := natsd.Start(ctx, natsd.Options{Dir: dir, Logger: log})
	check(err)
	st, err := store.Open(ctx, conn, store.Options{Logger: log})
	check(err)
	member, err := cluster.Join(ctx, cluster.Options{Store: st, Conn: conn, NodeID: "one", Logger: log})
	check(err)
	o := Options{Node: member, Logger: log}
	o.Channels, err = store.OpenTable(ctx, st, store.ChannelDefinition())
	check(err)
	o.Sessions, err = store.OpenTable(ctx, st, store.SessionDefinition())
	check(err)
	o.Claims, err = cluster.OpenClaims(ctx, st, member, store.StreamDefinition())
	check(err)
	o.History, err = store.OpenLog[resource.Session](ctx, st, "session")
	check(err)
	if change != nil {
		change(&o)
	}
	n := &node{Manager: NewManager(o), remote: &Remote{Node: member, Claims: o.Claims}, store: st}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var run sync.WaitGroup
	run.Go(func() {
		if err := n.Run(running); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	n.stop = sync.OnceFunc(func() {
		cancel()
		run.Wait()
		member.Close()
		st.Close()
		conn.Close()
	})
	t.Cleanup(n.stop)
	return n
}

// channel makes a channel with a stream key and returns both.
func (n *node) channel(t *testing.T, change func(*resource.Channel)) (store.Key, string) {
	t.Helper()
	key := store.Key{Scope: scope(), ID: arn.NewID()}
	sk := resource.StreamKey{ID: arn.NewID(), Secret: arn.Random(30)}
	ch := resource.Channel{
		ARN: arn.Channel(key.Scope, key.ID), Name: "demo", LatencyMode: resource.LatencyLow, Type: resource.TypeBasic,
		ContainerFormat: resource.ContainerFMP4, SRTPassphrase: "secret", InsecureIngest: true,
		StreamKeys: []resource.StreamKey{sk},
	}
	if change != nil {
		change(&ch)
	}
	if _, err := n.opt.Channels.Create(t.Context(), key, ch); err != nil {
		t.Fatal(err)
	}
	return key, sk.Value(key.Region)
}

// publisher is a publish in progress.
type publisher struct {
	*fakeSource
	done chan error
}

func (n *node) publish(t *testing.T, key, query string) *publisher {
	t.Helper()
	p := &publisher{fakeSource: newFakeSource(), done: make(chan error, 1)}
	r := request{key: key, remote: "192.0.2.1", software: "test"}
	if v, ok := strings.CutPrefix(query, "priority="); ok {
		r.priority = parsePriority(map[string][]string{"priority": {v}})
	}
	go func() {
		err := n.Manager.publish(t.Context(), r, p)
		p.Close("", "")
		p.done <- err
	}()
	return p
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (n *node) waitLive(t *testing.T, key store.Key) resource.Stream {
	t.Helper()
	var s resource.Stream
	eventually(t, "live", func() bool {
		var ok bool
		var err error
		s, ok, err = n.opt.Claims.Get(t.Context(), key)
		return err == nil && ok && s.State == resource.Live
	})
	return s
}

func (n *node) waitGone(t *testing.T, key store.Key) {
	t.Helper()
	eventually(t, "claim released", func() bool {
		_, ok, err := n.opt.Claims.Get(t.Context(), key)
		return err == nil && !ok
	})
}

// events collects the names of the events of a channel, in order.
func (n *node) events(t *testing.T, ch store.Key) func() []string {
	t.Helper()
	var mu sync.Mutex
	var names []string
	seen := map[string]bool{}
	ctx, cancel := context.WithCancel(t.Context())
	var relay sync.WaitGroup
	relay.Go(func() {
		_ = n.store.Relay(ctx, func(_ context.Context, events []store.Event) error {
			mu.Lock()
			defer mu.Unlock()
			for _, e := range events {
				var d detail
				if err := json.Unmarshal(e.Detail, &d); err != nil {
					return err
				}
				if !seen[e.ID] && e.Resources[0] == arn.Channel(ch.Scope, ch.ID).String() {
					seen[e.ID] = true
					names = append(names, d.EventName)
				}
			}
			return nil
		})
	})
	t.Cleanup(func() { cancel(); relay.Wait() })
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(names)
	}
}

func TestStreamFromKeyToHistory(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), func(o *Options) { o.Viewers = func(string) int64 { return 7 } })
	ch, key := n.channel(t, nil)
	events := n.events(t, ch)
	p := n.publish(t, key, "priority=3")
	p.send(t.Context(), join([]rtmp.Message{script(0, "onMetaData")}, headers(), av(0, 6000, 50))...)
	s := n.waitLive(t, ch)
	if !p.accepted.Load() || s.Priority != 3 || s.StartTime.IsZero() || !strings.HasPrefix(s.StreamID, "st-") || len(s.StreamID) != 26 {
		t.Errorf("live: %+v", s)
	}
	open, err := n.opt.Sessions.Get(t.Context(), ch)
	if err != nil {
		t.Fatal(err)
	}
	if v := open.Value; v.Video.Width != 1280 || v.Audio.SampleRate != 48_000 || v.Encoder != "test" || v.Channel.SRTPassphrase != "" || v.Channel.StreamKeys != nil {
		t.Errorf("open session: %+v %+v", v, v.Video)
	}
	pres, ok := n.Presentation(ch.Scope, ch.ID)
	if !ok || pres.StreamID != s.StreamID || !pres.Renditions[0].Snapshot().Ready() {
		t.Errorf("presentation: %+v %v", pres, ok)
	}
	ts := uint32(6000)
	eventually(t, "viewers counted", func() bool {
		p.send(t.Context(), picture(ts, 0, false))
		ts += 40
		s, _, err := n.opt.Claims.Get(t.Context(), ch)
		return err == nil && s.ViewerCount == 7
	})
	close(p.messages)
	if err := <-p.done; err != nil {
		t.Errorf("a clean end is no error: %v", err)
	}
	n.waitGone(t, ch)
	if _, err := n.opt.Sessions.Get(t.Context(), ch); !fault.Is(err, fault.NotFound) {
		t.Errorf("the session is still open: %v", err)
	}
	last, err := n.opt.History.Last(t.Context(), ch, s.StreamID)
	if err != nil || last.Value.EndReason != EncoderClosed.String() || last.Value.EndTime.IsZero() {
		t.Errorf("history: %+v, %v", last, err)
	}
	eventually(t, "events", func() bool { return slices.Contains(events(), "Stream End") })
	wantEvents(t, events(), "Session Created", "Stream Start", "Session Ended", "Stream End")
	if pres, ok = n.Presentation(ch.Scope, ch.ID); !ok || !pres.Renditions[0].Snapshot().Ended() {
		t.Error("the ended presentation is not there")
	}
}

func TestKeysAreRefusedAlike(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir(), nil)
	ch, key := n.channel(t, nil)
	other, deleted := n.channel(t, nil)
	if _, err := n.opt.Channels.Delete(t.Context(), other, nil); err != nil {
		t.Fatal(err)
	}
	answers := map[string]bool{}
	for name, k := range map[string]string{
		"wrong secret": key[:len(key)-1] + "!", "unknown": "sk_us-west-2_000000000000_" + arn.Random(30), "deleted": deleted,
		"other region": strings.Replace(key, "us-west-2", "eu-west-1", 1), "empty": "", "no form": "x",
	} {
		p := n.publish(t, k, "")
		err := <-p.done
		var r *rtmp.Rejection
		if !errors.As(err, &r) || p.accepted.Load() {
			t.Fatalf("%s: %v", name, err)
		}
		answers[r.Error()] = true
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
	var r *rtmp.Rejection
	if err := <-n.publish(t, two, "").done; !errors.As(err, &r) || r.Code != rtmp.CodeDenied {
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
		var r *rtmp.Rejection
		if err := <-p.done; errors.As(err, &r) == allow || !allow && r.Code != rtmp.CodeDenied {
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

	var r *rtmp.Rejection
	if err := <-n.publish(t, key, "").done; !errors.As(err, &r) || r.Code != rtmp.CodeBadName {
		t.Errorf("second publisher: %v", err)
	}
	if err := <-n.publish(t, key, "priority=0").done; !errors.As(err, &r) || !strings.Contains(r.Description, codePriority) {
		t.Errorf("invalid priority: %v", err)
	}
	second := n.publish(t, key, "priority=1")
	second.send(t.Context(), append(headers(), av(0, 6000, 50)...)...)
	if err := <-first.done; !errors.As(err, &r) || r.Code != rtmp.CodeUnpublish {
		t.Errorf("the first publisher ended with %v", err)
	}
	eventually(t, "priority in the record", func() bool {
		now, ok, err := n.opt.Claims.Get(t.Context(), ch)
		return err == nil && ok && now.Priority == 1 && now.StreamID == s.StreamID
	})
	if pres, _ := n.Presentation(ch.Scope, ch.ID); pres.StreamID != s.StreamID || pres.Renditions[0].Snapshot().Ended() {
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
	past, err := n.opt.History.ListNewestFirst(t.Context(), ch, "", 0, 10)
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
	if _, ok, err := n.opt.Claims.Get(t.Context(), ch); ok || err != nil {
		t.Errorf("still claimed: %v %v", ok, err)
	}
	var r *rtmp.Rejection
	if err := <-p.done; !errors.As(err, &r) || r.Code != rtmp.CodeUnpublish {
		t.Errorf("the encoder was told %v", err)
	}
	last, err := n.opt.History.Last(t.Context(), ch, s.StreamID)
	if err != nil || last.Value.EndReason != Stopped.String() {
		t.Errorf("%+v %v", last.Value, err)
	}
	wantKind("stop, ended", n.remote.Stop(t.Context(), channel), fault.NotLive)

	// Somebody has the channel and does not answer.
	hold, err := n.opt.Claims.Take(t.Context(), ch, resource.Stream{ChannelARN: channel, State: resource.Live})
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
	if _, err := n.opt.Channels.Update(t.Context(), ch, func(c resource.Channel) (resource.Channel, error) {
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
	var r *rtmp.Rejection
	if err := <-n.publish(t, key, "").done; !errors.As(err, &r) || r.Code != rtmp.CodeBadName {
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
		var r *rtmp.Rejection
		if err := <-p.done; !errors.As(err, &r) || r.Code != rtmp.CodeShutdown {
			t.Errorf("the encoder was told %v", err)
		}
		if pres, ok := n.Presentation(keys[i].Scope, keys[i].ID); !ok || !pres.Renditions[0].Snapshot().Ended() {
			t.Error("no ended presentation for the players")
		}
		if _, err := n.opt.Sessions.Get(t.Context(), keys[i]); !fault.Is(err, fault.NotFound) {
			t.Errorf("session: %v", err)
		}
	}
	_, key := n.channel(t, nil)
	if err := <-n.publish(t, key, "").done; err == nil {
		t.Error("a draining manager took a publisher")
	}
}

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
	if _, err := n.opt.Sessions.Create(t.Context(), ch, old); err != nil {
		t.Fatal(err)
	}
	n.stop()

	n = newNode(t, dir, nil)
	events := n.events(t, ch)
	eventually(t, "the session is closed", func() bool {
		_, err := n.opt.Sessions.Get(t.Context(), ch)
		return fault.Is(err, fault.NotFound)
	})
	last, err := n.opt.History.Last(t.Context(), ch, old.StreamID)
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
	if _, err := n.opt.Sessions.Create(t.Context(), ch, old); err != nil {
		t.Fatal(err)
	}
	p := n.publish(t, key, "")
	p.send(t.Context(), append(headers(), av(0, 4000, 50)...)...)
	n.waitLive(t, ch)
	if last, err := n.opt.History.Last(t.Context(), ch, old.StreamID); err != nil || last.Value.EndReason != Abandoned.String() {
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
