package stage

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/stage/forward"
	"github.com/rivus-live/rivus/internal/stage/packetring"
)

const (
	writerControl  = 64                     // commands waiting
	reportInterval = time.Second            // between sender reports to a subscriber
	resendsAtOnce  = 128                    // answers to one message that names lost packets
	replayPackets  = 200                    // a keyframe and what followed, to start a subscriber with
	replayAge      = 500 * time.Millisecond // of the keyframe, at most; keyframeRefill gives the next one by then
	greetAge       = 60 * time.Millisecond  // of an audio packet: the longest that Opus makes (RFC 7587, section 4.2)
	slotRoom       = forward.Headroom + packetring.SlotSize
)

// writer sends the packets of a track to some of its subscribers, subscriber by subscriber: all packets of a frame to
// one, then to the next, so that they leave in runs and the state of one subscriber stays in the cache. One goroutine
// owns everything in it but the atomics and the channels.
type writer struct {
	track   *track
	inbox   inbox
	control chan func()
	wake    chan struct{} // there are packets to send, or an outlet's wishes have changed
	quit    chan struct{}
	done    chan struct{}
	wants   atomic.Uint32 // bits of the layers that some outlet needs
	load    int           // guarded by track.mu

	outlets []*outlet
	items   []item
	slots   [][]byte // one a gathered packet; the packet is at forward.Headroom
	spare   []byte   // for packets that go to one outlet only
	staged  [maxBurst]parcel
	loaded  int         // of staged
	pending int         // their bytes
	leaving Departure   // has what was emitted; nil while nothing was
	pacing  *time.Timer // of what is held back
	armed   bool        // pacing runs

	sent, resent, padded uint64 // not added to the counters yet
}

// parcel is a packet for one subscriber: its header, and the buffer that its source is in.
type parcel struct {
	out forward.Out
	buf []byte
}

func newWriter(t *track) *writer {
	w := &writer{
		track: t, control: make(chan func(), writerControl),
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
		spare: make([]byte, slotRoom), pacing: time.NewTimer(time.Hour),
	}
	w.pacing.Stop()
	return w
}

func (w *writer) run() {
	defer w.guard()
	defer close(w.done)
	defer w.pacing.Stop()
	for {
		select {
		case <-w.wake:
			w.turn()
		case fn := <-w.control:
			fn()
		case <-w.pacing.C:
			w.armed = false
			w.pump()
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

// post runs fn on the writer's goroutine some time; false, and not at all, when it has too much to do already.
func (w *writer) post(fn func()) bool {
	select {
	case w.control <- fn:
		return true
	default:
		return false
	}
}

// nudge makes the writer look at what has come, and at what its outlets want.
func (w *writer) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) admit(o *outlet) {
	w.outlets = append(w.outlets, o)
	o.apply(w.track.pub.ranked.Load())
	if o.video != nil {
		w.replay(o)
	} else {
		w.greet(o)
	}
	w.settle()
}

func (w *writer) dismiss(o *outlet) {
	w.outlets = slices.DeleteFunc(w.outlets, func(other *outlet) bool { return other == o })
	o.writer.Store(nil)
	w.settle()
}

// greet starts a new subscriber of audio with the newest packet, if it is recent: so the subscriber's clocks begin a
// packet's length earlier.
func (w *writer) greet(o *outlet) {
	l := w.track.layer(0)
	if l == nil {
		return
	}
	newest, _ := l.ring.Newest()
	now := w.track.now()
	if p, ok := w.fetch(l, newest); ok && now-p.Arrived < greetAge && o.forward(0, &p, w.next()) {
		w.emit(o, now)
		w.sent++
	}
	w.flush()
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
	now := w.track.now()
	o.pace.fill(now, o.rate.Load())
	for seq := from; seq <= newest; seq++ {
		p, ok := w.fetch(l, seq)
		switch {
		case seq == from && (!ok || now-p.Arrived > replayAge):
			return
		case !ok:
		case !o.pace.free() || !o.open(now, 0):
			w.hold(o, l.Index, &p, now)
		case o.forward(l.Index, &p, w.next()):
			w.emit(o, now)
			w.sent++
		}
	}
	w.flush()
}

// fetch copies a packet out of a layer's ring into spare and parses it anew.
func (w *writer) fetch(l *layer, seq uint64) (p forward.Packet, ok bool) {
	stored, ok := l.ring.Get(seq, w.spare[forward.Headroom:])
	if !ok || !forward.Parse(w.spare[forward.Headroom:forward.Headroom+stored.Size], l.Codec, &l.Extensions, &p) {
		return p, false
	}
	p.Seq, p.Arrived = seq, stored.Arrived
	return p, true
}

// turn sends what has come to everybody.
func (w *writer) turn() {
	for w.collect() {
		w.burst()
	}
	w.settle()
}

// burst sends the items that were collected to everybody.
func (w *writer) burst() {
	now := w.track.now()
	if first := &w.items[0]; first.what == packetCame {
		w.track.pub.host.AddDeparture(now, now-first.packet.Arrived)
	}
	for _, o := range w.outlets {
		if o.video != nil {
			o.pace.fill(now, o.rate.Load())
			w.drain(o, now)
		}
		for i := range w.items {
			w.give(o, &w.items[i], w.slots[i], now)
		}
		w.depart(o, now)
		w.report(o, now)
	}
	w.flush()
}

// collect takes items and loads their packets; false when there are none. Where some are missing, because the writer was
// too slow, all begin anew with a keyframe.
func (w *writer) collect() bool {
	var missing bool
	w.items, missing = w.inbox.take(w.items[:0])
	if missing {
		for _, o := range w.outlets {
			if o.video != nil {
				o.cut()
			}
		}
	}
	n := 0
	for i := range w.items {
		if it := &w.items[i]; w.fill(n, it) {
			w.items[n] = *it
			n++
		}
	}
	w.items = w.items[:n]
	return n > 0
}

// fill copies an item's packet out of the ring into a slot, once for all outlets; false when the ring has lost it
// meanwhile.
func (w *writer) fill(slot int, it *item) bool {
	if slot == len(w.slots) {
		w.slots = append(w.slots, make([]byte, slotRoom))
	}
	if it.what != packetCame {
		return true
	}
	l := w.track.layer(int(it.layer))
	if l == nil {
		return false
	}
	_, ok := l.ring.Get(it.packet.Seq, w.slots[slot][forward.Headroom:])
	return ok
}

// give offers an item to an outlet.
func (w *writer) give(o *outlet, it *item, buf []byte, now time.Duration) {
	switch it.what {
	case packetCame:
		if o.video != nil && (!o.pace.free() || !o.open(now, w.pending)) && o.awaits(int(it.layer)) {
			w.hold(o, int(it.layer), &it.packet, now)
		} else if o.forward(int(it.layer), &it.packet, w.next()) {
			w.stage(o, buf)
			w.sent++
		}
	case reportCame:
		o.sourceReport(int(it.layer), it.report)
	}
}

// hold keeps a packet until there is credit for it. When too many are held, the oldest leaves at once, unless too much is
// on its way: then there is no use in any of them.
func (w *writer) hold(o *outlet, layer int, p *forward.Packet, now time.Duration) {
	h := held{seq: p.Seq, size: int32(p.End), layer: int8(layer)}
	for !o.pace.hold(h) {
		if !o.open(now, 0) {
			o.cut()
			return
		}
		w.depart(o, now) // what is staged comes first
		oldest, _ := o.pace.next()
		w.release(o, oldest, now)
	}
}

// drain sends what is held, as far as the credit goes.
func (w *writer) drain(o *outlet, now time.Duration) {
	for o.pace.credit > 0 && o.open(now, 0) {
		h, ok := o.pace.next()
		if !ok {
			return
		}
		w.release(o, h, now)
	}
}

// release sends a packet that was held. One that the ring has lost meanwhile is left out.
func (w *writer) release(o *outlet, h held, now time.Duration) {
	l := w.track.layer(int(h.layer))
	if l == nil {
		return
	}
	if p, ok := w.fetch(l, h.seq); ok && o.forward(l.Index, &p, w.next()) {
		w.emit(o, now)
		w.sent++
	}
}

// pump sends what is held and has its time.
func (w *writer) pump() {
	now := w.track.now()
	for _, o := range w.outlets {
		if o.pace.count > 0 {
			o.pace.fill(now, o.rate.Load())
			w.drain(o, now)
		}
	}
	w.flush()
	w.settle()
}

// next is where the header of the next packet is written.
func (w *writer) next() *forward.Out { return &w.staged[w.loaded].out }

// stage makes the packet whose header is in next and whose source is in buf part of what departs next.
func (w *writer) stage(o *outlet, buf []byte) {
	o.pace.credit -= w.staged[w.loaded].out.Size
	w.staged[w.loaded].buf = buf
	w.pending += w.staged[w.loaded].out.Size
	w.loaded++
}

// depart sends what is staged for an outlet: the packets are numbered together and placed one by one.
func (w *writer) depart(o *outlet, now time.Duration) {
	list := w.staged[:w.loaded]
	w.loaded, w.pending = 0, 0
	if len(list) == 0 {
		return
	}
	if o.number != nil {
		o.number(now, list)
	}
	out := w.batch()
	for i := range list {
		_ = o.sink.Send(o.kind, out, list[i].out.Place(list[i].buf, forward.Headroom)) // what cannot be sent is lost, as on any network
	}
}

// emit sends the packet whose header is in next and whose source is in spare.
func (w *writer) emit(o *outlet, now time.Duration) {
	w.stage(o, w.spare)
	w.depart(o, now)
}

// batch is what packets leave with.
func (w *writer) batch() Departure {
	if w.leaving == nil {
		w.leaving = w.track.batch()
	}
	return w.leaving
}

// flush lets go of what was emitted.
func (w *writer) flush() {
	if w.leaving != nil {
		w.leaving.End()
		w.leaving = nil
	}
	c := w.track.counters
	if w.sent > 0 {
		c.sent.Add(w.sent)
	}
	if w.resent > 0 {
		c.resent.Add(w.resent)
	}
	if w.padded > 0 {
		c.padded.Add(w.padded)
	}
	w.sent, w.resent, w.padded = 0, 0, 0
}

// report sends our sender report when one is due.
func (w *writer) report(o *outlet, now time.Duration) {
	if now < o.reportDue {
		return
	}
	c := w.track.clocks.get()
	if r, ok := o.report(now, &c); ok {
		o.sink.Report(o.kind, w.batch(), r)
		o.reportDue = now + reportInterval
	}
}

// settle tells the forwarders what changed of the wishes, asks for the keyframes that they wait for, notes which layers
// are needed at all, and sets the clock when something is held back.
func (w *writer) settle() {
	wants, holding, order := uint32(0), false, w.track.pub.ranked.Load()
	for _, o := range w.outlets {
		o.apply(order)
		wants |= o.wants()
		if o.video == nil {
			continue
		}
		if l, ok := o.video.WantsKeyframe(); ok && o.pace.count == 0 { // what is held may be the keyframe
			w.track.want(l)
		}
		o.current.Store(int32(o.video.Current()))
		holding = holding || o.pace.count > 0
	}
	w.wants.Store(wants)
	if holding && !w.armed {
		w.armed = true
		w.pacing.Reset(paceStep)
	}
}

// resend answers a message about lost packets from the rings. Whoever asks for more than it could receive gets less.
func (w *writer) resend(o *outlet, seqs []uint16) {
	if o.writer.Load() != w {
		return
	}
	now := w.track.now()
	o.pace.fill(now, o.rate.Load())
	for _, seq := range seqs[:min(len(seqs), resendsAtOnce)] {
		if o.pace.credit < -resendDebt || !o.open(now, 0) {
			break
		}
		if ref, ok := o.answer(seq, now); ok && w.again(o, seq, ref) {
			w.emit(o, now)
			w.resent++
		}
	}
	w.flush()
}

// again prepares the retransmission of one packet.
func (w *writer) again(o *outlet, seq uint16, ref forward.Ref) bool {
	l := w.track.layer(ref.Layer)
	if l == nil {
		return false
	}
	p, ok := w.fetch(l, ref.Seq)
	return ok && o.again(seq, &p, w.next())
}

// pad sends about n bytes that the subscriber does not need: packets it may have lost, then padding.
func (w *writer) pad(o *outlet, n int) {
	if o.writer.Load() != w {
		return
	}
	now, credit := w.track.now(), o.pace.credit
	for n > 0 && o.open(now, 0) {
		seq, ref, ok := o.video.Recent()
		if !ok || !w.again(o, seq, ref) {
			if !o.video.Padding(255, w.next()) {
				break
			}
		}
		n -= w.next().Size
		w.emit(o, now)
		w.padded++
	}
	o.pace.credit = credit // a probe is paced already
	w.flush()
}
