package tagging

import (
	"iter"
	"maps"
	"strings"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/quota"
)

// Overlaid returns tags with others over them, where keys are the same in any case of letters, as those of users, roles,
// policies and sessions are: one that is set anew takes the new spelling. Neither argument is changed.
func Overlaid(tags, over map[string]string) map[string]string {
	if len(over) == 0 {
		return tags
	}
	merged := make(map[string]string, len(tags)+len(over))
	for key, value := range tags {
		if !hasFold(over, key) {
			merged[key] = value
		}
	}
	maps.Copy(merged, over)
	return merged
}

// TaggedFold is Tagged for keys that are the same in any case of letters.
func TaggedFold(tags, more map[string]string) (map[string]string, error) {
	if _, err := Tagged(nil, more); err != nil {
		return nil, err
	}
	merged := Overlaid(tags, more)
	if len(merged) > quota.TagsPerResource {
		return nil, fault.New(fault.Quota, "Cannot exceed quota for TagsPerResource: %d", quota.TagsPerResource)
	}
	return merged, nil
}

// UntaggedFold is Untagged for keys that are the same in any case of letters.
func UntaggedFold(tags map[string]string, keys []string) map[string]string {
	left := maps.Clone(tags)
	maps.DeleteFunc(left, func(key, _ string) bool {
		for _, k := range keys {
			if strings.EqualFold(k, key) {
				return true
			}
		}
		return false
	})
	return left
}

func hasFold(tags map[string]string, key string) bool {
	if _, ok := tags[key]; ok {
		return true
	}
	for k := range tags {
		if strings.EqualFold(k, key) {
			return true
		}
	}
	return false
}

// Collected returns tags that are given one by one, whose keys must differ by more than the case of letters; else it is
// fault.Invalid, as for a reserved key.
func Collected(list iter.Seq2[string, string]) (map[string]string, error) {
	var tags map[string]string
	for key, value := range list {
		if hasFold(tags, key) {
			return nil, fault.New(fault.Invalid, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		tags = Overlaid(tags, map[string]string{key: value})
	}
	if len(tags) == 0 {
		return nil, nil
	}
	return TaggedFold(nil, tags)
}
