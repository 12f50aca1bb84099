package mp4

import "encoding/binary"

// openBox appends a box header whose size closeBox fills in, and returns where the box starts.
func openBox(dst []byte, kind string) (b []byte, start int) {
	start = len(dst)
	return append(append(dst, 0, 0, 0, 0), kind...), start
}

// openFullBox is openBox for a box with version and flags.
func openFullBox(dst []byte, kind string, version byte, flags uint32) (b []byte, start int) {
	b, start = openBox(dst, kind)
	return append32(b, uint32(version)<<24|flags), start
}

// closeBox fills in the size of the box that starts there and ends with dst.
func closeBox(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

func append16(dst []byte, values ...uint16) []byte {
	for _, v := range values {
		dst = binary.BigEndian.AppendUint16(dst, v)
	}
	return dst
}

func append32(dst []byte, values ...uint32) []byte {
	for _, v := range values {
		dst = binary.BigEndian.AppendUint32(dst, v)
	}
	return dst
}

// appendZeros appends n zero bytes, at most 64: reserved and predefined fields.
func appendZeros(dst []byte, n int) []byte {
	var zeros [64]byte
	return append(dst, zeros[:n]...)
}
