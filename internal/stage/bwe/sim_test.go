package bwe

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"
)

// link is a bottleneck with a drop-tail queue, behind which every packet takes the same time, give or take.
type link struct {
	capacity func(now time.Duration) int // bits a second
	limit    int                         // bytes of queue
	jitter   time.Duration
	ordered  bool                                  // jitter keeps the order
	detour   time.Duration                         // more delay, of all packets
	resumes  func(now time.Duration) time.Duration // when a server that stands still goes on; nil: it never does
	last     time.Duration                         // newest arrival
	loss     float64
	busy     time.Duration // when the queue is empty again
	rate     float64       // with which busy was computed
	rnd      *rand.Rand
}

const propagation = 25 * time.Millisecond

// send returns when a packet arrives, false when it is lost.
func (l *link) send(now time.Duration, size int) (time.Duration, bool) {
	rate := float64(l.capacity(now))
	if l.rnd.Float64() < l.loss {
		return 0, false
	}
	if l.resumes != nil {
		now = max(now, l.resumes(now))
	}
	l.busy = max(l.busy, now)
	if l.rate > 0 && rate != l.rate { // the queue holds bytes, not time
		l.busy = now + time.Duration(float64(l.busy-now)*l.rate/rate)
	}
	l.rate = rate
	if queued := (l.busy - now).Seconds() * rate / 8; int(queued)+size > l.limit {
		return 0, false
	}
	l.busy += time.Duration(float64(size*8) / rate * float64(time.Second))
	at := l.busy + propagation
	if l.jitter > 0 {
		at += time.Duration(l.rnd.Int64N(int64(l.jitter)))
	}
	at += l.detour
	if l.ordered {
		at = max(at, l.last)
	}
	l.last = max(l.last, at)
	return at, true
}

// world is one participant that subscribes to publishers of audio and three layers, with everything the stage would do.
type world struct {
	t          *testing.T
	rnd        *rand.Rand
	link       link
	now        time.Duration
	events     events
	estimator  *Estimator
	allocator  *Allocator
	publishers []*publisher
	state      State
	probe      Probe
	probeEnds  time.Duration
	owed       float64 // bytes of padding
	sentBytes  int     // since the last padding decision

	audioSent, audioLost []time.Duration
	audioDelay           []sampleAt
	switches             []switchAt
	probesSent           int
	padding              int

	fps      int           // of every picture
	interval time.Duration // between two feedback messages of a path
	nogate   bool
	again    bool          // lost packets of pictures are asked for
	began    time.Duration // the newest probe
}

type sampleAt struct{ at, delay time.Duration }

type switchAt struct {
	at       time.Duration
	who      int
	from, to int
}

// publisher is one subscription: its path, what arrived of it, and the layer it is at.
type publisher struct {
	who      int
	path     *Path
	rates    [MaxLayers]int
	layer    int // forwarded
	target   int
	key      bool
	base     uint16 // next number to report
	arrivals map[uint16]time.Duration
	highest  int // highest number that arrived, plus one
	offset   time.Duration
	results  []Result
	held     []int // packets of the picture that wait for the window, by size
}

type event struct {
	at  time.Duration
	seq int
	do  func()
}

type events struct {
	list []event
	seq  int
}

func (e *events) Len() int { return len(e.list) }
func (e *events) Less(i, j int) bool {
	a, b := e.list[i], e.list[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}
func (e *events) Swap(i, j int) { e.list[i], e.list[j] = e.list[j], e.list[i] }
func (e *events) Push(x any)    { e.list = append(e.list, x.(event)) }
func (e *events) Pop() any {
	x := e.list[len(e.list)-1]
	e.list = e.list[:len(e.list)-1]
	return x
}

func newWorld(t *testing.T, seed uint64, publishers int, rates [MaxLayers]int, capacity func(time.Duration) int) *world {
	t.Helper()
	return newWorldOn(t, nil, seed, publishers, rates, capacity)
}

// newWorldOn is newWorld with a server that serves others, too.
func newWorldOn(t *testing.T, host *Host, seed uint64, publishers int, rates [MaxLayers]int, capacity func(time.Duration) int) *world {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 99))
	w := &world{
		t: t, rnd: rnd, estimator: NewEstimator(Options{Host: host}), allocator: NewAllocator(),
		fps: 30, interval: 100 * time.Millisecond,
	}
	w.link = link{capacity: capacity, limit: 60_000, rnd: rnd}
	for i := range publishers {
		p := &publisher{
			who: i, path: w.estimator.NewPath(), rates: rates, layer: None, target: None, arrivals: map[uint16]time.Duration{},
			offset: time.Duration(rnd.Int64N(int64(time.Hour))), // every path with a clock of its own
		}
		w.publishers = append(w.publishers, p)
		w.after(time.Duration(rnd.IntN(20))*time.Millisecond, func() { w.voice(p) })
		w.after(time.Duration(rnd.IntN(33))*time.Millisecond, func() { w.picture(p, 0) })
		w.after(time.Duration(rnd.IntN(100))*time.Millisecond, func() { w.feedback(p) })
	}
	w.after(0, w.control)
	w.after(0, w.pad)
	w.after(0, w.release)
	return w
}

func (w *world) after(d time.Duration, do func()) {
	w.events.seq++
	heap.Push(&w.events, event{w.now + d, w.events.seq, do})
}

func (w *world) run(until time.Duration) {
	for len(w.events.list) > 0 && w.events.list[0].at <= until {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
	}
	w.now = until
}

// send sends a packet; arrived is called when it is there.
func (w *world) send(p *publisher, size int) (time.Duration, bool) {
	seq := p.path.Sent(w.now, size)
	w.sentBytes += size
	at, ok := w.link.send(w.now, size)
	if ok {
		w.after(at-w.now, func() {
			p.arrivals[seq] = w.now
			if ahead := int16(seq + 1 - uint16(p.highest)); ahead > 0 {
				p.highest += int(ahead)
			}
		})
	}
	return at, ok
}

func (w *world) voice(p *publisher) {
	w.audioSent = append(w.audioSent, w.now)
	if at, ok := w.send(p, 100); ok {
		w.audioDelay = append(w.audioDelay, sampleAt{w.now, at - w.now})
	} else {
		w.audioLost = append(w.audioLost, w.now)
	}
	w.after(20*time.Millisecond, func() { w.voice(p) })
}

// picture sends one frame of the layer, 30 a second, keyframes four times as large, sizes give or take a third.
func (w *world) picture(p *publisher, n int) {
	w.after(time.Second/time.Duration(w.fps), func() { w.picture(p, n+1) })
	if p.layer == None {
		return
	}
	bytes := float64(p.rates[p.layer]) / 8 / float64(w.fps) * (0.7 + 0.6*w.rnd.Float64())
	if p.key {
		bytes *= 4
		p.key = false
	}
	for left := int(bytes); left > 0; left -= 1150 {
		w.show(p, min(left, 1150)+50, 0)
	}
}

// show sends a packet of a picture, and again when it is lost and the receiver asks for it.
func (w *world) show(p *publisher, size, tries int) {
	if tries == 0 && (len(p.held) > 0 || !w.open()) {
		p.held = append(p.held, size)
		return
	}
	if !w.open() {
		return
	}
	w.leave(p, size, tries)
}

// release sends what was held, as far as the window goes.
func (w *world) release() {
	w.after(5*time.Millisecond, w.release)
	first := w.rnd.IntN(len(w.publishers))
	for i := range w.publishers {
		p := w.publishers[(first+i)%len(w.publishers)]
		for len(p.held) > 0 && w.open() {
			size := p.held[0]
			p.held = p.held[1:]
			w.leave(p, size, 0)
		}
	}
}

func (w *world) open() bool { return w.nogate || w.estimator.Flight().Open(w.now, 0) }

func (w *world) leave(p *publisher, size, tries int) {
	if _, ok := w.send(p, size); !ok && w.again && tries < 5 {
		w.after(150*time.Millisecond, func() { w.show(p, size, tries+1) })
	}
}

// feedback reports what arrived and what is missing before it, at every interval.
func (w *world) feedback(p *publisher) {
	w.after(w.interval, func() { w.feedback(p) })
	var arrivals []Arrival
	base := p.base
	for seq := range p.arrivals { // a late one moves the beginning back
		if int16(seq-base) < 0 {
			base = seq
		}
	}
	p.base = base
	for ; p.base != uint16(p.highest); p.base++ {
		at, ok := p.arrivals[p.base]
		delete(p.arrivals, p.base)
		arrivals = append(arrivals, Arrival{ok, at + p.offset})
	}
	w.after(propagation, func() {
		p.results = p.path.MatchFeedback(p.results[:0], base, arrivals)
		w.estimator.Feedback(w.now, p.path, p.results)
		w.allocate()
	})
}

// wire is what the layers take with headers.
func (p *publisher) wire(fps int) (rates [MaxLayers]int) {
	for i, r := range p.rates {
		if r == 0 {
			continue // off
		}
		rates[i] = r + fps*8*50*(1+r/8/fps/1150)
	}
	return rates
}

func (w *world) control() {
	w.after(100*time.Millisecond, w.control)
	w.allocate()
}

func (w *world) allocate() {
	demands := make([]Demand, 0, 2*len(w.publishers))
	for i, p := range w.publishers {
		demands = append(demands, Demand{ID: uint64(i), Limit: MaxLayers - 1, Rates: p.wire(w.fps)},
			Demand{ID: uint64(1000 + i), Audio: true, Rates: [MaxLayers]int{40_000}})
	}
	w.state = w.estimator.State(w.now)
	plan := w.allocator.Allocate(w.now, w.state, demands)
	for _, c := range plan.Choices {
		w.choose(w.publishers[c.ID], c.Layer)
	}
	if plan.Probe.Rate > 0 {
		w.probe, w.probeEnds, w.owed, w.sentBytes = plan.Probe, w.now+plan.Probe.Length, 0, 0
		w.probesSent++
		w.began = w.now
		w.estimator.Probe(w.now, plan.Probe)
		w.state = w.estimator.State(w.now)
	}
}

// choose does what a forwarder does: stop at once, start and change on a keyframe that takes a while to come.
func (w *world) choose(p *publisher, layer int) {
	if layer == p.target {
		return
	}
	w.switches = append(w.switches, switchAt{w.now, p.who, p.target, layer})
	p.target = layer
	if layer == None {
		p.layer, p.held = None, nil
		return
	}
	if layer < p.layer && len(p.held) > 0 {
		p.layer, p.held = None, nil
	}
	w.after(time.Duration(100+w.rnd.IntN(150))*time.Millisecond, func() {
		if p.target == layer {
			p.layer, p.key = layer, true
		}
	})
}

// pad sends padding while a probe runs.
func (w *world) pad() {
	const every = 5 * time.Millisecond
	w.after(every, w.pad)
	if !w.estimator.State(w.now).Probing {
		return
	}
	w.owed += float64(w.probe.Rate)/8*every.Seconds() - float64(w.sentBytes)
	w.sentBytes = 0
	for w.owed >= 250 && w.open() {
		size := min(int(w.owed), 1200)
		w.owed -= float64(size)
		w.padding += size
		w.send(w.publishers[w.rnd.IntN(len(w.publishers))], size)
		w.sentBytes = 0
	}
}

// lost counts audio packets lost in a time.
func (w *world) lost(from, to time.Duration) (n, of int) {
	for _, at := range w.audioLost {
		if at >= from && at < to {
			n++
		}
	}
	for _, at := range w.audioSent {
		if at >= from && at < to {
			of++
		}
	}
	return n, of
}

// changes counts layer changes in a time.
func (w *world) changes(from, to time.Duration) (n int) {
	for _, s := range w.switches {
		if s.at >= from && s.at < to {
			n++
		}
	}
	return n
}

func (w *world) layers() (count [MaxLayers + 1]int) {
	for _, p := range w.publishers {
		count[p.target+1]++
	}
	return count
}

func (w *world) worstDelay(from, to time.Duration) (worst time.Duration) {
	for _, s := range w.audioDelay {
		if s.at >= from && s.at < to {
			worst = max(worst, s.delay)
		}
	}
	return worst
}
