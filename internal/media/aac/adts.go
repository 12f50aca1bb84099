package aac

import (
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/media"
)

const (
	// HeaderSize is the number of bytes AppendADTS writes.
	HeaderSize = 7
	// MaxFrame is the size in bytes of the largest access unit whose length an ADTS header can tell.
	MaxFrame = 1<<13 - 1 - HeaderSize
)

// CheckFrame tells whether an access unit can be carried: not empty and no longer than MaxFrame.
func CheckFrame(au []byte) error {
	if len(au) == 0 || len(au) > MaxFrame {
		return fault.New(fault.Invalid, "AAC frame of %d bytes, not 1 to %d", len(au), MaxFrame)
	}
	return nil
}

// AppendADTS appends the header (ISO/IEC 14496-3, 1.A.3.2) of an access unit of size bytes, without a checksum. The
// track must come from ParseConfig and size must be at most MaxFrame.
func AppendADTS(dst []byte, t *media.Track, size int) []byte {
	rate := t.Config[0]&7<<1 | t.Config[1]>>7
	channels := t.Config[1] >> 3 & 15
	n := HeaderSize + size
	return append(dst,
		0xFF, 0xF1, // syncword, MPEG-4, layer 0, no checksum
		(aacLC-1)<<6|rate<<2|channels>>2,
		channels<<6|byte(n>>11),
		byte(n>>3),
		byte(n<<5)|0x1F, // buffer fullness 0x7FF: variable rate
		0xFC,            // and one raw data block
	)
}
