package stage

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/stage/forward"
	"github.com/rivus-live/rivus/internal/stage/packetring"
)

const (
	writerInbox    = 256              // packets waiting for a writer; more is a writer that is behind
	writerControl  = 64               // commands waiting
	maxBurst       = 48               // packets gathered at most
	gather         = time.Millisecond // how long a frame's first packets wait for the rest of it
	reportInterval = time.Second      // between sender reports to a subscriber
	resendsAtOnce  = 128              // answers to one message that names lost packets
	replayPackets  = 100              // a keyframe and what followed, to start a subscriber with
	replayAge      = time.Second      // of the keyframe, at most
	slotRoom       = forward.Headroom + packetring.SlotSize
)

// writer sends the packets of a track to some of its subscribers, subscriber by subscriber: all packets of a frame to
// one, then to the next, so that they leave in runs and the state of one subscriber stays in the cache. One goroutine
// owns everything in it but the atomics and the channels.
type writer struct {
	track   *track
	inbox   chan item
	control chan func()
	wake    chan struct{} // an outlet's wishes have changed
	quit    chan struct{}
	done    chan struct{}
	wants   atomic.Uint32 // bits of the layers that some outlet needs
	behind  atomic.Bool   // the inbox was full
	load    int           // guarded by track.mu

	outlets []*outlet
	items   []item
	slots   [][]byte // one a gathered packet; the packet is at forward.Headroom
	out     forward.Out
	timer   *time.Timer
}

// outlet is one track of a subscription: the pure forwarding state, and what others want of it.
type outlet struct {
	kind      Kind
	sink      Sink
	sent      func(now time.Duration, size int) uint16 // numbers a packet; nil without transport-wide numbers
	video     *forward.Video                           // nil for audio
	audio     *forward.Audio                           // nil for video
	writer    *writer
	reportDue time.Duration

	target  atomic.Int32 // layer that the allocator wants
	pin     atomic.Int32 // layer that the subscriber wants, forward.None: any
	paused  atomic.Bool
	current atomic.Int32 // layer being sent
	packets atomic.Uint64
	resent  atomic.Uint64

	applied struct { // what the forwarder was told
		target, pin int32
		paused      bool
	}
}

func newWriter(t *track) *writer {
	w := &writer{
		track: t, inbox: make(chan item, writerInbox), control: make(chan func(), writerControl),
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
		timer: time.NewTimer(time.Hour),
	}
	w.timer.Stop()
	return w
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case it := <-w.inbox:
			w.burst(it)
		case fn := <-w.control:
			fn()
		case <-w.wake:
			w.settle()
		case <-w.quit:
			return
		}
	}
}

// do runs fn on the writer's goroutine and waits for it; it does nothing when the writer has ended.
func (w *writer) do(fn func()) {
	ran := make(chan struct{})
	select {
	case w.control <- func() { defer close(ran); fn() }:
	case <-w.done:
		return
	}
	select {
	case <-ran:
	case <-w.done:
	}
}

// post runs fn on the writer's goroutine some time, or not at all when it has too much to do already.
func (w *writer) post(fn func()) {
	select {
	case w.control <- fn:
	default:
	}
}

// nudge makes the writer look at what its outlets want.
func (w *writer) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) admit(o *outlet) {
	w.outlets = append(w.outlets, o)
	if o.video != nil {
		o.apply()
		w.replay(o)
	}
	w.settle()
}

// replay starts a new subscriber with the newest keyframe of its layer and what followed, if that is little and recent.
// So those who come shortly after one another cost the publisher one keyframe.
func (w *writer) replay(o *outlet) {
	l := w.track.layer(o.video.Target())
	if l == nil {
		return
	}
	from, ok := l.ring.LastKeyframe()
	newest, _ := l.ring.Newest()
	if !ok || newest-from >= replayPackets {
		return
	}
	buf, now := w.scratch(), w.track.now()
	for seq := from; seq <= newest; seq++ {
		p, ok := w.fetch(l, seq, buf)
		if seq == from && (!ok || now-p.Arrived > replayAge) {
			return
		}
		if ok && o.video.Forward(l.Index, &p, &w.out) == forward.Send {
			w.emit(o, buf, now)
		}
	}
	w.track.flush()
}

// scratch returns the buffer for packets that go to one outlet only.
func (w *writer) scratch() []byte {
	if len(w.slots) == 0 {
		w.slots = append(w.slots, make([]byte, slotRoom))
	}
	return w.slots[0]
}

// fetch copies a packet out of a layer's ring and parses it anew.
func (w *writer) fetch(l *layer, seq uint64, buf []byte) (p forward.Packet, ok bool) {
	stored, ok := l.ring.Get(seq, buf[forward.Headroom:])
	if !ok || !forward.Parse(buf[forward.Headroom:forward.Headroom+stored.Size], l.Codec, &l.Extensions, &p) {
		return p, false
	}
	p.Seq, p.Arrived = seq, stored.Arrived
	return p, true
}

func (w *writer) dismiss(o *outlet) {
	w.outlets = slices.DeleteFunc(w.outlets, func(other *outlet) bool { return other == o })
	w.settle()
}

// burst gathers the rest of a frame and sends it to everybody.
func (w *writer) burst(first item) {
	w.collect(first)
	if w.behind.Swap(false) {
		for _, o := range w.outlets {
			if o.video != nil {
				o.video.Cut()
			}
		}
	}
	now := w.track.now()
	for _, o := range w.outlets {
		for i := range w.items {
			w.give(o, &w.items[i], w.slots[i], now)
		}
		w.report(o, now)
	}
	w.track.flush()
	w.settle()
}

// collect takes items until a frame ends, a millisecond has passed or the burst is full, and loads their packets.
func (w *writer) collect(first item) {
	w.items = w.items[:0]
	w.take(first)
	waiting := false
	for !w.full() {
		select {
		case it := <-w.inbox:
			w.take(it)
			continue
		default:
		}
		if w.complete() {
			return
		}
		if !waiting {
			waiting = true
			w.timer.Reset(gather)
			defer w.timer.Stop()
		}
		select {
		case it := <-w.inbox:
			w.take(it)
		case <-w.timer.C:
			return
		case <-w.quit:
			return
		}
	}
}

func (w *writer) full() bool { return len(w.items) >= maxBurst }

// complete reports whether waiting for more is of no use: the last packet ends its frame, or it is audio.
func (w *writer) complete() bool {
	if w.track.kind == Audio || len(w.items) == 0 {
		return true
	}
	last := &w.items[len(w.items)-1]
	return last.what != packetCame || last.packet.Marker()
}

// take copies an item's packet out of the ring, once for all outlets. A packet that the ring has lost meanwhile is
// left out.
func (w *writer) take(it item) {
	i := len(w.items)
	if i == len(w.slots) {
		w.slots = append(w.slots, make([]byte, slotRoom))
	}
	if it.what == packetCame {
		l := w.track.layer(int(it.layer))
		if l == nil {
			return
		}
		if _, ok := l.ring.Get(it.packet.Seq, w.slots[i][forward.Headroom:]); !ok {
			return
		}
	}
	w.items = append(w.items, it)
}

// give offers an item to an outlet.
func (w *writer) give(o *outlet, it *item, buf []byte, now time.Duration) {
	switch it.what {
	case packetCame:
		var v forward.Verdict
		if o.video != nil {
			v = o.video.Forward(int(it.layer), &it.packet, &w.out)
		} else {
			v = o.audio.Forward(&it.packet, &w.out)
		}
		if v == forward.Send {
			w.emit(o, buf, now)
		}
	case reportCame:
		if o.video != nil {
			o.video.SourceReport(int(it.layer), it.report)
		} else {
			o.audio.SourceReport(it.report)
		}
	case restarted:
		if o.video != nil {
			o.video.Restart()
		} else {
			o.audio.Restart()
		}
	}
}

// emit sends the packet whose header is in w.out and whose source is in buf.
func (w *writer) emit(o *outlet, buf []byte, now time.Duration) {
	if o.sent != nil {
		w.out.TransportSeq = o.sent(now, w.out.Size)
	}
	if o.sink.Send(o.kind, w.out.Place(buf, forward.Headroom)) == nil {
		o.packets.Add(1)
	}
}

// report sends our sender report when one is due.
func (w *writer) report(o *outlet, now time.Duration) {
	if now < o.reportDue {
		return
	}
	c := w.track.clocks.get()
	var r forward.Report
	var ok bool
	if o.video != nil {
		r, ok = o.video.Report(now, &c)
	} else {
		r, ok = o.audio.Report(now, &c)
	}
	if ok {
		o.sink.Report(o.kind, r)
		o.reportDue = now + reportInterval
	}
}

// settle tells the forwarders what changed of the wishes, asks for the keyframes that they wait for, and notes which
// layers are needed at all.
func (w *writer) settle() {
	wants := uint32(0)
	for _, o := range w.outlets {
		if o.video == nil {
			wants |= 1
			continue
		}
		o.apply()
		if l, ok := o.video.WantsKeyframe(); ok {
			w.track.want(l)
		}
		for _, l := range [...]int{o.video.Current(), o.video.Target()} {
			if l != forward.None {
				wants |= 1 << l
			}
		}
		o.current.Store(int32(o.video.Current()))
	}
	w.wants.Store(wants)
}

// apply tells a video forwarder what is wanted of it.
func (o *outlet) apply() {
	if t := o.target.Load(); t != o.applied.target {
		o.applied.target = t
		o.video.Select(int(t))
	}
	if p := o.pin.Load(); p != o.applied.pin {
		o.applied.pin = p
		o.video.Pin(int(p))
	}
	if p := o.paused.Load(); p != o.applied.paused {
		o.applied.paused = p
		o.video.Pause(p)
	}
}

// resend answers a message about lost packets from the rings.
func (w *writer) resend(o *outlet, seqs []uint16) {
	buf, now := w.scratch(), w.track.now()
	for _, seq := range seqs[:min(len(seqs), resendsAtOnce)] {
		if w.again(o, seq, buf) {
			w.emit(o, buf, now)
			o.resent.Add(1)
		}
	}
	w.track.flush()
}

// again prepares the retransmission of one packet.
func (w *writer) again(o *outlet, seq uint16, buf []byte) bool {
	var ref forward.Ref
	var ok bool
	if o.video != nil {
		ref, ok = o.video.Translate(seq)
	} else {
		ref, ok = o.audio.Translate(seq)
	}
	l := w.track.layer(ref.Layer)
	if !ok || l == nil {
		return false
	}
	p, ok := w.fetch(l, ref.Seq, buf)
	if !ok {
		return false
	}
	if o.video != nil {
		return o.video.Resend(seq, &p, &w.out)
	}
	return o.audio.Resend(seq, &p, &w.out)
}

// pad sends about n bytes that the subscriber does not need: packets it may have lost, then padding.
func (w *writer) pad(o *outlet, n int) {
	buf, now := w.scratch(), w.track.now()
	for n > 0 {
		seq, _, ok := o.video.Recent()
		if !ok || !w.again(o, seq, buf) {
			if !o.video.Padding(255, &w.out) {
				break
			}
		}
		n -= w.out.Size
		w.emit(o, buf, now)
	}
	w.track.flush()
}
