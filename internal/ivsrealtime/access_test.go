package ivsrealtime_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
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

// onResource is the operations on one resource by its type, each with its body.
func onResource() map[string]map[string]string {
	const of = `{"stageArn":"ARN","sessionId":"st-1AbCdEfGhIjKl","participantId":"ABCdefGHI123"}`
	return map[string]map[string]string{
		resource.KindStage: {
			"GetStage": `{"arn":"ARN"}`, "UpdateStage": `{"arn":"ARN","name":"new"}`, "DeleteStage": `{"arn":"ARN"}`,
			"CreateParticipantToken": `{"stageArn":"ARN"}`, "DisconnectParticipant": `{"stageArn":"ARN","participantId":"ABCdefGHI123"}`,
			"GetStageSession": of, "ListStageSessions": of, "GetParticipant": of, "ListParticipants": of, "ListParticipantEvents": of,
			"TagResource": "", "UntagResource": "", "ListTagsForResource": "",
		},
		resource.KindPublicKey:            {"GetPublicKey": `{"arn":"ARN"}`, "DeletePublicKey": `{"arn":"ARN"}`, "TagResource": "", "UntagResource": "", "ListTagsForResource": ""},
		resource.KindStorageConfiguration: {"GetStorageConfiguration": `{"arn":"ARN"}`, "DeleteStorageConfiguration": `{"arn":"ARN"}`, "TagResource": "", "UntagResource": "", "ListTagsForResource": ""},
	}
}

// tagged stores a resource of a type with the tag of a team. revision tells which put of it is stored, 0 when it is gone.
func (e *env) tagged(tb testing.TB, kind, team string) (a arn.ARN, revision func() uint64) {
	tb.Helper()
	sc := arn.Scope{Region: region, Account: account}
	tags := map[string]string{"team": team}
	id := arn.NewID()
	key := store.Key{Scope: sc, ID: id}
	var err error
	switch kind {
	case resource.KindStage:
		a = resource.StageARN(sc, id)
		_, err = e.opts.Records.Stages.Create(tb.Context(), key, resource.Stage{ARN: a, Tags: tags})
		revision = func() uint64 { r, _ := e.opts.Records.Stages.Get(tb.Context(), key); return r.Revision }
	case resource.KindPublicKey:
		a = resource.PublicKeyARN(sc, id)
		_, err = e.opts.Records.PublicKeys.Create(tb.Context(), key, resource.PublicKey{ARN: a, Tags: tags})
		revision = func() uint64 { r, _ := e.opts.Records.PublicKeys.Get(tb.Context(), key); return r.Revision }
	default:
		a = resource.StorageConfigurationARN(sc, id)
		_, err = e.opts.Records.StorageConfigurations.Create(tb.Context(), key, resource.StorageConfiguration{ARN: a, Tags: tags})
		revision = func() uint64 { r, _ := e.opts.Records.StorageConfigurations.Get(tb.Context(), key); return r.Revision }
	}
	check(tb, err)
	return a, revision
}

// TestOperationsAreJudgedByTags: every operation on a resource is judged by the tags of its record, and changes nothing that
// it may not touch; whoever may not touch anything does not learn what is there either.
func TestOperationsAreJudgedByTags(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.judge.own.Store(new(byTeam("video")))
	covered := map[string]bool{ // those that name none
		"CreateStage": true, "ListStages": true, "ImportPublicKey": true, "ListPublicKeys": true, "CreateStorageConfiguration": true,
		"ListStorageConfigurations": true,
	}
	for kind, operations := range onResource() {
		for operation, body := range operations {
			covered[operation] = true
			t.Run(kind+" "+operation, func(t *testing.T) {
				t.Parallel()
				theirs, revision := e.tagged(t, kind, "audio")
				before := revision()
				status, answer := e.operate(operation, body, theirs.String())
				if status != 403 || !strings.Contains(answer, "is not authorized to perform: ivs:"+operation+" on resource: "+theirs.String()) {
					t.Errorf("theirs: %d %s", status, answer)
				}
				if revision() != before {
					t.Error("the record was changed")
				}
				gone := theirs
				gone.ID = "gone"
				if status, answer := e.operate(operation, body, gone.String()); status != 403 || !strings.Contains(answer, "is not authorized to perform") {
					t.Errorf("not there: %d %s", status, answer)
				}
				ours, _ := e.tagged(t, kind, "video")
				if status, answer := e.operate(operation, body, ours.String()); status == 403 || status >= 500 {
					t.Errorf("ours: %d %s", status, answer)
				}
			})
		}
	}
	for _, op := range e.service.Operations() {
		if !covered[op.Name()] {
			t.Errorf("%s is not tried", op.Name())
		}
	}
}

// TestTagsChangeMeanwhile: where a record is read and then changed, a tag that is taken away in between decides about the
// change. Others judge in the change alone.
func TestTagsChangeMeanwhile(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"UpdateStage"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			e := start(t)
			stage, revision := e.tagged(t, resource.KindStage, "video")
			judge := byTeam("video")
			taken := false
			e.judge.own.Store(new(func(a awsapi.Access) error {
				err := judge(a)
				if err != nil || !a.TagsKnown || taken {
					return err
				}
				taken = true
				_, err = e.opts.Records.Stages.Update(t.Context(), store.Key{Scope: stage.Scope, ID: stage.ID}, func(st resource.Stage) (resource.Stage, error) {
					st.Tags = map[string]string{"team": "audio"}
					return st, nil
				})
				return err
			}))
			if status, answer := e.operate(operation, onResource()[resource.KindStage][operation], stage.String()); status != 403 || !taken || revision() == 0 {
				t.Errorf("%d %s", status, answer)
			}
		})
	}
}
