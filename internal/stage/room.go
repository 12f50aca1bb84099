package stage

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/token"
)

const (
	roomTick    = 100 * time.Millisecond
	layersEvery = 10 // ticks between lists of layers
)

// room is one stage on this node: its participants and all their connections. Its goroutine alone touches the fields
// below the line.
type room struct {
	manager  *Manager
	stage    arn.ARN
	log      *slog.Logger
	recorder *recorder
	inbox    chan func()
	over     chan struct{}  // closed when run has returned or will not be called
	group    sync.WaitGroup // everything that the room has started
	counts   struct{ participants, publications, subscriptions atomic.Int64 }

	// ---- the goroutine's
	participants map[string]*participant
	emptySince   time.Time
	changed      bool // sockets have not been told the state
	closing      bool
	ticks        int
}

// participant is somebody with at least one connection.
type participant struct {
	id           string
	claims       token.Claims
	joined       time.Time
	record       resource.Participant
	socket       *socket
	publication  *publication
	subs         map[string]*subscription // by publisher
	down         *downlink
	muted        [kinds]bool
	lastSelected map[string]int32 // layer last told of, by publisher
}

func newRoom(m *Manager, stage arn.ARN) *room {
	log := m.opt.Logger.With("stage_arn", stage.String())
	return &room{
		manager: m, stage: stage, log: log, recorder: newRecorder(m, stage, log),
		inbox: make(chan func()), over: make(chan struct{}), participants: make(map[string]*participant),
	}
}

// run owns the room until it has been empty for the grace time, or ctx is done.
func (r *room) run(ctx context.Context) {
	defer close(r.over)
	r.emptySince = r.manager.opt.Clock()
	recording, stopRecording := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecording()
	var recorder sync.WaitGroup
	recorder.Go(func() { r.recorder.run(recording) })
	tick := time.NewTicker(roomTick)
	defer tick.Stop()
	done := ctx.Done()
	for !r.closing || len(r.participants) > 0 {
		select {
		case fn := <-r.inbox:
			fn()
		case <-tick.C:
			r.tick()
		case <-done:
			done = nil
			r.closing = true
			r.kickAll(because(shutdown, ""))
		}
	}
	r.manager.forget(r)
	r.drainInbox()
	r.recorder.finish(r.manager.opt.Clock())
	defer time.AfterFunc(finalPatience, stopRecording).Stop()
	recorder.Wait()
}

// drainInbox lets go of those who came too late.
func (r *room) drainInbox() {
	waited := make(chan struct{})
	var waiter sync.WaitGroup
	defer waiter.Wait()
	waiter.Go(func() {
		r.group.Wait()
		close(waited)
	})
	for {
		select {
		case fn := <-r.inbox:
			fn()
		case <-waited:
			return
		}
	}
}

// do runs fn on the room's goroutine; errGone when the room is closed.
func (r *room) do(ctx context.Context, fn func() error) error {
	reply := make(chan error, 1)
	select {
	case r.inbox <- func() { reply <- fn() }:
		return <-reply // the room runs fn at once, and fn does not block
	case <-r.over:
		return errGone
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the caller hung up
	}
}

// post runs fn on the room's goroutine, unless it has ended. Only goroutines of the room's group may call it.
func (r *room) post(fn func()) {
	select {
	case r.inbox <- fn:
	case <-r.over:
	}
}

// tick tells the sockets what has changed, lets the allocators look again, and ends an empty room.
func (r *room) tick() {
	r.ticks++
	for _, p := range r.participants {
		p.down.tick()
		r.tellSelected(p)
	}
	if r.ticks%layersEvery == 0 {
		r.tellLayers()
	}
	if r.changed {
		r.changed = false
		r.tellState()
	}
	if len(r.participants) == 0 && r.manager.opt.Clock().Sub(r.emptySince) >= r.manager.opt.Grace {
		r.closing = true
	}
}

// enter returns the participant of a token, who may be there already. The newest token's claims count.
func (r *room) enter(c token.Claims) (*participant, error) {
	if r.closing {
		return nil, errGone
	}
	now := r.manager.opt.Clock()
	p := r.participants[c.ParticipantID]
	if p != nil {
		r.renew(p, c)
		return p, nil
	}
	if limit := r.manager.opt.MaxParticipants; limit > 0 && len(r.participants) >= limit {
		return nil, errFull
	}
	p = &participant{
		id: c.ParticipantID, claims: c, joined: now,
		subs: make(map[string]*subscription), lastSelected: make(map[string]int32),
		down: newDownlink(r.manager.now, &r.group),
		record: resource.Participant{
			StageARN: r.stage, ParticipantID: c.ParticipantID, UserID: c.UserID, Attributes: maps.Clone(c.Attributes),
			FirstJoinTime: now,
		},
	}
	r.participants[p.id] = p
	r.counts.participants.Add(1)
	r.save(p, true)
	r.event(p, resource.ParticipantEvent{Name: resource.EventJoined})
	r.tell(p, typeJoined, r.view(p))
	r.changed = true
	r.log.Info("participant joined", "participant_id", p.id)
	return p, nil
}

// renew takes over the claims of another token of the same participant.
func (r *room) renew(p *participant, c token.Claims) {
	same := p.claims.UserID == c.UserID && maps.Equal(p.claims.Attributes, c.Attributes)
	p.claims = c
	if same {
		return
	}
	p.record.UserID, p.record.Attributes = c.UserID, maps.Clone(c.Attributes)
	r.save(p, true)
	r.tell(nil, typeUpdated, r.view(p))
	r.changed = true
}

// leave removes a participant who has no connection any more.
func (r *room) leave(p *participant) {
	if p.socket != nil || p.publication != nil || len(p.subs) > 0 || r.participants[p.id] != p {
		return
	}
	p.down.close()
	delete(r.participants, p.id)
	r.counts.participants.Add(-1)
	r.save(p, false)
	r.event(p, resource.ParticipantEvent{Name: resource.EventLeft})
	r.tell(nil, typeLeft, idPayload{p.id})
	r.changed = true
	r.emptySince = r.manager.opt.Clock()
	r.log.Info("participant left", "participant_id", p.id)
}

// save hands the participant's record to the recorder.
func (r *room) save(p *participant, connected bool) { r.recorder.participant(p.record, connected) }

// event hands an event to the recorder.
func (r *room) event(p *participant, e resource.ParticipantEvent) {
	e.ParticipantID, e.Time = p.id, r.manager.opt.Clock()
	r.recorder.event(e)
}

// publish makes pub the participant's publication; an earlier one ends.
func (r *room) publish(c token.Claims, pub *publication, client client) (*participant, error) {
	if limit := r.manager.opt.MaxPublishers; limit > 0 && r.publishers(c.ParticipantID) >= limit {
		return nil, errFull
	}
	p, err := r.enter(c)
	if err != nil {
		return nil, err
	}
	if old := p.publication; old != nil {
		r.unpublish(p, old)
	}
	p.publication, pub.started = pub, r.manager.opt.Clock()
	client.fill(&p.record)
	p.record.Published = true
	r.counts.publications.Add(1)
	r.save(p, true)
	r.event(p, resource.ParticipantEvent{Name: resource.EventPublishStarted})
	r.tell(nil, typePublished, r.view(p))
	r.changed = true
	r.group.Go(func() {
		pub.run()
		r.post(func() { r.unpublished(p, pub) })
	})
	return p, nil
}

// publishers counts those who publish, but for one.
func (r *room) publishers(except string) int {
	n := 0
	for id, p := range r.participants {
		if p.publication != nil && id != except {
			n++
		}
	}
	return n
}

// unpublish ends a publication; unpublished follows when it has ended.
func (r *room) unpublish(p *participant, pub *publication) {
	r.forgetPublication(p, pub)
	r.group.Go(pub.source.Close)
}

// unpublished is called when a publication is over.
func (r *room) unpublished(p *participant, pub *publication) {
	r.forgetPublication(p, pub)
	r.leave(p)
}

// forgetPublication tells the world that the participant does not publish any more, once.
func (r *room) forgetPublication(p *participant, pub *publication) {
	if p.publication != pub {
		return
	}
	p.publication = nil
	r.counts.publications.Add(-1)
	r.event(p, resource.ParticipantEvent{Name: resource.EventPublishStopped})
	r.tell(nil, typeUnpublished, idPayload{p.id})
	r.changed = true
}

// subscribe starts a subscription of a participant; an earlier one to the same publisher ends.
func (r *room) subscribe(c token.Claims, s *subscription) (*participant, error) {
	publisher := r.participants[s.publisher]
	if publisher == nil || publisher.publication != s.pub {
		return nil, errNoPublisher
	}
	p, err := r.enter(c)
	if err != nil {
		return nil, err
	}
	if old := p.subs[s.publisher]; old != nil {
		r.unsubscribe(p, old)
	}
	s.down = p.down
	p.subs[s.publisher] = s
	r.counts.subscriptions.Add(1)
	r.group.Go(func() {
		s.run(func() { r.post(func() { r.subscribed(p, s) }) })
		r.post(func() { r.unsubscribed(p, s) })
	})
	return p, nil
}

// subscribed is called when media can flow.
func (r *room) subscribed(p *participant, s *subscription) {
	s.told = true
	r.event(p, resource.ParticipantEvent{Name: resource.EventSubscribeStarted, RemoteParticipantID: s.publisher})
}

// unsubscribe ends a subscription; unsubscribed follows when it has ended.
func (r *room) unsubscribe(p *participant, s *subscription) {
	s.end()
	r.forgetSubscription(p, s)
}

// unsubscribed is called when a subscription is over.
func (r *room) unsubscribed(p *participant, s *subscription) {
	r.forgetSubscription(p, s)
	if s.told {
		s.told = false
		r.event(p, resource.ParticipantEvent{Name: resource.EventSubscribeStopped, RemoteParticipantID: s.publisher})
	}
	r.leave(p)
}

func (r *room) forgetSubscription(p *participant, s *subscription) {
	if p.subs[s.publisher] == s {
		delete(p.subs, s.publisher)
		delete(p.lastSelected, s.publisher)
		r.counts.subscriptions.Add(-1)
	}
}

// kick ends all connections of a participant.
func (r *room) kick(p *participant, why reason) {
	if p.socket != nil {
		p.socket.close(why)
		p.socket = nil
	}
	if p.publication != nil {
		r.unpublish(p, p.publication)
	}
	for _, s := range slices.Collect(maps.Values(p.subs)) {
		r.unsubscribe(p, s)
	}
	r.leave(p)
}

func (r *room) kickAll(why reason) {
	for _, p := range slices.Collect(maps.Values(r.participants)) {
		r.kick(p, why)
	}
}

// closeAll ends the connections of everybody.
func (r *room) closeAll(ctx context.Context, why reason) error {
	return r.do(ctx, func() error {
		r.closing = true
		r.kickAll(why)
		return nil
	})
}
