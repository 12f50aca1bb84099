package rtc

import "encoding/binary"

const rtpHeader = 12 // bytes without CSRCs and extensions

// header is what has to be known of an RTP packet to find its layer.
type header struct {
	ssrc     uint32
	seq      uint16
	sequence uint16 // transport-wide, if numbered
	numbered bool
	start    int // of the payload
	end      int // of the payload, without padding

	streamID, repairedID []byte // of the layer, in the packet
}

// read reads a packet of a section (RFC 3550, section 5.1); false for what is none.
func (h *header) read(b []byte, s *section) bool {
	if len(b) < rtpHeader || b[0]>>6 != 2 {
		return false
	}
	h.seq, h.ssrc = binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[8:])
	h.start, h.end = rtpHeader+4*int(b[0]&15), len(b)
	if b[0]&0x10 != 0 {
		if len(b) < h.start+4 {
			return false
		}
		elements := h.start + 4
		h.start = elements + 4*int(binary.BigEndian.Uint16(b[h.start+2:]))
		if len(b) < h.start {
			return false
		}
		h.extensions(binary.BigEndian.Uint16(b[elements-4:]), b[elements:h.start], s)
	}
	if b[0]&0x20 != 0 {
		h.end -= int(b[len(b)-1])
	}
	return h.start <= h.end
}

// extensions reads the elements that matter (RFC 8285, section 4).
func (h *header) extensions(profile uint16, b []byte, s *section) {
	const oneByte, twoBytes = 0xbede, 0x100
	short := profile == oneByte
	if !short && profile>>4 != twoBytes {
		return
	}
	for len(b) > 0 {
		if b[0] == 0 { // padding
			b = b[1:]
			continue
		}
		id, size, value := b[0]>>4, int(b[0]&15)+1, 1
		if !short {
			if len(b) < 2 {
				return
			}
			id, size, value = b[0], int(b[1]), 2
		} else if id == 15 {
			return
		}
		if len(b) < value+size {
			return
		}
		h.element(id, b[value:value+size], s)
		b = b[value+size:]
	}
}

func (h *header) element(id uint8, value []byte, s *section) {
	switch id {
	case 0:
	case s.sequence:
		if len(value) >= 2 {
			h.sequence, h.numbered = binary.BigEndian.Uint16(value), true
		}
	case s.rid:
		h.streamID = value
	case s.repairedRID:
		h.repairedID = value
	}
}

// rid returns the id of the layer that the packet belongs to, or repairs (RFC 8852); nil when it does not tell.
func (h *header) rid(repairs bool) []byte {
	if repairs {
		return h.repairedID
	}
	return h.streamID
}

// restore makes a retransmission the packet that it repeats (RFC 4588, section 4); nil for padding. The two bytes of the
// original number give way to the header, which moves up.
func (h *header) restore(b []byte, l *Layer) []byte {
	const original = 2
	if h.end-h.start < original {
		return nil
	}
	seq := binary.BigEndian.Uint16(b[h.start:])
	copy(b[original:], b[:h.start])
	b = b[original:]
	b[1] = b[1]&0x80 | l.Codec.PayloadType
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[8:], l.ssrc.Load())
	return b
}
