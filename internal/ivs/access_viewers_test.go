package ivs_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// onViewers are the operations on one of the resources that decide who may watch, each with its body, by the type.
func onViewers() map[string]map[string]string {
	return map[string]map[string]string{
		resource.KindPlaybackKey: {
			"GetPlaybackKeyPair": `{"arn":"ARN"}`, "DeletePlaybackKeyPair": `{"arn":"ARN"}`, "TagResource": "", "UntagResource": "", "ListTagsForResource": "",
		},
		resource.KindPlaybackRestrictionPolicy: {
			"GetPlaybackRestrictionPolicy": `{"arn":"ARN"}`, "UpdatePlaybackRestrictionPolicy": `{"arn":"ARN","name":"new"}`,
			"DeletePlaybackRestrictionPolicy": `{"arn":"ARN"}`, "TagResource": "", "UntagResource": "", "ListTagsForResource": "",
		},
	}
}

// judgedElsewhere are the operations that TestOperationsAreJudgedByTags leaves to TestViewersAreJudgedByTags, and those that name
// no resource.
func judgedElsewhere() map[string]bool {
	all := map[string]bool{
		"ImportPlaybackKeyPair": true, "ListPlaybackKeyPairs": true, "CreatePlaybackRestrictionPolicy": true, "ListPlaybackRestrictionPolicies": true,
	}
	for _, operations := range onViewers() {
		for operation := range operations {
			all[operation] = true
		}
	}
	return all
}

// taggedViewers stores a key pair or a policy with the tag of a team, and returns how to read its revision, 0 when it is gone.
func (e *env) taggedViewers(tb testing.TB, kind, team string) (a arn.ARN, revision func() uint64) {
	tb.Helper()
	sc, id := arn.Scope{Region: region, Account: account}, arn.NewID()
	key, tags := store.Key{Scope: sc, ID: id}, map[string]string{"team": team}
	if kind == resource.KindPlaybackKey {
		a = resource.PlaybackKeyARN(sc, id)
		_, err := e.viewers.PlaybackKeys.Create(tb.Context(), key, resource.PlaybackKeyPair{ARN: a, Fingerprint: id, Tags: tags})
		check(tb, err)
		return a, func() uint64 {
			r, _ := e.viewers.PlaybackKeys.Get(tb.Context(), key)
			return r.Revision
		}
	}
	a = resource.PlaybackRestrictionPolicyARN(sc, id)
	_, err := e.viewers.Policies.Create(tb.Context(), key, resource.PlaybackRestrictionPolicy{ARN: a, Tags: tags})
	check(tb, err)
	return a, func() uint64 {
		r, _ := e.viewers.Policies.Get(tb.Context(), key)
		return r.Revision
	}
}

// TestViewersAreJudgedByTags is TestOperationsAreJudgedByTags for what decides who may watch.
func TestViewersAreJudgedByTags(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.judge.own.Store(new(byTeam("video")))
	for kind, operations := range onViewers() {
		for operation, body := range operations {
			t.Run(kind+" "+operation, func(t *testing.T) {
				t.Parallel()
				theirs, revision := e.taggedViewers(t, kind, "audio")
				before := revision()
				status, answer := e.operate(operation, body, theirs.String())
				if status != http.StatusForbidden || !strings.Contains(answer, "is not authorized to perform: ivs:"+operation+" on resource: "+theirs.String()) {
					t.Errorf("theirs: %d %s", status, answer)
				}
				if revision() != before {
					t.Error("the record was changed")
				}
				gone := theirs
				gone.ID = "gone"
				if status, answer := e.operate(operation, body, gone.String()); !strings.Contains(answer, "is not authorized to perform") {
					t.Errorf("not there: %d %s", status, answer)
				}
				ours, _ := e.taggedViewers(t, kind, "video")
				if status, answer := e.operate(operation, body, ours.String()); status >= 300 {
					t.Errorf("ours: %d %s", status, answer)
				}
			})
		}
	}
}
