package delivery

import "time"

// downAfter is after how many failures in a row a target counts as away.
const downAfter = 5

// health is what is known of a target from its last attempts. One that failed often in a row is away: then one attempt at a
// time asks whether it is back, less and less often, and when one succeeds, twice as many may go at once with each that does.
type health struct {
	pace     Pace
	failures int // in a row
	limit    int // attempts at once
	quiet    time.Time
}

func newHealth(p Pace) health { return health{pace: p, limit: p.Lanes} }

func (h *health) down() bool { return h.failures >= downAfter }

// asideFirst tells whose turn it is to ask a target that is away: now the front's, now that of those that stepped aside, so that
// these are given up in time.
func (h *health) asideFirst() bool { return h.down() && h.failures%2 == 0 }

// allowed is how many attempts may be under way.
func (h *health) allowed() int { return h.limit }

// notBefore returns when an attempt may be made that is due at a time.
func (h *health) notBefore(due time.Time) time.Time {
	if h.down() && h.quiet.After(due) {
		return h.quiet
	}
	return due
}

// judge takes the result of an attempt. A final failure is an answer too: the target is there.
func (h *health) judge(err error, now time.Time) {
	if err == nil || failureOf(err).Final {
		h.failures = 0
		h.limit = min(2*h.limit, h.pace.Lanes)
		return
	}
	if h.failures++; h.down() {
		h.limit = 1
		h.quiet = now.Add(backoff(h.failures-downAfter, h.pace.Retry, h.pace.ProbeMost))
	}
}

// backoff returns how long to wait before the retry of this number, 0 for the first: twice as long each time.
func backoff(n int, first, most time.Duration) time.Duration {
	d := first
	for range min(n, 40) {
		if d = 2 * d; d >= most {
			return most
		}
	}
	return d
}
