package forward

import (
	"encoding/binary"
	"math"
	"time"
)

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
	flagBare
)

// Marker reports whether the packet is the last of its frame.
func (p *Packet) Marker() bool { return p.flags&flagMarker != 0 }

// FrameStart reports whether the packet is the first of its frame, as far as its codec tells.
func (p *Packet) FrameStart() bool { return p.flags&flagStart != 0 }

// Keyframe reports whether a decoder can start with this packet: the first of a keyframe, for H.264 the one with the
// sequence parameter set.
func (p *Packet) Keyframe() bool { return p.flags&flagKeyframe != 0 }

// Bare reports whether the packet begins an IDR picture of H.264 and has no parameter sets in it.
func (p *Packet) Bare() bool { return p.flags&flagBare != 0 }

// Parse reads header, extensions and payload descriptor of an RTP packet into p; ids are those negotiated with the
// publisher. It returns false for bytes that are no RTP packet. Seq's low 16 bits are set, the rest is the caller's.
// It keeps nothing of pkt and allocates nothing.
func Parse(pkt []byte, codec Codec, ids *Extensions, p *Packet) bool {
	*p = Packet{}
	if len(pkt) < fixedHeader || len(pkt) > math.MaxUint16 || pkt[0]>>6 != 2 {
		return false
	}
	p.PayloadType = pkt[1] & 0x7f
	if pkt[1]&0x80 != 0 {
		p.flags |= flagMarker
	}
	p.Seq = uint64(binary.BigEndian.Uint16(pkt[2:]))
	p.Timestamp = binary.BigEndian.Uint32(pkt[4:])
	start, end := fixedHeader+int(pkt[0]&0x0f)*4, len(pkt)
	var structure bool
	if pkt[0]&0x10 != 0 {
		if len(pkt) < start+4 {
			return false
		}
		body := start + 4
		start = body + int(binary.BigEndian.Uint16(pkt[start+2:]))*4
		if len(pkt) < start {
			return false
		}
		structure = p.extensions(binary.BigEndian.Uint16(pkt[body-4:]), pkt[body:start], ids)
	}
	if pkt[0]&0x20 != 0 {
		end -= int(pkt[len(pkt)-1])
		if pkt[len(pkt)-1] == 0 {
			return false
		}
	}
	if start > end {
		return false
	}
	p.Start, p.End = uint16(start), uint16(end)
	if start < end {
		p.payload(codec, pkt[start:end], structure)
	}
	return true
}

const fixedHeader = 12

// Profiles of header extensions (RFC 8285, 4.2 and 4.3); the low 4 bits of the second are application bits.
const (
	profileOneByte = 0xbede
	profileTwoByte = 0x1000
)

// extensions reads the elements of a header extension and reports whether the packet begins a coded video sequence as
// the dependency descriptor tells it. Elements that do not fit end the reading, as RFC 8285 has it.
func (p *Packet) extensions(profile uint16, b []byte, ids *Extensions) (structure bool) {
	short := profile == profileOneByte
	if !short && profile&0xfff0 != profileTwoByte {
		return false
	}
	for len(b) > 0 {
		if b[0] == 0 { // padding
			b = b[1:]
			continue
		}
		id, size, head := b[0]>>4, int(b[0]&0x0f)+1, 1
		if !short {
			if len(b) < 2 {
				break
			}
			id, size, head = b[0], int(b[1]), 2
		} else if id == 0 || id == 15 {
			break
		}
		if len(b) < head+size {
			break
		}
		structure = p.extension(id, b[head:head+size], ids) || structure
		b = b[head+size:]
	}
	return structure
}

func (p *Packet) extension(id uint8, v []byte, ids *Extensions) (structure bool) {
	switch {
	case id == ids.AudioLevel && len(v) >= 1:
		p.AudioLevel = v[0]
		p.flags |= flagLevel
	case id == ids.Orientation && len(v) >= 1:
		p.Orientation = v[0]
		p.flags |= flagOrientation
	case id == ids.CaptureTime && len(v) >= 8:
		p.CaptureTime = binary.BigEndian.Uint64(v)
	case id == ids.DependencyDescriptor && len(v) > 3:
		// start_of_frame of the mandatory part and template_dependency_structure_present_flag after it (A.8.2).
		return v[0]&0x80 != 0 && v[3]&0x80 != 0
	}
	return false
}

// payload finds out what the codec's payload format says about the packet.
func (p *Packet) payload(codec Codec, b []byte, structure bool) {
	var start, key bool
	switch codec {
	case H264:
		var bare bool
		if start, key, bare = h264(b); bare {
			p.flags |= flagBare
		}
	case VP8:
		start, key = p.vp8(b)
	case VP9:
		start, key = p.vp9(b)
	case AV1:
		// Z: continues an OBU of the packet before; N: first packet of a coded video sequence (4.4).
		start = b[0]&0x80 == 0
		key = start && (b[0]&0x08 != 0 || structure)
	case Opus, Other:
		start, key = true, true
	}
	if start {
		p.flags |= flagStart
	}
	if key {
		p.flags |= flagKeyframe
	}
}
