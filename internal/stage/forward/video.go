package forward

import "time"

// Video forwards one publication's video to one subscriber. It lives as long as its outgoing SSRC: a new publisher on
// the same stream is a Restart.
type Video struct {
	line     line
	current  int // layer being sent
	selected int
	pinned   int
	paused   bool
	ranks    [MaxLayers]int8
}

// NewVideo returns a forwarder that wants the lowest layer and waits for its keyframe.
func NewVideo(s Stream) *Video {
	v := &Video{line: newLine(s), current: None, pinned: None}
	for i := range v.ranks {
		v.ranks[i] = int8(i)
	}
	return v
}

// Rank says which layers are better pictures than others: those of a higher rank. Without it, layers are in the order of
// their numbers.
func (v *Video) Rank(ranks [MaxLayers]int8) { v.ranks = ranks }

// Lower reports whether a layer has a lower rank than another. None is lower than any.
func (v *Video) Lower(layer, than int) bool {
	if layer == None || than == None {
		return layer == None && than != None
	}
	return v.ranks[layer] < v.ranks[than]
}

// Forward decides about a packet of a layer. Only with Send is out filled.
func (v *Video) Forward(layer int, p *Packet, out *Out) Verdict {
	if layer < 0 || layer >= MaxLayers || p.Seq == 0 {
		return Inactive
	}
	if v.line.see(layer, p) && layer == v.current {
		v.current = None
	}
	target := v.Target()
	switch {
	case target == None:
		return Paused
	case layer == v.current:
		return v.line.deliver(layer, p, out)
	case p.Keyframe() && v.admits(layer, target) && v.line.begins(layer, p):
		v.current = layer
		v.line.join(layer, p)
		return v.line.deliver(layer, p, out)
	case v.current == None:
		return NoKeyframe
	case p.Seq < v.line.seq.kept[layer]: // may fill a hole from before a switch
		return v.line.deliver(layer, p, out)
	}
	return Inactive
}

// admits reports whether a keyframe of the layer may be switched to. A lower one than wanted is better than none.
func (v *Video) admits(layer, target int) bool {
	return layer == target || v.current == None && v.Lower(layer, target)
}

// Select sets the layer that the allocator wants; None pauses. The change happens at the layer's next keyframe.
func (v *Video) Select(layer int) {
	v.selected = bounded(layer)
	v.settle()
}

// Pin sets the subscriber's own choice of layer; None unpins. It bounds what Select wants and never raises it: a
// subscriber's wish must not starve its audio, so an allocator that knows of the pin selects it when there is room.
func (v *Video) Pin(layer int) {
	v.pinned = bounded(layer)
	v.settle()
}

// Pause stops and resumes the subscription, whatever was selected. Nothing is sent after a resume before a keyframe.
func (v *Video) Pause(paused bool) {
	v.paused = paused
	v.settle()
}

// settle stops at once when nothing is wanted any more.
func (v *Video) settle() {
	if v.Target() == None {
		v.current = None
	}
}

func bounded(layer int) int { return min(max(layer, None), MaxLayers-1) }

// Cut gives up the frame being sent and everything up to the next keyframe, because the subscriber cannot keep up. What
// is left out leaves no hole in the numbers, so that nothing of it is asked for again.
func (v *Video) Cut() { v.current = None }

// Restart says that the publisher's layers have begun anew, with other rings.
func (v *Video) Restart() {
	v.current = None
	v.line.restart()
}

// Current returns the layer being sent, or None.
func (v *Video) Current() int { return v.current }

// Target returns the layer that is wanted, or None.
func (v *Video) Target() int {
	switch {
	case v.paused || v.selected == None:
		return None
	case v.pinned != None:
		if v.Lower(v.pinned, v.selected) {
			return v.pinned
		}
		return v.selected
	}
	return v.selected
}

// WantsKeyframe returns the layer whose keyframe this subscriber waits for.
func (v *Video) WantsKeyframe() (layer int, ok bool) {
	target := v.Target()
	return target, target != None && target != v.current
}

// SourceReport takes a sender report of a layer.
func (v *Video) SourceReport(layer int, r SenderReport) { v.line.sourceReport(layer, r) }

// Report returns our own sender report as of now; false until the publisher has sent one and a packet went out.
func (v *Video) Report(now time.Duration, clock *SourceClock) (Report, bool) {
	return v.line.report(now, clock)
}

// Answer finds the source packet of an outgoing sequence number that a NACK names, for Resend. It is false where Translate
// is, when neither RTX nor repeats are negotiated, for a packet that was sent again a moment ago or four times, and while
// retransmissions have taken more than half of what was sent: then they only make a bad link worse.
func (v *Video) Answer(seq uint16, now time.Duration) (Ref, bool) {
	if v.Target() == None {
		return Ref{}, false
	}
	return v.line.answer(seq, now)
}

// Translate finds the source packet of an outgoing sequence number. It knows the last 1,024.
func (v *Video) Translate(seq uint16) (Ref, bool) { return v.line.translate(seq) }

// Resend makes the RTX packet (RFC 4588) for a sequence number that Translate knows, or without RTX that packet once more;
// p is the source packet, parsed anew. It fails when neither is negotiated.
func (v *Video) Resend(seq uint16, p *Packet, out *Out) bool { return v.line.resend(seq, p, out) }

// Recent returns the outgoing number and source of a packet sent not long ago, another one each time: sent again with
// Resend it is padding that may even help.
func (v *Video) Recent() (seq uint16, ref Ref, ok bool) { return v.line.again() }

// Padding makes a packet of n bytes of padding, 1 to 255, on the RTX stream; without one, on the media stream, which
// works between frames only.
func (v *Video) Padding(n int, out *Out) bool { return v.line.pad(n, out) }
