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
	d.group.Go(func() { d.pace(o, p) })
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
		now := d.now()
		d.mu.Lock()
		missing := int(float64(p.Rate)/8*age(now, begin).Seconds()) - d.bytes
		over := !d.estimator.State(now).Probing
		d.probing = !over
		d.mu.Unlock()
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
