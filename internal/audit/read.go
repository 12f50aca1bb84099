package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/policy"
	"github.com/rivus-live/rivus/internal/store"
)

const queueName = "audit"

// OpenQueue opens the records, which are kept for a time and in no more than maxBytes.
func OpenQueue(ctx context.Context, s *store.Store, kept time.Duration, maxBytes int64) (*store.Queue[Record], error) {
	q, err := store.OpenBoundedQueue[Record](ctx, s, queueName, kept, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return q, nil
}

// Filter selects records. What is empty selects all. Principal, Action and Resource are patterns with * and ?, and match
// without regard to case; a record has to have one resource that matches.
type Filter struct {
	Since, Until                time.Time
	Principal, Action, Resource string
}

func (f *Filter) admits(r *Record) bool {
	if !f.Since.IsZero() && r.Time.Before(f.Since) || !f.Until.IsZero() && !r.Time.Before(f.Until) {
		return false
	}
	is := func(pattern, text string) bool { return pattern == "" || policy.Like(pattern, text, true) }
	if !is(f.Principal, r.Principal) || !is(f.Action, r.Action) {
		return false
	}
	if f.Resource == "" {
		return true
	}
	for _, a := range r.Resources {
		if is(f.Resource, a) {
			return true
		}
	}
	return false
}

// Read calls fn for every record that a filter admits, in the order in which they were written, until fn fails.
func Read(ctx context.Context, q *store.Queue[Record], f Filter, fn func(*Record) error) error {
	for after := uint64(0); ; {
		item, err := q.NextOfAll(ctx, "", "", lane, after)
		if bad, ok := errors.AsType[*store.UnreadableError](err); ok { // one that is damaged costs itself
			after = bad.Head.Sequence
			continue
		}
		if err != nil || item == nil {
			return err
		}
		after = item.Sequence
		if !f.admits(&item.Value) {
			continue
		}
		if err := fn(&item.Value); err != nil {
			return err
		}
	}
}
