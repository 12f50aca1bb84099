package stage

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/rivus-live/rivus/internal/arn"
)

// Observer is told who is on the stages of this node, and what they publish. A stage calls it, in the order of what happens:
// its methods must not block, and not call the Manager, but have somebody else do it.
type Observer interface {
	Joined(stage arn.ARN, p Presence)
	Left(stage arn.ARN, participantID string)
	// Published is told again, without Unpublished, when another publication has taken the place of the one before.
	Published(stage arn.ARN, p Publication)
	Unpublished(stage arn.ARN, participantID string)
}

// Presence describes a participant.
type Presence struct {
	ParticipantID string
	UserID        string
	Attributes    map[string]string
	Standing      Standing
}

// observation is an observer of one stage, or of all.
type observation struct {
	Observer
	stage arn.ARN // zero: all
}

// Observe tells an observer who is on a stage now, and what changes from then on; the zero ARN stands for all stages, also
// those to come. The observer hears nothing any more when stop has returned.
func (m *Manager) Observe(stage arn.ARN, o Observer) (stop func()) {
	w := &observation{Observer: o, stage: stage}
	m.changeObservers(func(list []*observation) []*observation { return append(list, w) })
	return func() {
		m.changeObservers(func(list []*observation) []*observation {
			return slices.DeleteFunc(list, func(other *observation) bool { return other == w })
		})
	}
}

// changeObservers replaces the list, and returns when all rooms have seen that.
func (m *Manager) changeObservers(change func([]*observation) []*observation) {
	m.mu.Lock()
	var list []*observation
	if old := m.observers.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = change(list)
	m.observers.Store(&list)
	rooms := slices.Collect(maps.Values(m.rooms))
	m.mu.Unlock()
	for _, r := range rooms {
		err := r.do(context.Background(), func() error { r.meetObservers(); return nil })
		if errors.Is(err, errGone) {
			continue // it has told the end of everything
		}
	}
}

// inform tells observers of a change that has happened.
func (r *room) inform(tell func(Observer)) {
	for _, o := range r.observers {
		tell(o)
	}
	r.meetObservers()
}

// meetObservers tells the new observers what there is, and forgets those who have gone.
func (r *room) meetObservers() {
	list := r.manager.observers.Load()
	if list == r.observed {
		return
	}
	before := r.observers
	r.observed, r.observers = list, nil
	for _, o := range *list {
		if o.stage != (arn.ARN{}) && o.stage != r.stage {
			continue
		}
		r.observers = append(r.observers, o)
		if !slices.Contains(before, o) {
			r.introduce(o)
		}
	}
}

// introduce tells an observer who is there.
func (r *room) introduce(o Observer) {
	for _, p := range slices.SortedFunc(maps.Values(r.participants), byJoin) {
		o.Joined(r.stage, p.presence())
		if p.publication != nil {
			o.Published(r.stage, p.publication.describe(p.id))
		}
	}
}

func (p *participant) presence() Presence {
	return Presence{
		ParticipantID: p.id, UserID: p.claims.UserID, Attributes: maps.Clone(p.claims.Attributes), Standing: p.standing,
	}
}
