package bwe

import (
	"math"
	"time"
)

// How queueing delay is judged, in seconds. The threshold follows the path's own jitter.
const (
	fastTime  = 0.08 // time constants
	slowUp    = 10.0
	slowDown  = 1.0
	devTime   = 5.0
	noiseTime = 1.0
	minExcess = 0.030
	maxExcess = 0.300
	hardQueue = 0.500 // more than this is a queue whatever the jitter
	firstDev  = 0.010
	minSlope  = 0.03  // seconds of delay a second
	surge     = 0.060 // seconds beyond the threshold
	steep     = 0.3   // seconds of delay a second
	persist   = 60 * time.Millisecond
	trendSpan = 300 * time.Millisecond
	trendSize = 64
	warmUp    = 12 // samples before jitter is known and a small excess means anything
)

// delay follows the queueing delay of all paths together and tells growth from jitter: an excess over the usual that is
// larger than the usual deviation, and still growing, for longer than persist.
type delay struct {
	fast, slow, dev float64
	noise           float64 // mean change from packet to packet, without the trend
	last            time.Duration
	started         bool
	ring            [trendSize]point
	count           int
	since           time.Duration // when the present excess began
	over            bool
}

type point struct {
	at    time.Duration
	queue float64
}

// sample takes the mean delay of one feedback message, above its path's minimum, and how much the delay changed from packet
// to packet beyond the trend. A delay that may be ours, because video is held back, is not the usual one.
func (d *delay) sample(now time.Duration, queue, noise float64, ours bool) {
	d.ring[d.count%trendSize] = point{now, queue}
	d.count++
	if !d.started {
		d.fast, d.slow, d.dev, d.noise, d.last, d.started = queue, queue, firstDev, noise, now, true
		return
	}
	dt := min(max(now-d.last, time.Millisecond), time.Second).Seconds()
	d.last = now
	d.fast += (queue - d.fast) * dt / (dt + fastTime)
	d.noise += (noise - d.noise) * max(dt/(dt+noiseTime), 1/float64(d.count))
	switch {
	case queue < d.slow:
		d.slow += (queue - d.slow) * dt / (dt + slowDown)
	case !d.over && !ours:
		d.slow += (queue - d.slow) * dt / (dt + slowUp)
	}
	above := d.excess() > d.threshold()
	off := queue - d.slow
	off = max(off, -off)
	if !above && (!ours || off < d.dev) { // a queue must not raise the threshold that detects it
		d.dev += (off - d.dev) * dt / (dt + devTime)
	}
	above = above && (d.count > warmUp || d.excess() > maxExcess/2)
	if above && (d.slope(now) > minSlope || d.fast > hardQueue) {
		if !d.over {
			d.over, d.since = true, now
		}
		return
	}
	d.over = false
}

func (d *delay) excess() float64 { return max(0, d.fast-d.slow) }

func (d *delay) threshold() float64 { return min(max(0.015+2*d.dev+2*d.noise, minExcess), maxExcess) }

// high reports whether there is a queue, growing or not.
func (d *delay) high() bool { return d.started && d.excess() > d.threshold() }

// adopt makes the present delay the usual one.
func (d *delay) adopt() { d.slow, d.over = d.fast, false }

// overuse reports whether the queue has been growing for long enough to act.
func (d *delay) overuse(now time.Duration) bool { return d.over && now-d.since >= persist }

// surges reports whether the queue has become so long, and still grows so fast, that there is nothing to wait for.
func (d *delay) surges(now time.Duration) bool {
	return d.count > warmUp && d.excess() > d.threshold()+surge && d.slope(now) > steep
}

// slope fits a line through the samples of the last trendSpan.
func (d *delay) slope(now time.Duration) float64 {
	var l line
	for i := max(0, d.count-trendSize); i < d.count; i++ {
		if p := d.ring[i%trendSize]; now-p.at <= trendSpan {
			l.add((p.at - now).Seconds(), p.queue)
		}
	}
	return l.slope()
}

// line is a least-squares fit.
type line struct{ n, x, y, xx, xy, yy float64 }

func (l *line) add(x, y float64) {
	l.n++
	l.x += x
	l.y += y
	l.xx += x * x
	l.xy += x * y
	l.yy += y * y
}

// slope returns 0 for fewer than three points.
func (l *line) slope() float64 {
	if spread := l.n*l.xx - l.x*l.x; l.n >= 3 && spread > 0 {
		return (l.n*l.xy - l.x*l.y) / spread
	}
	return 0
}

// doubt returns the standard error of the slope: how much of it may be jitter.
func (l *line) doubt() float64 {
	spread := l.xx - l.x*l.x/l.n
	if l.n < 3 || spread <= 0 {
		return 0
	}
	rise := l.xy - l.x*l.y/l.n
	rest := l.yy - l.y*l.y/l.n - rise*rise/spread
	return math.Sqrt(max(0, rest) / (l.n - 2) / spread)
}

// roughness sums up how a delay changes from packet to packet of one feedback message.
type roughness struct {
	previous, steps, trend time.Duration
	count                  int
}

func (r *roughness) packet(waited time.Duration) {
	if r.count > 0 {
		step := waited - r.previous
		r.trend += step
		r.steps += max(step, -step)
	}
	r.previous = waited
	r.count++
}

// mean returns the mean step in seconds that is not part of one rise: a queue that builds up is smooth.
func (r *roughness) mean() float64 {
	if r.count < 3 {
		return 0
	}
	return (r.steps - max(r.trend, 0)).Seconds() / float64(r.count-1)
}

// minimum is the least of the last one to two periods.
type minimum struct {
	now, before time.Duration
	since       time.Duration
	set, twice  bool
}

const minimumPeriod = 30 * time.Second

func (m *minimum) add(at, v time.Duration) {
	switch {
	case !m.set:
		m.now, m.since, m.set = v, at, true
	case at-m.since > minimumPeriod:
		m.before, m.twice = m.now, true
		m.now, m.since = v, at
	default:
		m.now = min(m.now, v)
	}
}

func (m *minimum) value() time.Duration {
	if m.twice {
		return min(m.now, m.before)
	}
	return m.now
}
