package stage

import (
	"context"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// What a node that is gone leaves of stages: it is among the holders of participants and of sessions. Whoever finds it there
// takes it off; who loses the last holder by that has left, or has ended. A node that lives is taken off by nobody else.

// Reap takes nodes that are gone off the participants and sessions that they held, and ends what nobody holds any more
// (cluster.Duty).
func (m *Manager) Reap(ctx context.Context) (next time.Time, err error) {
	for _, p := range m.opt.Records.Participants.All() {
		if err := m.part(ctx, p); err != nil {
			return next, err
		}
	}
	for _, s := range m.opt.Records.Sessions.All() {
		if err := m.reapSession(ctx, s.Value); err != nil {
			return next, err
		}
	}
	return next, m.reapClaims(ctx)
}

// reapSession takes who is gone off a session, and ends one that nobody alive holds. It leaves alone those that only living
// nodes hold.
func (m *Manager) reapSession(ctx context.Context, s resource.StageSession) error {
	living, err := m.living(ctx, s.Holders)
	if err != nil || len(living) > 0 && len(living) == len(s.Holders) {
		return err
	}
	if len(s.Holders) == 0 && s.EndTime.IsZero() && s.StartTime.After(m.begin) {
		return nil // of a version without holders
	}
	if len(living) > 0 {
		_, err := m.letGo(ctx, s, m.opt.Clock(), false, nil)
		if err == errOther || fault.Is(err, fault.NotFound) { //nolint:errorlint // returned as it is
			return nil
		}
		return err
	}
	ended, err := m.endLeft(ctx, s.StageARN)
	if ended {
		m.counters.reapedSessions.Add(1)
		m.opt.Logger.Info("ended a session whose nodes are gone", "stage_arn", s.StageARN.String(), "session_id", s.SessionID)
	}
	return err
}

// reapClaims gives up the claims of nodes that are gone. Whoever needs one of a stage that has a session takes it.
func (m *Manager) reapClaims(ctx context.Context) error {
	orphans, err := m.opt.Records.Owners.Orphans(ctx)
	if err != nil {
		return fmt.Errorf("look for claims that were left: %w", err)
	}
	for _, o := range orphans {
		switch mine, err := m.own(ctx, o.Value.StageARN); {
		case err == nil:
			mine.release(ctx, m, o.Value.StageARN)
		case err != errOwned: //nolint:errorlint // returned as it is
			return err
		}
	}
	return nil
}

// living returns those of some holders that are not gone.
func (m *Manager) living(ctx context.Context, holders []resource.Holder) ([]resource.Holder, error) {
	var out []resource.Holder
	for _, h := range holders {
		gone, err := m.opt.Node.Departed(ctx, h.Node, h.Incarnation)
		if err != nil {
			return nil, fmt.Errorf("look whether a node is gone: %w", err)
		}
		if !gone {
			out = append(out, h)
		}
	}
	return out, nil
}

// part takes who is gone off a participant. Without a holder it has left, which is told once: the event has the name of the
// connection's life, whoever tells it. It is told before the holder goes, so that whoever comes next can repeat it.
func (m *Manager) part(ctx context.Context, p store.Record[resource.Participant]) error {
	gone := p.Value
	living, err := m.living(ctx, gone.Holders)
	if err != nil || len(living) == len(gone.Holders) {
		return err
	}
	gone.Holders = living
	if err := m.parted(ctx, gone, p.Value.Holders); err != nil {
		return err
	}
	_, err = m.opt.Records.Participants.Update(ctx, p.Key, func(p resource.Participant) (resource.Participant, error) {
		living, err := m.living(ctx, p.Holders)
		p.Holders = living
		return p, err
	})
	if err != nil && !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("release participant: %w", err)
	}
	m.counters.reapedParticipants.Add(1)
	return nil
}

// parted puts a participant whose holders are gone into the history. The last of them gives the event its name: that life of
// a node can be gone but once.
func (m *Manager) parted(ctx context.Context, p resource.Participant, before []resource.Holder) error {
	rec := m.opt.Records
	if len(p.Holders) == 0 {
		id := p.SessionID + "/" + p.ParticipantID + "/" + before[len(before)-1].Incarnation + "/gone"
		left := resource.ParticipantEvent{Name: resource.EventLeft, ParticipantID: p.ParticipantID, Time: m.opt.Clock()}
		once := store.Once{ID: id, Since: p.FirstJoinTime}
		key := records.ParticipantKey(p.StageARN, p.SessionID, p.ParticipantID)
		if err := rec.ParticipantEvents.AppendOnce(ctx, key, p.ParticipantID, once, left); err != nil {
			return fmt.Errorf("append event: %w", err)
		}
		if err := m.unpublishGone(ctx, key, p, id); err != nil {
			return err
		}
	}
	if err := rec.ParticipantHistory.Append(ctx, records.SessionKey(p.StageARN, p.SessionID), p.ParticipantID, p); err != nil {
		return fmt.Errorf("append participant: %w", err)
	}
	return nil
}

// unpublishGone tells the world that a participant no longer publishes whose node went while it did.
func (m *Manager) unpublishGone(ctx context.Context, key store.Key, p resource.Participant, id string) error {
	published, err := m.publishes(ctx, key, p.ParticipantID)
	if err != nil || !published {
		return err
	}
	stopped := resource.ParticipantEvent{Name: resource.EventPublishStopped, ParticipantID: p.ParticipantID, Time: m.opt.Clock()}
	told, _ := busEvent(p.StageARN, p.SessionID, p.UserID, id+"/unpublished", &stopped)
	return m.tell(ctx, p.StageARN, p.SessionID, []store.Event{told})
}

// partAll has everybody leave who is still connected when a session ends: their nodes are gone. Where the engine's memory went
// with them, or somebody came no further than half of this, the history knows who.
func (m *Manager) partAll(ctx context.Context, s resource.StageSession) error {
	const page = 100
	key := records.SessionKey(s.StageARN, s.SessionID)
	for before := uint64(0); ; {
		entries, err := m.opt.Records.ParticipantHistory.ListNewestFirst(ctx, key, "", before, page)
		if err != nil {
			return fmt.Errorf("list participants: %w", err)
		}
		for _, e := range entries {
			before = e.Sequence
			if p := e.Value; len(p.Holders) > 0 {
				p.Holders = nil
				if err := m.parted(ctx, p, e.Value.Holders); err != nil {
					return err
				}
				m.counters.reapedParticipants.Add(1)
			}
		}
		if len(entries) < page {
			return nil
		}
	}
}
