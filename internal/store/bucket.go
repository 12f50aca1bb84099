package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
)

// sink is the index of one table. The bucket calls it under its own lock, in the order of revisions.
type sink interface {
	// apply takes a new state in and returns the events in it that wait for the outbox.
	apply(key Key, m message) ([]Event, error)
}

// bucket is one stream of records and its image in memory. One goroutine, run, follows the stream and is the only one
// that changes the image and the ledger.
type bucket struct {
	conn   *natsd.Conn
	log    *slog.Logger
	cfg    jetstream.StreamConfig
	name   string // as operators know it
	prefix string // of its subjects

	ledgerPath string  // "" when no ledger is kept
	ledger     *ledger // run's own

	account account   // run's own: what the ledger told; empty once settled
	created time.Time // run's own: when the stream was made; a stream made anew counts from 1 again
	opening bool      // run's own: the first full image is not there yet
	damaged []string  // run's own: what was found broken while opening

	opened chan struct{} // closed when opening has succeeded or failed
	failed error         // valid when opened is closed

	asOf atomic.Int64 // when the image was last known to be the engine's, in nanoseconds of Unix time

	mu       sync.RWMutex
	subjects map[string]known              // everything the engine has; after the opening without what is gone
	raw      map[string]map[string]message // by table and subject: records of tables that nobody has opened
	sinks    map[string]sink               // by table
	outgoing map[string][]Event            // by subject: what waits for the outbox
	applied  uint64
	waiters  []waiter
	trouble  error         // last interruption while opening
	work     chan struct{} // holds a token when outgoing may have grown
	turns    turns
}

// openTimeout bounds the reading of all records at start; 100,000 take a second.
const openTimeout = 2 * time.Minute

type waiter struct {
	revision uint64
	done     chan struct{}
}

func newBucket(conn *natsd.Conn, log *slog.Logger, cfg jetstream.StreamConfig) *bucket {
	return &bucket{
		conn: conn, log: log, cfg: cfg,
		name:     strings.TrimPrefix(cfg.Name, "KV_"),
		prefix:   strings.TrimSuffix(cfg.Subjects[0], ">"),
		opening:  true,
		opened:   make(chan struct{}),
		subjects: map[string]known{},
		raw:      map[string]map[string]message{},
		sinks:    map[string]sink{},
		outgoing: map[string][]Event{},
		work:     make(chan struct{}, 1),
	}
}

func (b *bucket) engine() engine {
	if b.cfg.Storage == jetstream.FileStorage {
		return newEngine(b.conn, b.conn.Room)
	}
	return newEngine(b.conn, nil)
}

// run follows the engine until ctx ends. It opens the ledger first: an account of records without the stream they were
// in must be found before the stream is made anew.
func (b *bucket) run(ctx context.Context) {
	if err := b.openLedger(ctx); err != nil {
		b.finishOpen(err)
		return
	}
	b.follow(ctx)
	if b.ledger != nil {
		if err := b.ledger.close(); err != nil {
			b.log.Error("close the ledger", "error", err)
		}
	}
	b.finishOpen(ctx.Err())
}

// finishOpen tells whoever opens the store how it went. Only the first call counts.
func (b *bucket) finishOpen(err error) {
	select {
	case <-b.opened:
	default:
		b.failed = err
		close(b.opened)
	}
}

// refused tells that opening has failed for good.
func (b *bucket) refused() bool {
	select {
	case <-b.opened:
		return b.failed != nil
	default:
		return false
	}
}

func (b *bucket) awaitOpen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	select {
	case <-b.opened:
		return b.failed
	case <-ctx.Done():
		b.mu.RLock()
		defer b.mu.RUnlock()
		return fault.Wrap(fault.Unavailable, errors.Join(b.trouble, context.Cause(ctx)), "the state engine does not answer")
	}
}

// openLedger reads the ledger, or makes an empty one where there is no stream yet.
func (b *bucket) openLedger(ctx context.Context) error {
	if b.ledgerPath == "" {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	_, err := b.conn.JetStream().Stream(asking, b.cfg.Name)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("look for the records: %w", err)
	}
	there := err == nil
	b.ledger, b.account, err = readLedger(b.ledgerPath)
	switch {
	case isNotExist(err) && !there:
		b.ledger, err = writeLedger(b.ledgerPath, account{})
		return err
	case isNotExist(err):
		err = fmt.Errorf("%s, the account of all records, is missing", b.ledgerPath)
	case err == nil && !there && b.account.through > 0:
		err = errors.New(unknownStream(b.cfg.Name, len(b.account.subjects)))
	}
	if err != nil {
		return judge(b.conn, b.log, []string{err.Error()})
	}
	return nil
}

// loaded is called when everything has been read: for the first time, the bucket is judged and then open.
func (b *bucket) loaded(ctx context.Context, load *loading) error {
	if !b.opening {
		if err := b.confirm(ctx, load.seen); err != nil {
			return err
		}
	}
	b.mu.Lock()
	b.complete(load.seen)
	b.mu.Unlock()
	if !b.opening {
		return b.flushLedger()
	}
	err := b.settle(ctx)
	b.opening = false
	b.mu.Lock()
	maps.DeleteFunc(b.subjects, func(_ string, k known) bool { return k.gone })
	b.mu.Unlock()
	b.finishOpen(err)
	return err
}

// settle compares the first full image with the ledger.
func (b *bucket) settle(ctx context.Context) error {
	missing, back := b.account.compare(b.subjects)
	lost := append(b.damaged, missing...)
	slices.Sort(lost)
	if err := judge(b.conn, b.log, lost); err != nil {
		return err
	}
	acc := b.account
	b.damaged, b.account = nil, account{}
	b.deleteAgain(ctx, back)
	if len(lost) > 0 {
		if err := b.bury(ctx, acc); err != nil {
			return err
		}
	}
	if b.ledgerPath == "" {
		return nil
	}
	if b.ledger == nil || len(lost) > 0 {
		return b.rewriteLedger()
	}
	if err := b.catchUp(acc); err != nil { // on a full disk; what the ledger lacks it gets with the next start
		b.log.Error("the account of records is behind", "error", err)
	}
	return nil
}

// catchUp adds to the ledger what the engine has and the ledger, which is acc, does not tell.
func (b *bucket) catchUp(acc account) error {
	if b.ledger.size > 2*b.ledger.base {
		return b.rewriteLedger()
	}
	if err := b.ledger.cutOff(); err != nil {
		return err
	}
	for subject, has := range b.subjects {
		if acc.subjects[subject].revision < has.revision {
			b.ledger.note(has.revision, subject, has.gone)
		}
	}
	return b.flushLedger()
}

// deleteAgain takes records out of the image and the engine that were deleted before. What the engine does not take now,
// it is told with the next start.
func (b *bucket) deleteAgain(ctx context.Context, back []string) {
	for _, subject := range back {
		b.mu.Lock()
		b.apply(message{subject: subject, revision: b.subjects[subject].revision, gone: true})
		b.mu.Unlock()
		_, err := b.engine().publish(ctx, deletion(subject))
		b.log.Info("the engine showed a deleted record again; it is deleted once more", "record", subject, "error", err)
	}
}

// bury makes an accepted loss final, so that the next start is an ordinary one: over every record that cannot be read
// goes its last readable state, or a deletion where there is none.
func (b *bucket) bury(ctx context.Context, acc account) error {
	over := map[string]*nats.Msg{}
	for subject, want := range acc.subjects {
		if want.gone || b.subjects[subject].revision >= want.revision {
			continue
		}
		table, _, _ := strings.Cut(strings.TrimPrefix(subject, b.prefix), ".")
		m := b.raw[table][subject]
		over[subject] = &nats.Msg{Subject: subject, Data: m.data, Header: nats.Header{}}
		if m.gone || len(m.data) == 0 {
			over[subject] = deletion(subject)
		}
	}
	for _, records := range b.raw {
		for subject, m := range records {
			if m.gone && m.data == nil && over[subject] == nil {
				over[subject] = deletion(subject)
			}
		}
	}
	for subject, m := range over {
		if _, err := b.engine().publish(ctx, m); err != nil {
			return fmt.Errorf("bury %s: %w", subject, err)
		}
	}
	return nil
}

func deletion(subject string) *nats.Msg {
	m := &nats.Msg{Subject: subject, Header: nats.Header{}}
	markGone(m, false)
	return m
}

func (b *bucket) flushLedger() error {
	if b.ledger == nil {
		return nil
	}
	return b.ledger.flush()
}

func (b *bucket) rewriteLedger() error {
	fresh, err := writeLedger(b.ledgerPath, account{through: b.applied, subjects: b.subjects})
	if err != nil {
		return err
	}
	if b.ledger != nil {
		_ = b.ledger.file.Close()
	}
	b.ledger = fresh
	return nil
}

// reopen finds the stream, makes it where that is right, and forgets the image when the stream is not the one it was.
func (b *bucket) reopen(ctx context.Context) error {
	js := b.conn.JetStream()
	stream, err := js.Stream(ctx, b.cfg.Name)
	lasting := b.cfg.Storage == jetstream.FileStorage && !b.created.IsZero()
	if lasting && errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("the engine does not know its stream %s any more", b.cfg.Name)
	}
	var info *jetstream.StreamInfo
	if err == nil && !b.created.IsZero() {
		info = stream.CachedInfo()
	} else if info, err = ensureStream(ctx, js, b.cfg); err != nil {
		return err
	}
	b.mu.RLock()
	behind := info.State.LastSeq < b.applied
	b.mu.RUnlock()
	if !b.created.IsZero() && (behind || !info.Created.Equal(b.created)) {
		b.log.Warn("the bucket was made anew; what it held is gone", "bucket", b.name)
		b.renumber()
	}
	b.created = info.Created
	return nil
}

// renumber makes the image take whatever the engine shows next: a stream that was made anew, or whose memory is gone,
// counts from 1 again. What the engine does not show any more goes when everything has been read.
func (b *bucket) renumber() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for subject, k := range b.subjects {
		b.subjects[subject] = known{gone: k.gone}
	}
	b.applied = 0
}

// take brings one state into the image and, for facts, into the ledger. last tells that no other waits behind it.
func (b *bucket) take(m message, last bool) {
	b.mu.Lock()
	fresh := b.subjects[m.subject].revision < m.revision
	if fresh {
		b.apply(m)
	}
	b.applied = max(b.applied, m.revision)
	b.waiters = slices.DeleteFunc(b.waiters, func(w waiter) bool {
		if w.revision <= b.applied {
			close(w.done)
			return true
		}
		return false
	})
	b.mu.Unlock()
	if b.ledger == nil || b.opening || !fresh {
		return
	}
	b.ledger.note(m.revision, m.subject, m.gone)
	if !last && !b.ledger.full() {
		return
	}
	err := b.ledger.flush()
	if err == nil && b.ledger.overgrown() {
		err = b.rewriteLedger()
	}
	if err != nil {
		b.log.Error("the account of records is behind", "error", err)
	}
}

// apply changes the image under the lock. A record that cannot be read counts as gone, at its revision, so that the
// key can be used again once the operator has accepted the loss.
func (b *bucket) apply(m message) {
	table, key, err := parseSubject(strings.TrimPrefix(m.subject, b.prefix))
	if err == nil && len(m.data) > 0 {
		err = verify(m.subject, m.data)
	}
	if err != nil {
		b.report(m, err)
		m.gone, m.data = true, nil
	}
	if m.gone && !b.opening {
		delete(b.subjects, m.subject)
	} else {
		b.subjects[m.subject] = known{revision: m.revision, gone: m.gone}
	}
	var events []Event
	if to := b.sinks[table]; to != nil {
		events, err = to.apply(key, m)
	} else {
		if b.raw[table] == nil {
			b.raw[table] = map[string]message{}
		}
		b.raw[table][m.subject] = m
		events, err = rawEvents(m)
	}
	if err != nil {
		b.report(m, err)
	}
	b.queue(m.subject, events)
}

// report keeps what is broken for the judgement of the opening; later it can only be logged, and the next opening
// will find it.
func (b *bucket) report(m message, err error) {
	text := fmt.Sprintf("record %s (revision %d): %v", m.subject, m.revision, err)
	if b.opening {
		b.damaged = append(b.damaged, text)
		return
	}
	b.log.Error("unreadable record", "error", text)
}

// rawEvents returns the waiting events of a record of unknown type. Most records have none, and then nothing is decoded.
func rawEvents(m message) ([]Event, error) {
	if !bytes.Contains(m.data, []byte(`"events":[`)) {
		return nil, nil
	}
	e, err := open[json.RawMessage](m.subject, m.data)
	return e.Events, err
}

func (b *bucket) queue(subject string, events []Event) {
	if len(events) == 0 {
		delete(b.outgoing, subject)
		return
	}
	b.outgoing[subject] = events
	select {
	case b.work <- struct{}{}:
	default:
	}
}

// confirm asks the engine's leader for what was not shown, before it counts as gone: the server that reads for us may be
// one that has just started and lags behind the others.
func (b *bucket) confirm(ctx context.Context, seen map[string]struct{}) error {
	b.mu.RLock()
	var missing []string
	for subject, k := range b.subjects {
		if _, ok := seen[subject]; !ok && !k.gone {
			missing = append(missing, subject)
		}
	}
	b.mu.RUnlock()
	for _, subject := range missing {
		m, err := b.engine().ask(ctx, b.cfg.Name, lookup{LastFor: subject})
		if err != nil {
			return err
		}
		if m != nil {
			seen[subject] = struct{}{}
		}
	}
	return nil
}

// complete takes out of the image what the engine did not show when it was asked for everything. The caller holds
// the lock.
func (b *bucket) complete(seen map[string]struct{}) {
	for subject, k := range b.subjects {
		if _, ok := seen[subject]; ok {
			continue
		}
		if !k.gone {
			b.apply(message{subject: subject, revision: k.revision, gone: true})
		}
		delete(b.subjects, subject)
	}
}

// interrupted remembers why opening takes so long.
func (b *bucket) interrupted(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = err
}

// await returns when the image has reached a revision. It gives up quietly after a while: the write is done, only this
// process has not heard of it.
func (b *bucket) await(ctx context.Context, revision uint64) {
	b.mu.Lock()
	if b.applied >= revision {
		b.mu.Unlock()
		return
	}
	w := waiter{revision: revision, done: make(chan struct{})}
	b.waiters = append(b.waiters, w)
	b.mu.Unlock()
	limit := time.NewTimer(engineTimeout)
	defer limit.Stop()
	select {
	case <-w.done:
	case <-ctx.Done():
	case <-limit.C:
	}
}

func parseRevision(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
