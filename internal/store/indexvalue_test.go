package store

import (
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/arn"
)

// FuzzIndexValue: whatever values two records have, a page of one value has the records that have it, one after the other, and
// none that only looks like it.
func FuzzIndexValue(f *testing.F) {
	f.Add("alice", "alice\x00us-west-2\x00111122223333\x00x", "her", "x")
	f.Add("a\x00b", "a\x010b", "1", "2")
	f.Add("", "\x00", "", "\x01")
	f.Add("same", "same", "b", "a")
	f.Fuzz(func(t *testing.T, one, other, oneID, otherID string) {
		if oneID == otherID || strings.Contains(oneID+otherID, "\x00") || oneID == "" || otherID == "" {
			t.Skip()
		}
		scope := arn.Scope{Region: "us-west-2", Account: "111122223333"}
		x := newIndex(Definition[string]{Name: "x", Indexes: []Index[string]{{Name: "v", Values: func(s string) []string { return []string{s} }}}})
		for id, value := range map[string]string{oneID: one, otherID: other} {
			x.replace(nil, &entry[string]{Record: Record[string]{Key: Key{Scope: scope, ID: id}, Value: value}})
		}
		want := map[string]bool{oneID: true}
		if other == one {
			want[otherID] = true
		}
		got, after := map[string]bool{}, ""
		for {
			p := x.page(0, Query{Scope: scope, Index: "v", Value: one, After: after}, 1)
			for _, r := range p.Records {
				got[r.Key.ID] = true
				after = r.Key.ID
			}
			if !p.More {
				break
			}
		}
		if len(got) != len(want) || !got[oneID] || want[otherID] != got[otherID] {
			t.Errorf("%q beside %q: %v, want %v", one, other, got, want)
		}
	})
}
