package bwe

import (
	"math"
	"time"
)

// Constants of the over-use detector (GCC section 5.4), in seconds unless typed. The threshold adapts to the path's jitter.
const (
	smoothTime          = 0.08 // time constants
	baselineRiseTime    = 10.0
	baselineFallTime    = 1.0
	deviationTime       = 5.0
	variationTime       = 1.0
	minExcess           = 0.030
	maxExcess           = 0.300
	certainQueue        = 0.500 // a queue whatever the jitter
	initialDeviation    = 0.010
	minGradient         = 0.03  // seconds of delay a second
	fastOveruseExcess   = 0.060 // seconds beyond the threshold
	fastOveruseGradient = 0.3   // seconds of delay a second
	overuseTime         = 60 * time.Millisecond
	gradientSpan        = 300 * time.Millisecond
	gradientSamples     = 64
	minSamples          = 12 // before jitter is known and a small excess is a signal
)

// overuseDetector is the over-use detector of GCC (section 5.4) on the queueing delay of all paths together. Overuse is an
// excess over the baseline above an adaptive threshold, with a positive delay gradient, for longer than overuseTime.
type overuseDetector struct {
	smoothed, baseline, deviation float64
	variation                     float64 // mean one-way delay variation between packets, without the trend
	lastAt                        time.Duration
	started                       bool
	samples                       [gradientSamples]queueSample
	count                         int
	overuseSince                  time.Duration // when the present overuse began
	overusing                     bool
}

// queueSample is the queueing delay of one feedback message, in seconds.
type queueSample struct {
	at    time.Duration
	queue float64
}

// addQueueSample adds the mean queueing delay of one feedback message, above its path's minimum, and the one-way delay variation
// between its packets without the trend, in seconds. While the Flight holds video back (ours) the baseline does not rise.
func (d *overuseDetector) addQueueSample(now time.Duration, queue, noise float64, ours bool) {
	d.samples[d.count%gradientSamples] = queueSample{now, queue}
	d.count++
	if !d.started {
		d.smoothed, d.baseline, d.deviation, d.variation, d.lastAt, d.started = queue, queue, initialDeviation, noise, now, true
		return
	}
	dt := min(max(now-d.lastAt, time.Millisecond), time.Second).Seconds()
	d.lastAt = now
	d.smoothed += (queue - d.smoothed) * dt / (dt + smoothTime)
	d.variation += (noise - d.variation) * max(dt/(dt+variationTime), 1/float64(d.count))
	switch {
	case queue < d.baseline:
		d.baseline += (queue - d.baseline) * dt / (dt + baselineFallTime)
	case !d.overusing && !ours:
		d.baseline += (queue - d.baseline) * dt / (dt + baselineRiseTime)
	}
	above := d.excessDelay() > d.threshold()
	off := queue - d.baseline
	off = max(off, -off)
	if !above && (!ours || off < d.deviation) { // a queue must not raise the threshold that detects it
		d.deviation += (off - d.deviation) * dt / (dt + deviationTime)
	}
	above = above && (d.count > minSamples || d.excessDelay() > maxExcess/2)
	if above && (d.delayGradient(now) > minGradient || d.smoothed > certainQueue) {
		if !d.overusing {
			d.overusing, d.overuseSince = true, now
		}
		return
	}
	d.overusing = false
}

func (d *overuseDetector) excessDelay() float64 { return max(0, d.smoothed-d.baseline) }

func (d *overuseDetector) threshold() float64 {
	return min(max(0.015+2*d.deviation+2*d.variation, minExcess), maxExcess)
}

// hasQueue reports whether there is a queue, growing or not.
func (d *overuseDetector) hasQueue() bool { return d.started && d.excessDelay() > d.threshold() }

// adoptBaseline makes the present delay the baseline.
func (d *overuseDetector) adoptBaseline() { d.baseline, d.overusing = d.smoothed, false }

// overuse reports whether overuse has lasted overuseTime (overuse_time_th of GCC section 5.4).
func (d *overuseDetector) overuse(now time.Duration) bool {
	return d.overusing && now-d.overuseSince >= overuseTime
}

// fastOveruse reports whether excess and gradient are so high that overuse is signalled without overuseTime.
func (d *overuseDetector) fastOveruse(now time.Duration) bool {
	return d.count > minSamples && d.excessDelay() > d.threshold()+fastOveruseExcess && d.delayGradient(now) > fastOveruseGradient
}

// delayGradient returns the slope of a line fitted to the samples of the last gradientSpan, seconds a second (GCC section 5.3).
func (d *overuseDetector) delayGradient(now time.Duration) float64 {
	var l line
	for i := max(0, d.count-gradientSamples); i < d.count; i++ {
		if p := d.samples[i%gradientSamples]; now-p.at <= gradientSpan {
			l.addPoint((p.at - now).Seconds(), p.queue)
		}
	}
	return l.slope()
}

// line is a least-squares fit.
type line struct{ n, x, y, xx, xy, yy float64 }

func (l *line) addPoint(x, y float64) {
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

// standardError returns the standard error of the slope: how much of it may be jitter.
func (l *line) standardError() float64 {
	spread := l.xx - l.x*l.x/l.n
	if l.n < 3 || spread <= 0 {
		return 0
	}
	rise := l.xy - l.x*l.y/l.n
	rest := l.yy - l.y*l.y/l.n - rise*rise/spread
	return math.Sqrt(max(0, rest) / (l.n - 2) / spread)
}

// delayVariation sums the one-way delay variation between the packets of one feedback message (GCC section 5.1).
type delayVariation struct {
	previous, steps, trend time.Duration
	count                  int
}

func (r *delayVariation) addDelay(waited time.Duration) {
	if r.count > 0 {
		step := waited - r.previous
		r.trend += step
		r.steps += max(step, -step)
	}
	r.previous = waited
	r.count++
}

// meanVariation returns the mean step in seconds that is not part of one rise: a queue that builds up is smooth.
func (r *delayVariation) meanVariation() float64 {
	if r.count < 3 {
		return 0
	}
	return (r.steps - max(r.trend, 0)).Seconds() / float64(r.count-1)
}

// windowedMin is the least delay of the last one to two periods.
type windowedMin struct {
	now, before time.Duration
	since       time.Duration
	set, twice  bool
}

const minimumPeriod = 30 * time.Second

func (m *windowedMin) addDelay(at, v time.Duration) {
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

func (m *windowedMin) minDelay() time.Duration {
	if m.twice {
		return min(m.now, m.before)
	}
	return m.now
}
