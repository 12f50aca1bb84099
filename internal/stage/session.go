package stage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// A stage may be open on several nodes, and has one session. Each of them is among the session's holders: it puts itself there
// and takes itself off, and nobody else does while it lives. To open a session, and to end it, takes the claim of the stage, and
// the record says under which claim that was last done: who has lost the claim finds another one there, and stops. The end is
// written over a record without holders, in the write that takes the last one off. So no node ends what another one holds, and
// no two end the same.

const sessionIDLen = 13

// owner is the claim of a stage in the hands of this node.
type owner struct {
	*cluster.Hold[resource.StageOwner]
	life resource.Holder
}

// own takes the claim of a stage; errOwned when another node, or another part of this one, has it.
func (m *Manager) own(ctx context.Context, stage arn.ARN) (*owner, error) {
	hold, err := m.opt.Records.Owners.Take(ctx, keyOf(stage), resource.StageOwner{StageARN: stage})
	if fault.Is(err, fault.Conflict) {
		return nil, errOwned
	}
	if err != nil {
		return nil, fmt.Errorf("claim the stage: %w", err)
	}
	return &owner{hold, m.holder()}, nil
}

func keyOf(stage arn.ARN) store.Key { return store.Key{Scope: stage.Scope, ID: stage.ID} }

// stamp puts the claim into a session that is written under it.
func (o *owner) stamp(s *resource.StageSession) { s.Owner, s.Epoch = o.life, o.Epoch() }

// stamped tells that a session was last written under this claim.
func (o *owner) stamped(s resource.StageSession) bool {
	return s.Owner == o.life && s.Epoch == o.Epoch()
}

// lost tells that another node has taken the claim.
func (o *owner) lost() bool {
	select {
	case <-o.Lost():
		return true
	default:
		return false
	}
}

// release gives the claim up. What fails is made good by the claims' own sweep.
func (o *owner) release(ctx context.Context, m *Manager, stage arn.ARN) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalPatience)
	defer cancel()
	if err := o.Release(ctx, resource.StageOwner{StageARN: stage}); err != nil && !fault.Is(err, fault.Fenced) {
		m.opt.Logger.Warn("a stage's claim is given up later", "stage_arn", stage.String(), "error", err)
	}
}

var (
	errEnding = fault.New(fault.Unavailable, "the session before is being ended")
	errOwned  = fault.New(fault.Unavailable, "another node is about to open or to end the session")
	errOther  = fault.New(fault.Conflict, "another session is open by now")
)

// open opens the stage's session, or takes part in the one that another node has opened. One that nobody alive holds is ended
// first.
func (r *recorder) open(ctx context.Context, dirty map[string]presence) error {
	if r.session.SessionID != "" {
		return nil
	}
	m := r.manager
	o, err := m.own(ctx, r.stage)
	if err != nil && err != errOwned { //nolint:errorlint // returned as it is
		return err
	}
	session, err := r.join(ctx, o)
	if err == errEnding && o != nil { //nolint:errorlint // returned as it is
		err = m.endUnder(ctx, o, r.stage, m.opt.Clock(), false)
		session.SessionID = ""
	}
	if err == nil && session.SessionID == "" {
		session, err = r.create(ctx, o, dirty)
	}
	if err != nil {
		if o != nil {
			o.release(ctx, m, r.stage)
		}
		return fmt.Errorf("open session: %w", err)
	}
	r.session, r.owner = session, o
	return nil
}

// join puts this node on the holders of the open session; the zero session when there is none. errEnding says that nobody alive
// holds it.
func (r *recorder) join(ctx context.Context, o *owner) (resource.StageSession, error) {
	record, err := r.manager.opt.Records.Sessions.Update(ctx, keyOf(r.stage), func(open resource.StageSession) (resource.StageSession, error) {
		living, err := r.manager.living(ctx, open.Holders)
		if err == nil && (!open.EndTime.IsZero() || len(living) == 0) {
			err = errEnding
		}
		open.Holders = r.holders(living, true)
		if o != nil {
			o.stamp(&open)
		}
		return open, err
	})
	if fault.Is(err, fault.NotFound) {
		return resource.StageSession{}, nil
	}
	return record.Value, err
}

// create opens a session under the claim; errOwned without it.
func (r *recorder) create(ctx context.Context, o *owner, dirty map[string]presence) (resource.StageSession, error) {
	if o == nil {
		return resource.StageSession{}, errOwned
	}
	start := r.manager.opt.Clock()
	for _, p := range dirty {
		if p.record.FirstJoinTime.Before(start) {
			start = p.record.FirstJoinTime
		}
	}
	session := resource.StageSession{
		StageARN: r.stage, SessionID: "st-" + arn.Random(sessionIDLen), StartTime: start, Holders: r.holders(nil, true),
	}
	o.stamp(&session)
	record, err := r.manager.opt.Records.Sessions.Create(ctx, keyOf(r.stage), session)
	return record.Value, err
}

// stand looks whether the session is still open and this node among its holders. Where the others have taken it for gone, and
// it was not, it begins anew with everybody who is connected.
func (r *recorder) stand(ctx context.Context) error {
	r.mu.Lock()
	over := r.finished
	r.mu.Unlock()
	if r.session.SessionID == "" || over {
		return nil
	}
	now, err := r.manager.opt.Records.Sessions.Get(ctx, keyOf(r.stage))
	if err != nil && !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("read the session: %w", err)
	}
	if err == nil && now.Value.SessionID == r.session.SessionID && slices.Contains(now.Value.Holders, r.manager.holder()) {
		return nil
	}
	r.log.Warn("this node was taken for gone; its participants come back", "session_id", r.session.SessionID)
	if r.owner != nil {
		r.owner.release(ctx, r.manager, r.stage)
	}
	r.session, r.owner = resource.StageSession{}, nil
	r.putBack(batch{participants: maps.Clone(r.people)})
	return nil
}

// sessionChanged is told of every change of an open session: this node may have lost its place in it.
func (m *Manager) sessionChanged(c store.Change[resource.StageSession]) {
	if c.Old == nil {
		return
	}
	m.mu.Lock()
	r := m.rooms[c.Old.StageARN]
	m.mu.Unlock()
	if r != nil && (c.New == nil || c.New.SessionID != c.Old.SessionID || !slices.Contains(c.New.Holders, m.holder())) {
		r.recorder.nudge()
	}
}

// close ends the session, unless another node has somebody in it.
func (r *recorder) close(ctx context.Context) error {
	if r.session.SessionID == "" {
		return nil
	}
	if r.owner != nil && r.owner.lost() {
		r.owner = nil
	}
	m, s := r.manager, r.session
	if r.owner == nil {
		o, err := m.own(ctx, r.stage)
		if err == errOwned { //nolint:errorlint // returned as it is
			_, err = m.letGo(ctx, s, r.ended, true, nil)
			if fault.Is(err, fault.NotFound) || err == errOther { //nolint:errorlint // returned as it is
				err = m.removePresence(ctx, s)
			}
			return err
		}
		if err != nil {
			return err
		}
		r.owner = o
	}
	if err := m.endSession(ctx, r.owner, s, r.ended, true); err != nil {
		return err
	}
	r.owner.release(ctx, m, r.stage)
	return nil
}

// letGo takes holders off a session, those that are gone and, if it leaves, this node, and returns the session. One that nobody
// holds any more gets its end with the same write, under the claim o; errOwned without it. From then on nobody can take part in
// it.
func (m *Manager) letGo(
	ctx context.Context, s resource.StageSession, at time.Time, leaves bool, o *owner,
) (resource.StageSession, error) {
	own := m.holder()
	record, err := m.opt.Records.Sessions.Update(ctx, keyOf(s.StageARN), func(open resource.StageSession) (resource.StageSession, error) {
		if open.SessionID != s.SessionID {
			return open, errOther
		}
		living, err := m.living(ctx, open.Holders)
		open.Holders = slices.DeleteFunc(living, func(h resource.Holder) bool { return leaves && h == own })
		if err != nil || len(open.Holders) > 0 {
			return open, err
		}
		if o == nil || o.lost() {
			return open, errOwned
		}
		if open.EndTime.IsZero() {
			open.EndTime = at
		}
		o.stamp(&open)
		return open, nil
	})
	return record.Value, err
}

// endSession lets go of a session (letGo) and moves one that nobody holds any more to the history. Every step of it may be
// repeated, and by another node that gets the claim.
func (m *Manager) endSession(ctx context.Context, o *owner, s resource.StageSession, at time.Time, leaves bool) error {
	rec, key := m.opt.Records, keyOf(s.StageARN)
	switch open, err := m.letGo(ctx, s, at, leaves, o); {
	case fault.Is(err, fault.NotFound) || err == errOther: //nolint:errorlint // returned as it is
		return m.removePresence(ctx, s)
	case err != nil:
		return fmt.Errorf("let go of the session: %w", err)
	case len(open.Holders) > 0:
		return nil
	default:
		s = open
	}
	if !leaves {
		if err := m.partAll(ctx, s); err != nil {
			return err
		}
	}
	if err := rec.SessionHistory.AppendOnce(ctx, key, s.SessionID, store.Once{ID: s.SessionID + "/end", Since: s.EndTime}, s); err != nil {
		return fmt.Errorf("archive session: %w", err)
	}
	_, err := rec.Sessions.Delete(ctx, key, func(open resource.StageSession) error {
		switch {
		case open.SessionID != s.SessionID:
			return errOther
		case !o.stamped(open):
			return errOwned
		}
		return nil
	})
	if err != nil && !fault.Is(err, fault.NotFound) && err != errOther { //nolint:errorlint // returned as it is
		return fmt.Errorf("end session: %w", err)
	}
	return m.removePresence(ctx, s)
}

// endUnder ends the open session of a stage, if nobody alive holds it.
func (m *Manager) endUnder(ctx context.Context, o *owner, stage arn.ARN, at time.Time, leaves bool) error {
	open, err := m.opt.Records.Sessions.Get(ctx, keyOf(stage))
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the session before: %w", err)
	}
	return m.endSession(ctx, o, open.Value, at, leaves)
}

// endLeft ends the open session of a stage, if nobody alive holds it, and reports whether that is done. Who has the claim
// meanwhile does it in the place of this node.
func (m *Manager) endLeft(ctx context.Context, stage arn.ARN) (bool, error) {
	o, err := m.own(ctx, stage)
	if err == errOwned { //nolint:errorlint // returned as it is
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer o.release(ctx, m, stage)
	err = m.endUnder(ctx, o, stage, m.opt.Clock(), false)
	if errors.Is(err, errOwned) {
		return false, nil
	}
	return err == nil, err
}
