package ivsrealtime_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"

	"github.com/rivus-live/rivus/internal/resource"
)

// sessions lists the sessions of a stage page by page. Between two pages it calls then.
func (e *env) sessions(t *testing.T, stage *string, size int32, then func()) (ids []string) {
	t.Helper()
	in := &sdk.ListStageSessionsInput{StageArn: stage}
	if size > 0 {
		in.MaxResults = &size
	}
	for {
		out, err := e.api().ListStageSessions(t.Context(), in)
		check(t, err)
		for _, s := range out.StageSessions {
			ids = append(ids, *s.SessionId)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return ids
		}
		if len(out.StageSessions) != int(size) {
			t.Fatalf("a page of %d, want %d", len(out.StageSessions), size)
		}
		if then != nil {
			then()
		}
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	e := start(t)
	ctx, api := t.Context(), e.api()
	st := e.create(t, "demo").Arn
	if got := e.sessions(t, st, 0, nil); len(got) != 0 {
		t.Errorf("sessions %v of a stage that nobody was on", got)
	}
	var want []string
	for i := range 5 {
		id := fmt.Sprintf("st-%013d", i)
		on := e.openSession(t, st, id)
		e.advance(time.Minute)
		on.end()
		want = append([]string{id}, want...)
	}
	for _, size := range []int32{0, 1, 2, 4, 5, 6} {
		if got := e.sessions(t, st, size, nil); !slices.Equal(got, want) {
			t.Errorf("size %d: %v, want %v", size, got, want)
		}
	}
	on := e.openSession(t, st, "st-open000000000")
	want = append([]string{"st-open000000000"}, want...)
	for _, size := range []int32{0, 1, 2, 5, 6, 7} {
		if got := e.sessions(t, st, size, nil); !slices.Equal(got, want) {
			t.Errorf("size %d: %v, want %v", size, got, want)
		}
	}
	out, err := api.GetStageSession(ctx, &sdk.GetStageSessionInput{StageArn: st, SessionId: &want[0]})
	check(t, err)
	if s := out.StageSession; s.EndTime != nil || !s.StartTime.Equal(e.time()) {
		t.Errorf("open session %+v", s)
	}
	// A session that ends while it is listed is listed once, also in the moment when it is in both records.
	archived := false
	got := e.sessions(t, st, 2, func() {
		if !archived {
			archived = true
			on.archive()
		}
	})
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := e.sessions(t, st, 1, func() {
		if on.isOpen(t) {
			on.shut()
		}
	}); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	out, err = api.GetStageSession(ctx, &sdk.GetStageSessionInput{StageArn: st, SessionId: &want[5]})
	check(t, err)
	if s := out.StageSession; *s.SessionId != want[5] || s.EndTime.Sub(*s.StartTime) != time.Minute {
		t.Errorf("ended session %+v", s)
	}
	other, err := api.GetStage(ctx, &sdk.GetStageInput{Arn: st})
	check(t, err)
	if other.Stage.ActiveSessionId != nil {
		t.Errorf("active session %s of an idle stage", *other.Stage.ActiveSessionId)
	}
}

// isOpen reports whether the session is open.
func (o *onStage) isOpen(t *testing.T) bool {
	t.Helper()
	return len(o.opts.Records.Sessions.All()) > 0
}

// TestParticipantEvents lists what happened, newest first, while the session is open and after.
func TestParticipantEvents(t *testing.T) {
	t.Parallel()
	e := start(t)
	st := e.create(t, "demo").Arn
	on := e.openSession(t, st, noSession)
	on.join(resource.Participant{ParticipantID: "me_1"})
	on.join(resource.Participant{ParticipantID: "other"})
	var want []string
	for _, name := range []string{
		"PUBLISH_STARTED", "SUBSCRIBE_STARTED", "SUBSCRIBE_ERROR", "SUBSCRIBE_STOPPED", "PUBLISH_STOPPED",
	} {
		on.happen(resource.ParticipantEvent{Name: name, ParticipantID: "me_1", RemoteParticipantID: "other"})
		want = append([]string{name}, want...)
	}
	on.leave("me_1")
	want = append(append([]string{"LEFT"}, want...), "JOINED")
	for range 2 {
		for _, size := range []int32{0, 1, 3, 6, 7, 8} {
			if got := e.events(t, st, "me_1", size); !slices.Equal(got, want) {
				t.Errorf("size %d: %v, want %v", size, got, want)
			}
		}
		if got := e.events(t, st, "other", 0); !slices.Equal(got, []string{"JOINED"}) {
			t.Errorf("events %v", got)
		}
		if on.isOpen(t) {
			on.end()
		}
	}
}

func (e *env) events(t *testing.T, stage *string, id string, size int32) (names []string) {
	t.Helper()
	in := &sdk.ListParticipantEventsInput{StageArn: stage, SessionId: aws.String(noSession), ParticipantId: &id}
	if size > 0 {
		in.MaxResults = &size
	}
	for {
		out, err := e.api().ListParticipantEvents(t.Context(), in)
		check(t, err)
		for _, ev := range out.Events {
			if *ev.ParticipantId != id {
				t.Errorf("event of %s", *ev.ParticipantId)
			}
			names = append(names, string(ev.Name))
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return names
		}
	}
}

// TestEventForm holds the members of events.
func TestEventForm(t *testing.T) {
	t.Parallel()
	e := start(t)
	st := e.create(t, "demo").Arn
	on := e.openSession(t, st, noSession)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, ev := range []resource.ParticipantEvent{
		{Name: resource.EventJoined},
		{Name: resource.EventSubscribeError, RemoteParticipantID: "b", ErrorCode: resource.ErrorPublisherNotFound, Replica: true},
		{Name: resource.EventReplicationStarted, DestinationStageARN: on.stage, DestinationSessionID: noSession},
		{
			Name: resource.EventTokenExchanged, PreviousToken: &resource.ExchangedToken{Publish: true, Subscribe: true, Expires: at},
			NewToken: &resource.ExchangedToken{Subscribe: true, UserID: "u", Attributes: map[string]string{"k": "v"}, Expires: at},
		},
	} {
		ev.ParticipantID, ev.Time = "a", at
		on.happen(ev)
	}
	var rec recorder
	_, err := e.client(e.url, region, &rec).ListParticipantEvents(t.Context(), &sdk.ListParticipantEventsInput{
		StageArn: st, SessionId: aws.String(noSession), ParticipantId: aws.String("a"),
	})
	check(t, err)
	wantBody(t, rec, `{"events":[`+
		`{"eventTime":"2026-01-02T03:04:05Z","name":"TOKEN_EXCHANGED",`+
		`"newToken":{"attributes":{"k":"v"},"capabilities":["SUBSCRIBE"],"expirationTime":"2026-01-02T03:04:05Z","userId":"u"},`+
		`"participantId":"a",`+
		`"previousToken":{"attributes":{},"capabilities":["PUBLISH","SUBSCRIBE"],"expirationTime":"2026-01-02T03:04:05Z","userId":""},`+
		`"replica":false},`+
		`{"destinationSessionId":"st-0000000000000","destinationStageArn":"`+*st+`","eventTime":"2026-01-02T03:04:05Z",`+
		`"name":"REPLICATION_STARTED","participantId":"a","replica":false},`+
		`{"errorCode":"PUBLISHER_NOT_FOUND","eventTime":"2026-01-02T03:04:05Z","name":"SUBSCRIBE_ERROR","participantId":"a",`+
		`"remoteParticipantId":"b","replica":true},`+
		`{"eventTime":"2026-01-02T03:04:05Z","name":"JOINED","participantId":"a","replica":false}]}`)
}
