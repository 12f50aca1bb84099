package audit

import (
	"net/netip"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
)

// call is one by a user.
func call(kind awsapi.CallKind, code string) awsapi.Call {
	return awsapi.Call{
		RequestID: "6a7e8feb-b491-4cf7-a9f1-bf3703467718", Proven: true, Service: "ivs", Operation: "DeleteChannel", Status: 204, Code: code, Kind: kind,
		Principal: awsapi.Principal{Account: "111122223333", AccessKeyID: "AKIA1", Kind: awsapi.PrincipalUser, Name: "alice", ID: "AIDA1"},
		Scope:     arn.Scope{Account: "111122223333", Region: "us-west-2"},
		Request:   awsapi.Request{Address: netip.MustParseAddr("192.0.2.7"), UserAgent: "aws-cli"},
		Resources: []string{"arn:aws:ivs:us-west-2:111122223333:channel/abc"},
	}
}

// TestWhatIsKept: which calls leave a record, and which are told.
func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	unproven := call(awsapi.CallChanges, "InvalidSignatureException")
	unproven.Proven = false
	for name, c := range map[string]struct {
		call       awsapi.Call
		data       bool
		kept, told bool
	}{
		"a change":               {call(awsapi.CallChanges, ""), false, true, true},
		"a refused change":       {call(awsapi.CallChanges, "AccessDeniedException"), false, true, true},
		"a refused read":         {call(awsapi.CallReads, "AccessDeniedException"), false, true, true},
		"data":                   {call(awsapi.CallMovesData, ""), false, false, false},
		"data, by flag":          {call(awsapi.CallMovesData, ""), true, true, false},
		"refused data":           {call(awsapi.CallMovesData, "AccessDeniedException"), false, true, false},
		"nobody who is somebody": {unproven, false, true, false},
	} {
		trail := New(Options{DataCalls: c.data})
		trail.Note(c.call)
		if got := len(trail.waiting) == 1; got != c.kept {
			t.Errorf("%s: kept %v", name, got)
		}
		if c.kept && len(trail.waiting) == 1 {
			if e := <-trail.waiting; (e.event != nil) != c.told {
				t.Errorf("%s: told %v", name, e.event != nil)
			}
		}
	}
}

// TestEvent holds the detail of an event as it is on the bus.
func TestEvent(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 5, 21, 55, 38, 987, time.UTC)
	trail := New(Options{Clock: func() time.Time { return at }})
	trail.Note(call(awsapi.CallChanges, "AccessDeniedException"))
	e := (<-trail.waiting).event
	const want = `{"eventVersion":"1.10","userIdentity":{"type":"IAMUser","principalId":"AIDA1","arn":"arn:aws:iam::111122223333:user/alice",` +
		`"accountId":"111122223333","accessKeyId":"AKIA1","userName":"alice"},"eventTime":"2026-05-05T21:55:38Z","eventSource":"ivs.amazonaws.com",` +
		`"eventName":"DeleteChannel","awsRegion":"us-west-2","sourceIPAddress":"192.0.2.7","userAgent":"aws-cli","errorCode":"AccessDenied",` +
		`"requestParameters":null,"responseElements":null,"requestID":"6a7e8feb-b491-4cf7-a9f1-bf3703467718",` +
		`"eventID":"6a7e8feb-b491-4cf7-a9f1-bf3703467718","readOnly":false,"resources":[{"ARN":"arn:aws:ivs:us-west-2:111122223333:channel/abc",` +
		`"accountId":"111122223333"}],"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}`
	if string(e.Detail) != want || e.Type != "AWS API Call via CloudTrail" || e.Source != "aws.ivs" {
		t.Errorf("%s %s %s", e.Type, e.Source, e.Detail)
	}
}

// TestFull: what finds no room is counted, and nobody waits.
func TestFull(t *testing.T) {
	t.Parallel()
	trail := New(Options{})
	for range maxWaiting + 3 {
		trail.Note(call(awsapi.CallChanges, ""))
	}
	if s := trail.Stats(); s.Dropped != 3 {
		t.Errorf("%+v", s)
	}
}
