package rtctest

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// Shape is what one direction of a Link does to packets. The zero value delivers everything at once.
type Shape struct {
	Rate    int           // bits a second, IP and UDP headers included; 0: no bottleneck
	Queue   int           // bytes that wait at the bottleneck, what comes on top is lost; 0: 64,000
	Delay   time.Duration // of every packet, behind the bottleneck
	Jitter  time.Duration // up to so much more, evenly spread
	Reorder bool          // a packet with little jitter overtakes one with much; without, it waits behind it
	Loss    float64       // share of packets lost, each by itself
	Bursts  Bursts        // losses in a row, beside Loss
}

// Bursts is the Gilbert-Elliott model: a link is good or bad, and loses packets while it is bad. Begin and End are the
// chances, at every packet, that it changes; a bad time has 1/End packets on average.
type Bursts struct{ Begin, End float64 }

// Counts are what one direction of a Link has done since it was made.
type Counts struct {
	Packets   int           // offered
	Delivered int           // on time or late
	Lost      int           // at random
	Overflown int           // because the queue was full
	Bytes     int           // delivered, with headers
	Longest   time.Duration // that a packet waited at the bottleneck
	Late      int           // delivered more than 30 ms after their time: the machine is too slow to be this link
}

const late = 30 * time.Millisecond

const (
	headers      = 28 // of IPv4 and UDP
	defaultQueue = 64_000
)

// pipe is one direction of a Link, as a pure machine: times are distances from an instant of the caller's choosing, and
// never go back.
type pipe struct {
	shape  Shape
	rnd    *rand.Rand
	bad    bool
	counts Counts

	waiting []parcel      // at the bottleneck, first come first served
	queued  int           // their bytes
	free    time.Duration // when the bottleneck has served what went before
	last    time.Duration // latest arrival given out
	flying  flight
	number  int
}

// parcel is a packet on its way.
type parcel struct {
	data   []byte
	carry  func([]byte)  // takes the packet at the end
	came   time.Duration // into the queue
	at     time.Duration // when it arrives
	number int
}

func newPipe(seed uint64, s Shape) *pipe {
	return &pipe{shape: s, rnd: rand.New(rand.NewPCG(seed, 1))}
}

// change gives the pipe another shape. Packets at the bottleneck stay there, the one being served begins anew.
func (p *pipe) change(now time.Duration, s Shape) {
	p.serve(now)
	p.free = max(p.free, now)
	p.shape = s
	p.serve(now)
}

// push takes a packet, whose bytes now belong to the pipe, or loses it.
func (p *pipe) push(now time.Duration, data []byte, carry func([]byte)) {
	p.serve(now)
	p.counts.Packets++
	if p.loses() {
		p.counts.Lost++
		return
	}
	limit := p.shape.Queue
	if limit == 0 {
		limit = defaultQueue
	}
	size := len(data) + headers
	if p.shape.Rate > 0 && p.queued+size > limit {
		p.counts.Overflown++
		return
	}
	p.waiting = append(p.waiting, parcel{data: data, carry: carry, came: now})
	p.queued += size
	p.serve(now)
}

// loses draws the fate of a packet.
func (p *pipe) loses() bool {
	chance := p.shape.Bursts.Begin
	if p.bad {
		chance = p.shape.Bursts.End
	}
	if p.shape.Bursts == (Bursts{}) {
		p.bad = false
	} else if p.rnd.Float64() < chance {
		p.bad = !p.bad
	}
	return p.rnd.Float64() < p.shape.Loss || p.bad
}

// serve moves what the bottleneck has let through by now.
func (p *pipe) serve(now time.Duration) {
	for len(p.waiting) > 0 {
		w := p.waiting[0]
		done := p.served(w)
		if done > now {
			return
		}
		p.free = done
		p.queued -= len(w.data) + headers
		p.waiting[0] = parcel{}
		p.waiting = p.waiting[1:]
		p.counts.Longest = max(p.counts.Longest, done-w.came)
		p.fly(w, done)
	}
}

// served returns when the bottleneck is done with the first packet that waits.
func (p *pipe) served(w parcel) time.Duration {
	start := max(p.free, w.came)
	if p.shape.Rate <= 0 {
		return start
	}
	return start + time.Duration(float64((len(w.data)+headers)*8)/float64(p.shape.Rate)*float64(time.Second))
}

// fly sends a packet on its way behind the bottleneck.
func (p *pipe) fly(w parcel, from time.Duration) {
	w.at = from + p.shape.Delay
	if p.shape.Jitter > 0 {
		w.at += time.Duration(p.rnd.Int64N(int64(p.shape.Jitter)))
	}
	if !p.shape.Reorder {
		w.at = max(w.at, p.last)
	}
	p.last = max(p.last, w.at)
	w.number = p.number
	p.number++
	heap.Push(&p.flying, w)
}

// next returns when there will be something to do; false when nothing is under way.
func (p *pipe) next() (at time.Duration, ok bool) {
	if len(p.waiting) > 0 {
		at, ok = p.served(p.waiting[0]), true
	}
	if len(p.flying) > 0 && (!ok || p.flying[0].at < at) {
		at, ok = p.flying[0].at, true
	}
	return at, ok
}

// pop returns a packet that has arrived by now.
func (p *pipe) pop(now time.Duration) (parcel, bool) {
	p.serve(now)
	if len(p.flying) == 0 || p.flying[0].at > now {
		return parcel{}, false
	}
	w := heap.Pop(&p.flying).(parcel) //nolint:errcheck,forcetypeassert // nothing else is pushed
	p.counts.Delivered++
	p.counts.Bytes += len(w.data) + headers
	if now-w.at > late {
		p.counts.Late++
	}
	return w, true
}

// flight holds packets by their arrival, a heap.
type flight []parcel

func (f flight) Len() int { return len(f) }

func (f flight) Less(i, j int) bool {
	return f[i].at < f[j].at || f[i].at == f[j].at && f[i].number < f[j].number
}

func (f flight) Swap(i, j int) { f[i], f[j] = f[j], f[i] }

// Push and Pop are for package heap.
func (f *flight) Push(x any) {
	*f = append(*f, x.(parcel)) //nolint:errcheck,forcetypeassert // nothing else is pushed
}

// Pop removes the last.
func (f *flight) Pop() any {
	old := *f
	last := old[len(old)-1]
	old[len(old)-1] = parcel{}
	*f = old[:len(old)-1]
	return last
}
