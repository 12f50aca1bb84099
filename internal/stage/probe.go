package stage

import (
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/stage/bwe"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// How a probe is paced.
const (
	probeStep = 5 * time.Millisecond
	probeMost = 20_000 // bytes in one step
)

// probe raises what is sent to the probe's rate for its length, with padding on one subscription that can carry it. The
// caller holds the lock.
func (d *downlink) probe(now time.Duration, p bwe.Probe) {
	var o *outlet
	for _, s := range d.subs {
		v := s.outlets[Video]
		if v == nil || s.path == nil || v.writer.Load() == nil {
			continue
		}
		if o == nil || o.current.Load() == forward.None { // one that is being sent has packets to repeat
			o = v
		}
	}
	if o == nil {
		return
	}
	d.estimator.Probe(now, p)
	d.counters.probes.Add(1)
	d.probing, d.bytes = true, 0
	d.group.Go(func() { d.contain(func() { d.pace(o, p) }, d.abandonProbe) })
}

// missing returns how many bytes a probe is behind what it asks for, and whether the estimator has seen enough.
func (d *downlink) missing(p bwe.Probe, begin time.Duration) (bytes int, over bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	d.probing = d.estimator.State(now).Probing
	return int(float64(p.Rate)/8*age(now, begin).Seconds()) - d.bytes, !d.probing
}

// abandonProbe lets the next probe begin although this one has not ended.
func (d *downlink) abandonProbe() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.probing = false
}

// pace sends padding until the probe's end. What counts is the sum since its begin, so that a packet which is larger than
// what a step asks for is made up for by the next ones. It ends early when the estimator has seen enough.
func (d *downlink) pace(o *outlet, p bwe.Probe) {
	tick := time.NewTicker(probeStep)
	defer tick.Stop()
	var asked atomic.Bool // the writer has yet to do the last step
	for begin := d.now(); ; {
		select {
		case <-tick.C:
		case <-d.stopProbe:
			return
		}
		missing, over := d.missing(p, begin)
		if over {
			return
		}
		w := o.writer.Load()
		if w == nil || missing <= 0 || !asked.CompareAndSwap(false, true) {
			continue
		}
		step := func() { w.pad(o, min(missing, probeMost)); asked.Store(false) }
		if !w.post(step) {
			asked.Store(false)
		}
	}
}
