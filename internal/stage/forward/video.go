package forward

import "time"

// Video forwards one publication's video to one subscriber.
type Video struct{ stream Stream }

// NewVideo returns a forwarder that wants the lowest layer and waits for its keyframe.
func NewVideo(s Stream) *Video { return &Video{stream: s} }

// Forward decides about a packet of a layer. Only with Send is out filled.
func (v *Video) Forward(layer int, p *Packet, out *Out) Verdict { return Inactive }

// Select sets the layer that the allocator wants; None pauses. The change happens at the layer's next keyframe.
func (v *Video) Select(layer int) {}

// Pin makes the subscriber's own choice of layer go before Select's; None unpins. A Select of None still pauses.
func (v *Video) Pin(layer int) {}

// Pause stops and resumes the subscription, whatever was selected. Nothing is sent after a resume before a keyframe.
func (v *Video) Pause(paused bool) {}

// Cut gives up the frame being sent and everything up to the next keyframe, because the subscriber cannot keep up.
func (v *Video) Cut() {}

// Restart says that the publisher's layers have begun anew, with other sequence numbers and timestamps.
func (v *Video) Restart() {}

// Current returns the layer being sent, or None.
func (v *Video) Current() int { return None }

// Target returns the layer that is wanted, or None.
func (v *Video) Target() int { return None }

// WantsKeyframe returns the layer whose keyframe this subscriber waits for.
func (v *Video) WantsKeyframe() (layer int, ok bool) { return None, false }

// SourceReport takes a sender report of a layer.
func (v *Video) SourceReport(layer int, r SenderReport) {}

// Report returns our own sender report as of now; false until the publisher has sent one and a packet went out.
func (v *Video) Report(now time.Duration, clock *SourceClock) (Report, bool) { return Report{}, false }

// Translate finds the source packet of an outgoing sequence number, as a NACK names it.
func (v *Video) Translate(seq uint16) (Ref, bool) { return Ref{}, false }

// Resend makes the RTX packet (RFC 4588) for a sequence number that Translate knows; p is the source packet, parsed
// anew. It fails without a negotiated RTX stream.
func (v *Video) Resend(seq uint16, p *Packet, out *Out) bool { return false }

// Recent returns the outgoing number and source of a packet sent not long ago, another one each time: sent again with
// Resend it is padding that may even help.
func (v *Video) Recent() (seq uint16, ref Ref, ok bool) { return 0, Ref{}, false }

// Padding makes a packet of n bytes of padding, 1 to 255, on the RTX stream.
func (v *Video) Padding(n int, out *Out) bool { return false }
