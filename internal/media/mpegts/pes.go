package mpegts

import "github.com/rivus-live/rivus/internal/media"

const (
	pesPrefix   = 6               // start code, stream id, length: what the length does not count
	timedHeader = pesPrefix + 8   // with a PTS
	orderHeader = timedHeader + 5 // with PTS and DTS
	maxPES      = 1<<16 - 1

	videoStreamID = 0xE0
	audioStreamID = 0xC0
	id3StreamID   = 0xBD // private stream 1
)

// videoHeader returns the size of the PES header of a frame: one that is shown when it is decoded has no DTS.
func videoHeader(f *media.Frame) int {
	if f.Offset == 0 {
		return timedHeader
	}
	return orderHeader
}

// appendPESHeader appends a header (ISO/IEC 13818-1, 2.4.3.6) of the given size for an elementary stream of es bytes.
// Only video may be longer than the length field tells, and then says 0.
func appendPESHeader(dst []byte, streamID byte, header, es int, pts, dts int64) []byte {
	length := header - pesPrefix + es
	if length > maxPES {
		length = 0
	}
	const aligned = 0x84 // "10", and the data begins with an access unit or a tag
	dst = append(dst, 0, 0, 1, streamID, byte(length>>8), byte(length), aligned)
	if header == orderHeader {
		dst = append(dst, 0xC0, 10)
		dst = appendTimestamp(dst, 3, pts)
		return appendTimestamp(dst, 1, dts)
	}
	return appendTimestamp(append(dst, 0x80, 5), 2, pts)
}

// appendTimestamp appends the low 33 bits of t with their marker bits.
func appendTimestamp(dst []byte, prefix byte, t int64) []byte {
	return append(dst, prefix<<4|byte(t>>30&7)<<1|1, byte(t>>22), byte(t>>15)<<1|1, byte(t>>7), byte(t)<<1|1)
}
