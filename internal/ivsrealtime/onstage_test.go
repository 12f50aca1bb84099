package ivsrealtime_test

import (
	"testing"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// onStage writes the records of a stage's sessions in the order that the media side keeps to (records.StageSessionLog).
type onStage struct {
	*env
	tb      testing.TB
	stage   arn.ARN
	session resource.StageSession
}

// open opens a session.
func (e *env) openSession(tb testing.TB, stage *string, id string) *onStage {
	tb.Helper()
	o := &onStage{env: e, tb: tb, stage: parse(tb, stage)}
	o.session = resource.StageSession{StageARN: o.stage, SessionID: id, StartTime: e.time()}
	_, err := e.opts.Records.Sessions.Create(tb.Context(), keyOf(o.stage), o.session)
	check(tb, err)
	return o
}

// join writes a participant that is connected.
func (o *onStage) join(p resource.Participant) {
	o.tb.Helper()
	p.StageARN, p.SessionID, p.FirstJoinTime = o.stage, o.session.SessionID, o.time()
	p.Holders = []resource.Holder{{Node: "one", Incarnation: "a"}}
	ctx, key := o.tb.Context(), records.ParticipantKey(o.stage, p.SessionID, p.ParticipantID)
	_, err := o.opts.Records.Participants.Create(ctx, key, p)
	check(o.tb, err)
	check(o.tb, o.opts.Records.ParticipantHistory.Append(ctx, records.SessionKey(o.stage, p.SessionID), p.ParticipantID, p))
	o.happen(resource.ParticipantEvent{Name: resource.EventJoined, ParticipantID: p.ParticipantID})
}

// change changes a participant.
func (o *onStage) change(id string, change func(*resource.Participant)) {
	o.tb.Helper()
	ctx, key := o.tb.Context(), records.ParticipantKey(o.stage, o.session.SessionID, id)
	r, err := o.opts.Records.Participants.Update(ctx, key, func(p resource.Participant) (resource.Participant, error) {
		change(&p)
		return p, nil
	})
	check(o.tb, err)
	check(o.tb, o.opts.Records.ParticipantHistory.Append(ctx, records.SessionKey(o.stage, o.session.SessionID), id, r.Value))
}

// leave disconnects a participant.
func (o *onStage) leave(id string) {
	o.tb.Helper()
	o.change(id, func(p *resource.Participant) { p.Holders = nil })
	o.happen(resource.ParticipantEvent{Name: resource.EventLeft, ParticipantID: id})
}

// happen writes an event.
func (o *onStage) happen(e resource.ParticipantEvent) {
	o.tb.Helper()
	if e.Time.IsZero() {
		e.Time = o.time()
	}
	key := records.ParticipantKey(o.stage, o.session.SessionID, e.ParticipantID)
	check(o.tb, o.opts.Records.ParticipantEvents.Append(o.tb.Context(), key, e.ParticipantID, e))
}

// archive is the first step of the end of a session.
func (o *onStage) archive() {
	o.tb.Helper()
	o.session.EndTime = o.time()
	check(o.tb, o.opts.Records.SessionHistory.Append(o.tb.Context(), keyOf(o.stage), o.session.SessionID, o.session))
}

// shut is the second.
func (o *onStage) shut() {
	o.tb.Helper()
	_, err := o.opts.Records.Sessions.Delete(o.tb.Context(), keyOf(o.stage), nil)
	check(o.tb, err)
}

// clear is the last.
func (o *onStage) clear() {
	o.tb.Helper()
	for _, r := range o.opts.Records.Participants.All() {
		if r.Value.SessionID == o.session.SessionID {
			_, err := o.opts.Records.Participants.Delete(o.tb.Context(), r.Key, nil)
			check(o.tb, err)
		}
	}
}

// end ends the session.
func (o *onStage) end() {
	o.tb.Helper()
	o.archive()
	o.shut()
	o.clear()
}

// append writes to the history of participants only.
func (o *onStage) append(p resource.Participant) error {
	key := records.SessionKey(o.stage, p.SessionID)
	return o.opts.Records.ParticipantHistory.Append(o.tb.Context(), key, p.ParticipantID, p)
}

// onThisStage selects the open session of a stage.
func onThisStage(stage arn.ARN) func(store.Record[resource.StageSession]) bool {
	return func(r store.Record[resource.StageSession]) bool { return r.Value.StageARN == stage }
}
