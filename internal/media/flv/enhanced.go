package flv

import "fmt"

// Packet types of Enhanced RTMP v2. Video and audio share the numbers of those that both have.
const (
	packetSequenceStart   = 0
	packetCodedFrames     = 1
	packetSequenceEnd     = 2
	packetCodedFramesX    = 3 // video: coded frames whose composition time is zero and left away
	packetMetadata        = 4 // video: HDR information
	packetMPEG2TSSequence = 5 // video: AV1 only
	packetChannelConfig   = 4 // audio
	packetMultitrack      = 6 // video
	packetModEx           = 7
	packetAudioMultitrack = 5
)

// oneTrack is the multitrack type whose packet holds a single track.
const oneTrack = 0

// enhancedHeader is what stands before the payload of an Enhanced RTMP packet.
type enhancedHeader struct {
	packet byte
	codec  FourCC
	many   bool // more than one track, or a track other than the first
	body   []byte
}

// parseEnhancedHeader reads modifiers, the multitrack header and the FourCC. b starts behind the first byte, whose lower
// half is packet; multitrack is the packet type that this medium uses for it.
func parseEnhancedHeader(packet byte, b []byte, multitrack byte) (enhancedHeader, error) {
	h := enhancedHeader{packet: packet}
	for h.packet == packetModEx {
		if len(b) < 1 {
			return h, errShort
		}
		size := int(b[0]) + 1
		b = b[1:]
		if size == 256 {
			if len(b) < 2 {
				return h, errShort
			}
			size = int(b[0])<<8 + int(b[1]) + 1
			b = b[2:]
		}
		if len(b) < size+1 {
			return h, errShort
		}
		h.packet = b[size] & 0x0F // the upper half names the modifier; none that exists matters to us
		b = b[size+1:]
	}
	inTracks := h.packet == multitrack
	if inTracks {
		if len(b) < 1 {
			return h, errShort
		}
		h.packet = b[0] & 0x0F
		h.many = b[0]>>4 != oneTrack
		b = b[1:]
		if h.many {
			return h, nil
		}
	}
	if len(b) < 4 {
		return h, errShort
	}
	h.codec = FourCC(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]))
	h.body = b[4:]
	if inTracks {
		if len(h.body) < 1 {
			return h, errShort
		}
		h.many = h.body[0] != 0
		h.body = h.body[1:]
	}
	return h, nil
}

func parseEnhancedVideo(b []byte) (VideoTag, error) {
	t := VideoTag{FrameType: FrameType(b[0] >> 4 & 0x07)}
	h, err := parseEnhancedHeader(b[0]&0x0F, b[1:], packetMultitrack)
	switch {
	case t.FrameType == CommandFrame && b[0]&0x0F != packetMetadata:
		return t, nil // one byte of command (start or end of a client-side seek) instead of a codec
	case err != nil:
		return VideoTag{}, err
	case t.FrameType > CommandFrame: // 0 is forgiven: some encoders leave it away, and the bitstream tells
		return VideoTag{}, errFrameType
	case h.many:
		return VideoTag{}, &UnsupportedError{Media: "video", Codec: Multitrack}
	case h.codec != AVC:
		return VideoTag{}, &UnsupportedError{Media: "video", Codec: h.codec.String()}
	}
	t.Codec = h.codec
	switch h.packet {
	case packetSequenceStart:
		t.Kind, t.Payload = SequenceHeader, h.body
	case packetCodedFrames:
		if len(h.body) < 3 {
			return VideoTag{}, errShort
		}
		t.Kind, t.Payload, t.CompositionTime = NALUs, h.body[3:], signed24(h.body)
	case packetCodedFramesX:
		t.Kind, t.Payload = NALUs, h.body
	case packetSequenceEnd:
		t.Kind = EndOfSequence
	case packetMetadata, packetMPEG2TSSequence:
		t.Kind = Other
	default:
		return VideoTag{}, fmt.Errorf("flv: enhanced video packet type %d", h.packet)
	}
	return t, nil
}

func parseEnhancedAudio(b []byte) (AudioTag, error) {
	h, err := parseEnhancedHeader(b[0]&0x0F, b[1:], packetAudioMultitrack)
	switch {
	case err != nil:
		return AudioTag{}, err
	case h.many:
		return AudioTag{}, &UnsupportedError{Media: "audio", Codec: Multitrack}
	case h.codec != AAC:
		return AudioTag{}, &UnsupportedError{Media: "audio", Codec: h.codec.String()}
	}
	t := AudioTag{Codec: h.codec}
	switch h.packet {
	case packetSequenceStart:
		t.Kind, t.Payload = SequenceHeader, h.body
	case packetCodedFrames:
		t.Kind, t.Payload = Raw, h.body
	case packetSequenceEnd:
		t.Kind = EndOfSequence
	case packetChannelConfig:
		t.Kind = Other
	default:
		return AudioTag{}, fmt.Errorf("flv: enhanced audio packet type %d", h.packet)
	}
	return t, nil
}
