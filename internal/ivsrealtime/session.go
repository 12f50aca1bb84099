package ivsrealtime

import (
	"context"
	"strconv"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// openSession returns the session of a stage that is under way, from memory.
func (s *Service) openSession(ctx context.Context, stage arn.ARN) (resource.StageSession, bool, error) {
	found, err := s.opts.Records.Sessions.List(ctx, store.Query{Scope: stage.Scope, Index: "stage", Value: stage.ID, Limit: 1})
	if err != nil || len(found.Records) == 0 {
		return resource.StageSession{}, false, err
	}
	return found.Records[0].Value, true, nil
}

// activeSessionID returns the id of the session that is under way, "" when there is none.
func (s *Service) activeSessionID(ctx context.Context, stage arn.ARN) (string, error) {
	open, _, err := s.openSession(ctx, stage)
	return open.SessionID, err
}

// isOpen reports whether a session is under way.
func (s *Service) isOpen(ctx context.Context, stage arn.ARN, sessionID string) (bool, error) {
	open, ok, err := s.openSession(ctx, stage)
	return ok && open.SessionID == sessionID, err
}

// session returns a session of a stage, under way or ended.
func (s *Service) session(ctx context.Context, stage arn.ARN, sessionID string) (resource.StageSession, error) {
	open, ok, err := s.openSession(ctx, stage)
	if err != nil || ok && open.SessionID == sessionID {
		return open, err
	}
	e, err := s.opts.Records.SessionHistory.Last(ctx, keyOf(stage), sessionID)
	return e.Value, awsapi.Naming(err, sessionID)
}

// GetStageSession returns a session of a stage.
func (s *Service) GetStageSession(
	ctx context.Context, c awsapi.Caller, in *GetStageSessionRequest,
) (*GetStageSessionResponse, error) {
	st, err := s.stage(ctx, c, in.StageArn)
	if err != nil {
		return nil, err
	}
	session, err := s.session(ctx, st.ARN, in.SessionId)
	if err != nil {
		return nil, err
	}
	w := wireSession(session)
	return &GetStageSessionResponse{StageSession: &w}, nil
}

// ListStageSessions returns a page of a stage's sessions, newest first.
func (s *Service) ListStageSessions(
	ctx context.Context, c awsapi.Caller, in *ListStageSessionsRequest,
) (*ListStageSessionsResponse, error) {
	st, err := s.stage(ctx, c, in.StageArn)
	if err != nil {
		return nil, err
	}
	pages := s.opts.Pager.Pages(c, "ListStageSessions", in.StageArn)
	after, err := pages.After(in.NextToken)
	if err != nil {
		return nil, err
	}
	at, size := sessionPlaceOf(after), awsapi.PageSize(in.MaxResults, defaultLimit)
	out := &ListStageSessionsResponse{StageSessions: []StageSessionSummary{}}
	if after == "" {
		open, ok, err := s.openSession(ctx, st.ARN)
		if err != nil {
			return nil, err
		}
		if ok {
			out.StageSessions = append(out.StageSessions, StageSessionSummary(wireSession(open)))
			at.shown = open.SessionID
		}
	}
	// One more than fits tells whether there is another page; one of them may have been shown already.
	entries, err := s.opts.Records.SessionHistory.ListNewestFirst(ctx, keyOf(st.ARN), "", at.before, size-len(out.StageSessions)+2)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Session == at.shown {
			continue
		}
		if len(out.StageSessions) == size {
			out.NextToken = pages.Next(true, at.String())
			break
		}
		out.StageSessions = append(out.StageSessions, StageSessionSummary(wireSession(e.Value)))
		at.before = e.Sequence
	}
	return out, nil
}

// sessionPlace is where a page of sessions begins: behind an entry of the history. The session that was open on the first
// page may have ended since, so its entry there is passed over.
type sessionPlace struct {
	before uint64
	shown  string
}

func (p sessionPlace) String() string { return strconv.FormatUint(p.before, 10) + " " + p.shown }

// sessionPlaceOf reads a place that a page token held.
func sessionPlaceOf(s string) sessionPlace {
	before, shown, _ := strings.Cut(s, " ")
	n, _ := strconv.ParseUint(before, 10, 64) // "" is the beginning, and nobody else makes tokens
	return sessionPlace{n, shown}
}

// ListParticipantEvents returns a page of what happened to a participant in a session, newest first.
func (s *Service) ListParticipantEvents(
	ctx context.Context, c awsapi.Caller, in *ListParticipantEventsRequest,
) (*ListParticipantEventsResponse, error) {
	st, err := s.stage(ctx, c, in.StageArn)
	if err != nil {
		return nil, err
	}
	pages := s.opts.Pager.Pages(c, "ListParticipantEvents", in.StageArn+" "+in.SessionId+" "+in.ParticipantId)
	after, err := pages.After(in.NextToken)
	if err != nil {
		return nil, err
	}
	at, size := sessionPlaceOf(after), awsapi.PageSize(in.MaxResults, defaultLimit)
	key := records.ParticipantKey(st.ARN, in.SessionId, in.ParticipantId)
	entries, err := s.opts.Records.ParticipantEvents.ListNewestFirst(ctx, key, in.ParticipantId, at.before, size+1)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 && after == "" {
		if _, err := s.participant(ctx, st.ARN, in.SessionId, in.ParticipantId); err != nil {
			return nil, err
		}
	}
	shown := entries[:min(len(entries), size)]
	out := &ListParticipantEventsResponse{Events: make([]Event, len(shown))}
	for i, e := range shown {
		out.Events[i] = wireEvent(e.Value)
		at.before = e.Sequence
	}
	out.NextToken = pages.Next(len(entries) > size, at.String())
	return out, nil
}
