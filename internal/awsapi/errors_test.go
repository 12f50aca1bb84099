package awsapi

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/fault"
)

// modelStatuses returns the status of each error that the models declare, and checks that they agree.
func modelStatuses(t *testing.T) map[string]int {
	t.Helper()
	files, err := filepath.Glob("../../api/model/*.json")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	statuses := map[string]int{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var model struct {
			Errors map[string]struct{ Status int }
		}
		if err := json.Unmarshal(text, &model); err != nil {
			t.Fatal(err)
		}
		for code, e := range model.Errors {
			if old := statuses[code]; old != 0 && old != e.Status {
				t.Errorf("%s is %d and %d", code, old, e.Status)
			}
			statuses[code] = e.Status
		}
	}
	return statuses
}

// TestKindsOnTheWire holds the table of kinds against the models: for every operation and kind the error is declared,
// or is one that any operation may answer, and has the status of the model.
func TestKindsOnTheWire(t *testing.T) {
	t.Parallel()
	statuses := modelStatuses(t)
	always := []wireError{accessDenied, throttling, internalServer, notImplemented}
	used := map[string]bool{}
	for _, r := range routes() {
		for k := fault.Internal; k <= fault.NotBuilt; k++ {
			w := r.wire(k)
			if !slices.Contains(r.errors, w.code) && !slices.Contains(always, w) {
				t.Errorf("%s %s: %v answers %s, which is not declared", r.service, r.name, k, w.code)
			}
			if want := statuses[w.code]; want != w.status && w != notImplemented {
				t.Errorf("%s: status %d, the model has %d", w.code, w.status, want)
			}
			used[w.code] = true
		}
	}
	for code := range statuses {
		if !used[code] && code != "PendingVerification" { // accounts need no verification here
			t.Errorf("no kind becomes %s", code)
		}
	}
}

// TestRoutes holds what the pipeline takes for granted of the 97 routes.
func TestRoutes(t *testing.T) {
	t.Parallel()
	all := routes()
	if len(all) != 97 {
		t.Errorf("%d routes", len(all))
	}
	rt := newRouter()
	if len(rt.byID) != 97 || len(rt.posts) != 88 || len(rt.tags) != 9 {
		t.Errorf("%d operations, %d POST paths, %d tag routes", len(rt.byID), len(rt.posts), len(rt.tags))
	}
	for _, r := range all {
		if rt.tags[tagKey{r.service, r.method}] == nil && (r.method != "POST" || r.path != "/"+r.name) {
			t.Errorf("%+v", r)
		}
		if !slices.Contains(r.errors, "ValidationException") {
			t.Errorf("%s does not declare the error that others fall back to", r.name)
		}
	}
}

func TestTagOwner(t *testing.T) {
	t.Parallel()
	rt := newRouter()
	for service, types := range map[string][]string{
		"ivs": {
			"ivs:channel", "ivs:stream-key", "ivs:playback-key", "ivs:playback-restriction-policy",
			"ivs:recording-configuration", "ivs:ad-configuration", "ivs:no-such-type",
		},
		"ivs-realtime": {
			"ivs:stage", "ivs:composition", "ivs:encoder-configuration", "ivs:storage-configuration", "ivs:public-key", "ivs:ingest-configuration",
		},
		"ivschat": {"ivschat:room", "ivschat:logging-configuration"},
	} {
		for _, name := range types {
			prefix, kind, _ := strings.Cut(name, ":")
			if got := rt.owner("arn:aws:" + prefix + ":us-west-2:111122223333:" + kind + "/abc"); got != service {
				t.Errorf("%s belongs to %s, want %s", name, got, service)
			}
		}
	}
}
