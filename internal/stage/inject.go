package stage

import (
	"context"
	"net/http"

	"github.com/rivus-live/rivus/internal/token"
	"github.com/rivus-live/rivus/internal/whip"
)

// This file lets parts of the server publish: what comes by another protocol, or from another node.

// Standing is who knows of a participant that a part of the server publishes as.
type Standing uint8

// The standings, each with what the one before has.
const (
	Hidden   Standing = iota // nobody is told; whoever knows the id can subscribe
	Listed                   // the others see it come, publish and go
	Recorded                 // records, events and quotas know it, as of a participant with a token
)

// Injection is what a part of the server publishes, and as whom.
type Injection struct {
	Claims       token.Claims // StageARN and ParticipantID are required; UserID and Attributes are shown
	Standing     Standing
	Audio, Video *Format  // nil: not published
	Labels       []string // of the simulcast layers of the video by index; empty without simulcast
	Protocol     string   // that Recorded shows
}

// Injected is a publication of the server.
type Injected struct {
	room *room
	who  *participant
	pub  *publication
}

var errTaken = &whip.Refusal{Status: http.StatusConflict, Message: "the participant is connected here"}

// Inject publishes what a source has. Where a part of the server publishes as the same participant already, the new one takes
// its place when its source is connected, and subscriptions go on. Recorded shares the participant with whoever has a token of
// it; the others give way to that one, and are refused while it is there. Without anybody else they end with the stage's
// session. The source is closed when the publication ends, whoever ends it.
func (m *Manager) Inject(ctx context.Context, i Injection, source Source) (*Injected, error) {
	env := m.env
	if i.Standing != Recorded {
		env.pixels = 0 // whoever counted it has looked
	}
	out := &Injected{pub: newPublication(env, source, [kinds]*Format{Audio: i.Audio, Video: i.Video}, i.Labels, nil)}
	var err error
	out.room, err = m.in(ctx, i.Claims.StageARN, true, func(r *room) (err error) {
		if i.Standing == Recorded {
			out.who, err = r.publish(i.Claims, out.pub, client{protocol: i.Protocol})
		} else {
			out.who, err = r.publishGuest(i.Claims, i.Standing, out.pub)
		}
		return err
	})
	if err != nil {
		source.Close()
		return nil, err
	}
	m.recheck(ctx, i.Claims)
	return out, nil
}

// Ended is closed when the publication is over.
func (i *Injected) Ended() <-chan struct{} { return i.pub.over }

// Close ends the publication; Ended follows.
func (i *Injected) Close(ctx context.Context) {
	_ = i.room.do(ctx, func() error {
		i.room.unpublish(i.who, i.pub)
		i.room.leave(i.who)
		return nil
	})
}

// publishGuest lets in a publication that is not counted.
func (r *room) publishGuest(c token.Claims, s Standing, pub *publication) (*participant, error) {
	if r.closing {
		return nil, errGone
	}
	p := r.participants[c.ParticipantID]
	if p != nil && p.standing != s {
		if p.standing == Recorded {
			return nil, errTaken
		}
		r.evict(p.id)
		p = nil
	}
	if p == nil {
		p = r.add(c, s)
	} else {
		r.renew(p, c)
	}
	r.begin(p, pub)
	return p, nil
}

// evict ends a publication of the server that does not count, for a participant with a token to take its name.
func (r *room) evict(id string) {
	if p := r.participants[id]; p != nil && p.standing != Recorded {
		r.kick(p, because(replaced, ""))
	}
}

// counted is how many participants count.
func (r *room) counted() int { return len(r.participants) - r.guests }
