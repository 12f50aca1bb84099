package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// requestPatience bounds a command when the caller does not.
const requestPatience = 5 * time.Second

// directive is a command to a node that holds participants.
type directive struct {
	Stage       arn.ARN `json:"stage"`
	Participant string  `json:"participant,omitempty"` // "": everybody, because the stage is deleted
	Reason      string  `json:"reason,omitempty"`
}

// subject is where a node takes the commands for the participants that it holds.
func subject(node string) string { return "stage.node." + node }

// Remote sends commands to the nodes that hold the participants of stages.
type Remote struct {
	Node         *cluster.Node
	Sessions     *store.Table[resource.StageSession]
	Participants *store.Table[resource.Participant]
}

// Disconnect ends all connections of a participant and returns when they are closed. Nobody connected is no error: the
// caller has burnt the participant before, and the nodes watch for that.
func (r *Remote) Disconnect(ctx context.Context, stage arn.ARN, participantID, reason string) error {
	session, err := r.Sessions.Find(ctx, "stage", stage.ID)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the session: %w", err)
	}
	p, err := r.Participants.Get(ctx, records.ParticipantKey(stage, session.Value.SessionID, participantID))
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the participant: %w", err)
	}
	return r.send(ctx, p.Value.Holders, directive{Stage: stage, Participant: participantID, Reason: reason})
}

// Close ends the connections of everybody on a stage that is being deleted.
func (r *Remote) Close(ctx context.Context, stage arn.ARN) error {
	session, err := r.Sessions.Find(ctx, "stage", stage.ID)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the session: %w", err)
	}
	var holders []resource.Holder
	q := store.Query{
		Scope: stage.Scope, Index: "session", Limit: 100,
		Value: records.ParticipantValue(stage, session.Value.SessionID, ""),
	}
	for {
		page, err := r.Participants.List(ctx, q)
		if err != nil {
			return fmt.Errorf("list participants: %w", err)
		}
		for _, p := range page.Records {
			for _, h := range p.Value.Holders {
				if !slices.Contains(holders, h) {
					holders = append(holders, h)
				}
			}
			q.After = p.Key.ID
		}
		if !page.More {
			break
		}
	}
	return r.send(ctx, holders, directive{Stage: stage})
}

// send gives a command to every holder that is alive.
func (r *Remote) send(ctx context.Context, holders []resource.Holder, d directive) error {
	ctx, cancel := context.WithTimeout(ctx, requestPatience)
	defer cancel()
	var failed error
	for _, h := range holders {
		alive, err := r.Node.Alive(ctx, h.Node, h.Incarnation)
		if err == nil && alive {
			err = r.Node.Request(ctx, subject(h.Node), d, nil)
		}
		if err != nil {
			failed = errors.Join(failed, err)
		}
	}
	if failed != nil {
		return fmt.Errorf("tell the participant's node: %w", failed)
	}
	return nil
}

// serve takes the commands for this node. It answers when the records say that they are obeyed, for whoever asked reads those
// next; and also if the watch of the participants that are burnt was there first.
func (m *Manager) serve() (stop func(), err error) {
	stop, err = m.opt.Node.Serve(subject(m.opt.Node.ID()), func(ctx context.Context, data []byte) (any, error) {
		var d directive
		if err := json.Unmarshal(data, &d); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "not a command")
		}
		r, err := m.obey(ctx, d)
		if err == nil && r != nil {
			r.recorder.await(ctx)
		}
		return nil, err
	})
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	return stop, nil
}

// obey ends the connections of a participant, or of everybody, and returns the room that they were in; nil without one.
func (m *Manager) obey(ctx context.Context, d directive) (*room, error) {
	r, err := m.room(ctx, d.Stage, false)
	if err != nil || r == nil {
		return nil, err
	}
	if d.Participant == "" {
		err = r.closeAll(ctx, because(deleted, ""))
	} else {
		err = r.do(ctx, func() error {
			if p := r.participants[d.Participant]; p != nil {
				r.kick(p, because(kicked, d.Reason))
			}
			return nil
		})
	}
	if errors.Is(err, errGone) {
		err = nil
	}
	return r, err
}

// burnt is told of every participant whose tokens are no good any more, from whatever node.
func (m *Manager) burnt(c store.Change[resource.Disconnected]) {
	if c.New == nil {
		return
	}
	d := directive{Stage: c.New.StageARN, Participant: c.New.ParticipantID, Reason: c.New.Reason}
	m.enforceSoon(d)
}

// deleted is told of every stage that is no more.
func (m *Manager) deleted(c store.Change[resource.Stage]) {
	if c.New == nil && c.Old != nil {
		m.enforceSoon(directive{Stage: c.Old.ARN})
	}
}

// enforceSoon obeys a command that nobody waits for.
func (m *Manager) enforceSoon(d directive) {
	ctx, cancel := context.WithTimeout(context.Background(), requestPatience)
	defer cancel()
	if _, err := m.obey(ctx, d); err != nil {
		m.opt.Logger.Error("somebody stays connected who must not", "stage_arn", d.Stage.String(), "participant_id", d.Participant, "error", err)
	}
}
