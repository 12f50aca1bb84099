package forward

import "time"

// Packet is what is known about one packet of a layer after Parse: 64 bytes, to be handed on by value.
type Packet struct {
	Seq         uint64        // extended sequence number from the layer's ring; set by the caller
	Arrived     time.Duration // set by the caller
	CaptureTime uint64        // abs-capture-time's timestamp, 0 when absent
	Timestamp   uint32
	Start, End  uint16 // the payload is pkt[Start:End], without header and padding
	PictureID   uint16 // VP8
	TL0         uint8  // VP8 TL0PICIDX
	pictureAt   uint8  // offset of the picture id in the payload, 0: none
	tl0At       uint8  // offset of TL0PICIDX in the payload, 0: none
	Temporal    uint8  // VP8 and VP9 temporal layer
	AudioLevel  uint8  // RFC 6464 byte, valid with hasLevel
	Orientation uint8  // 3GPP CVO byte, valid with hasOrientation
	PayloadType uint8
	flags       flags
}

type flags uint8

const (
	flagMarker flags = 1 << iota
	flagStart
	flagKeyframe
	flagLevel
	flagOrientation
	flagWideID
)

// Marker reports whether the packet is the last of its frame.
func (p *Packet) Marker() bool { return p.flags&flagMarker != 0 }

// FrameStart reports whether the packet is the first of its frame, as far as its codec tells.
func (p *Packet) FrameStart() bool { return p.flags&flagStart != 0 }

// Keyframe reports whether a decoder can start with this packet: the first of a keyframe, for H.264 the one with the
// sequence parameter set.
func (p *Packet) Keyframe() bool { return p.flags&flagKeyframe != 0 }

// Parse reads header, extensions and payload descriptor of an RTP packet into p; ids are those negotiated with the
// publisher. It returns false for bytes that are no RTP packet. Seq's low 16 bits are set, the rest is the caller's.
// It keeps nothing of pkt and allocates nothing.
func Parse(pkt []byte, codec Codec, ids *Extensions, p *Packet) bool { return false }
