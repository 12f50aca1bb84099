package quota

import (
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
)

// Buckets is a set of token buckets, one a key. Each holds one second's worth of tokens and starts full, so that a
// caller may use a second's allowance at once and goes on at the rate after that.
//
// A bucket is kept as the time at which it will be full again (the virtual scheduling form of the leaky bucket, ITU-T
// I.371 annex A). A bucket that is full needs no memory, and every bucket is full after a second of rest. So keys live
// in two generations that change places each second at most: what was not used for a whole generation is forgotten
// without a sweep. Buckets holds at most twice the bound given to NewBuckets; past that the oldest half is forgotten
// early, which lets a flood of fresh keys through rather than letting it refuse everybody else.
type Buckets[K comparable] struct {
	clock func() time.Time
	start time.Time
	bound int

	mu            sync.Mutex
	turned        time.Duration // when the generations last changed places
	recent, older map[K]time.Duration
}

// NewBuckets returns an empty set that remembers at most 2*bound keys. The clock must not run backwards.
func NewBuckets[K comparable](bound int, clock func() time.Time) *Buckets[K] {
	return &Buckets[K]{
		clock: clock, start: clock(), bound: bound,
		recent: make(map[K]time.Duration), older: make(map[K]time.Duration),
	}
}

// Take takes a token from the bucket of key, which gains rate tokens a second, and reports whether there was one. All
// calls for one key should give the same rate; it must be positive.
func (b *Buckets[K]) Take(key K, rate int) bool {
	interval := time.Second / time.Duration(rate)
	now := b.clock().Sub(b.start)
	b.mu.Lock()
	defer b.mu.Unlock()
	full := max(b.fullAt(key), now)
	if full-now > time.Second-interval {
		return false
	}
	if now-b.turned >= time.Second || len(b.recent) >= b.bound {
		b.turned = now
		b.recent, b.older = b.older, b.recent
		clear(b.recent)
	}
	b.recent[key] = full + interval
	return true
}

// fullAt returns when the bucket of key will be full, a time in the past for one that is.
func (b *Buckets[K]) fullAt(key K) time.Duration {
	if at, ok := b.recent[key]; ok {
		return at
	}
	return b.older[key]
}

// callBound is how many callers' operations a Limiter remembers in a generation: a few megabytes at the most.
const callBound = 1 << 14

// Limiter holds the calls of each account in each region to the published rates. It is safe for concurrent use.
type Limiter struct {
	buckets *Buckets[call]
}

type call struct {
	arn.Scope
	operation string
}

// NewLimiter returns a Limiter that goes by the given clock.
func NewLimiter(clock func() time.Time) *Limiter {
	return &Limiter{buckets: NewBuckets[call](callBound, clock)}
}

// Allow reports whether a caller of the scope may make one more call of the operation now. An operation without a
// published rate is always allowed.
func (l *Limiter) Allow(sc arn.Scope, operation string) bool {
	rate := CallRate(operation)
	return rate == 0 || l.buckets.Take(call{sc, operation}, rate)
}
