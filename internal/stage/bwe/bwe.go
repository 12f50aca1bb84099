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
//	if plan.Probe.Rate > 0 { estimator.Probe(now, plan.Probe); send padding until the probe's end }
//
// Nothing here has a goroutine, a lock or a clock; times are durations since an instant of the caller's choosing. A Path
// and its Estimator belong to one goroutine at a time. Path.Sent, Match and Feedback allocate nothing once warm.
//
// The rules follow the published drafts draft-ietf-rmcat-gcc and draft-holmer-rmcat-transport-wide-cc-extensions in
// idea, with two differences: queueing delay is measured against each path's own minimum so that the paths can be
// merged, and an application-limited sender gains nothing without a probe.
//
// Imports: standard library only.
package bwe

import "time"

// Result is the fate of one packet we sent.
type Result struct {
	Seq      uint16
	Size     int           // bytes on the wire
	Sent     time.Duration // our clock
	Received time.Duration // the receiver's clock, any origin; meaningless when Lost
	Lost     bool
}

// Path is one transport of the participant.
type Path struct{ next uint16 }

// NewPath returns a path whose first packet has number 0.
func NewPath() *Path { return &Path{} }

// Sent notes that a packet of size bytes leaves now and returns its transport-wide sequence number.
func (p *Path) Sent(now time.Duration, size int) uint16 { return 0 }

// Arrival is one packet status of a transport-wide feedback message.
type Arrival struct {
	Received bool
	At       time.Duration // the receiver's clock
}

// Match turns one feedback message, whose first status is for sequence number base, into results appended to dst.
// Packets unknown, too old or already known to have arrived are left out.
func (p *Path) Match(dst []Result, base uint16, arrivals []Arrival) []Result { return dst }

// Options are an estimator's limits in bits a second; zero values take the defaults.
type Options struct {
	Start int // 300,000
	Min   int // 30,000
	Max   int // 50,000,000
}

// Estimator estimates the capacity of one participant's link, downstream.
type Estimator struct{ opts Options }

// NewEstimator returns an estimator that begins with Options.Start.
func NewEstimator(o Options) *Estimator { return &Estimator{opts: o} }

// Feedback takes the results of one feedback message of one path.
func (e *Estimator) Feedback(now time.Duration, p *Path, results []Result) {}

// State returns the estimate as of now. It also ends probes and reacts to missing feedback, so call it regularly.
func (e *Estimator) State(now time.Duration) State { return State{} }

// Probe says that a probe starts now.
func (e *Estimator) Probe(now time.Duration, p Probe) {}

// Remove forgets a path that was closed.
func (e *Estimator) Remove(p *Path) {}

// Probe asks for padding: for Length, media and padding together should leave at Rate bits a second, evenly paced.
type Probe struct {
	ID     uint64
	Rate   int // 0: no probe
	Length time.Duration
}

// ProbeResult is the end of a probe.
type ProbeResult struct {
	ID     uint64 // 0: none has ended yet
	Passed bool
	Rate   int // bits a second that arrived
}

// State is what the estimator knows.
type State struct {
	Estimate   int           // bits a second that the link carries, with evidence
	Throughput int           // bits a second that arrived in the last half second
	Loss       float64       // 0 to 1, of the last second
	Queue      time.Duration // delay above the path's minimum
	Congested  bool          // delay is building up or loss is high: no upgrades now
	Probing    bool
	Probe      ProbeResult // the last one that ended
}

// MaxLayers is the largest number of layers of a demand.
const MaxLayers = 3

// None is the layer of a video that is not sent.
const None = -1

// Demand is one subscribed track as the allocator sees it.
type Demand struct {
	ID       uint64
	Audio    bool           // Rates[0] is its rate; never refused
	Rates    [MaxLayers]int // bits a second that each layer sends now, lowest first; 0: the layer is off
	Limit    int            // highest layer wanted; None: paused by the subscriber
	Pinned   bool           // only layer Limit is wanted, or nothing
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

// Allocator divides an estimate. It remembers its choices.
type Allocator struct{}

// NewAllocator returns an empty allocator.
func NewAllocator() *Allocator { return &Allocator{} }

// Allocate decides the layers of all videos for the given state.
func (a *Allocator) Allocate(now time.Duration, s State, demands []Demand) Plan { return Plan{} }
