package stage

import (
	"maps"
	"slices"

	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/token"
)

// This file is who is on a stage, and what they send and receive. All of it runs on the room's goroutine.

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
	if reached(r.manager.opt.Limits.Participants, len(r.participants)) {
		return nil, errFull
	}
	p = &participant{
		id: c.ParticipantID, claims: c, joined: now,
		subs: make(map[string]*subscription), lastSelected: make(map[string]int32),
		down: newDownlink(r.manager.env, &r.group),
		record: resource.Participant{
			StageARN: r.stage, ParticipantID: c.ParticipantID, UserID: c.UserID, Attributes: maps.Clone(c.Attributes),
			FirstJoinTime: now,
		},
	}
	r.participants[p.id], r.opened = p, true
	r.counts.participants.Add(1)
	r.save(p, true)
	r.event(p, resource.ParticipantEvent{Name: resource.EventJoined})
	r.came(p)
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
	if r.listed(p) {
		r.tell(nil, typeUpdated, r.view(p))
		r.changed = true
	}
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
	r.went(p)
	r.emptySince = r.manager.opt.Clock()
	r.log.Info("participant left", "participant_id", p.id)
}

// save hands the participant's record to the recorder.
func (r *room) save(p *participant, connected bool) { r.recorder.participant(p.record, connected) }

// event hands an event to the recorder.
func (r *room) event(p *participant, e resource.ParticipantEvent) { r.eventOf(p.id, e) }

func (r *room) eventOf(id string, e resource.ParticipantEvent) {
	e.ParticipantID, e.Time = id, r.manager.opt.Clock()
	r.recorder.event(e)
}

// publish makes pub the participant's publication. It takes the place of an earlier one.
func (r *room) publish(c token.Claims, pub *publication, from client) (*participant, error) {
	limits, census := &r.manager.opt.Limits, &r.manager.census
	if reached(limits.Publishers, r.publishers(c.ParticipantID)) {
		return nil, errFull
	}
	var old *publication
	if p := r.participants[c.ParticipantID]; p != nil {
		old = p.publication
	}
	if old == nil && !census.enter(r.stage.Scope, publishers, limits.RegionPublishers) {
		return nil, errRegionFull
	}
	p, err := r.enter(c)
	if err != nil {
		if old == nil {
			census.leave(r.stage.Scope, publishers)
		}
		return nil, err
	}
	p.publication, pub.started = pub, r.manager.opt.Clock()
	pub.exceeds = func(err error) { r.post(func() { r.exceeded(p, pub, err) }) }
	if old != nil {
		r.succeed(p, old, pub)
	} else {
		r.counts.publications.Add(1)
	}
	from.fill(&p.record)
	p.record.Published = true
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

// succeed ends a publication whose participant has a new one. Subscriptions that the new one can feed as they are go on
// with it, the others end.
func (r *room) succeed(p *participant, old, pub *publication) {
	r.event(p, resource.ParticipantEvent{Name: resource.EventPublishStopped})
	for _, q := range r.participants {
		s := q.subs[p.id]
		if s == nil || s.pub.Load() != old {
			continue
		}
		if !old.feeds(pub) {
			r.unsubscribe(q, s)
			continue
		}
		s.move(pub)
		s.choose(s.layer())
		delete(q.lastSelected, p.id)
	}
	r.group.Go(old.source.Close)
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

// forgetPublication tells the world that the participant does not publish any more, once, and ends the subscriptions.
func (r *room) forgetPublication(p *participant, pub *publication) {
	if p.publication != pub {
		return
	}
	p.publication = nil
	r.counts.publications.Add(-1)
	r.manager.census.leave(r.stage.Scope, publishers)
	r.event(p, resource.ParticipantEvent{Name: resource.EventPublishStopped})
	for _, q := range r.participants {
		if s := q.subs[p.id]; s != nil && s.pub.Load() == pub {
			r.unsubscribe(q, s)
		}
	}
	r.tell(nil, typeUnpublished, idPayload{p.id})
	r.changed = true
}

// subscribe starts a subscription of a participant; an earlier one to the same publisher ends.
func (r *room) subscribe(c token.Claims, s *subscription, from client) (*participant, error) {
	publisher := r.participants[s.publisher]
	if publisher == nil || publisher.publication == nil {
		return nil, errNoPublisher
	}
	if pub := publisher.publication; pub != s.pub.Load() { // it was replaced while the connection was made
		if !s.pub.Load().feeds(pub) {
			return nil, errNoPublisher
		}
		s.pub.Store(pub)
	}
	old, err := r.admit(c.ParticipantID, s.publisher)
	if err != nil {
		return nil, err
	}
	p, err := r.enter(c)
	if err != nil {
		r.manager.census.leave(r.stage.Scope, subscriptions)
		return nil, err
	}
	if old != nil {
		r.unsubscribe(p, old)
	}
	s.down, s.started = p.down, r.manager.opt.Clock()
	if p.subs[s.publisher] = s; len(p.subs) == 1 {
		r.subscribers++
	}
	r.counts.subscriptions.Add(1)
	if p.socket == nil && p.publication == nil {
		from.fill(&p.record)
		r.save(p, true)
	}
	r.group.Go(func() {
		s.run(func() { r.post(func() { r.subscribed(p, s) }) })
		r.post(func() { r.unsubscribed(p, s) })
	})
	return p, nil
}

// admit counts one more subscription of a participant in the region, if no limit is reached, and returns the one that it
// takes the place of, for which there is always room.
func (r *room) admit(id, publisher string) (old *subscription, err error) {
	limits, region := &r.manager.opt.Limits, r.manager.opt.Limits.RegionSubscriptions
	p := r.participants[id]
	if p != nil && p.subs[publisher] != nil {
		old, region = p.subs[publisher], 0
	} else if (p == nil || len(p.subs) == 0) && reached(limits.Subscribers, r.subscribers) {
		return nil, errFull
	}
	if !r.manager.census.enter(r.stage.Scope, subscriptions, region) {
		return nil, errRegionFull
	}
	return old, nil
}

// subscribed is called when media can flow.
func (r *room) subscribed(p *participant, s *subscription) {
	if p.subs[s.publisher] == s {
		s.told = true
		r.event(p, resource.ParticipantEvent{Name: resource.EventSubscribeStarted, RemoteParticipantID: s.publisher})
	}
}

// unsubscribe ends a subscription; unsubscribed follows when it has ended.
func (r *room) unsubscribe(p *participant, s *subscription) {
	s.end()
	r.forgetSubscription(p, s)
}

// unsubscribed is called when a subscription is over.
func (r *room) unsubscribed(p *participant, s *subscription) {
	r.forgetSubscription(p, s)
	r.leave(p)
}

// forgetSubscription takes a subscription out of the lists, once.
func (r *room) forgetSubscription(p *participant, s *subscription) {
	if p.subs[s.publisher] != s {
		return
	}
	if delete(p.subs, s.publisher); len(p.subs) == 0 {
		r.subscribers--
	}
	delete(p.lastSelected, s.publisher)
	r.counts.subscriptions.Add(-1)
	r.manager.census.leave(r.stage.Scope, subscriptions)
	if s.told {
		r.event(p, resource.ParticipantEvent{Name: resource.EventSubscribeStopped, RemoteParticipantID: s.publisher})
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
