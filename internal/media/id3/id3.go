// Package id3 writes the ID3v2.4 tags that carry a channel's timed metadata.
//
// A tag holds one PRIV frame: an owner identifier and the text. The same bytes travel in an emsg box of a fragmented
// MP4 and in a timed-metadata PES packet of a transport stream. Sizes are synchsafe in the tag's header and in the
// frame's, which is what version 2.4 asks for and what players read whatever the version says.
//
// Imports: nothing of Rivus.
package id3

const (
	tagHeader   = 10 // "ID3", version, flags, synchsafe size
	frameHeader = 10 // "PRIV", synchsafe size, flags

	// MaxText is a size in bytes that AppendPriv can always carry: the 28 bits of a synchsafe size, less a margin for
	// headers and the owner.
	MaxText = 1<<28 - 1<<16
)

// PrivSize returns the number of bytes AppendPriv writes.
func PrivSize(owner string, text []byte) int {
	return tagHeader + frameHeader + len(owner) + 1 + len(text)
}

// AppendPriv appends an ID3v2.4 tag with one PRIV frame: owner, a zero byte, and text as it is (ID3v2.4.0 frames,
// 4.27). The owner must hold no zero byte and stay below 64 KiB, text below MaxText.
func AppendPriv(dst []byte, owner string, text []byte) []byte {
	body := len(owner) + 1 + len(text)
	dst = append(dst, 'I', 'D', '3', 4, 0, 0)
	dst = appendSynchsafe(dst, frameHeader+body)
	dst = append(dst, 'P', 'R', 'I', 'V')
	dst = appendSynchsafe(dst, body)
	dst = append(dst, 0, 0) // frame flags
	dst = append(dst, owner...)
	dst = append(dst, 0)
	return append(dst, text...)
}

// appendSynchsafe appends n as four bytes of seven bits each (ID3v2.4.0 structure, 6.2).
func appendSynchsafe(dst []byte, n int) []byte {
	return append(dst, byte(n>>21&0x7F), byte(n>>14&0x7F), byte(n>>7&0x7F), byte(n&0x7F))
}
