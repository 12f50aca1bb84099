package ivsrealtime_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/resource"
)

// TestParticipantForm holds the members of participants: one about whom nothing is known, and one with everything.
func TestParticipantForm(t *testing.T) {
	t.Parallel()
	e := start(t)
	st := e.create(t, "demo").Arn
	on := e.openSession(t, st, noSession)
	on.join(resource.Participant{ParticipantID: "plain"})
	ingest := arn.ARN{Service: "ivs", Scope: on.stage.Scope, Type: "ingest-configuration", ID: "x"}
	on.join(resource.Participant{
		ParticipantID: "full", UserID: "alice", Attributes: map[string]string{"k": "v"}, Published: true,
		ISPName: "isp", OSName: "Debian", OSVersion: "12", BrowserName: "Chrome", BrowserVersion: "141", SDKVersion: "1.0",
		Protocol: resource.ProtocolWHIP, RecordingState: resource.RecordingActive, RecordingBucket: "b", RecordingPrefix: "p/q",
		ReplicationType: "REPLICA", ReplicationState: "ACTIVE", SourceStageARN: on.stage, SourceSessionID: noSession,
		IngestConfigurationARN: ingest,
	})
	get := func(id string) string {
		var rec recorder
		_, err := e.client(e.url, region, &rec).GetParticipant(t.Context(), &sdk.GetParticipantInput{
			StageArn: st, SessionId: aws.String(noSession), ParticipantId: &id,
		})
		check(t, err)
		return string(rec.body)
	}
	plain := `{"participant":{"attributes":{},"browserName":"","browserVersion":"","firstJoinTime":"2026-05-05T21:55:38Z",` +
		`"ispName":"","osName":"","osVersion":"","participantId":"plain","protocol":"UNKNOWN","published":false,` +
		`"recordingS3BucketName":"","recordingS3Prefix":"","recordingState":"DISABLED","replicationType":"NONE",` +
		`"sdkVersion":"","state":"CONNECTED","userId":""}}`
	full := `{"participant":{"attributes":{"k":"v"},"browserName":"Chrome","browserVersion":"141",` +
		`"firstJoinTime":"2026-05-05T21:55:38Z","ingestConfigurationArn":"` + ingest.String() + `","ispName":"isp",` +
		`"osName":"Debian","osVersion":"12","participantId":"full","protocol":"WHIP","published":true,` +
		`"recordingS3BucketName":"b","recordingS3Prefix":"p/q","recordingState":"ACTIVE","redundantIngest":false,` +
		`"replicationState":"ACTIVE","replicationType":"REPLICA","sdkVersion":"1.0","sourceSessionId":"` + noSession + `",` +
		`"sourceStageArn":"` + *st + `","state":"CONNECTED","userId":"alice"}}`
	if got := get("plain"); got != plain {
		t.Errorf("answer\n%s, want\n%s", got, plain)
	}
	if got := get("full"); got != full {
		t.Errorf("answer\n%s, want\n%s", got, full)
	}
	// The last entry of somebody whose server went away says that it is connected; the session says that it is not.
	gone := strings.NewReplacer("CONNECTED", "DISCONNECTED").Replace(plain)
	on.leave("plain")
	if got := get("plain"); got != gone {
		t.Errorf("answer\n%s, want\n%s", got, gone)
	}
	on.end()
	if got := get("plain"); got != gone {
		t.Errorf("answer\n%s, want\n%s", got, gone)
	}
	if got := get("full"); got != strings.NewReplacer("CONNECTED", "DISCONNECTED").Replace(full) {
		t.Errorf("answer %s of a session that has ended", got)
	}
}

// TestListParticipants walks all pages for every filter and many page sizes, through the steps of a session's end.
func TestListParticipants(t *testing.T) {
	t.Parallel()
	e := start(t)
	st := e.create(t, "demo").Arn
	on := e.openSession(t, st, noSession)
	elsewhere := e.openSession(t, e.create(t, "other").Arn, noSession)
	elsewhere.join(resource.Participant{ParticipantID: "stranger"})
	const n = 12
	for i := range n {
		id := fmt.Sprintf("p%02d", (i*5)%n)
		on.join(resource.Participant{ParticipantID: id, UserID: fmt.Sprint("user ", i%3), Published: i%2 == 0})
		e.advance(time.Second)
	}
	for i := range 4 {
		on.leave(fmt.Sprintf("p%02d", i))
	}
	on.change("p04", func(p *resource.Participant) { p.RecordingState = resource.RecordingFailed })
	tests := []struct {
		filter     string
		open, over int // how many, while the session is open and after
	}{
		{``, n, n},
		{`"filterByUserId":"",`, n, n},
		{`"filterByUserId":"user 1",`, 4, 4},
		{`"filterByUserId":"user",`, 0, 0},
		{`"filterByPublished":true,`, 6, 6},
		{`"filterByPublished":false,`, 6, 6},
		{`"filterByState":"CONNECTED",`, n - 4, 0},
		{`"filterByState":"DISCONNECTED",`, 4, n},
		{`"filterByRecordingState":"FAILED",`, 1, 1},
		{`"filterByRecordingState":"ACTIVE",`, 0, 0},
	}
	for _, step := range []func(){func() {}, on.archive, on.shut, on.clear} {
		step()
		open := slices.ContainsFunc(e.opts.Records.Sessions.All(), onThisStage(on.stage))
		for _, test := range tests {
			want := test.over
			if open {
				want = test.open
			}
			for _, size := range []int{1, 5, 6, 12, 100} {
				ids := e.participants(t, *st, test.filter, size, nil)
				slices.Sort(ids)
				if len(ids) != want || len(slices.Compact(ids)) != want {
					t.Errorf("%s by %d, open %v: %v, want %d", test.filter, size, open, ids, want)
				}
			}
		}
	}
}

// participants lists participants page by page. Between two pages it calls then.
func (e *env) participants(t *testing.T, stage, filter string, size int, then func()) (ids []string) {
	t.Helper()
	token := ""
	for {
		status, answer := e.call(t, "ListParticipants", fmt.Sprintf(
			`{"stageArn":"%s","sessionId":"%s",%s"maxResults":%d,"nextToken":"%s"}`, stage, noSession, filter, size, token))
		if status != http.StatusOK {
			t.Fatal(answer)
		}
		var out struct {
			Participants []struct{ ParticipantID string }
			NextToken    string
		}
		check(t, json.Unmarshal([]byte(answer), &out))
		for _, p := range out.Participants {
			ids = append(ids, p.ParticipantID)
		}
		if token = out.NextToken; token == "" {
			return ids
		}
		if then != nil {
			then()
		}
	}
}

// TestFilterIsExact gives participants user ids that are made to look like places of an index.
func TestFilterIsExact(t *testing.T) {
	t.Parallel()
	e := start(t)
	st := e.create(t, "demo").Arn
	on := e.openSession(t, st, noSession)
	on.join(resource.Participant{ParticipantID: "her", UserID: "alice"})
	on.join(resource.Participant{ParticipantID: "x", UserID: "alice\x00" + region + "\x00" + account + "\x00" + "x"})
	on.join(resource.Participant{ParticipantID: "y", UserID: "alice/"})
	for range 2 {
		for _, size := range []int{1, 10} {
			if ids := e.participants(t, *st, `"filterByUserId":"alice",`, size, nil); !slices.Equal(ids, []string{"her"}) {
				t.Errorf("%v by %d, want her", ids, size)
			}
		}
		if on.isOpen(t) {
			on.end()
		}
	}
}

// TestListWhileSessionEnds checks that a list loses nobody when the session ends in the middle of it.
func TestListWhileSessionEnds(t *testing.T) {
	t.Parallel()
	e := start(t)
	st := e.create(t, "demo").Arn
	on := e.openSession(t, st, noSession)
	const n = 6
	for i := range n {
		on.join(resource.Participant{ParticipantID: fmt.Sprint("p", i)})
	}
	ended := false
	ids := e.participants(t, *st, "", 2, func() {
		if !ended {
			ended = true
			on.end()
		}
	})
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) != n {
		t.Errorf("%v, want %d", ids, n)
	}
}

// TestLongHistory checks that a filter which selects hardly anybody of a large session that has ended takes bounded
// steps, and finds all of them.
func TestLongHistory(t *testing.T) {
	t.Parallel()
	e := start(t)
	st := e.create(t, "demo").Arn
	on := e.openSession(t, st, noSession)
	const n = 600
	for i := range n {
		p := resource.Participant{StageARN: on.stage, SessionID: noSession, ParticipantID: fmt.Sprint("p", i)}
		if i == 0 || i == 550 {
			p.UserID = "her"
		}
		check(t, on.append(p))
	}
	on.end()
	pages := 0
	ids := e.participants(t, *st, `"filterByUserId":"her",`, 100, func() { pages++ })
	if !slices.Equal(ids, []string{"p550", "p0"}) || pages != 1 {
		t.Errorf("%v in %d more pages, want 1", ids, pages)
	}
}
