// Package bwe estimates how much a participant can receive, from the transport-wide feedback of all its subscriptions,
// and divides that among them: audio first, then lowest layers, then upgrades that a probe has proved.
//
// A Path is one transport (peer connection) of the participant: it numbers the packets we send and matches feedback to
// them. The Estimator merges the paths, because they share the participant's link. The Allocator turns estimates into
// layers. A caller does, at each feedback and at least every 100 ms:
//
//	results = path.Match(results[:0], base, arrivals)
//	estimator.Feedback(now, path, results)
//	plan := allocator.Allocate(now, estimator.State(now), demands)
//	if plan.Probe.Rate > 0 { estimator.Probe(now, plan.Probe) }
//
// and sends padding for as long as State says Probing, so that with the media it makes the probe's rate.
//
// Before a packet of a video leaves, the caller asks the Flight of the Estimator, and holds it back until that is open.
// Audio never waits. The Flight is open for as much as the link carries until it is answered, so that a link which
// becomes narrow has video wait with the sender before the estimate has learned of it.
//
// The estimators of one server share a Host, which tells the server's own delay from that of links.
//
// Nothing here starts a goroutine, has a lock or a clock; times are durations since an instant of the caller's choosing.
// An Estimator, its Allocator and its Paths belong under one lock of the caller's; the Flight may be asked without it.
// Number, Match and Feedback allocate nothing once a path is known.
//
// The rules follow the published drafts draft-ietf-rmcat-gcc and draft-holmer-rmcat-transport-wide-cc-extensions in
// idea, with two differences: queueing delay is measured against each path's own minimum, so that the paths can be
// merged, and an application-limited sender gains nothing without a probe.
//
// Imports: standard library only.
package bwe

import "time"

// MaxLayers is the largest number of layers of a demand.
const MaxLayers = 4

// None is the layer of a video that is not sent.
const None = -1

// Probe asks for padding: for Length, media and padding together should leave at Rate bits a second, evenly paced.
type Probe struct {
	ID     uint64
	Rate   int // 0: no probe
	Length time.Duration
}

// ProbeResult is the end of a probe.
type ProbeResult struct {
	ID     uint64 // 0: none has ended yet
	Passed bool   // what was sent arrived as fast as it was sent
	Void   bool   // it was called off, and tells nothing
	Rate   int    // bits a second that arrived
}

// State is what the estimator knows.
type State struct {
	Estimate   int           // bits a second that the link is taken to carry
	Throughput int           // bits a second that arrived in the last half second
	Carried    int           // the most that arrived in the last 20 seconds without congestion, up to Estimate
	Loss       float64       // 0 to 1, of the last half second
	Queue      time.Duration // delay above the usual
	Congested  bool          // delay is building up or loss is high, or it was so just now: no upgrades
	Hold       bool          // the delay is the server's own: nothing is taken away for it, and no upgrades
	Late       bool          // the server sends late: no probes
	Guess      bool          // nothing has tested the estimate yet
	Blind      bool          // no feedback ever comes: the receiver does not know how
	Probing    bool          // padding is wanted now
	Probe      ProbeResult   // the last one that ended
}

// Demand is one subscribed track as the allocator sees it.
type Demand struct {
	ID       uint64
	Audio    bool           // Rates[0] is its rate; never refused
	Rates    [MaxLayers]int // bits a second that each layer takes on the wire now, lowest first; 0: the layer is off
	Limit    int            // highest layer wanted; None: paused by the subscriber
	Pinned   bool           // an upgrade goes straight to Limit; lower layers are for a link that does not carry it
	Priority int            // higher goes first; equals go in the order given
}

// Choice is the layer to send of one video.
type Choice struct {
	ID    uint64
	Layer int // or None
}

// Plan is what an allocation decides.
type Plan struct {
	Choices []Choice // one for each video demand, in their order; valid until the next Allocate
	Probe   Probe    // to be started now
}
