package bwe

import "time"

// How queueing delay is judged, in seconds. The threshold follows the path's own jitter.
const (
	fastTime  = 0.08 // time constants
	slowUp    = 10.0
	slowDown  = 1.0
	devTime   = 5.0
	minExcess = 0.030
	maxExcess = 0.300
	hardQueue = 0.500 // more than this is a queue whatever the jitter
	minSlope  = 0.03  // seconds of delay a second
	persist   = 60 * time.Millisecond
	trendSpan = 300 * time.Millisecond
	trendSize = 64
)

// delay follows the queueing delay of all paths together and tells growth from jitter: an excess over the usual that is
// larger than the usual deviation, and still growing, for longer than persist.
type delay struct {
	fast, slow, dev float64
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

// sample takes the mean delay of one feedback message, above its path's minimum.
func (d *delay) sample(now time.Duration, queue float64) {
	d.ring[d.count%trendSize] = point{now, queue}
	d.count++
	if !d.started {
		d.fast, d.slow, d.dev, d.last, d.started = queue, queue, 0.005, now, true
		return
	}
	dt := min(max(now-d.last, time.Millisecond), time.Second).Seconds()
	d.last = now
	d.fast += (queue - d.fast) * dt / (dt + fastTime)
	switch {
	case queue < d.slow:
		d.slow += (queue - d.slow) * dt / (dt + slowDown)
	case !d.over:
		d.slow += (queue - d.slow) * dt / (dt + slowUp)
	}
	above := d.excess() > d.threshold()
	if !above { // a queue must not raise the threshold that detects it
		off := queue - d.slow
		d.dev += (max(off, -off) - d.dev) * dt / (dt + devTime)
	}
	if above && (d.slope(now) > minSlope || d.fast > hardQueue) {
		if !d.over {
			d.over, d.since = true, now
		}
		return
	}
	d.over = false
}

func (d *delay) excess() float64 { return max(0, d.fast-d.slow) }

func (d *delay) threshold() float64 { return min(max(0.015+2*d.dev, minExcess), maxExcess) }

// high reports whether there is a queue, growing or not.
func (d *delay) high() bool { return d.started && d.excess() > d.threshold() }

// overuse reports whether the queue has been growing for long enough to act.
func (d *delay) overuse(now time.Duration) bool { return d.over && now-d.since >= persist }

// slope fits a line through the samples of the last trendSpan.
func (d *delay) slope(now time.Duration) float64 {
	var n, sx, sy, sxx, sxy float64
	for i := max(0, d.count-trendSize); i < d.count; i++ {
		p := d.ring[i%trendSize]
		if now-p.at > trendSpan {
			continue
		}
		x := (p.at - now).Seconds()
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+p.queue, sxx+x*x, sxy+x*p.queue
	}
	if spread := n*sxx - sx*sx; n >= 3 && spread > 0 {
		return (n*sxy - sx*sy) / spread
	}
	return 0
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
