package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers and timing of what follows the engine.
const (
	headerOperation = "KV-Operation"
	operationDelete = "DEL"
	headerBase      = "Rivus-Base" // the revision that a put leaves unchanged but for its events
	headerMarker    = "Nats-Marker-Reason"

	heartbeat    = time.Second
	feedSilence  = 10 * time.Second
	retryFirst   = 50 * time.Millisecond
	retryLongest = time.Second
)

// message is one stored state of one subject.
type message struct {
	subject  string
	revision uint64
	data     []byte // nil when the engine itself removed the record
	gone     bool
	base     uint64 // see headerBase
}

// follow keeps the bucket's image like the engine until ctx ends. Whatever interrupts it (the connection, the server, a
// gap in the numbering), it starts over with everything the engine has. It also ends when the first full image is not
// what it must be.
func (b *bucket) follow(ctx context.Context) {
	wait := retryFirst
	for {
		began := time.Now()
		err := b.followOnce(ctx)
		if ctx.Err() != nil || b.refused() {
			return
		}
		b.log.Warn("state index interrupted", "bucket", b.name, "error", err)
		b.interrupted(err)
		if time.Since(began) > feedSilence {
			wait = retryFirst
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, retryLongest)
	}
}

// followOnce reads everything and then every change. It returns when it cannot be sure any more to see all of them.
func (b *bucket) followOnce(ctx context.Context) error {
	if err := b.reopen(ctx); err != nil {
		return err
	}
	f, pending, err := openFeed(ctx, b.engine(), b.cfg, begin{policy: jetstream.DeliverLastPerSubjectPolicy})
	if err != nil {
		return err
	}
	defer f.close()
	load := &loading{seen: map[string]struct{}{}, left: pending}
	if pending == 0 {
		if err := b.loaded(ctx, load); err != nil {
			return err
		}
		load = nil
		b.current(load)
	}
	for {
		m, meta, err := f.next(ctx)
		if err != nil {
			return err
		}
		if m == nil {
			if err := load.idle(); err != nil {
				return b.stalled(ctx, err, load)
			}
			b.current(load)
			continue
		}
		b.take(messageOf(m, meta.Sequence.Stream), meta.NumPending == 0)
		if load != nil && load.saw(m.Subject, meta.NumPending) {
			if err := b.loaded(ctx, load); err != nil {
				return err
			}
			load = nil
		}
		b.current(load)
	}
}

// current notes that the image is the engine's now, unless it is being read anew.
func (b *bucket) current(load *loading) {
	if load == nil {
		b.asOf.Store(time.Now().UnixNano())
	}
}

// loading is the progress of reading everything.
type loading struct {
	seen   map[string]struct{}
	left   uint64 // records that the engine has not delivered yet
	silent int    // heartbeats since the last record
}

// saw counts a record and tells whether it was the last.
func (l *loading) saw(subject string, left uint64) bool {
	l.seen[subject] = struct{}{}
	l.left, l.silent = left, 0
	return left == 0
}

// idle counts a heartbeat. The engine sends them from the loop that delivers, when it finds nothing to deliver: if it
// said before that it has more, it cannot read its files.
func (l *loading) idle() error {
	const patience = 2
	if l == nil {
		return nil
	}
	if l.silent++; l.silent < patience {
		return nil
	}
	return fmt.Errorf("the engine has %d more records and does not deliver them", l.left)
}

// stalled ends the opening of a bucket that cannot be read to its end; with the operator's leave, with what was read.
func (b *bucket) stalled(ctx context.Context, err error, load *loading) error {
	if b.opening {
		b.damaged = append(b.damaged, err.Error())
		return errors.Join(err, b.loaded(ctx, load))
	}
	return err
}

// feed delivers the messages of a stream in order. It is used by one goroutine.
type feed struct {
	engine   engine
	sub      *nats.Subscription
	consumer string
	stream   string
	expected uint64 // number of the next delivery

	reconnects uint64 // of the connection when the feed was opened
}

// begin says where a feed starts.
type begin struct {
	policy      jetstream.DeliverPolicy
	at          uint64 // with DeliverByStartSequencePolicy
	headersOnly bool
}

func startAfter(sequence uint64) begin {
	return begin{policy: jetstream.DeliverByStartSequencePolicy, at: sequence + 1}
}

// openFeed makes a consumer that delivers what is asked for and then all new messages. pending is the number of
// messages that were there already.
func openFeed(ctx context.Context, g engine, stream jetstream.StreamConfig, from begin) (f *feed, pending uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	inbox := g.nc.NewInbox()
	sub, err := g.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, 0, fmt.Errorf("subscribe: %w", err)
	}
	f = &feed{engine: g, sub: sub, stream: stream.Name, expected: 1, reconnects: g.nc.Stats().Reconnects}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		f.close()
		return nil, 0, fmt.Errorf("subscribe: %w", err)
	}
	consumer, err := g.js.CreatePushConsumer(ctx, stream.Name, jetstream.ConsumerConfig{
		DeliverSubject:    inbox,
		DeliverPolicy:     from.policy,
		OptStartSeq:       from.at,
		FilterSubject:     stream.Subjects[0],
		HeadersOnly:       from.headersOnly,
		AckPolicy:         jetstream.AckNonePolicy,
		MaxDeliver:        1,
		IdleHeartbeat:     heartbeat,
		FlowControl:       true,
		InactiveThreshold: time.Minute,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		f.close()
		return nil, 0, fmt.Errorf("create the consumer: %w", err)
	}
	info := consumer.CachedInfo()
	f.consumer = info.Name
	return f, info.NumPending + info.Delivered.Consumer, nil
}

// close ends the delivery. The engine would find out by itself after a minute; telling it is a courtesy.
func (f *feed) close() {
	_ = f.sub.Unsubscribe()
	if f.consumer == "" || !f.engine.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = f.engine.js.DeleteConsumer(ctx, f.stream, f.consumer)
}

// next waits for the next message; nil without an error is a sign of life of the engine.
func (f *feed) next(ctx context.Context) (*nats.Msg, *nats.MsgMetadata, error) {
	m, err := f.receive(ctx)
	if m == nil || err != nil {
		return nil, nil, err
	}
	meta, err := m.Metadata()
	if err != nil {
		return nil, nil, fmt.Errorf("read a delivery: %w", err)
	}
	if meta.Sequence.Consumer != f.expected {
		return nil, nil, fmt.Errorf("delivery %d came where %d was due", meta.Sequence.Consumer, f.expected)
	}
	f.expected++
	return m, meta, nil
}

func (f *feed) receive(ctx context.Context) (*nats.Msg, error) {
	m, err := f.wait(ctx)
	if err != nil {
		return nil, err
	}
	if len(m.Data) > 0 || m.Header.Get("Status") != "100" {
		return m, nil
	}
	answer := m.Reply // flow control
	if answer == "" {
		answer = m.Header.Get("Nats-Consumer-Stalled") // a heartbeat that repeats an unanswered one
	}
	if answer != "" {
		if err := f.engine.nc.Publish(answer, nil); err != nil {
			return nil, fmt.Errorf("answer flow control: %w", err)
		}
	}
	return nil, nil //nolint:nilnil // a sign of life, see next
}

// wait waits for anything from the engine. Behind a reconnection our subscription is back but the consumer that feeds
// it may not be, so that ends the feed too.
func (f *feed) wait(ctx context.Context) (*nats.Msg, error) {
	for silent := time.Duration(0); silent < feedSilence; silent += heartbeat {
		waiting, cancel := context.WithTimeout(ctx, heartbeat)
		m, err := f.sub.NextMsgWithContext(waiting)
		cancel()
		switch {
		case err == nil:
			return m, nil
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return nil, fmt.Errorf("wait for the next change: %w", err)
		case f.engine.nc.Stats().Reconnects != f.reconnects:
			return nil, errors.New("the connection was made anew")
		}
	}
	return nil, errors.New("the engine fell silent")
}

func messageOf(m *nats.Msg, revision uint64) message {
	out := message{subject: m.Subject, revision: revision, data: m.Data}
	if len(m.Header) > 0 {
		out.gone = m.Header.Get(headerOperation) != "" || m.Header.Get(headerMarker) != ""
		out.base = parseRevision(m.Header.Get(headerBase))
	}
	return out
}
