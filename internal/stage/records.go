package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

const (
	recordRetry   = 500 * time.Millisecond
	finalPatience = 5 * time.Second // for the last writes when the server stops
	maxWaiting    = 10_000          // events that wait for the state engine
	sessionIDLen  = 13
)

// recorder writes what happens on a stage, in the order that store/tables_stage.go asks for. Whoever tells it something
// never waits: of a participant the newest record counts, events queue, and one goroutine writes.
type recorder struct {
	manager *Manager
	stage   arn.ARN
	log     *slog.Logger
	earlier <-chan struct{} // closed when the records of an earlier room of the stage are written; nil without one
	wake    chan struct{}

	mu       sync.Mutex
	dirty    map[string]presence // participants to write
	events   []numbered
	dropped  int
	waiting  []chan struct{} // closed when what was told before is written
	ended    time.Time       // zero while the room is open
	finished bool
	stopped  bool // run has returned

	session resource.StageSession // the goroutine's; SessionID "" before it is open
}

// presence is a participant as of one moment.
type presence struct {
	record    resource.Participant
	connected bool
}

// numbered is an event with a number that no other event has, so that it is not written twice when the state engine has
// taken it and could not say so.
type numbered struct {
	resource.ParticipantEvent
	id string
}

func newRecorder(m *Manager, stage arn.ARN, log *slog.Logger, earlier <-chan struct{}) *recorder {
	return &recorder{
		manager: m, stage: stage, log: log, earlier: earlier, wake: make(chan struct{}, 1), dirty: make(map[string]presence),
	}
}

func (r *recorder) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// participant says what is known of a participant now.
func (r *recorder) participant(p resource.Participant, connected bool) {
	r.mu.Lock()
	r.dirty[p.ParticipantID] = presence{record: p, connected: connected}
	r.mu.Unlock()
	r.nudge()
}

// event says that something happened. When too many wait, the newest are lost.
func (r *recorder) event(e resource.ParticipantEvent) {
	id := r.manager.opt.Node.Incarnation() + "/" + strconv.FormatUint(r.manager.events.Add(1), 10)
	r.mu.Lock()
	if len(r.events) < maxWaiting {
		r.events = append(r.events, numbered{ParticipantEvent: e, id: id})
	} else {
		r.dropped++
	}
	r.mu.Unlock()
	r.nudge()
}

// finish says that nothing will follow; run returns when all is written and the session has ended.
func (r *recorder) finish(at time.Time) {
	r.mu.Lock()
	r.finished, r.ended = true, at
	r.mu.Unlock()
	r.nudge()
}

// await returns when all that was told so far is written, or ctx is done, or nothing more will be written.
func (r *recorder) await(ctx context.Context) {
	written := make(chan struct{})
	r.mu.Lock()
	if r.stopped {
		r.mu.Unlock()
		return
	}
	r.waiting = append(r.waiting, written)
	r.mu.Unlock()
	r.nudge()
	select {
	case <-written:
	case <-ctx.Done():
	}
}

// release lets those go on who wait.
func release(waiting []chan struct{}) {
	for _, written := range waiting {
		close(written)
	}
}

// run writes until finish, or until ctx is done.
func (r *recorder) run(ctx context.Context) {
	defer r.mourn()
	if !r.turn(ctx) {
		return
	}
	for {
		select {
		case <-r.wake:
		case <-ctx.Done():
			return
		}
		over, err := r.flush(ctx)
		if over && err == nil {
			return
		}
		if err == nil {
			continue
		}
		r.log.Warn("cannot write the stage's records; will try again", "error", err)
		select {
		case <-time.After(recordRetry):
			r.nudge()
		case <-ctx.Done():
		}
	}
}

// turn waits until what was before is in the records: earlier lives of the node, and an earlier session of the stage.
func (r *recorder) turn(ctx context.Context) bool {
	for _, before := range [...]<-chan struct{}{r.manager.tidied, r.earlier} {
		if before == nil {
			continue
		}
		select {
		case <-before:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// mourn tells of what could not be written.
func (r *recorder) mourn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if lost := len(r.dirty) + len(r.events) + r.dropped; lost > 0 {
		r.log.Error("records of the stage were lost", "count", lost)
	}
	r.stopped = true
	release(r.waiting)
	r.waiting = nil
}

// batch is what waits to be written, and who waits for that.
type batch struct {
	participants map[string]presence
	events       []numbered
	waiting      []chan struct{}
	over         bool
}

// takeBatch returns what is to be written.
func (r *recorder) takeBatch() batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := batch{participants: r.dirty, events: r.events, waiting: r.waiting, over: r.finished}
	r.dirty, r.events, r.waiting = make(map[string]presence), nil, nil
	return b
}

// putBack returns what could not be written; newer records of a participant go before.
func (r *recorder) putBack(b batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, p := range b.participants {
		if _, newer := r.dirty[id]; !newer {
			r.dirty[id] = p
		}
	}
	r.events = append(b.events, r.events...)
	r.waiting = append(b.waiting, r.waiting...)
}

// flush writes all that waits.
func (r *recorder) flush(ctx context.Context) (over bool, err error) {
	b := r.takeBatch()
	if err := r.writeBatch(ctx, &b); err != nil {
		r.putBack(b)
		return b.over, err
	}
	release(b.waiting)
	if b.over {
		return true, r.close(ctx)
	}
	return false, nil
}

// writeBatch writes a batch and takes out of it what is written.
func (r *recorder) writeBatch(ctx context.Context, b *batch) error {
	if len(b.participants) == 0 && len(b.events) == 0 {
		return nil
	}
	if err := r.open(ctx, b.participants); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(b.participants)) {
		if err := r.write(ctx, b.participants[id]); err != nil {
			return err
		}
		delete(b.participants, id)
	}
	for len(b.events) > 0 {
		e := b.events[0]
		key := store.ParticipantKey(r.stage, r.session.SessionID, e.ParticipantID)
		once := store.Once{ID: e.id, Since: e.Time}
		if err := r.manager.opt.Records.Events.AppendOnce(ctx, key, e.ParticipantID, once, e.ParticipantEvent); err != nil {
			return fmt.Errorf("append event: %w", err)
		}
		b.events = b.events[1:]
	}
	return nil
}

// open opens the stage's session, or takes part in the one that another node has opened.
func (r *recorder) open(ctx context.Context, dirty map[string]presence) error {
	if r.session.SessionID != "" {
		return nil
	}
	start := r.manager.opt.Clock()
	for _, p := range dirty {
		if p.record.FirstJoinTime.Before(start) {
			start = p.record.FirstJoinTime
		}
	}
	key := store.Key{Scope: r.stage.Scope, ID: r.stage.ID}
	session := resource.StageSession{StageARN: r.stage, SessionID: "st-" + arn.Random(sessionIDLen), StartTime: start}
	session.Holders = r.holders(nil, true)
	t := r.manager.opt.Records.Sessions
	record, err := t.Create(ctx, key, session)
	if fault.Is(err, fault.Conflict) {
		record, err = t.Update(ctx, key, func(open resource.StageSession) (resource.StageSession, error) {
			if !open.EndTime.IsZero() {
				return open, errEnding
			}
			open.Holders = r.holders(open.Holders, true)
			return open, nil
		})
	}
	if err == errEnding { //nolint:errorlint // returned as it is
		if before, getErr := t.Get(ctx, key); getErr == nil { // who began to end it may be gone
			err = errors.Join(err, r.manager.endSession(ctx, before.Value, before.Value.EndTime))
		}
	}
	if err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	r.session = record.Value
	return nil
}

var errEnding = fault.New(fault.Unavailable, "the session before is being ended")

// write writes one participant to presence and history.
func (r *recorder) write(ctx context.Context, p presence) error {
	t := r.manager.opt.Records.Participants
	key := store.ParticipantKey(r.stage, r.session.SessionID, p.record.ParticipantID)
	p.record.SessionID = r.session.SessionID
	merge := func(old resource.Participant) (resource.Participant, error) {
		now := p.record
		if !old.FirstJoinTime.IsZero() && old.FirstJoinTime.Before(now.FirstJoinTime) {
			now.FirstJoinTime = old.FirstJoinTime
		}
		now.Published = now.Published || old.Published
		now.Holders = r.holders(old.Holders, p.connected)
		return now, nil
	}
	record, err := t.Update(ctx, key, merge)
	if fault.Is(err, fault.NotFound) {
		first, _ := merge(resource.Participant{})
		record, err = t.Create(ctx, key, first)
		if fault.Is(err, fault.Conflict) {
			record, err = t.Update(ctx, key, merge)
		}
	}
	if err != nil {
		return fmt.Errorf("write participant: %w", err)
	}
	if err := r.manager.opt.Records.History.Append(ctx, store.SessionKey(r.stage, r.session.SessionID), p.record.ParticipantID, record.Value); err != nil {
		return fmt.Errorf("append participant: %w", err)
	}
	return nil
}

// holders returns the nodes that hold a participant, with or without this one.
func (r *recorder) holders(old []resource.Holder, connected bool) []resource.Holder {
	own := r.manager.holder()
	out := slices.DeleteFunc(slices.Clone(old), func(h resource.Holder) bool { return h.Node == own.Node })
	if connected {
		out = append(out, own)
	}
	return out
}

func (m *Manager) holder() resource.Holder {
	return resource.Holder{Node: m.opt.Node.ID(), Incarnation: m.opt.Node.Incarnation()}
}

// close ends the session, unless another node has somebody in it.
func (r *recorder) close(ctx context.Context) error {
	if r.session.SessionID == "" {
		return nil
	}
	return r.manager.endSession(ctx, r.session, r.ended)
}

// letGo takes this node, in any life of it, off the holders of a session, and returns the session. One that nobody holds any
// more gets its end with the same write: from then on nobody can take part in it.
func (m *Manager) letGo(ctx context.Context, s resource.StageSession, at time.Time) (resource.StageSession, error) {
	key := store.Key{Scope: s.StageARN.Scope, ID: s.StageARN.ID}
	record, err := m.opt.Records.Sessions.Update(ctx, key, func(open resource.StageSession) (resource.StageSession, error) {
		if open.SessionID != s.SessionID {
			return open, errOther
		}
		open.Holders = slices.DeleteFunc(open.Holders, func(h resource.Holder) bool { return h.Node == m.opt.Node.ID() })
		if len(open.Holders) == 0 && open.EndTime.IsZero() {
			open.EndTime = at
		}
		return open, nil
	})
	return record.Value, err
}

// endSession lets go of a session and moves one that nobody holds any more to the history.
func (m *Manager) endSession(ctx context.Context, s resource.StageSession, at time.Time) error {
	rec := m.opt.Records
	switch open, err := m.letGo(ctx, s, at); {
	case fault.Is(err, fault.NotFound) || err == errOther: //nolint:errorlint // returned as it is
		return m.removePresence(ctx, s)
	case err != nil:
		return fmt.Errorf("let go of the session: %w", err)
	case len(open.Holders) > 0:
		return nil
	default:
		s = open
	}
	key := store.Key{Scope: s.StageARN.Scope, ID: s.StageARN.ID}
	if err := rec.SessionLog.AppendOnce(ctx, key, s.SessionID, store.Once{ID: s.SessionID + "/end", Since: s.EndTime}, s); err != nil {
		return fmt.Errorf("archive session: %w", err)
	}
	_, err := rec.Sessions.Delete(ctx, key, func(open resource.StageSession) error {
		if open.SessionID != s.SessionID {
			return errOther
		}
		return nil
	})
	if err != nil && !fault.Is(err, fault.NotFound) && err != errOther { //nolint:errorlint // returned as it is
		return fmt.Errorf("end session: %w", err)
	}
	return m.removePresence(ctx, s)
}

var errOther = fault.New(fault.Conflict, "another session is open by now")

// removePresence removes the records of an ended session's participants.
func (m *Manager) removePresence(ctx context.Context, s resource.StageSession) error {
	for {
		page, err := m.opt.Records.Participants.List(ctx, store.Query{
			Scope: s.StageARN.Scope, Index: "session", Value: store.ParticipantValue(s.StageARN, s.SessionID, ""), Limit: 100,
		})
		if err != nil {
			return fmt.Errorf("list participants: %w", err)
		}
		for _, p := range page.Records {
			if _, err := m.opt.Records.Participants.Delete(ctx, p.Key, nil); err != nil && !fault.Is(err, fault.NotFound) {
				return fmt.Errorf("remove participant: %w", err)
			}
		}
		if len(page.Records) == 0 || !page.More {
			return nil
		}
	}
}

// recover ends what earlier lives of this node left: holders that are gone, and sessions with nobody in them.
func (m *Manager) recover(ctx context.Context) {
	for {
		err := m.tidy(ctx)
		if err == nil {
			close(m.tidied)
			return
		}
		if ctx.Err() != nil {
			return
		}
		m.opt.Logger.Warn("cannot end what the last run left open; will try again", "error", err)
		select {
		case <-time.After(recordRetry):
		case <-ctx.Done():
		}
	}
}

// left tells whether a session is one that an earlier life of this node left: it was among its holders, or nobody is and the
// session's end was begun, or comes from a version without holders. A session that another node holds is never ended here.
func (m *Manager) left(s resource.StageSession) bool {
	own := m.holder()
	earlier := func(h resource.Holder) bool { return h.Node == own.Node && h.Incarnation != own.Incarnation }
	if len(s.Holders) == 0 {
		return !s.EndTime.IsZero() || !s.StartTime.After(m.begin)
	}
	return slices.ContainsFunc(s.Holders, earlier)
}

func (m *Manager) tidy(ctx context.Context) error {
	own, t := m.holder(), m.opt.Records.Participants
	gone := func(h resource.Holder) bool { return h.Node == own.Node && h.Incarnation != own.Incarnation }
	for _, p := range t.All() {
		if !slices.ContainsFunc(p.Value.Holders, gone) {
			continue
		}
		record, err := t.Update(ctx, p.Key, func(old resource.Participant) (resource.Participant, error) {
			old.Holders = slices.DeleteFunc(slices.Clone(old.Holders), gone)
			return old, nil
		})
		if err != nil && !fault.Is(err, fault.NotFound) {
			return fmt.Errorf("release participant: %w", err)
		}
		if err == nil {
			v := record.Value
			if err := m.opt.Records.History.Append(ctx, store.SessionKey(v.StageARN, v.SessionID), v.ParticipantID, v); err != nil {
				return fmt.Errorf("append participant: %w", err)
			}
		}
	}
	for _, s := range m.opt.Records.Sessions.All() {
		if !m.left(s.Value) {
			continue
		}
		if err := m.endSession(ctx, s.Value, m.opt.Clock()); err != nil {
			return err
		}
	}
	return nil
}
