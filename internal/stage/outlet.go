package stage

import (
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/stage/bwe"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// outlet is one track of a subscription: the pure forwarding state, which belongs to the writer that the outlet is
// attached to, and what others want of it.
type outlet struct {
	kind      Kind
	sink      Sink
	number    func(now time.Duration, list []parcel) // gives packets that leave now their transport-wide numbers; may be nil
	video     *forward.Video                         // nil for audio
	audio     *forward.Audio                         // nil for video
	pace      pacer
	flight    *bwe.Flight // that holds video back; nil where nothing tells how much is on its way, and for audio
	reportDue time.Duration

	writer  atomic.Pointer[writer] // nil while nothing feeds it
	rank    atomic.Int32           // of the layer that the allocator wants, forward.None: none
	target  atomic.Int32           // that layer
	pin     atomic.Int32           // layer that the subscriber wants, forward.None: any
	paused  atomic.Bool
	current atomic.Int32 // layer being sent
	rate    atomic.Int64 // bytes a second at which it may be sent, 0: not known

	applied struct { // what the forwarder was told
		order       uint32
		target, pin int32
		paused      bool
	}
}

func newOutlet(k Kind, sink Sink) *outlet {
	o := &outlet{kind: k, sink: sink}
	o.pin.Store(forward.None)
	o.applied.pin = forward.None
	o.current.Store(forward.None)
	return o
}

// nudge makes the writer look at what is wanted, if there is one.
func (o *outlet) nudge() {
	if w := o.writer.Load(); w != nil {
		w.nudge()
	}
}

// aim is called by the allocator with the rank that bandwidth allows, and tells whether that is another layer.
func (o *outlet) aim(rank int, order ladder) (changed bool) {
	o.rank.Store(int32(rank))
	layer := int32(order.index(rank))
	if o.target.Swap(layer) == layer {
		return false
	}
	o.nudge()
	return true
}

// apply tells the forwarder what is wanted of it, of layers in a packed order. The writer calls it.
func (o *outlet) apply(order uint32) {
	p := o.paused.Load()
	changed := p != o.applied.paused
	o.applied.paused = p
	if o.video == nil {
		if changed {
			o.audio.Pause(p)
		}
		return
	}
	if changed {
		o.video.Pause(p)
	}
	if order != o.applied.order {
		o.applied.order = order
		o.video.Rank(unpack(order).ranks())
	}
	if t := o.target.Load(); t != o.applied.target {
		o.applied.target = t
		if o.pace.count > 0 && o.video.Lower(int(t), o.video.Current()) { // what waits is of a layer that the link does not carry
			o.cut()
		}
		o.video.Select(int(t))
	}
	if p := o.pin.Load(); p != o.applied.pin {
		o.applied.pin = p
		o.video.Pin(int(p))
	}
}

// cut gives up what is held back, and all until the next keyframe.
func (o *outlet) cut() {
	o.pace.drop()
	o.video.Cut()
}

// open reports whether a packet of a video may leave now, after some bytes that are about to.
func (o *outlet) open(now time.Duration, staged int) bool {
	return o.flight == nil || o.flight.Open(now, staged)
}

// wants returns the bits of the layers that the outlet has use for.
func (o *outlet) wants() (bits uint32) {
	if o.video == nil {
		if o.applied.paused {
			return 0
		}
		return 1
	}
	for _, l := range [...]int{o.video.Current(), o.video.Target()} {
		if l != forward.None {
			bits |= 1 << l
		}
	}
	return bits
}

// awaits reports whether packets of a layer of the video may be sent, and so have their place in the order.
func (o *outlet) awaits(layer int) bool {
	current, target := o.video.Current(), o.video.Target()
	return layer == current || target != forward.None && (layer == target || current == forward.None && o.video.Lower(layer, target))
}

// forward asks the forwarding state about a packet.
func (o *outlet) forward(layer int, p *forward.Packet, out *forward.Out) bool {
	if o.video != nil {
		return o.video.Forward(layer, p, out) == forward.Send
	}
	return o.audio.Forward(p, out) == forward.Send
}

// answer finds the source of an outgoing packet that was asked for again, within what is answered at all.
func (o *outlet) answer(seq uint16, now time.Duration) (forward.Ref, bool) {
	if o.video != nil {
		return o.video.Answer(seq, now)
	}
	return o.audio.Answer(seq, now)
}

// again prepares the retransmission of a packet whose source is p.
func (o *outlet) again(seq uint16, p *forward.Packet, out *forward.Out) bool {
	if o.video != nil {
		return o.video.Resend(seq, p, out)
	}
	return o.audio.Resend(seq, p, out)
}

// restart tells the forwarding state that its source has begun anew.
func (o *outlet) restart() {
	o.pace.drop()
	if o.video != nil {
		o.video.Restart()
	} else {
		o.audio.Restart()
	}
}

// sourceReport takes a sender report of a layer.
func (o *outlet) sourceReport(layer int, r forward.SenderReport) {
	if o.video != nil {
		o.video.SourceReport(layer, r)
	} else {
		o.audio.SourceReport(r)
	}
}

// report returns our own sender report.
func (o *outlet) report(now time.Duration, c *forward.SourceClock) (forward.Report, bool) {
	if o.video != nil {
		return o.video.Report(now, c)
	}
	return o.audio.Report(now, c)
}
