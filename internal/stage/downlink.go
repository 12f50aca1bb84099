package stage

import (
	"slices"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/stage/bwe"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// Layers are chosen anew by the room's tick, and by feedback unless that was a moment ago: every subscription brings
// twenty messages a second.
const (
	allocateLeast = 10 * time.Millisecond
	allocateMost  = 80 * time.Millisecond
)

// downlink is what a participant can receive, over all its subscriptions: one estimator and one allocator. Its lock is
// held for a few comparisons only; packets are numbered under it.
type downlink struct {
	environment
	group *sync.WaitGroup // the stage's

	mu        sync.Mutex
	estimator *bwe.Estimator
	allocator *bwe.Allocator
	subs      []*subscription // in order of their beginning
	demands   []bwe.Demand
	results   []bwe.Result
	allocated time.Duration // when last
	heard     bool          // feedback has come
	bytes     int           // sent since the probe's begin
	probing   bool
	stopProbe chan struct{}
	closed    bool
}

func newDownlink(env environment, group *sync.WaitGroup) *downlink {
	d := &downlink{
		environment: env, group: group, stopProbe: make(chan struct{}),
		estimator: bwe.NewEstimator(bwe.Options{Host: env.host}), allocator: bwe.NewAllocator(),
	}
	d.allocator.Cap = env.download
	return d
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
			s.path = d.estimator.NewPath()
		}
		if Kind(k) == Video {
			o.flight = d.estimator.Flight()
		}
		o.number = func(now time.Duration, list []parcel) { d.sent(s, now, list) }
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

// close ends a probe that runs, and takes the downlink out of the host.
func (d *downlink) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		d.estimator.Close()
		close(d.stopProbe)
	}
}

// sent numbers packets of a subscription that leave now.
func (d *downlink) sent(s *subscription, now time.Duration, list []parcel) {
	d.mu.Lock()
	defer d.mu.Unlock()
	bytes := 0
	for i := range list {
		out := &list[i].out
		if out.Repeats() { // it has the number that it left with, and no feedback of its own
			continue
		}
		bytes += out.Size
		out.TransportSeq = s.path.NumberPacket(now, out.Size)
	}
	d.bytes += bytes
	s.path.AddInFlight(now, bytes)
}

// arrivals takes feedback and chooses anew.
func (d *downlink) arrivals(s *subscription, base uint16, arrivals []bwe.Arrival) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.path == nil || !slices.Contains(d.subs, s) {
		return
	}
	d.counters.feedback.Add(1)
	now := d.now()
	d.heard = true
	d.results = s.path.MatchFeedback(d.results[:0], base, arrivals)
	d.estimator.Feedback(now, s.path, d.results)
	if now-d.allocated >= allocateLeast {
		d.allocate(now)
	}
}

// tick chooses anew when no feedback has done so.
func (d *downlink) tick() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := d.now(); len(d.subs) > 0 && now-d.allocated >= allocateMost {
		d.allocate(now)
	}
}

// allocate chooses the layers of all subscriptions. The caller holds the lock.
func (d *downlink) allocate(now time.Duration) {
	d.allocated = now
	d.counters.allocations.Add(1)
	d.demands = d.demands[:0]
	videos, room := 0, d.download
	for _, s := range d.subs {
		if s.outlets[Video] != nil {
			videos++
		}
		if s.path == nil {
			room -= s.aimHigh(room, d.download > 0)
			continue
		}
		if o := s.outlets[Audio]; o != nil && !o.paused.Load() {
			d.demands = append(d.demands, bwe.Demand{
				ID: s.id * uint64(kinds), Audio: true, Rates: [bwe.MaxLayers]int{s.pub.Load().audioRate()},
			})
		}
		if o := s.outlets[Video]; o != nil {
			d.demands = append(d.demands, videoDemand(s, o))
		}
	}
	state := d.estimator.State(now)
	plan := d.allocator.Allocate(now, state, d.demands)
	d.apply(plan.Choices, paceRate(state.Estimate, videos))
	if plan.Probe.Rate > 0 && !d.probing && !d.closed {
		d.probe(now, plan.Probe)
	}
}

// apply hands out the choices, which are in the order of the demands. The caller holds the lock.
func (d *downlink) apply(choices []bwe.Choice, rate int64) {
	for _, s := range d.subs {
		o := s.outlets[Video]
		if o == nil || s.path == nil || len(choices) == 0 {
			continue
		}
		layer := choices[0].Layer
		choices = choices[1:]
		if d.heard {
			o.rate.Store(rate)
		}
		if layer == forward.None && s.rates == [forward.MaxLayers]int{} && !o.paused.Load() {
			continue // nothing is known of the layers yet: whichever comes is welcome
		}
		if o.aim(layer, s.pub.Load().order()) {
			d.counters.changes.Add(1)
		}
	}
}

// aimHigh chooses the highest layer there is, within a room for all of a participant if that is limited, and returns
// what it takes: nothing will ever tell what the link of this subscriber carries.
func (s *subscription) aimHigh(room int, limited bool) int {
	pub, o := s.pub.Load(), s.outlets[Video]
	if o == nil || o.paused.Load() {
		return 0
	}
	order := pub.order()
	best, rates, pin := 0, order.byRank(pub.layers()), order.rank(int(o.pin.Load()))
	for rank, rate := range rates {
		if rate > 0 && (!limited || rate <= room) && (pin == forward.None || rank <= pin) {
			best = rank
		}
	}
	o.aim(best, order)
	return rates[best]
}

// videoDemand is what a subscription wants of its publisher's video. Until the first packets of a new publication come,
// the rates of the one that it replaced count, so that the layer stays.
func videoDemand(s *subscription, o *outlet) bwe.Demand {
	pub := s.pub.Load()
	order := pub.order()
	if rates := pub.layers(); rates != [forward.MaxLayers]int{} {
		s.rates = order.byRank(rates)
	}
	v := bwe.Demand{ID: s.id*uint64(kinds) + uint64(Video), Rates: s.rates, Limit: bwe.MaxLayers - 1}
	if pin := order.rank(int(o.pin.Load())); pin != forward.None {
		v.Limit, v.Pinned = pin, true
	}
	if o.paused.Load() {
		v.Limit = bwe.None
	}
	return v
}

// age is how long ago an instant was.
func age(now, then time.Duration) time.Duration { return max(0, now-then) }
