// Package forward decides, for one subscriber, which packets of a publication are sent on and with which headers.
//
// Parse looks at a packet once, when the layer's reader has it. A subscription then has one Video or Audio for each of
// its tracks; Forward says drop, or send with the header in Out, and Out.Place writes that header in front of the
// payload. Nothing here knows a peer connection, a lock, a goroutine or a clock: times are passed in as durations since
// an instant of the caller's choosing. One Video or Audio belongs to one goroutine at a time. Forward, Place, Answer,
// Translate and Resend allocate nothing.
//
// What a subscriber receives is one RTP stream that looks as if one encoder had made it:
//
//   - Sequence numbers: what the network lost before us stays a hole, so that a late packet still has its place; what we
//     leave out on purpose leaves none. No number ever stands for two packets: with AES-GCM the number is the nonce.
//   - Layers change on the first packet of a keyframe of the wanted layer only; until it comes, the old layer goes on.
//   - Timestamps of all layers are put on one line with the publisher's sender reports, else with arrival times.
//   - VP8 picture ids and TL0PICIDX continue across layers (RFC 7741), in place and with the widths the encoder uses.
//   - Payloads are otherwise untouched, H.264 SEI included.
//   - A NACK is translated back to the layer and number it came from and is answered on the RTX stream (RFC 4588), with
//     the same rewriting, but not as often as a receiver likes. A subscriber without RTX gets the packet itself once more.
//
// Header extensions are not copied, they are written anew with the ids the subscriber negotiated: transport-wide
// sequence number, audio level, video orientation, absolute capture time. RID and repaired RID mean nothing to a
// subscriber of one stream and are dropped; MID is the subscriber's own, and is left out when empty, as SSRCs are
// signalled. The AV1 dependency descriptor describes the publisher's templates; it is read for keyframes and dropped.
// Two-byte extensions are read, one-byte extensions are written (RFC 8285). CSRCs and padding are dropped.
//
// Imports: nothing of Rivus.
package forward

import "time"

// MaxLayers is the largest number of simulcast layers of one publication, lowest first.
const MaxLayers = 4

// None is the layer of a subscription that forwards no video.
const None = -1

// Codec is what Parse has to know to find keyframes and descriptors.
type Codec uint8

// The codecs. Other covers every payload that is forwarded unread.
const (
	Other Codec = iota
	Opus
	H264 // RFC 6184
	VP8  // RFC 7741
	VP9  // RFC 9628, one spatial layer
	AV1  // RTP payload format for AV1, one spatial layer
)

// Verdict says what to do with a packet, and if nothing, why.
type Verdict uint8

// The verdicts.
const (
	Send       Verdict = iota // write it with the header in Out
	Inactive                  // of a layer this subscriber does not receive
	Paused                    // the subscription is paused
	NoKeyframe                // nothing may be sent before the next keyframe
	Late                      // too late: its place is gone or was never kept
	Repeated                  // was sent before
	Empty                     // padding only
)

// String returns a word for logs and metrics.
func (v Verdict) String() string {
	switch v {
	case Send:
		return "send"
	case Inactive:
		return "inactive"
	case Paused:
		return "paused"
	case NoKeyframe:
		return "no_keyframe"
	case Late:
		return "late"
	case Repeated:
		return "repeated"
	case Empty:
		return "empty"
	}
	return "unknown"
}

// Extensions are header extension ids, as negotiated with one peer; 0 means not negotiated. Ids above 14 cannot be
// written and count as 0 there.
type Extensions struct {
	TransportSeq         uint8 // http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
	AudioLevel           uint8 // RFC 6464
	Orientation          uint8 // urn:3gpp:video-orientation
	CaptureTime          uint8 // http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time
	MID                  uint8 // RFC 8843
	DependencyDescriptor uint8 // AV1 RTP payload format, appendix A; read only
}

// Stream is what one outgoing RTP stream has negotiated.
type Stream struct {
	Codec          Codec
	ClockRate      uint32 // ticks in a second: 90,000 or 48,000
	SSRC           uint32
	PayloadType    uint8
	RTXSSRC        uint32 // 0: no retransmission
	RTXPayloadType uint8
	Repeats        bool // without RTX, packets are sent again as they were
	Extensions     Extensions
	MID            string // written into every packet when Extensions.MID is set; at most 16 bytes
}

// Ref names a packet of the source: the layer and the extended sequence number in that layer's ring.
type Ref struct {
	Layer int
	Seq   uint64
}

// SenderReport is the part of a publisher's RTCP sender report that ties its clocks together.
type SenderReport struct {
	NTP     uint64        // 32.32 fixed point seconds, the publisher's wall clock
	RTP     uint32        // the same instant on the layer's RTP clock
	Arrived time.Duration // when it came, on the caller's clock
}

// Report is what our own sender report to the subscriber says, except for its NTP time, which is the caller's at now.
type Report struct {
	RTP             uint32
	Packets, Octets uint32 // sent so far, payload only (RFC 3550, 6.4.1)
}
