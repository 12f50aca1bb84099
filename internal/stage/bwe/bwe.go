// Package bwe is sender-side bandwidth estimation and layer allocation: it estimates how much a participant can receive, from
// the transport-wide feedback of all its subscriptions, and divides that among them: audio first, then lowest layers, then
// upgrades that a probe cluster has proved.
//
// Terms are those of Google Congestion Control (draft-ietf-rmcat-gcc-02): the delay gradient (section 5.3, its arrival-time
// filter) feeds the over-use detector (5.4), whose overuse, normal and underuse make the delay-based estimate decrease,
// increase or hold (5.5); the loss-based estimate follows section 6. Both act on one estimate here. The acknowledged bitrate
// is what feedback says has arrived, GCC's incoming bitrate.
//
// A Path is one transport (peer connection) of the participant: it numbers the packets we send and matches feedback to
// them. The Estimator merges the paths, because they share the participant's link. The Allocator turns estimates into
// layers. A caller does, at each feedback and at least every 100 ms:
//
//	results = path.MatchFeedback(results[:0], base, arrivals)
//	estimator.Feedback(now, path, results)
//	plan := allocator.Allocate(now, estimator.State(now), demands)
//	if plan.Probe.Rate > 0 { estimator.Probe(now, plan.Probe) }
//
// and sends padding for as long as State says Probing, so that with the media it makes the probe's rate.
//
// Before a packet of a video leaves, the caller asks the Flight of the Estimator, and holds it back until that is open.
// Audio never waits. The Flight is a congestion window and pacer budget: open for as much as the link
// carries in a round trip, so that on a link which becomes narrow video waits with the sender before the estimate decreases.
//
// The estimators of one server share a Host, which tells delay of the server's own processor from that of links.
//
// Nothing here starts a goroutine, has a lock or a clock; times are durations since an instant of the caller's choosing.
// An Estimator, its Allocator and its Paths belong under one lock of the caller's; the Flight may be asked without it.
// NumberPacket, MatchFeedback and Feedback allocate nothing once a path is known.
//
// Feedback is that of draft-holmer-rmcat-transport-wide-cc-extensions-01. There are two differences from GCC: queueing delay is measured against each path's own minimum, so that the paths can be
// merged, and an application-limited sender gains nothing without a probe.
//
// Imports: nothing of Rivus.
package bwe

import "time"

// MaxLayers is the largest number of layers of a demand.
const MaxLayers = 4

// None is the layer of a video that is not sent.
const None = -1

// Probe is a request for a probe cluster: for Length, media and padding together should leave at Rate bits a second, evenly paced.
type Probe struct {
	ID     uint64
	Rate   int // 0: no probe
	Length time.Duration
}

// ProbeResult is the outcome of a probe cluster.
type ProbeResult struct {
	ID     uint64 // 0: none has ended yet
	Passed bool   // what was sent arrived as fast as it was sent
	Void   bool   // it was cancelled, and measured nothing
	Rate   int    // bits a second that arrived
}

// State is the estimate and the signals it follows from, at one instant.
type State struct {
	Estimate        int           // bits a second: one estimate, which delay-based and loss-based control both act on
	Acknowledged    int           // acknowledged bitrate of the last half second, bits a second
	MaxAcknowledged int           // highest acknowledged bitrate of the last 20 seconds without congestion, up to Estimate
	Loss            float64       // 0 to 1, of the last half second
	Queue           time.Duration // queueing delay above the baseline
	Congested       bool          // overuse, high loss, or the hold after a decrease: no upgrades
	HostDelay       bool          // most downlinks of the server are delayed: the estimate holds, no upgrades
	HostLate        bool          // the server's departures are late: no probes
	Untested        bool          // no decrease and no passed probe has tested the estimate yet
	NoFeedback      bool          // the receiver sends no transport-wide feedback
	Probing         bool          // padding is wanted now
	Probe           ProbeResult   // the last one that ended
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

// Plan is the result of an allocation.
type Plan struct {
	Choices []Choice // one for each video demand, in their order; valid until the next Allocate
	Probe   Probe    // to be started now
}
