package ivs_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/sigv4"
	"github.com/rivus-live/rivus/internal/store"
)

// byTeam lets callers touch what is tagged with a team, and asks for the tags of everything.
func byTeam(team string) func(a awsapi.Access) error {
	return func(a awsapi.Access) error {
		switch {
		case a.Target.ARN.IsZero() || a.Tags["team"] == team:
			return nil
		case !a.TagsKnown:
			return awsapi.ErrTagsNeeded
		}
		return fault.New(fault.Denied, "because no identity-based policy allows it")
	}
}

// send sends a signed request and returns the answer.
func (e *env) send(method, path, body string) (status int, answer string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	s := sigv4.Signer{AccessKeyID: "AKIDONE", Secret: "secret-one", Region: region, Service: "ivs"}
	s.Sign(r, sigv4.HashBody([]byte(body)), time.Now())
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// tagCalls is how the tag operations are called: method, query and body.
func tagCalls() map[string][3]string {
	return map[string][3]string{
		"TagResource":         {http.MethodPost, "", `{"tags":{"a":"b"}}`},
		"UntagResource":       {http.MethodDelete, "?tagKeys=a", ""},
		"ListTagsForResource": {http.MethodGet, "", ""},
	}
}

// operate calls an operation on a resource, whose ARN takes the place of "ARN" in the body.
func (e *env) operate(operation, body, resource string) (status int, answer string) {
	if c, ok := tagCalls()[operation]; ok {
		return e.send(c[0], "/tags/"+url.PathEscape(resource)+c[1], c[2])
	}
	return e.send(http.MethodPost, "/"+operation, strings.ReplaceAll(body, "ARN", resource))
}

// onChannel and onKey are the operations on one resource, each with its body.
func onChannel() map[string]string {
	return map[string]string{
		"GetChannel": `{"arn":"ARN"}`, "BatchGetChannel": `{"arns":["ARN"]}`, "UpdateChannel": `{"arn":"ARN","name":"new"}`,
		"DeleteChannel": `{"arn":"ARN"}`, "CreateStreamKey": `{"channelArn":"ARN"}`, "ListStreamKeys": `{"channelArn":"ARN"}`,
		"GetStream": `{"channelArn":"ARN"}`, "StopStream": `{"channelArn":"ARN"}`, "PutMetadata": `{"channelArn":"ARN","metadata":"x"}`,
		"StartViewerSessionRevocation":      `{"channelArn":"ARN","viewerId":"x"}`,
		"BatchStartViewerSessionRevocation": `{"viewerSessions":[{"channelArn":"ARN","viewerId":"x"}]}`,
		"TagResource":                       "", "UntagResource": "", "ListTagsForResource": "",
	}
}

func onKey() map[string]string {
	return map[string]string{
		"GetStreamKey": `{"arn":"ARN"}`, "BatchGetStreamKey": `{"arns":["ARN"]}`, "DeleteStreamKey": `{"arn":"ARN"}`,
		"TagResource": "", "UntagResource": "", "ListTagsForResource": "",
	}
}

// tagged stores a channel, which has a stream key, both with the tag of a team.
func (e *env) tagged(tb testing.TB, team string) (channel, key arn.ARN) {
	tb.Helper()
	sc := arn.Scope{Region: region, Account: account}
	channel, key = arn.Channel(sc, arn.NewID()), arn.StreamKey(sc, arn.NewID())
	tags := map[string]string{"team": team}
	_, err := e.channels.Create(tb.Context(), store.Key{Scope: sc, ID: channel.ID}, resource.Channel{
		ARN: channel, Tags: tags, StreamKeys: []resource.StreamKey{{ID: key.ID, Secret: "s", Tags: tags}},
	})
	check(tb, err)
	return channel, key
}

// record returns a channel as it is stored.
func (e *env) record(tb testing.TB, channel arn.ARN) store.Record[resource.Channel] {
	tb.Helper()
	rec, err := e.channels.Get(tb.Context(), store.Key{Scope: channel.Scope, ID: channel.ID})
	check(tb, err)
	return rec
}

// TestOperationsAreJudgedByTags: every operation on a resource is judged by the tags of its record, and changes nothing that
// it may not touch; whoever may not touch anything does not learn what is there either.
func TestOperationsAreJudgedByTags(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.judge.own.Store(new(byTeam("video")))
	covered := map[string]bool{"CreateChannel": true, "ListChannels": true, "ListStreams": true} // name none
	maps.Copy(covered, judgedElsewhere())
	for kind, operations := range map[string]map[string]string{"channel": onChannel(), "stream-key": onKey()} {
		for operation, body := range operations {
			covered[operation] = true
			t.Run(kind+" "+operation, func(t *testing.T) {
				t.Parallel()
				pick := func(team string) (channel, target arn.ARN) {
					channel, key := e.tagged(t, team)
					if kind == "channel" {
						return channel, channel
					}
					return channel, key
				}
				channel, theirs := pick("audio")
				before := e.record(t, channel)
				status, answer := e.operate(operation, body, theirs.String())
				if !strings.Contains(answer, "is not authorized to perform: ivs:"+operation+" on resource: "+theirs.String()) || status != 403 && !strings.HasPrefix(operation, "Batch") {
					t.Errorf("theirs: %d %s", status, answer)
				}
				if after := e.record(t, channel); after.Revision != before.Revision {
					t.Error("the record was changed")
				}
				gone := theirs
				gone.ID = "gone"
				if status, answer := e.operate(operation, body, gone.String()); !strings.Contains(answer, "is not authorized to perform") {
					t.Errorf("not there: %d %s", status, answer)
				}
				_, ours := pick("video")
				if status, answer := e.operate(operation, body, ours.String()); status == 403 || status >= 500 && status != 503 || strings.Contains(answer, "not authorized") {
					t.Errorf("ours: %d %s", status, answer)
				}
			})
		}
	}
	for _, op := range ivs.New(ivs.Options{}).Operations() {
		if !covered[op.Name()] {
			t.Errorf("%s is not tried", op.Name())
		}
	}
}

// TestTagsChangeMeanwhile: where a record is read and then changed, a tag that is taken away in between decides about the
// change. Others judge in the change alone.
func TestTagsChangeMeanwhile(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"UpdateChannel", "DeleteStreamKey"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			e := start(t)
			channel, key := e.tagged(t, "video")
			target, body := channel, onChannel()[operation]
			if operation == "DeleteStreamKey" {
				target, body = key, onKey()[operation]
			}
			judge := byTeam("video")
			taken := false
			e.judge.own.Store(new(func(a awsapi.Access) error {
				err := judge(a)
				if err != nil || !a.TagsKnown || taken {
					return err
				}
				taken = true
				_, err = e.channels.Update(t.Context(), store.Key{Scope: channel.Scope, ID: channel.ID}, func(ch resource.Channel) (resource.Channel, error) {
					ch.Tags = map[string]string{"team": "audio"}
					ch.StreamKeys[0].Tags = ch.Tags
					return ch, nil
				})
				return err
			}))
			if status, answer := e.operate(operation, body, target.String()); status != 403 || !taken {
				t.Errorf("%d %s", status, answer)
			}
			if ch := e.record(t, channel).Value; ch.Name != "" || len(ch.StreamKeys) != 1 || len(ch.Tags) != 1 {
				t.Errorf("%+v", ch)
			}
		})
	}
}
