package broadcast

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// Waits between tries to write a record.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// record is what the world shall know of a broadcast, as of one moment.
type record struct {
	stream    resource.Stream
	session   resource.Session
	events    []store.Event
	described bool // the session or the events are new
	final     bool // the session has ended
}

// ledger keeps the records of one broadcast. Its writes may be repeated after an error; fault.Fenced means that the
// broadcast is not this node's any more.
type ledger interface {
	save(ctx context.Context, r *record) error
	close(ctx context.Context, r *record) error
	lost() <-chan struct{}
}

// behind reports whether there is something to write and nobody writing.
func (b *broadcast) behind() bool {
	return !b.writing && (b.dirty || b.described || b.final)
}

// record returns what is to be written next.
func (b *broadcast) record() record {
	return record{stream: b.stream, session: b.session, events: b.events, described: b.described, final: b.final}
}

// sent notes that the writer has taken the record.
func (b *broadcast) sent(r record) {
	b.writing, b.last = true, r.final
	b.events, b.dirty, b.described, b.final = nil, false, false, false
}

// wrote notes how the writer fared.
func (b *broadcast) wrote(err error) {
	b.writing = false
	switch {
	case b.last:
		b.closed = true
		if err != nil {
			b.log.Error("session left open", "error", err)
		}
	case fault.Is(err, fault.Fenced):
		b.log.Warn("another node has the channel", "error", err)
		b.final = false
		b.stop(Fenced)
		b.reason = Fenced // also when it was about to end for another one: the last record is not ours
		b.closed = b.life.state == resource.Ended
	case errors.Is(err, errDefect): // the records of the stream cannot be kept: it ends
		b.stop(Defective)
	case err != nil:
		b.log.Error("record not written", "error", err)
	}
}

// writeContained is write for a goroutine of its own: a panic in it is an error that the owner is told.
func (b *broadcast) writeContained(ctx context.Context, r record) (err error) {
	defer func() {
		if v := recover(); v != nil {
			b.defect(v)
			err = errDefect
		}
	}()
	return b.write(ctx, r)
}

// write puts a record into the ledger, again and again while the engine does not answer.
func (b *broadcast) write(ctx context.Context, r record) error {
	put := b.ledger.save
	if r.final {
		put = b.ledger.close
	}
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := put(ctx, &r)
		if err == nil || fault.Is(err, fault.Fenced) {
			return err
		}
		if wait == firstRetry {
			b.log.Warn("cannot write the stream's record; will try again", "error", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// storeLedger is the ledger in the state engine: the claim tells who runs the stream, the open session is a fact, and
// what ended is history.
type storeLedger struct {
	key      store.Key
	hold     *cluster.Hold[resource.Stream]
	sessions *store.EventTable[resource.Session]
	history  *store.Log[resource.Session]
	archived bool // the session is in the history
	removed  bool // the open session is gone
}

func (l *storeLedger) lost() <-chan struct{} { return l.hold.Lost() }

// save writes the session first, so that whoever sees a live stream also finds its session.
func (l *storeLedger) save(ctx context.Context, r *record) error {
	if r.described {
		_, err := l.sessions.Update(ctx, l.key, func(old resource.Session) (resource.Session, error) {
			return r.session, sameSession(old, r.session.StreamID)
		}, r.events...)
		if fault.Is(err, fault.NotFound) {
			return fault.Wrap(fault.Fenced, err, "session is gone")
		}
		if err != nil {
			return fmt.Errorf("save session: %w", err)
		}
		r.described = false
	}
	if err := l.hold.Put(ctx, r.stream); err != nil {
		return fmt.Errorf("save stream: %w", err)
	}
	return nil
}

// close moves the session to the history and gives the claim up.
func (l *storeLedger) close(ctx context.Context, r *record) error {
	if !l.archived {
		if err := archive(ctx, l.history, l.key, r.session); err != nil {
			return err
		}
		l.archived = true
	}
	if !l.removed {
		if err := removeSession(ctx, l.sessions, l.key, r.session.StreamID, r.events); err != nil {
			return err
		}
		l.removed = true
	}
	if err := l.hold.Release(ctx, r.stream); err != nil && !fault.Is(err, fault.Fenced) {
		return fmt.Errorf("release channel: %w", err)
	}
	return nil
}

// archive appends an ended session to the history.
func archive(ctx context.Context, log *store.Log[resource.Session], key store.Key, s resource.Session) error {
	once := store.Once{ID: s.StreamID + "/end", Since: s.EndTime}
	if err := log.AppendOnce(ctx, key, s.StreamID, once, s); err != nil {
		return fmt.Errorf("archive session: %w", err)
	}
	return nil
}

// removeSession takes an ended session out of the open ones; the events of its end go with it.
func removeSession(ctx context.Context, t *store.EventTable[resource.Session], key store.Key, id string, events []store.Event) error {
	_, err := t.Delete(ctx, key, func(s resource.Session) error { return sameSession(s, id) }, events...)
	if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Fenced) {
		return fmt.Errorf("close session: %w", err)
	}
	return nil
}

// sameSession guards against writing into the session of another stream.
func sameSession(s resource.Session, id string) error {
	if s.StreamID != id {
		return fault.New(fault.Fenced, "the channel has another session")
	}
	return nil
}
