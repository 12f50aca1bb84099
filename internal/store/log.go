package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rivus-live/rivus/internal/fault"
)

// DefaultLogAge is how long a log keeps an entry: as long as the service shows ended sessions.
const DefaultLogAge = 60 * 24 * time.Hour

// EventLog is the name of the log whose entries are on the disk before Append returns: an event is taken out of the record
// that it happened to as soon as it is there.
const EventLog = "bus"

// Log is an append-only history of one kind of thing: for every resource a series of sessions, for every session a
// series of entries. Nothing of it is held in memory.
//
// An engine's stream can only be read forward, so entries point back: to the one before in the same session, to the
// session before, and to the newest session. A page of the newest entries costs as many reads as it has entries.
type Log[T any] struct {
	conn   engine
	cfg    jetstream.StreamConfig
	prefix string
	turns  turns
	mark   *mark // nil when the engine is external
}

// Entry is one appended value.
type Entry[T any] struct {
	Key      Key
	Session  string
	Value    T
	Time     time.Time // when it was appended
	Sequence uint64    // grows with every append to the log

	links  links
	header []byte
}

// id returns the ID under which the entry was appended, "" when it cannot be read.
func (e *Entry[T]) id() string {
	header, err := nats.DecodeHeadersMsg(e.header)
	if err != nil {
		return ""
	}
	return header.Get(jetstream.MsgIDHeader)
}

// links are sequences of other entries of the resource; 0 is none.
type links struct {
	Previous uint64 `json:"previous,omitempty"` // entry of the same session before this one
	Older    uint64 `json:"older,omitempty"`    // newest entry of the session before this one, when this one began
	Newest   uint64 `json:"newest,omitempty"`   // first entry of the newest session; 0: this very entry
}

type logEnvelope[T any] struct {
	links
	Version int `json:"v,omitempty"`
	Value   T   `json:"value"`
}

// logVersion is raised when the meaning of a member of any log changes (DESIGN.md, "Versions").
const logVersion = 1

// OpenLog opens the log of this name, one lower-case word, and checks what it holds.
func OpenLog[T any](ctx context.Context, s *Store, name string) (*Log[T], error) {
	return OpenLogAge[T](ctx, s, name, DefaultLogAge)
}

// OpenLogAge is OpenLog for a log that keeps its entries for another time than DefaultLogAge.
func OpenLogAge[T any](ctx context.Context, s *Store, name string, age time.Duration) (*Log[T], error) {
	l := &Log[T]{
		conn:   s.engine(),
		prefix: logSubjects + name + ".",
	}
	l.cfg = logConfig(name, age, s.replicas)
	var err error
	if l.mark, err = checkLog(ctx, s, l.cfg, name); err != nil {
		return nil, fmt.Errorf("store: open log %s: %w", name, err)
	}
	return l, nil
}

// logSubjects begins the subjects of all logs.
const logSubjects = "rivus.log."

func logConfig(name string, age time.Duration, replicas int) jetstream.StreamConfig {
	cfg := jetstream.StreamConfig{
		Name: logPrefix + name, Subjects: []string{logSubjects + name + ".>"}, Storage: jetstream.FileStorage, MaxAge: age,
		DenyDelete: true, AllowDirect: true, Duplicates: engineRemembers, Replicas: replicas,
	}
	if replicas == 1 && name != EventLog { // at three the engine batches by itself and does not take this setting
		cfg.PersistMode = jetstream.AsyncPersistMode
	}
	return cfg
}

// Append adds an entry to a session of a resource. On one replica it may be lost with the machine's power, not after
// a clean stop. After an error the entry may be there, now or later.
func (l *Log[T]) Append(ctx context.Context, key Key, session string, value T) error {
	return l.append(ctx, key, session, rand.Text(), value)
}

// Once names an entry, so that it is appended once however often that is tried.
type Once struct {
	ID    string
	Since time.Time // when the ID was made: no entry under it can be older
}

// The engine itself refuses an ID that it has seen in the last two minutes. An ID of an age that comes near it is looked
// for in the log, as far back as its age and a difference of clocks reach.
const (
	engineRemembers = 2 * time.Minute
	clocksDiffer    = engineRemembers / 2
)

// AppendOnce is Append that does nothing when the entry is there already.
func (l *Log[T]) AppendOnce(ctx context.Context, key Key, session string, once Once, value T) error {
	if time.Since(once.Since) > engineRemembers-clocksDiffer {
		e, err := l.load(ctx, lookup{LastFor: l.resource(key) + token(session)})
		for err == nil && e != nil && e.Time.After(once.Since.Add(-clocksDiffer)) {
			if e.id() == once.ID {
				return nil
			}
			e, err = l.stepEntry(ctx, key, session, e)
		}
		if err != nil {
			return err
		}
	}
	return l.append(ctx, key, session, once.ID, value)
}

// append adds an entry under an ID. A message whose answer was lost is sent again: of two with one ID the engine keeps one.
func (l *Log[T]) append(ctx context.Context, key Key, session, id string, value T) error {
	all := l.resource(key) + ">"
	subject := l.resource(key) + token(session)
	leave, err := l.turns.enter(ctx, all)
	if err != nil {
		return err
	}
	defer leave()
	for repeated, n := false, 0; n < maxAttempts; n++ {
		next, last, err := l.link(ctx, all, subject)
		if err != nil {
			return err
		}
		data, err := sealRaw(subject, logEnvelope[T]{links: next, Version: logVersion, Value: value})
		if err != nil {
			return err
		}
		m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}
		m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(last, 10))
		m.Header.Set(jetstream.ExpectedLastSubjSeqSubjHeader, all)
		m.Header.Set(jetstream.MsgIDHeader, id)
		sequence, err := l.conn.publish(ctx, m)
		if err == nil {
			l.mark.advance(sequence)
			return nil
		}
		if unsure := isUnsure(err); unsure && !repeated {
			repeated = true
		} else if unsure || !errors.Is(err, errMismatch) {
			return err
		}
	}
	return fault.New(fault.Unavailable, "the log is written too often by others")
}

// link finds what a new entry points to, and the last sequence of the resource.
func (l *Log[T]) link(ctx context.Context, all, subject string) (links, uint64, error) {
	last, err := l.load(ctx, lookup{LastFor: all})
	if err != nil || last == nil {
		return links{}, 0, err
	}
	newest := last.links.Newest
	if newest == 0 {
		newest = last.Sequence
	}
	same, err := l.load(ctx, lookup{LastFor: subject})
	if err != nil {
		return links{}, 0, err
	}
	if same != nil {
		return links{Previous: same.Sequence, Older: same.links.Older, Newest: newest}, last.Sequence, nil
	}
	older := newest
	if head, err := l.load(ctx, lookup{Sequence: newest}); err != nil {
		return links{}, 0, err
	} else if head == nil {
		older = last.Sequence
	}
	return links{Older: older}, last.Sequence, nil
}

// Last returns the newest entry of a session; fault.NotFound when it has none.
func (l *Log[T]) Last(ctx context.Context, key Key, session string) (Entry[T], error) {
	e, err := l.load(ctx, lookup{LastFor: l.resource(key) + token(session)})
	if err != nil {
		return Entry[T]{}, err
	}
	if e == nil {
		return Entry[T]{}, fault.New(fault.NotFound, "there is no session %s", session)
	}
	return *e, nil
}

// ListNewestFirst returns up to limit entries below the sequence before (0: from the newest), newest first. With
// session "" it returns the newest entry of each session of the resource, the session that began last first; before
// is then the sequence of the last entry that was returned.
func (l *Log[T]) ListNewestFirst(ctx context.Context, key Key, session string, before uint64, limit int) ([]Entry[T], error) {
	step := l.stepEntry
	if session == "" {
		step = l.stepSession
	}
	var out []Entry[T]
	var from *Entry[T]
	if before > 0 {
		e, err := l.load(ctx, lookup{Sequence: before})
		if err != nil || e == nil || e.Key != key {
			return nil, err
		}
		from = e
	}
	for len(out) < limit {
		e, err := step(ctx, key, session, from)
		if err != nil || e == nil {
			return out, err
		}
		out = append(out, *e)
		from = e
	}
	return out, nil
}

// stepEntry returns the entry of a session before from, the newest for nil; nil at the end.
func (l *Log[T]) stepEntry(ctx context.Context, key Key, session string, from *Entry[T]) (*Entry[T], error) {
	if from == nil {
		return l.load(ctx, lookup{LastFor: l.resource(key) + token(session)})
	}
	if from.links.Previous == 0 {
		return nil, nil //nolint:nilnil // documented
	}
	return l.load(ctx, lookup{Sequence: from.links.Previous})
}

// stepSession returns the newest entry of the session before from's, of the newest session for nil; nil at the end.
func (l *Log[T]) stepSession(ctx context.Context, key Key, _ string, from *Entry[T]) (*Entry[T], error) {
	var first *Entry[T]
	var err error
	switch {
	case from == nil:
		if first, err = l.load(ctx, lookup{LastFor: l.resource(key) + ">"}); err != nil || first == nil {
			return nil, err
		}
		if first.links.Newest != 0 {
			head, err := l.load(ctx, lookup{Sequence: first.links.Newest})
			if err != nil {
				return nil, err
			}
			if head != nil {
				first = head
			}
		}
	case from.links.Older == 0:
		return nil, nil //nolint:nilnil // documented
	default:
		if first, err = l.load(ctx, lookup{Sequence: from.links.Older}); err != nil || first == nil {
			return nil, err
		}
	}
	return l.load(ctx, lookup{LastFor: l.resource(key) + token(first.Session)})
}

// load reads and checks one entry; nil when there is none.
func (l *Log[T]) load(ctx context.Context, what lookup) (*Entry[T], error) {
	m, err := l.conn.ask(ctx, l.cfg.Name, what)
	if err != nil || m == nil {
		return nil, err
	}
	e, err := l.decode(m.Subject, m.Data, m.Time, m.Sequence)
	if err == nil {
		e.header = m.Header
	}
	return e, err
}

func (l *Log[T]) decode(subject string, data []byte, at time.Time, sequence uint64) (*Entry[T], error) {
	if err := verify(subject, data); err != nil {
		return nil, fmt.Errorf("store: entry %d of %s: %w", sequence, l.cfg.Name, err)
	}
	dot := strings.LastIndexByte(subject, '.')
	_, key, err := parseSubject("log." + strings.TrimPrefix(subject[:dot], l.prefix))
	if err != nil {
		return nil, err
	}
	session, err := untoken(subject[dot+1:])
	if err != nil {
		return nil, err
	}
	var e logEnvelope[T]
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("store: decode entry %d of %s: %w", sequence, l.cfg.Name, err)
	}
	return &Entry[T]{Key: key, Session: session, Value: e.Value, Time: at, Sequence: sequence, links: e.links}, nil
}

// resource is the subject of a resource's sessions without the last token.
func (l *Log[T]) resource(key Key) string {
	return l.prefix + token(key.Region) + "." + token(key.Account) + "." + token(key.ID) + "."
}

// Follow calls fn for every entry behind the cursor, oldest first, and then for every new one, until ctx ends or fn
// fails. The cursor is the Sequence of the last entry that was dealt with, 0 for the beginning. An engine that does not
// answer is waited for.
func (l *Log[T]) Follow(ctx context.Context, cursor uint64, fn func(Entry[T]) error) error {
	for {
		err := l.followOnce(ctx, &cursor, fn)
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

// stopError is an error of the function that follows, not of the engine.
type stopError struct{ cause error }

func (e *stopError) Error() string { return e.cause.Error() }

func (l *Log[T]) followOnce(ctx context.Context, cursor *uint64, fn func(Entry[T]) error) error {
	f, _, err := openFeed(ctx, l.conn, l.cfg, startAfter(*cursor))
	if err != nil {
		return err
	}
	defer f.close()
	for {
		m, meta, err := f.next(ctx)
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		e, err := l.decode(m.Subject, m.Data, meta.Timestamp, meta.Sequence.Stream)
		if err == nil {
			err = fn(*e)
		}
		if err != nil {
			return &stopError{err}
		}
		*cursor = meta.Sequence.Stream
	}
}
