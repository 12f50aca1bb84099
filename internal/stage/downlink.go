package stage

import (
	"slices"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/stage/bwe"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// allocateEvery is how often layers are chosen at least; probeStep is how a probe is paced.
const (
	allocateEvery = 100 * time.Millisecond
	probeStep     = 5 * time.Millisecond
	probeMost     = 20_000 // bytes in one step
)

// downlink is what a participant can receive, over all its subscriptions: one estimator and one allocator. Its lock is
// held for a few comparisons only; packets are numbered under it.
type downlink struct {
	now   clock
	group *sync.WaitGroup // the stage's

	mu        sync.Mutex
	estimator *bwe.Estimator
	allocator *bwe.Allocator
	subs      []*subscription // in order of their beginning
	demands   []bwe.Demand
	results   []bwe.Result
	bytes     int // sent since the probe's last step
	probing   bool
	stopProbe chan struct{}
	closed    bool
}

func newDownlink(now clock, group *sync.WaitGroup) *downlink {
	return &downlink{
		now: now, group: group, stopProbe: make(chan struct{}),
		estimator: bwe.NewEstimator(bwe.Options{}), allocator: bwe.NewAllocator(),
	}
}

// number makes a subscription's packets carry transport-wide numbers, if its subscriber reports on them. Call it before
// the outlets are attached, and add after.
func (d *downlink) number(s *subscription, streams [kinds]forward.Stream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, o := range s.outlets {
		if id := streams[k].Extensions.TransportSeq; o == nil || id == 0 || id > 14 {
			continue
		}
		if s.path == nil {
			s.path = bwe.NewPath()
		}
		o.sent = func(now time.Duration, size int) uint16 { return d.sent(s, now, size) }
	}
}

// add makes a subscription take part in the allocation.
func (d *downlink) add(s *subscription) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.subs = append(d.subs, s)
}

func (d *downlink) remove(s *subscription) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.path != nil {
		d.estimator.Remove(s.path)
	}
	d.subs = slices.DeleteFunc(d.subs, func(other *subscription) bool { return other == s })
}

// close ends a probe that runs.
func (d *downlink) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		close(d.stopProbe)
	}
}

func (d *downlink) sent(s *subscription, now time.Duration, size int) uint16 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bytes += size
	return s.path.Sent(now, size)
}

// arrivals takes feedback and chooses anew.
func (d *downlink) arrivals(s *subscription, base uint16, arrivals []bwe.Arrival) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.path == nil || !slices.Contains(d.subs, s) {
		return
	}
	now := d.now()
	d.results = s.path.Match(d.results[:0], base, arrivals)
	d.estimator.Feedback(now, s.path, d.results)
	d.allocate(now)
}

// tick chooses anew without feedback.
func (d *downlink) tick() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.subs) > 0 {
		d.allocate(d.now())
	}
}

// allocate chooses the layers of all subscriptions. The caller holds the lock.
func (d *downlink) allocate(now time.Duration) {
	d.demands = d.demands[:0]
	for _, s := range d.subs {
		if s.path == nil {
			s.aimHigh(now)
			continue
		}
		if o := s.outlets[Audio]; o != nil && !o.paused.Load() {
			d.demands = append(d.demands, bwe.Demand{
				ID: s.id * uint64(kinds), Audio: true, Rates: [bwe.MaxLayers]int{s.pub.audioRate(now)},
			})
		}
		if o := s.outlets[Video]; o != nil {
			d.demands = append(d.demands, videoDemand(s, o, now))
		}
	}
	plan := d.allocator.Allocate(now, d.estimator.State(now), d.demands)
	for _, c := range plan.Choices {
		for _, s := range d.subs {
			if o := s.outlets[Video]; o != nil && s.id*uint64(kinds)+uint64(Video) == c.ID {
				o.aim(c.Layer)
			}
		}
	}
	if plan.Probe.Rate > 0 && !d.probing && !d.closed {
		d.probe(now, plan.Probe)
	}
}

// aimHigh chooses the highest layer there is: nothing will ever tell what the link of this subscriber carries.
func (s *subscription) aimHigh(now time.Duration) {
	o := s.outlets[Video]
	if o == nil {
		return
	}
	best := 0
	for i, rate := range s.pub.layers(now) {
		if rate > 0 {
			best = i
		}
	}
	o.aim(best)
}

func videoDemand(s *subscription, o *outlet, now time.Duration) bwe.Demand {
	v := bwe.Demand{ID: s.id*uint64(kinds) + uint64(Video), Rates: s.pub.layers(now), Limit: bwe.MaxLayers - 1}
	if pin := o.pin.Load(); pin != forward.None {
		v.Limit, v.Pinned = int(pin), true
	}
	if o.paused.Load() {
		v.Limit = bwe.None
	}
	return v
}

// probe raises what is sent to the probe's rate for its length, with padding on one subscription that can carry it. The
// caller holds the lock.
func (d *downlink) probe(now time.Duration, p bwe.Probe) {
	var o *outlet
	for _, s := range d.subs {
		if v := s.outlet(Video); v != nil && s.path != nil {
			o = v
		}
	}
	if o == nil {
		return
	}
	d.estimator.Probe(now, p)
	d.probing, d.bytes = true, 0
	d.group.Go(func() { d.pace(o, p) })
}

// pace sends padding until the probe's end.
func (d *downlink) pace(o *outlet, p bwe.Probe) {
	tick := time.NewTicker(probeStep)
	defer tick.Stop()
	for begin, last := d.now(), d.now(); ; {
		select {
		case <-tick.C:
		case <-d.stopProbe:
			return
		}
		now := d.now()
		d.mu.Lock()
		missing := int(float64(p.Rate)/8*(now-last).Seconds()) - d.bytes
		d.bytes = 0
		over := age(now, begin) >= p.Length
		d.probing = !over
		d.mu.Unlock()
		if over {
			return
		}
		last = now
		if missing > 0 {
			o.writer.post(func() { o.writer.pad(o, min(missing, probeMost)) })
		}
	}
}
