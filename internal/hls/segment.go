package hls

import (
	"strconv"
	"time"
)

// part is one partial segment. It is immutable.
type part struct {
	duration    int64  // ticks
	independent bool   // starts with an IDR picture
	data        []byte // nil: nothing came in this time, a gap

	first, last time.Time // arrival of its first and last frame
}

// initSegment is one Media Initialization Section.
type initSegment struct {
	number int
	data   []byte
}

// head is what is known of a segment when it starts. It is immutable.
type head struct {
	msn           int64
	start         int64        // ticks
	init          *initSegment // nil in a transport stream
	discontinuity bool
	date          time.Time
}

// segment is a complete segment. It is immutable.
type segment struct {
	head
	duration int64 // ticks
	position int64 // ticks of segments up to and including this one since the stream started
	parts    []part
	data     [][]byte
	size     int64
	partTags []byte // the EXT-X-PART lines
	tags     []byte // EXT-X-GAP if it has no data, EXTINF and the URI
}

// newSegment completes a segment with its parts.
func newSegment(h head, duration, position int64, parts []part, partTags []byte, ext string) *segment {
	s := &segment{head: h, duration: duration, position: position, parts: parts, partTags: partTags}
	s.data = make([][]byte, 0, len(parts))
	for i := range parts {
		if parts[i].data != nil {
			s.data = append(s.data, parts[i].data)
			s.size += int64(len(parts[i].data))
		}
	}
	b := make([]byte, 0, 48)
	if s.size == 0 {
		b = append(b, "#EXT-X-GAP\n"...)
	}
	b = append(b, "#EXTINF:"...)
	b = appendSeconds(b, duration)
	b = append(b, ",live\n"...)
	b = appendSegmentName(b, h.msn, ext)
	s.tags = append(b, '\n')
	return s
}

func appendSegmentName(b []byte, msn int64, ext string) []byte {
	b = append(b, "seg"...)
	b = strconv.AppendInt(b, msn, 10)
	return append(b, ext...)
}

func appendPartName(b []byte, msn int64, index int, ext string) []byte {
	b = append(b, "seg"...)
	b = strconv.AppendInt(b, msn, 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, int64(index), 10)
	return append(b, ext...)
}

// appendPart appends the EXT-X-PART line of a part (RFC 8216bis 4.4.4.9).
func appendPart(b []byte, msn int64, index int, ext string, p *part) []byte {
	b = append(b, "#EXT-X-PART:DURATION="...)
	b = appendSeconds(b, p.duration)
	b = append(b, `,URI="`...)
	b = appendPartName(b, msn, index, ext)
	b = append(b, '"')
	if p.independent {
		b = append(b, ",INDEPENDENT=YES"...)
	}
	if p.data == nil {
		b = append(b, ",GAP=YES"...)
	}
	return append(b, '\n')
}

// appendSeconds appends ticks as decimal seconds with five digits after the point, the resolution of a tick.
func appendSeconds(b []byte, ticks int64) []byte {
	micros10 := (ticks*100000 + second/2) / second // hundred-thousandths
	b = strconv.AppendInt(b, micros10/100000, 10)
	b = append(b, '.')
	frac := micros10 % 100000
	for div := int64(10000); div > 0; div /= 10 {
		b = append(b, byte('0'+frac/div%10))
	}
	return b
}
