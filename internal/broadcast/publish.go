package broadcast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// renditionName is the path segment of the only rendition there is: what the encoder sends.
const renditionName = "source"

// endingPatience is how long a publisher waits for the stream before it to be closed.
const endingPatience = 10 * time.Second

// Publish serves one publisher from its request to its end (ingest.Sink).
func (m *Manager) Publish(ctx context.Context, r ingest.Request, src ingest.Source) error {
	f := &feed{Source: src, Request: r}
	b, in, err := m.admit(ctx, f)
	if err != nil {
		m.counters.refused.Add(1)
		m.opt.Logger.Debug("publish refused", "remote", r.Remote, "error", err)
		return err
	}
	err = b.ingest(f, in)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// admit lets a publisher in: as the first of a new broadcast, or in the place of another one.
func (m *Manager) admit(ctx context.Context, f *feed) (*broadcast, *intake, error) {
	rec, err := m.authorize(ctx, f.Request)
	if err != nil {
		return nil, nil, err
	}
	patient, cancel := context.WithTimeout(ctx, endingPatience)
	defer cancel()
	for {
		s, running, err := m.reserve(patient, rec.Key)
		if err != nil {
			return nil, nil, err
		}
		if running == nil {
			return m.begin(ctx, s, f)
		}
		in, err := running.supersede(ctx, f)
		if !errors.Is(err, errEnding) || f.accepted {
			return running, in, err
		}
	}
}

// begin opens a new broadcast in a reserved slot and accepts its publisher.
func (m *Manager) begin(ctx context.Context, s *slot, f *feed) (*broadcast, *intake, error) {
	b, in, err := m.open(ctx, s, f)
	draining := m.decide(s, b)
	if err != nil {
		return nil, nil, err
	}
	if draining {
		b.post(func() { b.stop(Shutdown) })
	}
	if err := f.accept(); err != nil {
		b.call(func() { b.left(in, err) })
		return nil, nil, err
	}
	return b, in, nil
}

// open claims the channel for a new stream and opens its session. On an error everything is as it was.
func (m *Manager) open(ctx context.Context, s *slot, f *feed) (_ *broadcast, _ *intake, err error) {
	now := m.opt.Clock()
	stream := resource.Stream{
		ChannelARN: arn.Channel(s.key.Scope, s.key.ID), StreamID: arn.NewStreamID(), State: resource.Starting,
		Health: resource.Unknown, CreatedAt: now, Priority: f.Priority.Value,
	}
	if n := m.opt.MaxStreams; n > 0 && m.count(s.key.Scope) > n {
		return nil, nil, &ingest.Refusal{Kind: ingest.OverQuota, Text: "Too many streams are live in this account and region."}
	}
	hold, err := m.opt.Records.Streams.Take(ctx, s.key, stream)
	if fault.Is(err, fault.Conflict) {
		return nil, nil, errInUse
	}
	if err != nil {
		return nil, nil, fmt.Errorf("claim channel: %w", err)
	}
	defer func() {
		if err != nil {
			m.release(ctx, hold, stream)
		}
	}()
	// A channel that is deleted or gets another key after this sees the claim.
	rec, err := m.opt.Records.Channels.Get(ctx, s.key)
	if fault.Is(err, fault.NotFound) || err == nil && !holdsKey(&rec.Value, s.key.Region, f.Key) {
		return nil, nil, refusedKey()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read channel: %w", err)
	}
	records := &storeLedger{key: s.key, hold: hold, sessions: m.opt.Records.Sessions, history: m.opt.Records.History}
	b, in := m.newBroadcast(s.key, publicChannel(rec.Value), stream, records, f)
	b.session.Holder = resource.Holder{Node: m.opt.Node.ID(), Incarnation: m.opt.Node.Incarnation()}
	created := newEvent(sessionCreated, &b.channel, stream.StreamID, "", now)
	if err := m.openSession(ctx, s.key, b.session, created); err != nil {
		m.discardSession(ctx, s.key, b.session) // it may be open all the same
		return nil, nil, err
	}
	if err := m.launch(ctx, s, b); err != nil {
		m.discardSession(ctx, s.key, b.session)
		return nil, nil, err
	}
	m.counters.sessions.Add(1)
	return b, in, nil
}

// launch serves the commands of a new broadcast and hands it to Run, which owns it from then on.
func (m *Manager) launch(ctx context.Context, s *slot, b *broadcast) error {
	stopServe, err := m.opt.Node.Serve(subject(s.key), b.serve)
	if err != nil {
		return fmt.Errorf("serve commands: %w", err)
	}
	select {
	case m.starts <- start{slot: s, broadcast: b, stopServe: stopServe}:
		return nil
	case <-m.closed:
		err = errDraining
	case <-ctx.Done():
		err = ctx.Err()
	}
	close(b.ended) // so that a command that came already does not wait
	stopServe()
	return err
}

// publicChannel is a channel without what must stay secret.
func publicChannel(ch resource.Channel) resource.Channel {
	ch.StreamKeys, ch.SRTPassphrase = nil, ""
	return ch
}

func (m *Manager) newBroadcast(
	key store.Key, ch resource.Channel, stream resource.Stream, records ledger, f *feed,
) (*broadcast, *intake) {
	log := m.opt.Logger.With("channel_arn", stream.ChannelARN.String(), "stream_id", stream.StreamID)
	packager := hls.NewPackager(hls.Options{
		Container: hls.ServedContainer(&ch), LowLatency: ch.LatencyMode == resource.LatencyLow, TargetDuration: f.Target,
		Clock: m.opt.Clock, Logger: log,
	})
	presentation := &hls.Presentation{StreamID: stream.StreamID, Channel: ch, StartedAt: stream.CreatedAt}
	presentation.AddVariant(renditionName, packager.Live)
	b := &broadcast{
		key:          key,
		channel:      ch,
		presentation: presentation,
		ledger:       records,
		clock:        m.opt.Clock,
		viewers:      m.opt.Viewers,
		log:          log,
		counters:     &m.counters,
		commands:     make(chan func()),
		metadata:     make(chan string, metadataInbox),
		ended:        make(chan struct{}),
		replaced:     make(chan struct{}),
		life:         newLife(stream.CreatedAt),
		stream:       stream,
		session:      resource.Session{StreamID: stream.StreamID, Channel: ch, CreatedAt: stream.CreatedAt},
		current:      f,
	}
	b.lastMedia.Store(stream.CreatedAt.UnixNano())
	b.shown.Store(&stream)
	return b, newIntake(packager, b.metadata, &m.counters, log)
}

// ready reports whether the broadcast has something to play, now or in its past.
func (b *broadcast) ready() bool { return b.presentation.Variants()[0].Snapshot().Ready() }

// tail is how long an ended presentation stays up: the length of its playlist.
func (b *broadcast) tail() time.Duration {
	return hls.DefaultWindow * b.presentation.Variants()[0].Snapshot().TargetDuration()
}
