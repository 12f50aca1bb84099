package h264

import (
	"bytes"
	"encoding/binary"
)

// startCodeAt returns where the three bytes of the first start code are, -1 without one. Their last byte is the rarest
// in pictures that are coded well, so it is what is looked for.
func startCodeAt(b []byte) int {
	for at := 2; at < len(b); at++ {
		n := bytes.IndexByte(b[at:], 1)
		if n < 0 {
			return -1
		}
		if at += n; b[at-1] == 0 && b[at-2] == 0 {
			return at - 2
		}
	}
	return -1
}

// isByteStream reports whether b begins as a byte stream does: with a start code, zeros before it or not.
func isByteStream(b []byte) bool {
	at := startCodeAt(b)
	return at >= 0 && len(bytes.Trim(b[:at], "\x00")) == 0
}

// appendUnits appends the NAL units between the start codes of b to a normalized access unit that holds so many units
// already. Zeros at the end of a unit belong to the start code behind it. The error is fault.Invalid: too many of them.
func appendUnits(dst, b []byte, units int) ([]byte, error) {
	for len(b) > 0 {
		unit, rest := b, []byte(nil)
		if at := startCodeAt(b); at >= 0 {
			unit, rest = b[:at], b[at+3:]
		}
		if unit = bytes.TrimRight(unit, "\x00"); len(unit) > 0 {
			if units++; units > maxUnits {
				return nil, tooManyUnits(units)
			}
			dst = binary.BigEndian.AppendUint32(dst, uint32(len(unit)))
			dst = append(dst, unit...)
		}
		b = rest
	}
	return dst, nil
}
