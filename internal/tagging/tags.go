package tagging

import (
	"maps"
	"strings"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/quota"
)

// reservedPrefix begins the tag keys that no caller may set, in any case of letters.
const reservedPrefix = "aws:"

// Tagged returns the tags of a resource with more of them added or overwritten, which is fault.Invalid when a key is
// reserved or there are too many. Neither argument is changed.
func Tagged(tags, more map[string]string) (map[string]string, error) {
	for key := range more {
		if len(key) >= len(reservedPrefix) && strings.EqualFold(key[:len(reservedPrefix)], reservedPrefix) {
			return nil, fault.New(fault.Invalid, "tag keys that start with %s are reserved: %s", reservedPrefix, key)
		}
	}
	merged := maps.Clone(tags)
	if merged == nil {
		merged = make(map[string]string, len(more))
	}
	maps.Copy(merged, more)
	if len(merged) > quota.TagsPerResource {
		return nil, fault.New(fault.Invalid, "a resource can have at most %d tags", quota.TagsPerResource)
	}
	return merged, nil
}

// Untagged returns the tags of a resource without those of the given keys. Keys that it does not have are ignored; the
// argument is not changed.
func Untagged(tags map[string]string, keys []string) map[string]string {
	left := maps.Clone(tags)
	for _, key := range keys {
		delete(left, key)
	}
	return left
}

// Shown returns tags or attributes as the APIs show them: always a map.
func Shown(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
