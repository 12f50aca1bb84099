// Package access decides what principals may do: it is the awsapi.Authorizer of a server with IAM.
//
// The policies of a principal are in the records of users, roles, groups and managed policies. They are compiled once and
// kept; what is kept is good while no table of identities has changed (store.Table.Changes), so a change acts before the
// call that makes it is answered, and on other nodes when their index has it. The owner of an account may do everything,
// and nothing is looked up for him.
//
// While the state engine cannot be reached, nobody knows whether a policy was taken away. What was known last holds for
// ten seconds; then only owners are let in.
//
// An Authorizer is safe for concurrent use and starts no goroutine.
//
// Imports: awsapi, fault, policy, records, resource.
package access

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/policy"
	"github.com/rivus-live/rivus/internal/records"
)

// patience is how long policies hold that may have changed.
const patience = 10 * time.Second

// Options of an Authorizer. Records and AsOf are required.
type Options struct {
	Records records.IAM
	AsOf    func() time.Time // when the records were last known to be as the engine has them: store.Store.FactsAsOf
	Clock   func() time.Time // nil: the system's
	Logger  *slog.Logger     // nil: discard
}

// Authorizer decides by the policies of users and roles.
type Authorizer struct {
	opts  Options
	stats counters

	mu        sync.RWMutex
	kept      map[principal]*compiled
	documents map[document]*policy.Document
}

// New returns an Authorizer.
func New(opts Options) *Authorizer {
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Authorizer{opts: opts, kept: make(map[principal]*compiled), documents: make(map[document]*policy.Document)}
}

// Stats are figures since the start.
type Stats struct {
	Allowed, Denied uint64 // decisions, those of owners not counted
	Depends         uint64 // decisions that had to wait for the tags of a resource, and were made anew with them
	Stale           uint64 // of the denied, those for want of an engine
	Compiled        uint64 // sets of policies that had to be put together for a decision
	Reused          uint64 // and those that were there
}

type counters struct {
	allowed, denied, depends, stale, compiled, reused atomic.Uint64
}

// Stats returns the figures.
func (a *Authorizer) Stats() Stats {
	c := &a.stats
	return Stats{
		Allowed: c.allowed.Load(), Denied: c.denied.Load(), Depends: c.depends.Load(), Stale: c.stale.Load(),
		Compiled: c.compiled.Load(), Reused: c.reused.Load(),
	}
}

// count counts a verdict.
func (c *counters) count(v policy.Verdict) {
	switch v {
	case policy.Allowed:
		c.allowed.Add(1)
	case policy.Depends:
		c.depends.Add(1)
	case policy.Denied:
		c.denied.Add(1)
	}
}
