package stage

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/stage/bwe"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// This file feeds parts of the server that are no participants: what records, composes or relays a stage.

// Publication describes what a participant publishes.
type Publication struct {
	ParticipantID string
	Audio, Video  *Format  // nil: not published
	Labels        []string // of the simulcast layers of the video by index; empty without simulcast
}

func (p *publication) describe(id string) Publication {
	return Publication{ParticipantID: id, Audio: p.formats[Audio], Video: p.formats[Video], Labels: slices.Clone(p.labels)}
}

// Codec returns the format as forwarders know it.
func (f *Format) Codec() forward.Codec { return codecs[f.Name] }

// Attachment is a publication that feeds a sink of the server. To quotas, records and the roster it is not there.
type Attachment struct {
	room *room
	sub  *subscription
}

var _ Feedback = (*Attachment)(nil)

// Attach feeds a sink with what a participant publishes, of the kinds that are named, of both when none is. open makes the
// sink for the publication; it is called again when that is replaced before the sink is attached.
//
// The sink gets what a subscriber with its Stream would get: of simulcast the highest layer, unless Choose says otherwise,
// beginning with a keyframe that need not be asked for. It is served between the subscribers, so Send must not block. A
// publication that takes the place of the first goes on in the same stream if its formats are the same. Otherwise, and when
// the participant does not publish any more, the sink is closed, and then Ended. It may also end by itself.
func (m *Manager) Attach(
	ctx context.Context, stage arn.ARN, participantID string, open func(Publication) (Sink, error), wanted ...Kind,
) (*Attachment, error) {
	for range answers {
		a, err := m.attach(ctx, stage, participantID, open, wanted)
		if !errors.Is(err, errReplaced) {
			return a, err
		}
	}
	return nil, errReplaced
}

func (m *Manager) attach(
	ctx context.Context, stage arn.ARN, participantID string, open func(Publication) (Sink, error), wanted []Kind,
) (*Attachment, error) {
	pub, err := m.publication(ctx, stage, participantID)
	if err != nil {
		return nil, err
	}
	var takes, lacks [kinds]bool
	for k := range kinds {
		asked := len(wanted) == 0 || slices.Contains(wanted, k)
		takes[k], lacks[k] = asked && pub.tracks[k] != nil, asked && pub.tracks[k] == nil
	}
	if takes == [kinds]bool{} {
		return nil, errNoPublisher
	}
	sink, err := open(pub.describe(participantID))
	if err != nil {
		return nil, err
	}
	s := newSubscription(m.subscriptions.Add(1), participantID, pub, sink, takes, nil)
	s.lacks = lacks
	a := &Attachment{sub: s}
	a.room, err = m.in(ctx, stage, false, func(r *room) error { return r.attach(a) })
	if err == nil && a.room == nil {
		err = m.nobody()
	}
	if err != nil {
		sink.Close()
		return nil, err
	}
	return a, nil
}

// attach starts an attachment.
func (r *room) attach(a *Attachment) error {
	s := a.sub
	publisher := r.participants[s.publisher]
	if publisher == nil || publisher.publication == nil {
		return errNoPublisher
	}
	if pub := publisher.publication; pub != s.pub.Load() {
		if !s.follows(pub) {
			return errReplaced
		}
		s.pub.Store(pub)
	}
	env := r.manager.env
	env.download = 0 // that is the quota of a participant
	s.down = newDownlink(env, &r.group)
	if r.attached == nil {
		r.attached = make(map[*Attachment]struct{})
	}
	r.attached[a] = struct{}{}
	r.group.Go(func() {
		env.contain(func() { s.run(func() { r.post(s.down.tick) }) }, s.end)
		s.down.close()
		r.post(func() { delete(r.attached, a) })
	})
	return nil
}

// followAttached has what is attached to a participant go on with another publication, nil for none.
func (r *room) followAttached(p *participant, next *publication) {
	for a := range maps.Clone(r.attached) {
		switch s := a.sub; {
		case s.publisher != p.id:
		case next == nil || !s.follows(next):
			s.end()
		default:
			s.move(next)
			s.choose(s.layer())
		}
	}
}

// Ended is closed when the sink is fed no more, and has been closed.
func (a *Attachment) Ended() <-chan struct{} { return a.sub.over }

// Close ends the feeding; Ended follows.
func (a *Attachment) Close() { a.sub.end() }

// Choose pins a layer of simulcast by its label, "" for the highest; false when there is no such layer any more.
func (a *Attachment) Choose(ctx context.Context, label string) (ok bool) {
	s := a.sub
	err := a.room.do(ctx, func() error {
		if ok = label == "" || slices.Contains(s.pub.Load().labels, label); ok {
			s.pinned = label
			s.choose(s.layer())
			s.down.tick()
		}
		return nil
	})
	return ok && err == nil
}

// Pause stops and resumes a kind.
func (a *Attachment) Pause(k Kind, paused bool) { a.sub.pause(k, paused) }

// KeyframeWanted implements Feedback: the publisher is asked, though not as often as this is called.
func (a *Attachment) KeyframeWanted() { a.sub.KeyframeWanted() }

// Lost implements Feedback.
func (a *Attachment) Lost(k Kind, seqs []uint16) { a.sub.Lost(k, seqs) }

// Arrivals implements Feedback, for a sink whose Stream has transport-wide numbers: its link is measured like a participant's.
func (a *Attachment) Arrivals(base uint16, arrivals []bwe.Arrival) { a.sub.Arrivals(base, arrivals) }
