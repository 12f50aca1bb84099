package stage

import (
	"slices"
	"strings"
)

// order returns simulcast layers from the lowest to the highest. WebRTC does not say which is which, so their names
// must: numbers, words, or the letters of "quarter, half, full" and "low, medium, high". Names that say nothing stay in
// the order of the offer, which browsers fill from the lowest.
func order(rids []string) []string {
	out := slices.Clone(rids)
	full := slices.ContainsFunc(rids, func(r string) bool { f := strings.ToLower(r); return f == "f" || f == "full" })
	rank := func(rid string) int {
		switch strings.ToLower(strings.TrimLeft(rid, "rR")) {
		case "0", "q", "quarter", "l", "lo", "low":
			return 0
		case "1", "m", "mid", "medium", "half":
			return 1
		case "h":
			if full {
				return 1
			}
			return 2
		case "2", "hi", "high", "igh", "f", "full":
			return 2
		}
		return -1
	}
	if slices.ContainsFunc(out, func(r string) bool { return rank(r) < 0 }) {
		return out
	}
	slices.SortStableFunc(out, func(a, b string) int { return rank(a) - rank(b) })
	return out
}
