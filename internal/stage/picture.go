package stage

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/rivus-live/rivus/internal/media/h264"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// This file finds the size of a picture in the first packet of a keyframe. It runs only where that size is limited, and
// once a keyframe.

// pictureSize returns width and height in pixels; false when the packet does not tell.
func pictureSize(c forward.Codec, payload []byte) (width, height int, ok bool) {
	switch c {
	case forward.H264:
		return sizeH264(payload)
	case forward.VP8:
		return sizeVP8(payload)
	case forward.VP9:
		return sizeVP9(payload)
	case forward.AV1:
		return sizeAV1(payload)
	case forward.Opus, forward.Other:
	}
	return 0, 0, false
}

func dimensions(width, height int) string { return strconv.Itoa(width) + "x" + strconv.Itoa(height) }

// sizeH264 looks for a sequence parameter set, alone or in an aggregation packet (RFC 6184, sections 5.6 and 5.7.1).
func sizeH264(b []byte) (width, height int, ok bool) {
	const sps, stapA = 7, 24
	if len(b) == 0 {
		return 0, 0, false
	}
	switch b[0] & 0x1f {
	case sps:
		return sizeSPS(b)
	case stapA:
		for rest := b[1:]; len(rest) > 2; {
			n := int(binary.BigEndian.Uint16(rest))
			if rest = rest[2:]; n == 0 || n > len(rest) {
				break
			}
			if rest[0]&0x1f == sps {
				return sizeSPS(rest[:n])
			}
			rest = rest[n:]
		}
	}
	return 0, 0, false
}

// sizeSPS has a sequence parameter set read as part of a configuration record (ISO/IEC 14496-15, 5.3.3.1), beside a
// picture parameter set that says nothing.
func sizeSPS(sps []byte) (width, height int, ok bool) {
	record := []byte{1, 0, 0, 0, 0xff, 0xe1}
	record = binary.BigEndian.AppendUint16(record, uint16(len(sps))) // of one packet
	record = append(append(record, sps...), 1, 0, 4, 0x68, 0xce, 0x3c, 0x80)
	t, err := h264.ParseConfig(record)
	if err != nil {
		return 0, 0, false
	}
	return t.Width, t.Height, true
}

// sizeVP8 looks for the start code of a keyframe, behind the payload descriptor and the frame tag, and reads the two
// sizes of 14 bits that follow (RFC 7741, section 4.2; RFC 6386, section 9.1).
func sizeVP8(b []byte) (width, height int, ok bool) {
	const farthest = 6 + 3 // descriptor and tag
	at := bytes.Index(b[:min(len(b), farthest+3)], []byte{0x9d, 0x01, 0x2a})
	if at < 1+3 || len(b) < at+7 {
		return 0, 0, false
	}
	b = b[at+3:]
	return int(binary.LittleEndian.Uint16(b)) & 0x3fff, int(binary.LittleEndian.Uint16(b[2:])) & 0x3fff, true
}

// sizeVP9 looks for the sync code of a keyframe of profile 0, which is on a whole byte, and reads what follows the four
// bits of its colours (VP9 bitstream specification, sections 7.2 and 7.2.2).
func sizeVP9(b []byte) (width, height int, ok bool) {
	const farthest = 80 // the longest descriptor with a scalability structure, about
	at := bytes.Index(b[:min(len(b), farthest)], []byte{0x49, 0x83, 0x42})
	if at < 2 {
		return 0, 0, false
	}
	r := bitReader{b: b[at+3:]}
	r.skip(4)
	width, height = r.take(16)+1, r.take(16)+1
	return width, height, !r.short
}

// sizeAV1 reads the sequence header that begins a coded video sequence (AV1 bitstream specification, section 5.5; RTP
// payload format for AV1, section 4).
func sizeAV1(b []byte) (width, height int, ok bool) {
	const sequenceHeader = 1
	if len(b) < 3 {
		return 0, 0, false
	}
	rest, elements := b[1:], b[0]>>4&3
	if elements != 1 { // the first of several has its length in front
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > uint64(len(rest)-size) {
			return 0, 0, false
		}
		rest = rest[size : size+int(n)]
	}
	if len(rest) == 0 || rest[0]>>3&15 != sequenceHeader {
		return 0, 0, false
	}
	skip := 1 + int(rest[0]>>2&1) // header and extension
	if rest[0]&2 != 0 {           // a size of its own
		_, size := binary.Uvarint(rest[min(skip, len(rest)):])
		skip += max(1, size)
	}
	r := bitReader{b: rest[min(skip, len(rest)):]}
	r.sequence()
	bitsWide, bitsHigh := r.take(4)+1, r.take(4)+1
	width, height = r.take(bitsWide)+1, r.take(bitsHigh)+1
	return width, height, !r.short
}

// bitReader reads bits from the highest. What is not there is 0, and short tells of it.
type bitReader struct {
	b     []byte
	at    int
	short bool
}

func (r *bitReader) take(n int) (v int) {
	for range n {
		if r.at/8 >= len(r.b) {
			r.short = true
			return 0
		}
		v = v<<1 | int(r.b[r.at/8]>>(7-r.at%8)&1)
		r.at++
	}
	return v
}

func (r *bitReader) skip(n int) { r.take(n) }
func (r *bitReader) flag() bool { return r.take(1) == 1 }
func (r *bitReader) variable() { // uvlc()
	zeros := 0
	for zeros < 32 && !r.short && !r.flag() {
		zeros++
	}
	r.skip(zeros)
}

// sequence reads an AV1 sequence header up to the bits that its sizes have (section 5.5.1).
func (r *bitReader) sequence() {
	r.skip(3 + 1) // profile, still picture
	if reduced := r.flag(); reduced {
		r.skip(5)
		return
	}
	decoderModel, delayBits := false, 0
	if r.flag() { // timing info
		r.skip(32 + 32)
		if r.flag() {
			r.variable()
		}
		if decoderModel = r.flag(); decoderModel {
			delayBits = r.take(5) + 1
			r.skip(32 + 5 + 5)
		}
	}
	delays := r.flag()
	for range r.take(5) + 1 { // operating points
		r.skip(12)
		if r.take(5) > 7 {
			r.skip(1)
		}
		if decoderModel && r.flag() {
			r.skip(delayBits + delayBits + 1)
		}
		if delays && r.flag() {
			r.skip(4)
		}
	}
}
