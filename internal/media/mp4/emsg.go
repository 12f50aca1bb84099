package mp4

import (
	"encoding/binary"
	"slices"
)

// SchemeID3 is the emsg scheme of a message that is an ID3 tag.
const SchemeID3 = "https://aomedia.org/emsg/ID3"

// Emsg is an event message (ISO/IEC 23009-1, 5.10.3.3), written as version 1 with an empty value.
type Emsg struct {
	Scheme    string
	TimeScale uint32
	PTS       int64  // presentation time in TimeScale, on the timeline of the fragments; not negative
	Duration  uint32 // in TimeScale; 0xFFFFFFFF: unknown
	ID        uint32 // players ignore a second message of the same scheme and id
	Data      []byte
}

// Size returns the number of bytes Append writes.
func (e *Emsg) Size() int {
	return fullBoxHead + 4 + 8 + 4 + 4 + len(e.Scheme) + 1 + 1 + len(e.Data)
}

// Append appends the message as a box, which belongs before the moof of its fragment.
func (e *Emsg) Append(dst []byte) []byte {
	dst = slices.Grow(dst, e.Size())
	dst, start := openFullBox(dst, "emsg", 1, 0)
	dst = append32(dst, e.TimeScale)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.PTS))
	dst = append32(dst, e.Duration, e.ID)
	dst = append(append(dst, e.Scheme...), 0)
	dst = append(dst, 0) // the value
	return closeBox(append(dst, e.Data...), start)
}
