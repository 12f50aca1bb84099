package ivsrealtime

import (
	"context"
	"strconv"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// GetParticipant returns somebody who is or was on a stage in a session.
func (s *Service) GetParticipant(
	ctx context.Context, c awsapi.Caller, in *GetParticipantRequest,
) (*GetParticipantResponse, error) {
	st, err := s.stage(ctx, c, in.StageArn)
	if err != nil {
		return nil, err
	}
	p, err := s.participant(ctx, st.ARN, in.SessionId, in.ParticipantId)
	if err != nil {
		return nil, err
	}
	return &GetParticipantResponse{Participant: wireParticipant(p)}, nil
}

// participant returns a participant of a session: its presence while the session is under way, else its last entry in
// the history.
func (s *Service) participant(
	ctx context.Context, stage arn.ARN, sessionID, participantID string,
) (resource.Participant, error) {
	open, err := s.isOpen(ctx, stage, sessionID)
	if err == nil && open {
		r, err := s.opts.Records.Participants.Get(ctx, records.ParticipantKey(stage, sessionID, participantID))
		if !fault.Is(err, fault.NotFound) {
			return r.Value, err
		}
		open, err = s.isOpen(ctx, stage, sessionID) // the session may have ended between the two questions
		if err == nil && open {
			err = awsapi.NotFound(participantID)
		}
		if err != nil {
			return resource.Participant{}, err
		}
	}
	if err != nil {
		return resource.Participant{}, err
	}
	e, err := s.opts.Records.ParticipantHistory.Last(ctx, records.SessionKey(stage, sessionID), participantID)
	if err != nil {
		return resource.Participant{}, awsapi.Naming(err, participantID)
	}
	return past(e.Value), nil
}

// past returns a participant of a session that has ended: nobody is connected to it.
func past(p resource.Participant) resource.Participant {
	p.Holders = nil
	return p
}

// ListParticipants returns a page of those who are or were on a stage in a session, all of them or those that one filter
// selects.
//
// A session that is under way is listed by participant id, an ended one by the last who joined first. A page of an ended
// session may have fewer than asked for, or none, and still a token, since it looks at a bounded number of entries. A list
// that is under way when the session ends begins again, rather than to lose somebody.
func (s *Service) ListParticipants(
	ctx context.Context, c awsapi.Caller, in *ListParticipantsRequest,
) (*ListParticipantsResponse, error) {
	st, err := s.stage(ctx, c, in.StageArn)
	if err != nil {
		return nil, err
	}
	f, err := filterOf(in)
	if err != nil {
		return nil, err
	}
	pages := s.opts.Pager.Pages(c, "ListParticipants", strings.Join([]string{in.StageArn, in.SessionId, f.index, f.value}, " "))
	place, err := pages.After(in.NextToken)
	if err != nil {
		return nil, err
	}
	list := roll{s: s, stage: st.ARN, session: in.SessionId, filter: f, size: awsapi.PageSize(in.MaxResults, defaultLimit)}
	if err := list.read(ctx, place); err != nil {
		return nil, err
	}
	out := &ListParticipantsResponse{Participants: make([]ParticipantSummary, len(list.found))}
	for i, p := range list.found {
		out.Participants[i] = wireParticipantSummary(p)
	}
	out.NextToken = pages.Next(list.next != "", list.next)
	return out, nil
}

// filter is what a list of participants selects: an index of records.ParticipantDefinition and its value.
type filter struct{ index, value string }

// filterOf returns the one filter of a request. An empty user id is no filter.
func filterOf(in *ListParticipantsRequest) (filter, error) {
	var given []filter
	if in.FilterByUserId != nil && *in.FilterByUserId != "" {
		given = append(given, filter{"user", *in.FilterByUserId})
	}
	if in.FilterByPublished != nil {
		given = append(given, filter{"published", strconv.FormatBool(*in.FilterByPublished)})
	}
	if in.FilterByState != nil {
		given = append(given, filter{"state", *in.FilterByState})
	}
	if in.FilterByRecordingState != nil {
		given = append(given, filter{"recording", *in.FilterByRecordingState})
	}
	switch len(given) {
	case 0:
		return filter{index: "session"}, nil
	case 1:
		return given[0], nil
	}
	return filter{}, fault.New(fault.Invalid, "only one filter can be used at a time")
}

// selects reports whether the filter selects a participant, as the index of the table does.
func (f filter) selects(p resource.Participant) bool {
	switch f.index {
	case "user":
		return p.UserID == f.value
	case "published":
		return strconv.FormatBool(p.Published) == f.value
	case "state":
		return string(p.State()) == f.value
	case "recording":
		return string(p.RecordingState) == f.value
	}
	return true
}

// roll reads one page of the participants of a session.
type roll struct {
	s       *Service
	stage   arn.ARN
	session string
	filter  filter
	size    int

	found []resource.Participant
	next  string // where the next page begins, "" when there is none
}

// The places of pages: behind a key in the table, or behind an entry of the history.
const (
	placeInTable   = "t "
	placeInHistory = "h "
)

// read reads the page at a place. The session may end while it does.
func (r *roll) read(ctx context.Context, place string) error {
	open, err := r.s.isOpen(ctx, r.stage, r.session)
	if err == nil && open {
		if err = r.present(ctx, strings.TrimPrefix(place, placeInTable)); err == nil {
			open, err = r.s.isOpen(ctx, r.stage, r.session)
		}
	}
	if err != nil || open {
		return err
	}
	r.found, r.next = nil, ""
	before, inHistory := strings.CutPrefix(place, placeInHistory)
	if !inHistory {
		if _, err := r.s.session(ctx, r.stage, r.session); err != nil {
			return err
		}
		before = "0"
	}
	n, _ := strconv.ParseUint(before, 10, 64) // nobody else makes tokens
	return r.past(ctx, n)
}

// present reads a page of a session that is under way.
func (r *roll) present(ctx context.Context, after string) error {
	page, err := r.s.opts.Records.Participants.List(ctx, store.Query{
		Scope: r.stage.Scope, Index: r.filter.index, After: after, Limit: r.size,
		Value: records.ParticipantValue(r.stage, r.session, r.filter.value),
	})
	if err != nil {
		return err
	}
	for _, rec := range page.Records {
		r.found = append(r.found, rec.Value)
		after = rec.Key.ID
	}
	if page.More {
		r.next = placeInTable + after
	}
	return nil
}

// maxScan bounds how many entries of the history one page looks at: each is a question to the engine.
const maxScan = 500

// past reads a page of a session that has ended.
func (r *roll) past(ctx context.Context, before uint64) error {
	key := records.SessionKey(r.stage, r.session)
	for looked := 0; looked < maxScan; {
		ask := min(maxScan-looked, r.size-len(r.found)+1) // one more than fits tells whether there is another page
		entries, err := r.s.opts.Records.ParticipantHistory.ListNewestFirst(ctx, key, "", before, ask)
		if err != nil {
			return err
		}
		for _, e := range entries {
			p := past(e.Value)
			if r.filter.selects(p) {
				if len(r.found) == r.size {
					r.next = placeInHistory + strconv.FormatUint(before, 10)
					return nil
				}
				r.found = append(r.found, p)
			}
			before = e.Sequence
		}
		if len(entries) < ask {
			return nil
		}
		looked += len(entries)
	}
	r.next = placeInHistory + strconv.FormatUint(before, 10)
	return nil
}
