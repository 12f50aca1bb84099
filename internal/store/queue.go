package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Queue keeps what is to be done until it is done: items of many queues, each in lanes, every one on the disk before Put
// returns. Nothing of it is held in memory, so what waits costs room on the disk only. An item that is put again takes the
// place of the one before it, at the end of its lane.
//
// Who takes items must be one process at a time: a Queue does not share them out.
type Queue[T any] struct {
	conn   engine
	cfg    jetstream.StreamConfig
	prefix string
}

// Place says where an item is. Two items never share one.
type Place struct {
	Key  Key    // of the queue
	Lane string // of the queue
	ID   string // of the item, in its lane
}

// Head is what can be known of an item without reading it.
type Head struct {
	Place
	Sequence uint64    // grows with every Put
	Due      time.Time // zero when none was given
}

// Item is an item with its value.
type Item[T any] struct {
	Head
	Value T
	Time  time.Time // when it was put
}

// headerDue carries the time at which an item is due, in milliseconds since 1970.
const headerDue = "Rivus-Due"

const queueTokens = 5

type queueEnvelope[T any] struct {
	Version int `json:"v,omitempty"`
	Value   T   `json:"value"`
}

// queueVersion is raised when the meaning of a member of any queued value changes (DESIGN.md, "Versions").
const queueVersion = 1

// OpenQueue opens the queues of this name, one lower-case word. What has waited for longer than age is gone.
func OpenQueue[T any](ctx context.Context, s *Store, name string, age time.Duration) (*Queue[T], error) {
	return OpenBoundedQueue[T](ctx, s, name, age, 0)
}

// OpenBoundedQueue is OpenQueue for queues that have no more than so many bytes on each disk: the oldest items go first. 0 is any
// number.
func OpenBoundedQueue[T any](ctx context.Context, s *Store, name string, age time.Duration, maxBytes int64) (*Queue[T], error) {
	q := &Queue[T]{conn: s.engine(), prefix: "rivus.queue." + name + "."}
	q.cfg = jetstream.StreamConfig{
		Name: "QUEUE_" + name, Subjects: []string{q.prefix + ">"}, Storage: jetstream.FileStorage, MaxAge: age,
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardOld, AllowDirect: true, Duplicates: engineRemembers, Replicas: s.replicas,
	}
	if maxBytes > 0 {
		q.cfg.MaxBytes = maxBytes
	}
	err := AtStart(ctx, s.log, "open the queue "+name, func(ctx context.Context) error {
		_, err := ensureStream(ctx, s.conn.JetStream(), q.cfg)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store: open queue %s: %w", name, err)
	}
	return q, nil
}

// Put stores an item, in place of one that has its place already. After an error it may be there, now or later.
func (q *Queue[T]) Put(ctx context.Context, at Place, value T, due time.Time) (uint64, error) {
	m, err := q.message(at, value, due)
	if err != nil {
		return 0, err
	}
	sequence, err := q.conn.publish(ctx, m)
	if isUnsure(err) {
		sequence, err = q.conn.publish(ctx, m)
	}
	return sequence, err
}

// PutOnce is Put that does nothing when the place is taken.
func (q *Queue[T]) PutOnce(ctx context.Context, at Place, value T) error {
	m, err := q.message(at, value, time.Time{})
	if err != nil {
		return err
	}
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, "0")
	_, err = q.conn.publish(ctx, m)
	if isUnsure(err) {
		_, err = q.conn.publish(ctx, m)
	}
	if errors.Is(err, errMismatch) {
		return nil
	}
	return err
}

func (q *Queue[T]) message(at Place, value T, due time.Time) (*nats.Msg, error) {
	subject := q.lane(at.Key, at.Lane) + token(at.ID)
	data, err := sealRaw(subject, queueEnvelope[T]{Version: queueVersion, Value: value})
	if err != nil {
		return nil, err
	}
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}
	if !due.IsZero() {
		m.Header.Set(headerDue, strconv.FormatInt(due.UnixMilli(), 10))
	}
	return m, nil
}

// lane is the subject of a lane's items without the last token.
func (q *Queue[T]) lane(key Key, lane string) string {
	return q.prefix + token(key.Region) + "." + token(key.Account) + "." + token(key.ID) + "." + token(lane) + "."
}

// Next returns the first item of a lane behind a sequence, nil when there is none. An item that cannot be read is an error
// with its Head.
func (q *Queue[T]) Next(ctx context.Context, key Key, lane string, after uint64) (*Item[T], error) {
	return q.load(ctx, lookup{Sequence: after + 1, NextFor: q.lane(key, lane) + ">"})
}

// NextOfAll is Next over all queues of a scope; the scope's parts may be "" for any.
func (q *Queue[T]) NextOfAll(ctx context.Context, region, account, lane string, after uint64) (*Item[T], error) {
	part := func(s string) string {
		if s == "" {
			return "*"
		}
		return token(s)
	}
	subject := q.prefix + part(region) + "." + part(account) + ".*." + token(lane) + ".*"
	return q.load(ctx, lookup{Sequence: after + 1, NextFor: subject})
}

// Get returns the item at a place, nil when there is none.
func (q *Queue[T]) Get(ctx context.Context, at Place) (*Item[T], error) {
	return q.load(ctx, lookup{LastFor: q.lane(at.Key, at.Lane) + token(at.ID)})
}

func (q *Queue[T]) load(ctx context.Context, what lookup) (*Item[T], error) {
	m, err := q.conn.ask(ctx, q.cfg.Name, what)
	if err != nil || m == nil {
		return nil, err
	}
	at, err := q.place(m.Subject)
	item := &Item[T]{Head: Head{Place: at, Sequence: m.Sequence}, Time: m.Time}
	if err == nil {
		err = verify(m.Subject, m.Data)
	}
	var e queueEnvelope[T]
	if err == nil {
		err = json.Unmarshal(m.Data, &e)
	}
	if err != nil {
		return item, &UnreadableError{Head: item.Head, Cause: fmt.Errorf("store: item %d of %s: %w", m.Sequence, q.cfg.Name, err)}
	}
	item.Value = e.Value
	if header, err := nats.DecodeHeadersMsg(m.Header); err == nil {
		item.Due = dueOf(header)
	}
	return item, nil
}

// UnreadableError is the error of an item that is damaged. It stays until somebody removes it.
type UnreadableError struct {
	Head  Head
	Cause error
}

// Error returns the cause.
func (e *UnreadableError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *UnreadableError) Unwrap() error { return e.Cause }

func dueOf(h nats.Header) time.Time {
	ms, err := strconv.ParseInt(h.Get(headerDue), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// place reads the subject of an item.
func (q *Queue[T]) place(subject string) (Place, error) {
	parts := strings.Split(strings.TrimPrefix(subject, q.prefix), ".")
	if len(parts) != queueTokens {
		return Place{}, fmt.Errorf("store: %q is not the subject of an item", subject)
	}
	var plain [queueTokens]string
	for i, p := range parts {
		var err error
		if plain[i], err = untoken(p); err != nil {
			return Place{}, err
		}
	}
	at := Place{Lane: plain[3], ID: plain[4]}
	at.Key.Region, at.Key.Account, at.Key.ID = plain[0], plain[1], plain[2]
	return at, nil
}

// Remove takes an item out, if it is still the one of this sequence. One that is gone already is no error.
func (q *Queue[T]) Remove(ctx context.Context, sequence uint64) error {
	question, err := json.Marshal(struct {
		Sequence uint64 `json:"seq"`
		NoErase  bool   `json:"no_erase"`
	}{sequence, true})
	if err != nil {
		return fmt.Errorf("store: encode a removal: %w", err)
	}
	asking, cancel := outlive(ctx)
	defer cancel()
	answer, err := q.conn.request(asking, &nats.Msg{Subject: "$JS.API.STREAM.MSG.DELETE." + q.cfg.Name, Data: question})
	if err != nil {
		return unavailable(err)
	}
	var got struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return unavailable(fmt.Errorf("read the answer: %w", err))
	}
	if got.Error != nil && !isRemoved(got.Error) {
		return unavailable(got.Error)
	}
	return nil
}

// isRemoved tells whether the engine could not remove a message because it is not there.
func isRemoved(err *jetstream.APIError) bool {
	const sequenceNotFound, deleteFailed = 10043, 10057 // of nats-server's errors.json
	return err.ErrorCode == sequenceNotFound || err.ErrorCode == deleteFailed && err.Description == "no message found"
}

// Follow tells of every item that waits, in the order in which they were put, then calls settled once, and from then on tells
// of every item that is put, until ctx ends or fn fails. When the engine was away it begins again with all that waits and
// calls settled again.
func (q *Queue[T]) Follow(ctx context.Context, fn func(Head) error, settled func()) error {
	for {
		err := q.followOnce(ctx, fn, settled)
		if ctx.Err() != nil {
			return ctx.Err() //nolint:wrapcheck // the caller's own
		}
		if stop := (*stopError)(nil); errors.As(err, &stop) {
			return stop.cause
		}
		select {
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // the caller's own
		case <-time.After(retryLongest):
		}
	}
}

func (q *Queue[T]) followOnce(ctx context.Context, fn func(Head) error, settled func()) error {
	f, pending, err := openFeed(ctx, q.conn, q.cfg, begin{policy: jetstream.DeliverAllPolicy, headersOnly: true})
	if err != nil {
		return err
	}
	defer f.close()
	loading := pending > 0
	if !loading {
		settled()
	}
	for {
		m, meta, err := f.next(ctx)
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		at, err := q.place(m.Subject)
		if err == nil {
			err = fn(Head{Place: at, Sequence: meta.Sequence.Stream, Due: dueOf(m.Header)})
		}
		if err != nil {
			return &stopError{err}
		}
		if loading && meta.NumPending == 0 {
			loading = false
			settled()
		}
	}
}
