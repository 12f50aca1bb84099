package stage

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

const (
	recordRetry   = 500 * time.Millisecond
	finalPatience = 5 * time.Second // for the last writes when the server stops
	maxWaiting    = 10_000          // events that wait for the state engine
)

// recorder writes what happens on a stage, in the order that records.Stages asks for. Whoever tells it something
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
	told     []store.Event // what was written and could not be put on the bus
	dropped  int
	waiting  []chan struct{} // closed when what was told before is written
	ended    time.Time       // zero while the room is open
	finished bool
	stopped  bool // run has returned

	// The goroutine's.
	session resource.StageSession // SessionID "" before it is open
	owner   *owner                // nil when another node has the stage's claim
	people  map[string]presence   // connected, as last written
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
	id   string
	user string // the participant's user id, for the bus
}

func newRecorder(m *Manager, stage arn.ARN, log *slog.Logger, earlier <-chan struct{}) *recorder {
	return &recorder{
		manager: m, stage: stage, log: log, earlier: earlier, wake: make(chan struct{}, 1), dirty: make(map[string]presence),
		people: make(map[string]presence),
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
func (r *recorder) event(user string, e resource.ParticipantEvent) {
	id := r.manager.opt.Node.Incarnation() + "/" + strconv.FormatUint(r.manager.events.Add(1), 10)
	r.mu.Lock()
	if len(r.events) < maxWaiting {
		r.events = append(r.events, numbered{ParticipantEvent: e, id: id, user: user})
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

// turn waits until an earlier session of the stage on this node is in the records.
func (r *recorder) turn(ctx context.Context) bool {
	if r.earlier == nil {
		return true
	}
	select {
	case <-r.earlier:
		return true
	case <-ctx.Done():
		return false
	}
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
	told         []store.Event // of events that are written, to be put on the bus
	waiting      []chan struct{}
	over         bool
}

// takeBatch returns what is to be written.
func (r *recorder) takeBatch() batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := batch{participants: r.dirty, events: r.events, told: r.told, waiting: r.waiting, over: r.finished}
	r.dirty, r.events, r.told, r.waiting = make(map[string]presence), nil, nil, nil
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
	r.told = append(b.told, r.told...)
	r.waiting = append(b.waiting, r.waiting...)
}

// flush writes all that waits.
func (r *recorder) flush(ctx context.Context) (over bool, err error) {
	if err := r.stand(ctx); err != nil {
		return false, err
	}
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
	if len(b.participants) == 0 && len(b.events) == 0 && len(b.told) == 0 {
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
		key := records.ParticipantKey(r.stage, r.session.SessionID, e.ParticipantID)
		once := store.Once{ID: e.id, Since: e.Time}
		if err := r.manager.opt.Records.ParticipantEvents.AppendOnce(ctx, key, e.ParticipantID, once, e.ParticipantEvent); err != nil {
			return fmt.Errorf("append event: %w", err)
		}
		if told, ok := busEvent(r.stage, r.session.SessionID, e.user, e.id, &e.ParticipantEvent); ok {
			b.told = append(b.told, told)
		}
		b.events = b.events[1:]
	}
	if err := r.manager.tell(ctx, r.stage, r.session.SessionID, b.told); err != nil {
		return err
	}
	b.told = nil
	return nil
}

// write writes one participant to presence and history.
func (r *recorder) write(ctx context.Context, p presence) error {
	t := r.manager.opt.Records.Participants
	key := records.ParticipantKey(r.stage, r.session.SessionID, p.record.ParticipantID)
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
	if err := r.manager.opt.Records.ParticipantHistory.Append(ctx, records.SessionKey(r.stage, r.session.SessionID), p.record.ParticipantID, record.Value); err != nil {
		return fmt.Errorf("append participant: %w", err)
	}
	if delete(r.people, p.record.ParticipantID); p.connected {
		r.people[p.record.ParticipantID] = p
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

// removePresence removes the records of an ended session's participants.
func (m *Manager) removePresence(ctx context.Context, s resource.StageSession) error {
	for {
		page, err := m.opt.Records.Participants.List(ctx, store.Query{
			Scope: s.StageARN.Scope, Index: "session", Value: records.ParticipantValue(s.StageARN, s.SessionID, ""), Limit: 100,
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
