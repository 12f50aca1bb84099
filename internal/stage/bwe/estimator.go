package bwe

import "time"

// Constants of the rate control (GCC sections 5.5 and 6).
const (
	rateSpan              = 500 * time.Millisecond
	shortSpan             = 250 * time.Millisecond // for a link that has just become narrower
	holdAfterDecrease     = time.Second            // without increase
	decreaseInterval      = 300 * time.Millisecond // between two decreases
	feedbackTimeout       = time.Second            // without feedback, though packets were sent
	decreaseFactor        = 0.85                   // of the acknowledged bitrate, on overuse (beta of GCC section 5.5)
	limitedDecreaseFactor = 0.70                   // of the estimate, at least, when less than limitedSendShare of it was sent
	limitedSendShare      = 0.50
	longQueue             = 0.200                  // seconds
	standingQueueTime     = 400 * time.Millisecond // a queue that does not grow and does not go away
	probeQueueGrace       = 300 * time.Millisecond // for the queue that a probe made
	reordering            = 200 * time.Millisecond // by which a packet may be late and not lost
	noFeedbackTime        = 3 * time.Second        // without any feedback from the start: the receiver does not support it
	highLoss              = 0.10
	heavyLoss             = 0.25
	lowLoss               = 0.02
	increaseRate          = 0.08        // a second, when usedShare of the estimate arrives (eta - 1 of GCC section 5.5)
	usedShare             = 0.80        // what counts as being used
	increaseCap           = 1.15        // of what arrives
	minAcknowledgedShare  = 0.60        // of what arrives, at least
	drainTime             = time.Second // with less than lowSendShare of the decreased estimate, in which a queue becomes much shorter
	lowSendShare          = 0.70
	newOveruseRatio       = 1.25             // of the excess that led to the decrease: new overuse though little is sent
	persistentQueueShare  = 0.50             // of the excess that led to the decrease: more is the path's own delay
	acknowledgedMemory    = 20 * time.Second // of maxAcknowledged
)

// Options are an estimator's limits in bits a second; zero values take the defaults.
type Options struct {
	Start int // 3,000,000: audio and lowest layers of a full stage
	Min   int // 30,000
	Max   int // 50,000,000
	Host  *Host
}

// Estimator is the send-side rate control (GCC sections 5.5 and 6) of one participant's downlink.
type Estimator struct {
	opts              Options
	estimate          float64
	acknowledged      rateWindow    // by time of feedback
	losses            rateWindow    // by time of sending
	newestSent        time.Duration // when the newest packet with a known fate was sent
	detector          overuseDetector
	paths             map[*Path]*windowedMin // least one-way delay of each, with the clocks' difference
	lastFeedback      time.Duration          // newest feedback
	decreased         time.Duration
	decreasedEstimate float64       // estimate after the newest decrease while much was sent
	decreasedExcess   float64       // seconds of queueing delay that led to it
	lowSendSince      time.Duration // since when less is sent
	maxAcknowledged   float64       // highest throughput without congestion, in the last memory
	maxAcknowledgedAt time.Duration
	increased         time.Duration
	feedbackDelay     time.Duration // from sending to feedback
	noFeedback        bool          // no feedback has ever come
	started           bool
	startedAt         time.Duration // of the first call of State
	graceEnds         time.Duration
	queuedRate        queuedRate
	holdUntil         time.Duration
	probe             probeCluster
	flight            *Flight
	sent              rateWindow    // by time of feedback
	sentTotal         int64         // bytes sent when feedback came last
	roundTrip         time.Duration // from sending to feedback of the oldest packet of a message, without the queue
	messageSpan       time.Duration // between the oldest and the newest packet of a message
	pathDelay         pathDelayDetector
	reported          hostReport
	hostDelayUntil    time.Duration // the estimate holds for host delay
	fastOveruseSince  time.Duration // since when there is fast overuse; 0: there is none
	queueSeenAt       time.Duration // when there last was a queue
	estimateBefore    float64       // the estimate before the decreases of late
	tested            bool          // the estimate was decreased, or a probe has passed: it is no longer Options.Start
}

// NewEstimator returns an estimator that begins with Options.Start.
func NewEstimator(o Options) *Estimator {
	if o.Start == 0 {
		o.Start = 3_000_000
	}
	if o.Min == 0 {
		o.Min = 30_000
	}
	if o.Max == 0 {
		o.Max = 50_000_000
	}
	return &Estimator{
		opts: o, estimate: float64(o.Start), paths: map[*Path]*windowedMin{}, noFeedback: true, flight: &Flight{},
		feedbackDelay: 200 * time.Millisecond, roundTrip: 300 * time.Millisecond,
	}
}

// NewPath returns a path of the participant, whose first packet has number 0.
func (e *Estimator) NewPath() *Path {
	p := newPath(e.flight)
	e.paths[p] = &windowedMin{}
	return p
}

// Flight returns what is on its way over the participant's paths.
func (e *Estimator) Flight() *Flight { return e.flight }

// Feedback takes the results of one feedback message of one path, after their MatchFeedback.
func (e *Estimator) Feedback(now time.Duration, p *Path, results []Result) {
	if len(results) == 0 {
		return
	}
	least := e.paths[p]
	if least == nil {
		least = &windowedMin{}
		e.paths[p] = least
	}
	e.lastFeedback = now
	total := e.flight.sent
	e.sent.addCounts(now, int(total-e.sentTotal), 0, 0)
	e.sentTotal = total
	if e.noFeedback {
		e.noFeedback, e.increased, e.decreased = false, now, now-decreaseInterval
	}
	for i := range results {
		if r := &results[i]; !r.Lost {
			least.addDelay(now, r.Received-r.Sent)
		}
	}
	base := least.minDelay()
	var bytes, arrived int
	var rough delayVariation
	e.queuedRate.beginMessage()
	queue, newest, oldest := time.Duration(0), time.Duration(0), now
	for i := range results {
		r := &results[i]
		e.probe.addResult(r, base)
		e.countFate(r)
		if r.Lost {
			continue
		}
		bytes += r.Size
		arrived++
		waited := r.Received - base - r.Sent
		queue += waited
		rough.addDelay(waited)
		e.queuedRate.addPacket(waited.Seconds()-e.detector.baseline, r.Received-base, r.Size)
		newest = max(newest, r.Sent)
		oldest = min(oldest, r.Sent)
	}
	e.acknowledged.addCounts(now, bytes, 0, 0)
	if arrived > 0 {
		queue /= time.Duration(arrived)
		e.detector.addQueueSample(now, queue.Seconds(), rough.meanVariation(), e.holdsVideo(now))
		e.queuedRate.endMessage()
		e.messageSpan += (min(newest-oldest, time.Second) - e.messageSpan) / 16
		e.roundTrip += (min(now-oldest-e.queueDelay(), time.Second) - e.roundTrip) / 16
		e.feedbackDelay += (now - newest - e.feedbackDelay) / 8
	}
	e.updateEstimate(now)
}

// inFlightTime is for how long packets are in flight, at most, when there is no queue. The feedback of several paths comes in
// turns.
func (e *Estimator) inFlightTime() time.Duration { return e.roundTrip - e.unreportedTime() }

// unreportedTime is how much of the newest arrivals no feedback has reported yet, on average.
func (e *Estimator) unreportedTime() time.Duration {
	n := time.Duration(max(1, len(e.paths)))
	return e.messageSpan / 2 * (n - 1) / n
}

// countFate counts one packet as lost or received.
func (e *Estimator) countFate(r *Result) {
	e.newestSent = max(e.newestSent, r.Sent)
	switch {
	case r.Lost:
		e.losses.addCounts(r.Sent, 0, 0, 1)
	case r.Late:
		e.losses.addCounts(r.Sent, 0, 1, -1)
	default:
		e.losses.addCounts(r.Sent, 0, 1, 0)
	}
}

// lossShare returns the share lost lately, of packets old enough not to be merely late.
func (e *Estimator) lossShare() float64 { return e.losses.lossShare(e.newestSent-reordering, rateSpan) }

// updateEstimate decreases, holds or increases the estimate after new feedback (GCC sections 5.5 and 6).
func (e *Estimator) updateEstimate(now time.Duration) {
	loss := e.lossShare()
	e.reportToHost(now)
	e.checkPathDelay(now, loss)
	stands := now-e.pathDelay.since > standingQueueTime && !e.sendsLittle(now)
	switch {
	case e.hostDelayed(now):
		e.increased = now
	case e.probe.sending(now) && e.detector.hasQueue() && e.detector.delayGradient(now) > minGradient:
		e.probe.failCluster()
		e.graceEnds = now + probeQueueGrace
	case e.fastOveruse(now) && !e.sendsLittle(now):
		e.decreaseEstimate(now, decreaseFactor*float64(e.acknowledgedRate(now)))
	case e.detector.overuse(now) && now < e.graceEnds && e.detector.excessDelay() < longQueue:
	case e.detector.overuse(now) && e.sendsLittle(now) && e.detector.excessDelay() < newOveruseRatio*e.decreasedExcess: // the same queue, or the path's own delay
	case e.detector.overuse(now) || stands:
		e.decreaseEstimate(now, decreaseFactor*float64(e.acknowledgedRate(now)))
	case loss > highLoss:
		e.probe.failCluster()
		limit := e.estimate * (1 - loss/2)
		if loss > heavyLoss {
			limit = min(limit, 1.05*float64(e.acknowledged.rate(now, rateSpan)))
		}
		e.decreaseEstimate(now, limit)
	default:
		e.increaseEstimate(now, loss)
	}
	e.checkStandingDelay(now)
}

// reportToHost reports the present delay to the host, and holds the estimate when most downlinks are delayed.
func (e *Estimator) reportToHost(now time.Duration) {
	if e.opts.Host == nil {
		return
	}
	if e.detector.hasQueue() || e.feedbackOverdue(now, feedbackTimeout/2) {
		e.queueSeenAt = max(1, now)
	}
	e.opts.Host.updateReport(&e.reported, hostReport{member: !e.noFeedback, delayed: !e.noFeedback && e.queueSeenAt > 0 && now-e.queueSeenAt < hostReportLife})
	if !e.reported.delayed || !e.opts.Host.mostDelayed() {
		return
	}
	if e.hostDelayUntil < now && e.lossShare() <= lowLoss && now-e.decreased < decreaseMemory {
		e.raiseEstimate(e.estimateBefore)
	}
	e.hostDelayUntil = now + hostHoldTime
}

// hostDelayed reports whether delay is the host's now. Loss counts nevertheless.
func (e *Estimator) hostDelayed(now time.Duration) bool {
	return now < e.hostDelayUntil && e.lossShare() <= lowLoss
}

// fastOveruse is that of the detector, after a wait for the reports of other estimators of the host.
func (e *Estimator) fastOveruse(now time.Duration) bool {
	if !e.detector.fastOveruse(now) {
		e.fastOveruseSince = 0
		return false
	}
	if e.fastOveruseSince == 0 {
		e.fastOveruseSince = now
	}
	return !e.opts.Host.hasEnoughEstimators() || now-e.fastOveruseSince >= hostReportWait
}

// Close takes the estimator's downlink out of its host.
func (e *Estimator) Close() { e.opts.Host.updateReport(&e.reported, hostReport{}) }

// queueDelay is the queueing delay above the baseline.
func (e *Estimator) queueDelay() time.Duration {
	return time.Duration(e.detector.excessDelay() * float64(time.Second))
}

// checkPathDelay adopts a delay that does not follow the bytes in flight as the path's own.
func (e *Estimator) checkPathDelay(now time.Duration, loss float64) {
	lag := e.roundTrip + e.queueDelay() + settleMargin
	e.pathDelay.addInFlight(now, lag, e.flight.takePeak())
	switch {
	case !e.detector.hasQueue():
		e.pathDelay.clearDelay(now, e.estimate)
	case e.pathDelay.isPathDelay(e.detector.excessDelay()) && now-e.pathDelay.since > lag && loss == 0:
		e.adoptPathDelay(now)
	}
}

// adoptPathDelay makes the present delay the baseline, and undoes the decrease that it caused.
func (e *Estimator) adoptPathDelay(now time.Duration) {
	if e.detector.excessDelay() > persistentDelay*e.pathDelay.peakExcess {
		e.raiseEstimate(e.pathDelay.estimateBefore)
		e.holdUntil = now
	}
	e.detector.adoptBaseline()
}

// holdsVideo reports whether the in-flight limit has held video back within decreaseInterval.
func (e *Estimator) holdsVideo(now time.Duration) bool {
	return e.flight.heldAt.Load() > 0 && now-time.Duration(e.flight.heldAt.Load()) < decreaseInterval
}

// sendsLittle reports whether less than lowSendShare of the decreased estimate is acknowledged.
func (e *Estimator) sendsLittle(now time.Duration) bool {
	return !e.holdsVideo(now) && float64(e.acknowledged.rate(now, rateSpan)) < lowSendShare*e.decreasedEstimate
}

// checkStandingDelay adopts a delay that stays while little is sent as the path's own: a queue that we filled drains.
func (e *Estimator) checkStandingDelay(now time.Duration) {
	if !e.detector.hasQueue() || !e.sendsLittle(now) {
		e.lowSendSince = now
	}
	if now-e.lowSendSince < drainTime {
		return
	}
	if e.detector.excessDelay() > persistentQueueShare*e.decreasedExcess {
		e.adoptPathDelay(now)
	}
	e.lowSendSince = now
}

// acknowledgedRate is the acknowledged bitrate that a decrease starts from: of a link that became narrower just now, the newer part; of one
// that is mostly idle, what it carried while it had a queue.
func (e *Estimator) acknowledgedRate(now time.Duration) int {
	return max(e.queuedRate.rate(e.unreportedTime()), min(e.acknowledged.rate(now, rateSpan), e.acknowledged.rate(now, shortSpan)))
}

// decreaseEstimate decreases the estimate after overuse or loss. When much less is sent than it, what arrives does not tell what the link
// carries.
func (e *Estimator) decreaseEstimate(now time.Duration, to float64) {
	if float64(e.sent.rate(now, shortSpan)) < limitedSendShare*e.estimate {
		to = max(to, limitedDecreaseFactor*e.estimate)
	}
	e.lowerEstimate(now, to)
}

// lowerEstimate sets a lower estimate, at most once in decreaseInterval, and holds it for holdAfterDecrease.
func (e *Estimator) lowerEstimate(now time.Duration, to float64) {
	e.holdUntil, e.increased = now+holdAfterDecrease, now
	if now-e.decreased < decreaseInterval {
		return
	}
	if now-e.decreased >= decreaseMemory || e.estimateBefore < e.estimate {
		e.estimateBefore = e.estimate
	}
	e.decreased, e.queuedRate, e.tested = now, queuedRate{}, true
	e.estimate = max(min(e.estimate, to), float64(e.opts.Min))
	if float64(e.acknowledged.rate(now, rateSpan)) >= lowSendShare*e.estimate {
		e.decreasedEstimate, e.decreasedExcess = e.estimate, e.detector.excessDelay()
	}
}

// increaseEstimate increases the estimate on the acknowledged bitrate only: an application-limited sender gains nothing.
func (e *Estimator) increaseEstimate(now time.Duration, loss float64) {
	dt := min(now-e.increased, time.Second)
	e.increased = now
	throughput := float64(e.acknowledged.rate(now, rateSpan))
	if !e.congested(now) && (throughput >= e.maxAcknowledged || now-e.maxAcknowledgedAt > acknowledgedMemory) {
		e.maxAcknowledged, e.maxAcknowledgedAt = throughput, now
	}
	if !e.congested(now) && !e.probe.running() && now-e.acknowledged.firstAt > time.Second { // what arrives without congestion is carried
		e.raiseEstimate(minAcknowledgedShare * float64(e.acknowledged.rate(now, time.Second)))
	}
	if loss > lowLoss || e.congested(now) || e.probe.running() || throughput < usedShare*e.estimate {
		return
	}
	grown := e.estimate * (1 + increaseRate*dt.Seconds())
	e.raiseEstimate(max(e.estimate, min(grown, increaseCap*throughput)))
}

// raiseEstimate sets a higher estimate, up to Options.Max.
func (e *Estimator) raiseEstimate(to float64) {
	e.estimate = min(max(e.estimate, to), float64(e.opts.Max))
}

func (e *Estimator) congested(now time.Duration) bool {
	return now < e.holdUntil || e.detector.hasQueue() || e.lossShare() > highLoss
}

// State returns the estimate as of now. It also ends probes, reacts to missing feedback and limits the flight, so call it
// regularly, under the lock of the paths.
func (e *Estimator) State(now time.Duration) State {
	if !e.started {
		e.started, e.startedAt = true, now
	}
	e.reportToHost(now)
	held, late := e.hostDelayed(now), e.opts.Host.overloaded(now)
	if held || late {
		e.probe.cancelCluster()
	}
	e.checkFeedbackTimeout(now)
	e.limitInFlight(now)
	if e.probe.endCluster(now, e.feedbackDelay) && e.probe.last.Passed && !e.congested(now) {
		e.tested = true
		e.raiseEstimate(float64(e.probe.last.Rate))
	}
	return State{
		Estimate:        int(e.estimate),
		Acknowledged:    e.acknowledged.rate(now, rateSpan),
		MaxAcknowledged: int(min(e.maxAcknowledged, e.estimate)),
		Loss:            e.lossShare(),
		Queue:           e.queueDelay(),
		Congested:       e.congested(now),
		HostDelay:       held,
		HostLate:        late,
		Untested:        !e.tested,
		NoFeedback:      e.noFeedback && now-e.startedAt >= noFeedbackTime,
		Probing:         e.probe.sending(now),
		Probe:           e.probe.last,
	}
}

// checkFeedbackTimeout halves the estimate when packets go out and no path answers.
func (e *Estimator) checkFeedbackTimeout(now time.Duration) {
	if e.noFeedback || now-e.decreased < feedbackTimeout || e.hostDelayed(now) || !e.feedbackOverdue(now, feedbackTimeout) {
		return
	}
	e.probe.failCluster()
	e.lowerEstimate(now, e.estimate/2)
}

// feedbackOverdue reports whether packets went out and no path has answered for a time.
func (e *Estimator) feedbackOverdue(now, length time.Duration) bool {
	if now-e.lastFeedback < length {
		return false
	}
	for p := range e.paths {
		if since := p.unansweredSince.Load(); since > 0 && now-time.Duration(since) >= length {
			return true
		}
	}
	return false
}

// limitInFlight sets the congestion window and pacing rate: estimate times round trip, and an allowance of queue.
func (e *Estimator) limitInFlight(now time.Duration) {
	for p := range e.paths {
		p.expireInFlight(now - feedbackTimeout)
	}
	if e.noFeedback {
		return
	}
	if e.hostDelayed(now) { // what is late is still on its way
		e.flight.limitBytes.Store(0)
		return
	}
	rate := e.estimate
	if e.probe.sending(now) {
		rate = max(rate, float64(e.probe.request.Rate))
	}
	wait := queueAllowance * e.detector.threshold()
	if now < e.holdUntil {
		wait = drainAllowance * e.detector.threshold()
	}
	e.flight.limitBytes.Store(int64(max(minInFlight, rate/8*(e.inFlightTime().Seconds()+wait))))
	e.flight.rate.Store(int64(max(pacingFactor*e.estimate, rate) / 8))
}

// Probe starts a probe cluster now.
func (e *Estimator) Probe(now time.Duration, p Probe) { e.probe.startCluster(now, p) }

// Remove forgets a path that was closed. What still leaves on it does not count.
func (e *Estimator) Remove(p *Path) {
	p.removeInFlight(p.nextSeq)
	p.flight = &Flight{}
	if delete(e.paths, p); len(e.paths) == 0 {
		e.Close() // until the next path's feedback
	}
}
