package tagging_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/tagging"
)

func TestTagged(t *testing.T) {
	t.Parallel()
	many := func(from, n int) map[string]string {
		tags := make(map[string]string, n)
		for i := range n {
			tags[fmt.Sprintf("k%d", from+i)] = "v"
		}
		return tags
	}
	tests := []struct {
		name       string
		tags, more map[string]string
		want       int // tags afterwards, -1 when it is refused
	}{
		{"none", nil, nil, 0},
		{"first", nil, many(0, 2), 2},
		{"to the limit", many(0, 30), many(30, 20), 50},
		{"past the limit", many(0, 30), many(30, 21), -1},
		{"overwriting at the limit", many(0, 50), many(10, 20), 50},
		{"reserved", nil, map[string]string{"aws:owner": "x"}, -1},
		{"reserved in any case", nil, map[string]string{"AwS:": "x"}, -1},
		{"not reserved", nil, map[string]string{"aws": "", "awsome:x": "", "x:aws:": ""}, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			before := len(test.tags)
			got, err := tagging.Tagged(test.tags, test.more)
			switch {
			case test.want < 0 && !fault.Is(err, fault.Invalid):
				t.Errorf("error %v, want one of the kind %v", err, fault.Invalid)
			case test.want >= 0 && (err != nil || len(got) != test.want):
				t.Errorf("%d tags and error %v, want %d tags", len(got), err, test.want)
			case len(test.tags) != before:
				t.Error("the old tags were changed")
			}
		})
	}
}

func TestUntagged(t *testing.T) {
	t.Parallel()
	old := map[string]string{"a": "1", "b": "2"}
	if got := tagging.Untagged(old, []string{"b", "c"}); !maps.Equal(got, map[string]string{"a": "1"}) || len(old) != 2 {
		t.Errorf("%v of %v", got, old)
	}
	if got := tagging.Untagged(nil, []string{"b"}); len(got) != 0 {
		t.Errorf("%v of nothing", got)
	}
}
