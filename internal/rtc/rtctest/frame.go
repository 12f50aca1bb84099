package rtctest

import (
	"encoding/base64"
	"encoding/binary"
	"slices"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// Sizes of payloads, in bytes.
const (
	plainSize = 912  // of frames that are told in packets
	fullSize  = 1150 // at most, of frames that are told in bits a second
)

// trailer is what the payload of every video packet ends in: a mark, whether the frame is a keyframe, its layer, its number,
// the packet's place in it and how many there are.
const (
	trailerSize = 12
	trailerMark = 0xa55a
)

func trailer(b []byte, key bool, layer int, number uint32, index, count int) []byte {
	b = binary.BigEndian.AppendUint16(b, trailerMark)
	if key {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = append(b, byte(layer))
	b = binary.BigEndian.AppendUint32(b, number)
	b = binary.BigEndian.AppendUint16(b, uint16(index))
	return binary.BigEndian.AppendUint16(b, uint16(count))
}

// read fills in what a payload's trailer says, if it has one.
func (g *Got) read(payload []byte) {
	if len(payload) < trailerSize {
		return
	}
	b := payload[len(payload)-trailerSize:]
	if binary.BigEndian.Uint16(b) != trailerMark {
		return
	}
	g.Media, g.Key, g.Layer, g.Frame = true, b[2] == 1, int(b[3]), binary.BigEndian.Uint32(b[4:])
	g.Index, g.Count = int(binary.BigEndian.Uint16(b[8:])), int(binary.BigEndian.Uint16(b[10:]))
}

func equal(n, size int) []int { return slices.Repeat([]int{size}, n) }

// Frame makes one frame of a codec. Every payload ends in the layer, the frame's number and the packet's place, so that
// a receiver can tell what it got.
func Frame(mime string, key bool, layer, packets int, number, timestamp uint32) []*rtp.Packet {
	return picture(mime, key, layer, equal(packets, plainSize), number, timestamp)
}

// picture makes a frame with payloads of about these sizes.
func picture(mime string, key bool, layer int, sizes []int, number, timestamp uint32) []*rtp.Packet {
	var out []*rtp.Packet
	for i, size := range sizes {
		if mime == webrtc.MimeTypeH264 && key && i == 0 {
			out = append(out, &rtp.Packet{Header: rtp.Header{Version: 2, Timestamp: timestamp}, Payload: parameterSets()})
		}
		payload := head(mime, key, i == 0, i == len(sizes)-1, layer, number)
		payload = append(payload, make([]byte, max(0, size-len(payload)-trailerSize))...)
		out = append(out, &rtp.Packet{
			Header:  rtp.Header{Version: 2, Timestamp: timestamp, Marker: i == len(sizes)-1},
			Payload: trailer(payload, key, layer, number, i, len(sizes)),
		})
	}
	return out
}

// parameterSets are those of a real encoder, in one aggregation packet (RFC 6184, section 5.7.1).
func parameterSets() []byte {
	sps := []byte{0x67, 0x42, 0xe0, 0x1f, 0x8c, 0x68, 0x05, 0x00, 0x5b, 0xa1, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x3c, 0x8f, 0x08, 0x84, 0x6a}
	pps := []byte{0x68, 0xce, 0x3c, 0x80}
	b := append([]byte{0x78, 0, byte(len(sps))}, sps...)
	return append(append(b, 0, byte(len(pps))), pps...)
}

// ParameterSets are those that the H.264 of publishers has, as an offer shows them (RFC 6184, section 8.1).
func ParameterSets() string {
	b := parameterSets()
	pps := 3 + int(b[2])
	return base64.StdEncoding.EncodeToString(b[3:pps]) + "," + base64.StdEncoding.EncodeToString(b[pps+2:])
}

// head returns the payload descriptor of a packet.
func head(mime string, key, first, last bool, layer int, number uint32) []byte {
	switch mime {
	case webrtc.MimeTypeVP8: // RFC 7741, section 4.2: a 15-bit picture id, TL0PICIDX, and temporal layer 0
		id, tl0 := VP8Counters(layer, number)
		b := []byte{0x80, 0xe0, 0x80 | byte(id>>8), byte(id), tl0, 0}
		if first {
			b[0] |= 0x10
		}
		if !key {
			return append(b, 0x01)
		}
		return append(b, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a)
	case webrtc.MimeTypeVP9: // RFC 9628, section 4.2
		b := byte(0x80)
		if !key {
			b |= 0x40
		}
		if first {
			b |= 0x08
		}
		if last {
			b |= 0x04
		}
		return []byte{b, 0x80 | byte(number>>8)&0x7f, byte(number)}
	case webrtc.MimeTypeAV1: // aggregation header; a keyframe begins a coded video sequence (N)
		b := byte(0x10)
		if key && first {
			b |= 0x08
		}
		return []byte{b, 0x30}
	}
	fu := byte(0x01) // FU-A of a slice (RFC 6184, section 5.8)
	if key {
		fu = 0x05
	}
	if first {
		fu |= 0x80
	}
	if last {
		fu |= 0x40
	}
	return []byte{0x7c, fu}
}

// VP8Counters are the picture id and TL0PICIDX that a publisher gives a frame. Every layer is far from the others, and
// they wrap soon.
func VP8Counters(layer int, number uint32) (picture uint16, tl0 uint8) {
	return uint16(0x7ff0+uint32(layer)*5000+number) & 0x7fff, uint8(uint32(layer)*100 + number)
}
