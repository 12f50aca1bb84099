package eventbridge

import (
	"maps"
	"slices"
)

// given returns a member that is left out when it is empty.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func tagsOf(tags []Tag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}

func wireTags(tags map[string]string) []Tag {
	out := make([]Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, Tag{Key: k, Value: tags[k]})
	}
	return out
}
