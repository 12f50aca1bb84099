package forward

import "encoding/binary"

// NAL unit types of H.264 (table 7-1) and of its payload format (RFC 6184, 5.2).
const (
	nalSlice = 1
	nalIDR   = 5
	nalSPS   = 7
	nalAUD   = 9
	nalSTAPA = 24
	nalFUA   = 28
)

// h264 looks for the start of a frame and for a sequence parameter set, where a decoder may start. An IDR picture without
// parameter sets in its packets is bare, and no such place by itself: those of another layer would not fit it.
func h264(b []byte) (start, key, bare bool) {
	switch b[0] & 0x1f {
	case nalSTAPA:
		for rest := b[1:]; len(rest) > 2; {
			size := int(binary.BigEndian.Uint16(rest))
			if size == 0 || size > len(rest)-2 {
				break
			}
			s, k, i := nal(rest[2]&0x1f, rest[3:2+size])
			start, key, bare = start || s, key || k, bare || i
			rest = rest[2+size:]
		}
		return start, key, bare && !key
	case nalFUA:
		if len(b) > 1 && b[1]&0x80 != 0 {
			return nal(b[1]&0x1f, b[2:])
		}
		return false, false, false
	}
	return nal(b[0]&0x1f, b[1:])
}

// nal judges the beginning of one NAL unit; body is what follows its header byte.
func nal(kind uint8, body []byte) (start, key, idr bool) {
	switch kind {
	case nalSPS:
		return true, true, false
	case nalAUD:
		return true, false, false
	case nalSlice, nalIDR:
		start = len(body) > 0 && body[0]&0x80 != 0 // first_mb_in_slice is ue(v): 0 is a single 1 bit
		return start, false, start && kind == nalIDR
	}
	return false, false, false
}

// vp8 reads the payload descriptor (RFC 7741, 4.2) and notes where its counters are.
func (p *Packet) vp8(b []byte) (start, key bool) {
	at := 1
	if b[0]&0x80 != 0 { // X
		if len(b) < 2 {
			return false, false
		}
		bits := b[1]
		at = 2
		if bits&0x80 != 0 { // I
			if at = p.pictureID(b, at); at == 0 {
				return false, false
			}
		}
		if bits&0x40 != 0 { // L
			if at >= len(b) {
				return false, false
			}
			p.TL0, p.tl0At = b[at], uint8(at)
			at++
		}
		if bits&0x30 != 0 { // T or K
			if at < len(b) && bits&0x20 != 0 {
				p.Temporal = b[at] >> 6
			}
			at++
		}
	}
	start = b[0]&0x17 == 0x10 // S, and partition 0
	return start, start && at < len(b) && b[at]&1 == 0
}

// pictureID reads a picture id of 7 or 15 bits and returns what follows it, or 0 when it is cut off.
func (p *Packet) pictureID(b []byte, at int) int {
	if at >= len(b) {
		return 0
	}
	if b[at]&0x80 == 0 {
		p.PictureID, p.pictureAt = uint16(b[at]), uint8(at)
		return at + 1
	}
	if at+1 >= len(b) {
		return 0
	}
	p.PictureID, p.pictureAt = binary.BigEndian.Uint16(b[at:])&0x7fff, uint8(at)
	p.flags |= flagWideID
	return at + 2
}

// vp9 reads the payload descriptor (RFC 9628, 4.2) of a stream with one spatial layer.
func (p *Packet) vp9(b []byte) (start, key bool) {
	start = b[0]&0x08 != 0 // B
	at := 1
	if b[0]&0x80 != 0 { // I: 7 or 15 bits, unchanged
		if at >= len(b) {
			return false, false
		}
		at += 1 + int(b[at]>>7)
	}
	spatial := uint8(0)
	if b[0]&0x20 != 0 { // L
		if at >= len(b) {
			return false, false
		}
		p.Temporal = b[at] >> 5
		spatial = b[at] >> 1 & 7
	}
	return start, start && spatial == 0 && b[0]&0x40 == 0 // P: predicted from other pictures
}
