package awsapi

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/apigen"
	"github.com/rivus-live/rivus/internal/fault"
)

// TestContracts holds the generated table of errors against the models.
func TestContracts(t *testing.T) {
	t.Parallel()
	models, err := apigen.Load("../../api")
	if err != nil || len(models) != len(contracts()) {
		t.Fatal(len(models), err)
	}
	for _, m := range models {
		c := contracts()[m.Service]
		for name, e := range m.Errors {
			if got := c.statuses[cmp.Or(e.Code, name)]; got != e.Status {
				t.Errorf("%s %s: %d, the model has %d", m.Service, name, got, e.Status)
			}
		}
		if (c.protocol == protocolQuery) != (c.namespace != "" && c.version != "") || (c.protocol == protocolJSON) != (c.target != "") {
			t.Errorf("%s: %+v", m.Service, c)
		}
	}
}

// alwaysAnswered are the errors of a service that its operations may answer without declaring them.
func alwaysAnswered(service string) []wireError {
	common := []wireError{
		{"Throttling", 400}, {"ExpiredToken", 403}, {"NotImplemented", 400}, {"InternalFailure", 500},
	}
	switch service {
	case "iam", "sts":
		return append(common, wireError{"ValidationError", 400}, wireError{"AccessDenied", 403}, wireError{"NoSuchEntity", 404})
	case "sns":
		return append(common, wireError{"InvalidParameter", 400}, wireError{"AuthorizationError", 403})
	case "events": // every error of a client is 400 (spec errata.md A1)
		return []wireError{
			{"ValidationException", 400},
			{"AccessDeniedException", 400},
			{"ThrottlingException", 400},
			{"ExpiredTokenException", 400},
			{"NotImplementedException", 400},
			{"ResourceNotFoundException", 400},
			{"InternalException", 500},
		}
	}
	return []wireError{accessDenied, throttling, internalServer, notImplemented, expiredToken}
}

// TestKindsOnTheWire holds the table of kinds against the models: for every operation and kind the error is declared,
// or is one that any operation may answer, and has the status of the model.
func TestKindsOnTheWire(t *testing.T) {
	t.Parallel()
	rt := newRouter()
	used := map[string]bool{}
	for id, e := range rt.byID {
		for k := fault.Internal; k <= fault.Expired; k++ {
			w := e.format().name(failure{kind: k, wireError: e.declared(k)})
			if !slices.Contains(e.errors, w.code) && !slices.Contains(alwaysAnswered(id.Service), w) {
				t.Errorf("%s %s: %v answers %v, which is not declared", id.Service, id.Name, k, w)
			}
			if want := e.statuses[w.code]; want != 0 && want != w.status && w != (wireError{"InternalException", 500}) {
				t.Errorf("%s %s: status %d, the model has %d", id.Service, w.code, w.status, want)
			}
			used[w.code] = true
		}
	}
	for _, service := range []string{"ivs", "ivs-realtime", "ivschat"} {
		for code := range contracts()[service].statuses {
			if !used[code] && code != "PendingVerification" { // accounts need no verification here
				t.Errorf("no kind becomes %s", code)
			}
		}
	}
	for _, code := range []string{ // that Terraform and the SDKs look for
		"NoSuchEntity", "EntityAlreadyExists", "DeleteConflict", "LimitExceeded", "MalformedPolicyDocument", "NotFound", "AuthorizationError",
		"InvalidEventPatternException", "LimitExceededException", "ResourceAlreadyExistsException", "ConcurrentModificationException",
		"TopicLimitExceeded", "SubscriptionLimitExceeded", "ExpiredToken", "ExpiredTokenException",
	} {
		if !used[code] {
			t.Errorf("no kind becomes %s", code)
		}
	}
}

// TestRoutes holds what the pipeline takes for granted of the routes.
func TestRoutes(t *testing.T) {
	t.Parallel()
	rt := newRouter()
	if len(rt.byID) != 217 || len(rt.posts) != 88 || len(rt.tags) != 9 || len(rt.queries) != 3+74+16 || len(rt.targets) != 27 {
		t.Errorf("%d operations, %d POST paths, %d tag routes, %d actions, %d targets",
			len(rt.byID), len(rt.posts), len(rt.tags), len(rt.queries), len(rt.targets))
	}
	for _, e := range rt.byID {
		if e.protocol != protocolREST {
			if e.method != "POST" || e.path != "/" || e.status != 200 {
				t.Errorf("%+v", e.route)
			}
			continue
		}
		if rt.tags[tagKey{e.service, e.method}] == nil && (e.method != "POST" || e.path != "/"+e.name) {
			t.Errorf("%+v", e.route)
		}
		if !slices.Contains(e.errors, "ValidationException") {
			t.Errorf("%s does not declare the error that others fall back to", e.name)
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
