package whipcheck

import (
	"net/http"
	"strings"
	"testing"
)

// print returns a report as text.
func print(tb testing.TB, r *Report) string {
	tb.Helper()
	var b strings.Builder
	if err := r.Print(&b); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// TestGood: servers that keep every rule pass, and nothing is left out that could be checked.
func TestGood(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		play    bool
		change  func(f *fake)
		skipped string // rules that are of no concern, as prefixes
	}{
		{name: "WHIP", change: func(*fake) {}},
		{name: "WHEP", play: true, change: func(*fake) {}},
		{name: "no token", play: true, change: func(f *fake) { f.token = "" }, skipped: "auth. session.auth"},
		{
			name: "no PATCH", play: true, change: func(f *fake) { f.bend = refusePatches(405) },
			skipped: "patch. restart. session.auth media.restart media.survives post.etag delete.gone",
		},
		{
			name: "trickle only", play: true,
			change: func(f *fake) {
				f.early = func(w http.ResponseWriter, r *http.Request) bool {
					if r.Header.Get("If-Match") == "*" {
						w.WriteHeader(http.StatusUnprocessableEntity)
						return true
					}
					return false
				}
			},
			skipped: "restart. media.restart",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(test.play)
			test.change(f)
			r := f.check(t, "")
			if r.Count(Violated)+r.Count(Advised) > 0 {
				t.Fatal(print(t, r))
			}
			always := "https http.redirect http.retry-after post.link post.ice-servers endpoint.preflight-link post.counter-offer patch.unsupported "
			for _, v := range r.Results {
				expected := false
				for _, prefix := range strings.Fields(always + test.skipped) {
					expected = expected || strings.HasPrefix(v.Rule, prefix)
				}
				if v.Verdict == NotApplicable && !expected {
					t.Errorf("%s: %s", v.Rule, v.Detail)
				}
			}
		})
	}
}

// refusePatches returns a bend that answers PATCH with a status.
func refusePatches(status int) func(r *http.Request, x *reply) {
	return func(r *http.Request, x *reply) {
		if r.Method == http.MethodPatch {
			*x = reply{status: status, header: http.Header{"Allow": {"DELETE"}}}
		}
	}
}
