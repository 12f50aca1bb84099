package bwe

import "time"

// How the estimate moves.
const (
	rateSpan   = 500 * time.Millisecond
	shortSpan  = 250 * time.Millisecond // for a link that has just become narrower
	calm       = time.Second            // after a decrease, before anything may go up
	pause      = 300 * time.Millisecond // between two decreases
	silence    = time.Second            // without feedback, though packets were sent
	backoff    = 0.85                   // of what arrives, when a queue builds up
	gentle     = 0.70                   // of the estimate, at least, when less than modest of it was sent
	modest     = 0.50
	longQueue  = 0.200                  // seconds
	stands     = 400 * time.Millisecond // a queue that does not grow and does not go away
	grace      = 300 * time.Millisecond // for the queue that a probe made
	reordering = 200 * time.Millisecond // by which a packet may be late and not lost
	deaf       = 3 * time.Second        // without any feedback, before a receiver is taken not to know it
	highLoss   = 0.10
	heavyLoss  = 0.25
	lowLoss    = 0.02
	growth     = 0.08        // a second, when the link is being used
	usedShare  = 0.80        // what counts as being used
	growthCap  = 1.15        // of what arrives
	carrying   = 0.60        // of what arrives, at least
	draining   = time.Second // with less than idle of what the link was found to carry, a queue becomes much shorter
	idle       = 0.70
	worse      = 1.25             // of the delay that led to the decrease: it grows though little is sent
	stubborn   = 0.50             // of the delay that led to the decrease: more is none of ours
	memory     = 20 * time.Second // of what the link has carried
)

// Options are an estimator's limits in bits a second; zero values take the defaults.
type Options struct {
	Start int // 3,000,000: audio and lowest layers of a full stage
	Min   int // 30,000
	Max   int // 50,000,000
	Host  *Host
}

// Estimator estimates the capacity of one participant's link, downstream.
type Estimator struct {
	opts      Options
	estimate  float64
	window    window        // by time of feedback
	fates     window        // by time of sending
	newest    time.Duration // when the newest packet with a known fate was sent
	delay     delay
	paths     map[*Path]*minimum // least one-way delay of each, with the clocks' difference
	heard     time.Duration      // newest feedback
	decreased time.Duration
	guilty    float64       // estimate after the newest decrease while much was sent
	blamed    float64       // seconds of queue that led to it
	relieved  time.Duration // since when less is sent
	carried   float64       // highest throughput without congestion, in the last memory
	carriedAt time.Duration
	increased time.Duration
	lag       time.Duration // from sending to feedback
	blind     bool          // no feedback has ever come
	begun     bool
	begin     time.Duration // of the first call of State
	graceEnds time.Duration
	busy      busy
	calmUntil time.Duration
	probe     probe
	flight    *Flight
	sent      window        // by time of feedback
	total     int64         // bytes sent when feedback came last
	span      time.Duration // from sending to feedback of the oldest packet of a message, without the queue
	interval  time.Duration // between the oldest and the newest packet of a message
	suspect   suspicion
	vote      vote
	heldUntil time.Duration // the delay is the server's own
	surged    time.Duration // since when the delay surges; 0: it does not
	seen      time.Duration // when there last was a queue
	before    float64       // the estimate before the decreases of late
	tested    bool          // the estimate was decreased, or a probe has passed: it is no guess any more
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
		opts: o, estimate: float64(o.Start), paths: map[*Path]*minimum{}, blind: true, flight: &Flight{},
		lag: 200 * time.Millisecond, span: 300 * time.Millisecond,
	}
}

// NewPath returns a path of the participant, whose first packet has number 0.
func (e *Estimator) NewPath() *Path {
	p := newPath(e.flight)
	e.paths[p] = &minimum{}
	return p
}

// Flight returns what is on its way over the participant's paths.
func (e *Estimator) Flight() *Flight { return e.flight }

// Feedback takes the results of one feedback message of one path, after their Match.
func (e *Estimator) Feedback(now time.Duration, p *Path, results []Result) {
	if len(results) == 0 {
		return
	}
	least := e.paths[p]
	if least == nil {
		least = &minimum{}
		e.paths[p] = least
	}
	e.heard = now
	total := e.flight.sent
	e.sent.add(now, int(total-e.total), 0, 0)
	e.total = total
	if e.blind {
		e.blind, e.increased, e.decreased = false, now, now-pause
	}
	for i := range results {
		if r := &results[i]; !r.Lost {
			least.add(now, r.Received-r.Sent)
		}
	}
	base := least.value()
	var bytes, arrived int
	var rough roughness
	e.busy.begin()
	queue, newest, oldest := time.Duration(0), time.Duration(0), now
	for i := range results {
		r := &results[i]
		e.probe.result(r, base)
		e.fate(r)
		if r.Lost {
			continue
		}
		bytes += r.Size
		arrived++
		waited := r.Received - base - r.Sent
		queue += waited
		rough.packet(waited)
		e.busy.packet(waited.Seconds()-e.delay.slow, r.Received-base, r.Size)
		newest = max(newest, r.Sent)
		oldest = min(oldest, r.Sent)
	}
	e.window.add(now, bytes, 0, 0)
	if arrived > 0 {
		queue /= time.Duration(arrived)
		e.delay.sample(now, queue.Seconds(), rough.mean(), e.holds(now))
		e.busy.finish()
		e.interval += (min(newest-oldest, time.Second) - e.interval) / 16
		e.span += (min(now-oldest-e.queue(), time.Second) - e.span) / 16
		e.lag += (now - newest - e.lag) / 8
	}
	e.react(now)
}

// unanswered is for how long packets are in flight, at most, when there is no queue. The feedback of several paths comes in
// turns.
func (e *Estimator) unanswered() time.Duration { return e.span - e.missing() }

// missing is how much of the newest arrivals is not known yet, on average.
func (e *Estimator) missing() time.Duration {
	n := time.Duration(max(1, len(e.paths)))
	return e.interval / 2 * (n - 1) / n
}

// fate counts one packet as lost or received.
func (e *Estimator) fate(r *Result) {
	e.newest = max(e.newest, r.Sent)
	switch {
	case r.Lost:
		e.fates.add(r.Sent, 0, 0, 1)
	case r.Late:
		e.fates.add(r.Sent, 0, 1, -1)
	default:
		e.fates.add(r.Sent, 0, 1, 0)
	}
}

// loss returns the share lost lately, of packets old enough not to be merely late.
func (e *Estimator) loss() float64 { return e.fates.loss(e.newest-reordering, rateSpan) }

// react moves the estimate after new feedback.
func (e *Estimator) react(now time.Duration) {
	loss := e.loss()
	e.consult(now)
	e.doubt(now, loss)
	stands := now-e.suspect.since > stands && !e.idles(now)
	switch {
	case e.held(now):
		e.increased = now
	case e.probe.sending(now) && e.delay.high() && e.delay.slope(now) > minSlope:
		e.probe.fail()
		e.graceEnds = now + grace
	case e.surges(now) && !e.idles(now):
		e.decrease(now, backoff*float64(e.arriving(now)))
	case e.delay.overuse(now) && now < e.graceEnds && e.delay.excess() < longQueue:
	case e.delay.overuse(now) && e.idles(now) && e.delay.excess() < worse*e.blamed: // the same queue, or none of ours
	case e.delay.overuse(now) || stands:
		e.decrease(now, backoff*float64(e.arriving(now)))
	case loss > highLoss:
		e.probe.fail()
		limit := e.estimate * (1 - loss/2)
		if loss > heavyLoss {
			limit = min(limit, 1.05*float64(e.window.rate(now, rateSpan)))
		}
		e.decrease(now, limit)
	default:
		e.increase(now, loss)
	}
	e.acquit(now)
}

// consult tells the host of the present delay, and holds the estimate when most others have one as well.
func (e *Estimator) consult(now time.Duration) {
	if e.opts.Host == nil {
		return
	}
	if e.delay.high() || e.overdue(now, silence/2) {
		e.seen = max(1, now)
	}
	e.opts.Host.tell(&e.vote, vote{member: !e.blind, delayed: !e.blind && e.seen > 0 && now-e.seen < lingers})
	if !e.vote.delayed || !e.opts.Host.delays() {
		return
	}
	if e.heldUntil < now && e.loss() <= lowLoss && now-e.decreased < spent {
		e.raise(e.before)
	}
	e.heldUntil = now + holds
}

// held reports whether delay says nothing of the link now. Loss does, whoever is late.
func (e *Estimator) held(now time.Duration) bool { return now < e.heldUntil && e.loss() <= lowLoss }

// surges is delay.surges, which waits for the others to tell whether they have the same delay.
func (e *Estimator) surges(now time.Duration) bool {
	if !e.delay.surges(now) {
		e.surged = 0
		return false
	}
	if e.surged == 0 {
		e.surged = now
	}
	return !e.opts.Host.many() || now-e.surged >= verdict
}

// Close takes the estimator's downlink out of its host.
func (e *Estimator) Close() { e.opts.Host.tell(&e.vote, vote{}) }

// queue is the delay above the usual.
func (e *Estimator) queue() time.Duration {
	return time.Duration(e.delay.excess() * float64(time.Second))
}

// doubt asks whether a delay is a queue of ours.
func (e *Estimator) doubt(now time.Duration, loss float64) {
	lag := e.span + e.queue() + settling
	e.suspect.look(now, lag, e.flight.look())
	switch {
	case !e.delay.high():
		e.suspect.clear(now, e.estimate)
	case e.suspect.unfounded(e.delay.excess()) && now-e.suspect.since > lag && loss == 0:
		e.forgive(now)
	}
}

// forgive takes the present delay for that of the path, and back what it was blamed for.
func (e *Estimator) forgive(now time.Duration) {
	if e.delay.excess() > sameDelay*e.suspect.excess {
		e.raise(e.suspect.estimate)
		e.calmUntil = now
	}
	e.delay.adopt()
}

// holds reports whether video was held back just now, for what is in flight.
func (e *Estimator) holds(now time.Duration) bool {
	return e.flight.shut.Load() > 0 && now-time.Duration(e.flight.shut.Load()) < pause
}

// idles reports whether little is sent since the last decrease.
func (e *Estimator) idles(now time.Duration) bool {
	return !e.holds(now) && float64(e.window.rate(now, rateSpan)) < idle*e.guilty
}

// acquit takes a delay that does not go away when little is sent for that of the path: a queue that we made drains.
func (e *Estimator) acquit(now time.Duration) {
	if !e.delay.high() || !e.idles(now) {
		e.relieved = now
	}
	if now-e.relieved < draining {
		return
	}
	if e.delay.excess() > stubborn*e.blamed {
		e.forgive(now)
	}
	e.relieved = now
}

// arriving is the throughput that a decrease starts from: of a link that became narrower just now, the newer part; of one
// that is mostly idle, what it carried while it had a queue.
func (e *Estimator) arriving(now time.Duration) int {
	return max(e.busy.rate(e.missing()), min(e.window.rate(now, rateSpan), e.window.rate(now, shortSpan)))
}

// decrease lowers the estimate after congestion. When much less is sent than it, what arrives does not tell what the link
// carries.
func (e *Estimator) decrease(now time.Duration, to float64) {
	if float64(e.sent.rate(now, shortSpan)) < modest*e.estimate {
		to = max(to, gentle*e.estimate)
	}
	e.lower(now, to)
}

func (e *Estimator) lower(now time.Duration, to float64) {
	e.calmUntil, e.increased = now+calm, now
	if now-e.decreased < pause {
		return
	}
	if now-e.decreased >= spent || e.before < e.estimate {
		e.before = e.estimate
	}
	e.decreased, e.busy, e.tested = now, busy{}, true
	e.estimate = max(min(e.estimate, to), float64(e.opts.Min))
	if float64(e.window.rate(now, rateSpan)) >= idle*e.estimate {
		e.guilty, e.blamed = e.estimate, e.delay.excess()
	}
}

// increase lets the estimate grow only on what arrives: an application-limited sender proves nothing.
func (e *Estimator) increase(now time.Duration, loss float64) {
	dt := min(now-e.increased, time.Second)
	e.increased = now
	throughput := float64(e.window.rate(now, rateSpan))
	if !e.congested(now) && (throughput >= e.carried || now-e.carriedAt > memory) {
		e.carried, e.carriedAt = throughput, now
	}
	if !e.congested(now) && !e.probe.running() && now-e.window.first > time.Second { // what arrives in peace is carried
		e.raise(carrying * float64(e.window.rate(now, time.Second)))
	}
	if loss > lowLoss || e.congested(now) || e.probe.running() || throughput < usedShare*e.estimate {
		return
	}
	grown := e.estimate * (1 + growth*dt.Seconds())
	e.raise(max(e.estimate, min(grown, growthCap*throughput)))
}

func (e *Estimator) raise(to float64) { e.estimate = min(max(e.estimate, to), float64(e.opts.Max)) }

func (e *Estimator) congested(now time.Duration) bool {
	return now < e.calmUntil || e.delay.high() || e.loss() > highLoss
}

// State returns the estimate as of now. It also ends probes, reacts to missing feedback and limits the flight, so call it
// regularly, under the lock of the paths.
func (e *Estimator) State(now time.Duration) State {
	if !e.begun {
		e.begun, e.begin = true, now
	}
	e.consult(now)
	held, late := e.held(now), e.opts.Host.busy(now)
	if held || late {
		e.probe.cancel()
	}
	e.unheard(now)
	e.limit(now)
	if e.probe.end(now, e.lag) && e.probe.last.Passed && !e.congested(now) {
		e.tested = true
		e.raise(float64(e.probe.last.Rate))
	}
	return State{
		Estimate:   int(e.estimate),
		Throughput: e.window.rate(now, rateSpan),
		Carried:    int(min(e.carried, e.estimate)),
		Loss:       e.loss(),
		Queue:      e.queue(),
		Congested:  e.congested(now),
		Hold:       held,
		Late:       late,
		Guess:      !e.tested,
		Blind:      e.blind && now-e.begin >= deaf,
		Probing:    e.probe.sending(now),
		Probe:      e.probe.last,
	}
}

// unheard halves the estimate when packets go out and no path answers.
func (e *Estimator) unheard(now time.Duration) {
	if e.blind || now-e.decreased < silence || e.held(now) || !e.overdue(now, silence) {
		return
	}
	e.probe.fail()
	e.lower(now, e.estimate/2)
}

// overdue reports whether packets went out and no path has answered for a time.
func (e *Estimator) overdue(now, length time.Duration) bool {
	if now-e.heard < length {
		return false
	}
	for p := range e.paths {
		if since := p.waiting.Load(); since > 0 && now-time.Duration(since) >= length {
			return true
		}
	}
	return false
}

// limit sets how much may be in flight: what the link carries until it is answered, and a little of queue.
func (e *Estimator) limit(now time.Duration) {
	for p := range e.paths {
		p.expire(now - silence)
	}
	if e.blind {
		return
	}
	if e.held(now) { // what is late is still on its way
		e.flight.most.Store(0)
		return
	}
	rate := e.estimate
	if e.probe.sending(now) {
		rate = max(rate, float64(e.probe.now.Rate))
	}
	wait := slack * e.delay.threshold()
	if now < e.calmUntil {
		wait = tight * e.delay.threshold()
	}
	e.flight.most.Store(int64(max(leastFlight, rate/8*(e.unanswered().Seconds()+wait))))
	e.flight.rate.Store(int64(max(pacing*e.estimate, rate) / 8))
}

// Probe says that a probe starts now.
func (e *Estimator) Probe(now time.Duration, p Probe) { e.probe.start(now, p) }

// Remove forgets a path that was closed. What still leaves on it does not count.
func (e *Estimator) Remove(p *Path) {
	p.land(p.next)
	p.flight = &Flight{}
	if delete(e.paths, p); len(e.paths) == 0 {
		e.Close() // until the next path's feedback
	}
}
