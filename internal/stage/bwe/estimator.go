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
	drainBelow = 0.70                   // the same for a long queue, so that it drains
	longQueue  = 0.200                  // seconds; longer than a probe makes one
	grace      = 700 * time.Millisecond // for the queue that a probe made
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
	return &Estimator{opts: o, estimate: float64(o.Start), paths: map[*Path]*minimum{}, blind: true, lag: 200 * time.Millisecond}
}

// Feedback takes the results of one feedback message of one path.
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
	var queue, newest time.Duration
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
	}
	e.window.add(now, bytes, 0, 0)
	if arrived > 0 {
		queue /= time.Duration(arrived)
		e.delay.sample(now, queue.Seconds(), rough.mean())
		e.busy.finish()
		e.lag += (now - newest - e.lag) / 8
	}
	e.react(now)
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
	switch {
	case e.delay.overuse(now) && e.probe.running():
		e.probe.fail()
		e.graceEnds = now + grace
	case e.delay.overuse(now) && now < e.graceEnds && e.delay.excess() < longQueue:
	case e.delay.overuse(now) && e.idles(now) && e.delay.excess() < worse*e.blamed: // the same queue, or none of ours
	case e.delay.overuse(now):
		factor := backoff
		if e.delay.excess() > longQueue {
			factor = drainBelow
		}
		e.decrease(now, factor*float64(e.arriving(now)))
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

// idles reports whether little is sent since the last decrease.
func (e *Estimator) idles(now time.Duration) bool {
	return float64(e.window.rate(now, rateSpan)) < idle*e.guilty
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
		e.delay.adopt()
	}
	e.relieved = now
}

// arriving is the throughput that a decrease starts from: of a link that became narrower just now, the newer part; of one
// that is mostly idle, what it carried while it had a queue.
func (e *Estimator) arriving(now time.Duration) int {
	return max(e.busy.rate(), min(e.window.rate(now, rateSpan), e.window.rate(now, shortSpan)))
}

func (e *Estimator) decrease(now time.Duration, to float64) {
	e.calmUntil, e.increased = now+calm, now
	if now-e.decreased < pause {
		return
	}
	e.decreased = now
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

// State returns the estimate as of now. It also ends probes and reacts to missing feedback, so call it regularly.
func (e *Estimator) State(now time.Duration) State {
	if !e.begun {
		e.begun, e.begin = true, now
	}
	e.unheard(now)
	if e.probe.end(now, e.lag) && e.probe.last.Passed && !e.congested(now) {
		e.raise(float64(e.probe.last.Rate))
	}
	return State{
		Estimate:   int(e.estimate),
		Throughput: e.window.rate(now, rateSpan),
		Carried:    int(min(e.carried, e.estimate)),
		Loss:       e.loss(),
		Queue:      time.Duration(e.delay.excess() * float64(time.Second)),
		Congested:  e.congested(now),
		Blind:      e.blind && now-e.begin >= deaf,
		Probing:    e.probe.sending(now),
		Probe:      e.probe.last,
	}
}

// unheard halves the estimate when packets go out and no path answers.
func (e *Estimator) unheard(now time.Duration) {
	if e.blind || now-e.heard < silence || now-e.decreased < silence {
		return
	}
	for p := range e.paths {
		if since := p.waiting.Load(); since > 0 && now-time.Duration(since) >= silence {
			e.probe.fail()
			e.decrease(now, e.estimate/2)
			return
		}
	}
}

// Probe says that a probe starts now.
func (e *Estimator) Probe(now time.Duration, p Probe) { e.probe.start(now, p) }

// Remove forgets a path that was closed.
func (e *Estimator) Remove(p *Path) { delete(e.paths, p) }
