package stage

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/stage/forward"
	"github.com/rivus-live/rivus/internal/stage/packetring"
)

// Sizes of the rings: two seconds of 4 Mbit/s video, five of audio.
const (
	videoRing = 1024
	audioRing = 256
)

// A writer has leastLoad subscribers before there is a second one: waking it and sending what it has made cost as much as
// several packets. There are writersAProcessor for each processor at most, for those that wait not to keep others waiting.
const (
	leastLoad         = 25
	writersAProcessor = 2
)

// track is the audio or the video of a publication: up to four layers, and the writers that send their packets on.
type track struct {
	kind   Kind
	now    clock
	batch  func() Departure
	layers [forward.MaxLayers]atomic.Pointer[layer]
	clocks *sharedClock
	pub    *publication

	counters *counters

	writers atomic.Pointer[[]*writer] // replaced whole
	partial atomic.Uint32             // bits of the layers of which writers have the beginning of a frame
	late    *time.Timer               // wakes the writers when the rest of it does not come
	mu      sync.Mutex                // guards what follows, and the replacement of writers
	outlets int
	ended   bool
	group   *sync.WaitGroup // the publication's
}

func newTrack(k Kind, p *publication) *track {
	t := &track{kind: k, now: p.now, batch: p.batch, clocks: &p.clocks, group: &p.group, pub: p, counters: p.counters}
	t.writers.Store(&[]*writer{})
	t.late = time.AfterFunc(gather, t.hurry)
	return t
}

// layer is one RTP stream of a track.
type layer struct {
	LayerInfo
	track     *track
	source    Layer
	ring      *packetring.Ring
	keyframes keyframes
	meter     meter
	pixels    atomic.Int64 // of the newest keyframe, 0: not known

	// ---- the feed's
	next    item
	sets    sets
	refused bool // the picture is larger than it may be
}

var _ Feed = (*layer)(nil)

// add makes a layer part of the track; false when its place is taken.
func (t *track) add(source Layer) (*layer, bool) {
	info := source.Info()
	size := videoRing
	if t.kind == Audio {
		size = audioRing
	}
	if info.Index < 0 || info.Index >= len(t.layers) {
		return nil, false
	}
	l := &layer{LayerInfo: info, track: t, source: source, ring: packetring.New(size), next: item{layer: int8(info.Index)}, sets: newSets(info.Sets)}
	return l, t.layers[info.Index].CompareAndSwap(nil, l)
}

// layer returns a layer, nil when there is none.
func (t *track) layer(i int) *layer {
	if i < 0 || i >= len(t.layers) {
		return nil
	}
	return t.layers[i].Load()
}

// item is what a reader tells the writers: a packet that is in the ring, or something that they must know in order.
type item struct {
	what   what
	layer  int8
	packet forward.Packet
	report forward.SenderReport
}

type what uint8

const (
	packetCame what = iota
	reportCame
)

// Packet implements Feed: the packet is copied into the ring, and its number offered to the writers.
func (l *layer) Packet(b []byte) {
	t, p := l.track, &l.next.packet
	now := t.now()
	t.counters.received.Add(1)
	t.pub.bytes.Add(int64(len(b)))
	if l.refused || !forward.Parse(b, l.Codec, &l.Extensions, p) {
		return
	}
	if p.Keyframe() && !t.pub.fits(l, b[p.Start:p.End]) {
		l.refused = true
		return
	}
	if l.complete(b, p, now); l.refused {
		return
	}
	seq, outcome := l.ring.Put(b, now, noteOf(p))
	switch outcome {
	case packetring.Stored, packetring.Late, packetring.Restarted: // forward sees that numbers begin anew
	case packetring.Duplicate, packetring.Stale, packetring.Oversize:
		return
	}
	p.Seq, p.Arrived = seq, now
	l.meter.add(now, len(b))
	t.offer(l.next)
	if l.keyframes.due(now, p.Keyframe()) {
		t.ask(l)
	}
}

// Report implements Feed.
func (l *layer) Report(r forward.SenderReport) {
	r.Arrived = l.track.now()
	l.track.clocks.observe(r)
	l.track.offer(item{what: reportCame, layer: int8(l.Index), report: r})
}

// ask requests a keyframe.
func (t *track) ask(l *layer) {
	t.counters.requests.Add(1)
	l.source.RequestKeyframe()
}

func noteOf(p *forward.Packet) packetring.Note {
	var n packetring.Note
	if p.Keyframe() {
		n |= packetring.Keyframe
	}
	if p.FrameStart() {
		n |= packetring.Start
	}
	if p.Marker() {
		n |= packetring.Marker
	}
	return n
}

// offer hands an item to the writers that want its layer, and wakes them when it ends a frame, or when that takes too
// long. It never blocks: a writer that is behind loses the item and goes on at a keyframe.
func (t *track) offer(it item) {
	bit, offered := uint32(1)<<it.layer, false
	whole := t.kind == Audio || it.packet.Marker()
	for _, w := range *t.writers.Load() {
		if it.what == packetCame && w.wants.Load()&bit == 0 {
			continue
		}
		count, ok := w.inbox.put(&it)
		if !ok {
			t.counters.dropped.Add(1)
		}
		if offered = true; whole || count >= maxBurst {
			w.nudge()
		}
	}
	switch {
	case it.what != packetCame || !offered: // a report goes with the next packet
	case !whole:
		if t.partial.Or(bit) == 0 {
			t.late.Reset(gather)
		}
	case t.partial.And(^bit) == bit:
		t.late.Stop()
	}
}

// hurry wakes the writers that wait for the rest of a frame.
func (t *track) hurry() {
	t.partial.Store(0)
	for _, w := range *t.writers.Load() {
		if !w.inbox.empty() {
			w.nudge()
		}
	}
}

// want asks the publisher for a keyframe of a layer, unless that was done a moment ago.
func (t *track) want(layer int) {
	if l := t.layer(layer); l != nil && l.keyframes.want(t.now()) {
		t.ask(l)
	}
}

// attach gives an outlet to the writer with the fewest, or to a new one. It does nothing when the track has ended.
func (t *track) attach(o *outlet) {
	if w := t.assign(); w != nil {
		o.writer.Store(w)
		w.do(func() { w.admit(o) })
	}
}

// assign finds the writer of one more outlet, nil when the track has ended.
func (t *track) assign() *writer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return nil
	}
	t.outlets++
	most := writersAProcessor * runtime.GOMAXPROCS(0)
	share := max(leastLoad, (t.outlets+most-1)/most)
	list := *t.writers.Load()
	var w *writer
	for _, candidate := range list {
		if candidate.load < share && (w == nil || candidate.load < w.load) {
			w = candidate
		}
	}
	if w == nil {
		w = newWriter(t)
		t.group.Go(w.run)
		list = append(slices.Clone(list), w)
		t.writers.Store(&list)
	}
	w.load++
	return w
}

// detach takes an outlet away; nothing is sent to its sink when detach has returned.
func (t *track) detach(o *outlet) {
	w := o.writer.Load()
	w.do(func() { w.dismiss(o) })
	o.writer.Store(nil) // the writer may have ended
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outlets--
	w.load--
	if w.load == 0 && !t.ended {
		t.retire(w)
	}
}

// retire stops a writer. The caller holds the lock.
func (t *track) retire(w *writer) {
	list := slices.DeleteFunc(slices.Clone(*t.writers.Load()), func(other *writer) bool { return other == w })
	t.writers.Store(&list)
	close(w.quit)
}

// end stops all writers, for good.
func (t *track) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	t.late.Stop()
	for _, w := range *t.writers.Load() {
		t.retire(w)
	}
}

// sharedClock is the publisher's clock as all its readers and writers see it.
type sharedClock struct {
	mu    sync.Mutex
	clock forward.SourceClock
}

func (c *sharedClock) observe(r forward.SenderReport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock.Observe(r)
}

func (c *sharedClock) get() forward.SourceClock {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock
}

// meter measures the rate of a layer. One goroutine adds, any number read.
type meter struct {
	windowStart time.Duration
	bytes       int

	rate atomic.Int64 // bits a second in the last whole window
	last atomic.Int64 // when a packet last came, a time.Duration
}

const (
	meterWindow = 500 * time.Millisecond
	meterFirst  = 300 * time.Millisecond // the first window, for the first keyframe not to be all that it holds
	meterIdle   = time.Second            // without packets for so long a layer is off
)

func (m *meter) add(now time.Duration, n int) {
	m.last.Store(int64(now))
	if m.bytes == 0 && m.rate.Load() == 0 {
		m.windowStart = now
	}
	m.bytes += n
	span := now - m.windowStart
	if span >= meterWindow || m.rate.Load() == 0 && span >= meterFirst {
		m.rate.Store(int64(float64(m.bytes*8) / span.Seconds()))
		m.windowStart, m.bytes = now, 0
	}
}

// lastAt returns when a packet last came, 0 for never.
func (m *meter) lastAt() time.Duration { return time.Duration(m.last.Load()) }

// get returns bits a second as of now, 0 for a layer that is off, 1 for one whose rate is not known yet.
func (m *meter) get(now time.Duration) int {
	last := m.last.Load()
	if last == 0 || now-time.Duration(last) > meterIdle {
		return 0
	}
	return max(1, int(m.rate.Load()))
}

// Limits of the requests for keyframes of a layer: a few at once, for those who join together, then one whenever the last
// keyframe gets too old to start anybody with (replayAge): who joins is served by the one or the other. While an answer is
// due nobody asks again, unless it takes too long.
const (
	keyframeBurst   = 4
	keyframeRefill  = replayAge
	keyframePatient = 300 * time.Millisecond
)

// keyframes merges the requests for keyframes of a layer and limits their rate.
type keyframes struct {
	mu      sync.Mutex
	asked   time.Duration // when last
	waiting bool          // for the answer to it
	pending bool          // wanted, and not asked for yet
	spent   int           // of the burst
	counted time.Duration // when spent was last lowered
}

// want notes that somebody wants a keyframe, and tells whether to ask for one now.
func (k *keyframes) want(now time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending = true
	return k.ask(now)
}

// due is called with every packet, and tells whether to ask for what is still wanted. A keyframe serves everybody who
// wanted one before.
func (k *keyframes) due(now time.Duration, keyframe bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if keyframe {
		k.waiting, k.pending = false, false
	}
	return k.pending && k.ask(now)
}

func (k *keyframes) ask(now time.Duration) bool {
	if n := int((now - k.counted) / keyframeRefill); n > 0 {
		k.spent, k.counted = max(0, k.spent-n), now
	}
	if k.waiting && now-k.asked < keyframePatient || k.spent >= keyframeBurst {
		return false
	}
	k.asked, k.waiting, k.pending = now, true, false
	k.spent++
	return true
}
