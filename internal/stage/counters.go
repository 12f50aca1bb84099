package stage

import "sync/atomic"

// counters are figures of a Manager that only grow. Writers add to them once a burst.
type counters struct {
	received, sent, resent, padded, nacked, dropped  atomic.Uint64 // packets
	panics, turned                                   atomic.Uint64
	feedback, allocations, changes, probes, requests atomic.Uint64
	reapedSessions, reapedParticipants               atomic.Int64
}

// Totals are figures of a Manager since its start.
type Totals struct {
	Received         uint64 // RTP packets taken from publishers, of all layers
	Sent             uint64 // RTP packets handed to subscribers' connections, but for the next two
	Resent           uint64 // in answer to NACKs
	Padded           uint64 // for probes
	Nacked           uint64 // packets that subscribers asked for again, answered or not
	Dropped          uint64 // that a writer was too far behind to take
	Feedback         uint64 // transport-wide feedback messages
	Allocations      uint64 // runs of the allocator
	LayerChanges     uint64 // that it led to
	Probes           uint64 // begun
	KeyframeRequests uint64 // sent to publishers
	Turned           uint64 // refused sockets that were not even told why, because too many were
	Panics           uint64 // each of which ended a socket, a publication or a stage's session on this node
}

// Totals returns the figures.
func (m *Manager) Totals() Totals {
	c := &m.counters
	return Totals{
		Received: c.received.Load(), Sent: c.sent.Load(), Resent: c.resent.Load(), Padded: c.padded.Load(),
		Nacked: c.nacked.Load(), Dropped: c.dropped.Load(), Feedback: c.feedback.Load(),
		Allocations: c.allocations.Load(), LayerChanges: c.changes.Load(), Probes: c.probes.Load(),
		KeyframeRequests: c.requests.Load(), Turned: c.turned.Load(), Panics: c.panics.Load(),
	}
}
