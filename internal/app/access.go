package app

import "github.com/rivus-live/rivus/internal/access"

// newAccess makes who decides what principals may do.
func (s *server) newAccess() *access.Authorizer {
	return access.New(access.Options{Records: s.records.IAM, AsOf: s.store.FactsAsOf, Logger: s.log})
}

// collectAccess sends what policies were asked and what they said.
func (p partFigures) collectAccess(out figures) {
	const decisions = "rivus_access_decisions_total"
	help := "Decisions about users and roles; \"depends\" are those that waited for the tags of a resource, and were made again."
	a := p.access.Stats()
	out.counter(decisions, help, int64(a.Allowed), "result", "allowed")
	out.counter(decisions, help, int64(a.Denied), "result", "denied")
	out.counter(decisions, help, int64(a.Depends), "result", "depends")
	out.counter("rivus_access_stale_total", "Decisions that were refused because the state engine had not answered for ten seconds.", int64(a.Stale))
	out.counter("rivus_access_policies_compiled_total", "Times that the policies of a principal were put together anew.", int64(a.Compiled))
}
