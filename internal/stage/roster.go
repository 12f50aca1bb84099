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
	r.evict(c.ParticipantID)
	if p := r.participants[c.ParticipantID]; p != nil {
		r.renew(p, c)
		return p, nil
	}
	if reached(r.manager.opt.Limits.Participants, r.counted()) {
		return nil, errFull
	}
	return r.add(c, Recorded), nil
}

// add makes somebody a participant who is not there yet.
func (r *room) add(c token.Claims, s Standing) *participant {
	now := r.manager.opt.Clock()
	p := &participant{
		id: c.ParticipantID, claims: c, joined: now, standing: s,
		subs: make(map[string]*subscription), lastSelected: make(map[string]int32),
		down: newDownlink(r.manager.env, &r.group),
		record: resource.Participant{
			StageARN: r.stage, ParticipantID: c.ParticipantID, UserID: c.UserID, Attributes: maps.Clone(c.Attributes),
			FirstJoinTime: now,
		},
	}
	r.participants[p.id] = p
	r.count(p, 1)
	r.save(p, true)
	r.event(p, resource.ParticipantEvent{Name: resource.EventJoined})
	r.came(p)
	r.inform(func(o Observer) { o.Joined(r.stage, p.presence()) })
	r.log.Info("participant joined", "participant_id", p.id)
	return p
}

// count notes that a participant has come, or gone with -1.
func (r *room) count(p *participant, n int) {
	if p.standing == Recorded {
		r.opened, r.emptySince = true, r.manager.opt.Clock()
		r.counts.participants.Add(int64(n))
	} else {
		r.guests += n
	}
	if p.standing == Hidden {
		r.hidden += n
	}
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
	r.count(p, -1)
	r.save(p, false)
	r.event(p, resource.ParticipantEvent{Name: resource.EventLeft})
	r.went(p)
	r.inform(func(o Observer) { o.Left(r.stage, p.id) })
	r.log.Info("participant left", "participant_id", p.id)
}

// save hands the participant's record to the recorder, if there is to be one.
func (r *room) save(p *participant, connected bool) {
	if p.standing == Recorded {
		r.recorder.participant(p.record, connected)
	}
}

// event hands an event of a participant to the recorder, if it has a record.
func (r *room) event(p *participant, e resource.ParticipantEvent) {
	if p.standing == Recorded {
		r.eventOf(p.id, p.record.UserID, e)
	}
}

func (r *room) eventOf(id, user string, e resource.ParticipantEvent) {
	e.ParticipantID, e.Time = id, r.manager.opt.Clock()
	r.recorder.event(user, e)
}

// publish lets a publication in. Where the participant has one already, the new one takes its place when its connection
// is up: nobody is to lose a picture to an offer that leads to nothing.
func (r *room) publish(c token.Claims, pub *publication, from client) (*participant, error) {
	p := r.participants[c.ParticipantID]
	if p != nil && p.standing != Recorded { // it will give way
		p = nil
	}
	if p != nil && pub.edition.Before(p.edition) {
		return nil, errOvertaken
	}
	first := p == nil || p.publication == nil
	if err := r.admitPublisher(first); err != nil {
		return nil, err
	}
	p, err := r.enter(c)
	if err != nil {
		if first {
			r.manager.census.leave(r.stage.Scope, publishers)
		}
		return nil, err
	}
	if pub.edition.Page != "" {
		p.edition = pub.edition
	}
	pub.exceeds = func(err error) { r.post(func() { r.exceeded(p, pub, err) }) }
	from.fill(&p.record)
	if first {
		r.counts.publications.Add(1)
	}
	r.begin(p, pub)
	return p, nil
}

// begin runs a publication of a participant, as what it publishes or as what is to take the place of that.
func (r *room) begin(p *participant, pub *publication) {
	if p.publication == nil {
		r.present(p, pub)
	} else {
		r.line(p, pub)
	}
	r.group.Go(func() {
		pub.run()
		r.post(func() { r.unpublished(p, pub) })
	})
}

// admitPublisher counts one more publisher in the region, if it is one and no limit is reached.
func (r *room) admitPublisher(more bool) error {
	limits := &r.manager.opt.Limits
	switch {
	case !more:
		return nil
	case reached(limits.Publishers, r.publishers()):
		return errFull
	case !r.manager.census.enter(r.stage.Scope, publishers, limits.RegionPublishers):
		return errRegionFull
	}
	return nil
}

// present makes pub what the participant publishes, and tells the others.
func (r *room) present(p *participant, pub *publication) {
	p.publication, pub.started = pub, r.manager.opt.Clock()
	p.record.Published = true
	r.save(p, true)
	r.event(p, resource.ParticipantEvent{Name: resource.EventPublishStarted})
	r.inform(func(o Observer) { o.Published(r.stage, pub.describe(p.id)) })
	if p.standing == Hidden {
		return
	}
	r.tell(nil, typePublished, r.view(p))
	r.changed = true
}

// line makes pub wait for the participant's publication to end, or for its own connection. Only the newest waits.
func (r *room) line(p *participant, pub *publication) {
	if p.next != nil {
		r.closeSource(p.next)
	}
	p.next = pub
	r.group.Go(func() {
		select {
		case <-pub.source.Connected():
			r.post(func() {
				if p.next == pub {
					r.succeed(p)
				}
			})
		case <-pub.source.Ended():
		}
	})
}

// publishers counts those who publish.
func (r *room) publishers() int {
	n := 0
	for _, p := range r.participants {
		if p.publication != nil && p.standing == Recorded {
			n++
		}
	}
	return n
}

// succeed puts the publication that waits in the place of the one before. Subscriptions that it can feed as they are go on
// with it, the others end.
func (r *room) succeed(p *participant) {
	old, pub := p.publication, p.next
	p.next = nil
	r.event(p, resource.ParticipantEvent{Name: resource.EventPublishStopped})
	for _, q := range r.participants {
		for _, s := range q.subscriptions(p.id) {
			if s.dismissed || !s.follows(pub) {
				r.dismiss(q, s)
				continue
			}
			s.move(pub)
			s.choose(s.layer())
			delete(q.lastSelected, p.id)
		}
	}
	r.followAttached(p, pub)
	r.closeSource(old)
	r.present(p, pub)
}

// unpublish ends a publication; unpublished follows when it has ended.
func (r *room) unpublish(p *participant, pub *publication) {
	r.forgetPublication(p, pub)
	r.closeSource(pub)
}

// unpublished is called when a publication is over.
func (r *room) unpublished(p *participant, pub *publication) {
	r.forgetPublication(p, pub)
	r.leave(p)
}

// unpublishAll ends what a participant publishes, and what is about to take its place.
func (r *room) unpublishAll(p *participant) {
	for _, pub := range [...]*publication{p.next, p.publication} {
		if pub != nil {
			r.unpublish(p, pub)
		}
	}
}

// forgetPublication lets go of a publication, once. When none waits to take its place, the world is told that the
// participant does not publish any more, and the subscriptions end.
func (r *room) forgetPublication(p *participant, pub *publication) {
	switch {
	case p.next == pub:
		p.next = nil
		return
	case p.publication != pub:
		return
	case p.next != nil:
		r.succeed(p)
		return
	}
	p.publication = nil
	if p.standing == Recorded {
		r.counts.publications.Add(-1)
		r.manager.census.leave(r.stage.Scope, publishers)
	}
	r.event(p, resource.ParticipantEvent{Name: resource.EventPublishStopped})
	for _, q := range r.participants {
		for _, s := range q.subscriptions(p.id) {
			r.dismiss(q, s)
		}
	}
	r.followAttached(p, nil)
	r.inform(func(o Observer) { o.Unpublished(r.stage, p.id) })
	if p.standing != Hidden {
		r.tell(nil, typeUnpublished, idPayload{p.id})
		r.changed = true
	}
}

// subscribe starts a subscription of a participant. An earlier one to the same publisher ends when it is connected.
func (r *room) subscribe(c token.Claims, s *subscription, from client) (*participant, error) {
	publisher := r.participants[s.publisher]
	if publisher == nil || publisher.publication == nil {
		return nil, errNoPublisher
	}
	if pub := publisher.publication; pub != s.pub.Load() { // it was replaced while the connection was made
		if !s.follows(pub) {
			return nil, errReplaced
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
	if old != nil && !old.told { // what goes on is what works
		s.older, old.older = old.older, nil
		r.unsubscribe(p, old)
	} else {
		s.older = old
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
		r.manager.env.contain(func() { s.run(func() { r.post(func() { r.subscribed(p, s) }) }) }, s.end)
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
	switch {
	case p.subs[s.publisher] != s:
		return
	case s.dismissed:
		r.unsubscribe(p, s)
		return
	case s.older != nil:
		r.unsubscribe(p, s.older)
	}
	s.told = true
	r.event(p, resource.ParticipantEvent{Name: resource.EventSubscribeStarted, RemoteParticipantID: s.publisher})
}

// dismiss ends a subscription that nothing feeds any more. One that is not connected yet ends when it is: before, its
// subscriber could not be told, and would wait for a connection in vain.
func (r *room) dismiss(p *participant, s *subscription) {
	if s.told {
		r.unsubscribe(p, s)
		return
	}
	s.dismissed = true
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

// unsubscribeAll ends the subscriptions of a participant.
func (r *room) unsubscribeAll(p *participant) {
	for _, publisher := range slices.Collect(maps.Keys(p.subs)) {
		for _, s := range p.subscriptions(publisher) {
			r.unsubscribe(p, s)
		}
	}
}

// subscriptions returns those of a participant to a publisher: one, and an older one that it has yet to take the place of.
func (p *participant) subscriptions(publisher string) (list []*subscription) {
	for s := p.subs[publisher]; s != nil; s = s.older {
		list = append(list, s)
	}
	return list
}

// forgetSubscription takes a subscription out of the lists, once.
func (r *room) forgetSubscription(p *participant, s *subscription) {
	switch newest := p.subs[s.publisher]; {
	case newest == nil:
		return
	case newest != s && newest.older == s:
		newest.older = nil
	case newest != s:
		return
	case s.older != nil: // it was to be replaced, and goes on
		p.subs[s.publisher], s.older = s.older, nil
	default:
		if delete(p.subs, s.publisher); len(p.subs) == 0 {
			r.subscribers--
		}
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
		p.socket.Close(why.farewell())
		p.socket = nil
	}
	r.unpublishAll(p)
	r.unsubscribeAll(p)
	r.leave(p)
}

func (r *room) kickAll(why reason) {
	for _, p := range slices.Collect(maps.Values(r.participants)) {
		r.kick(p, why)
	}
}
