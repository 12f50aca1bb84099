package hls

import (
	"strconv"
	"time"
)

// Part is a Partial Segment (RFC 8216bis 3.1). It is immutable.
type Part struct {
	Ticks       int64  // duration, in ticks of media.VideoTimeScale
	Independent bool   // it starts with an IDR picture (EXT-X-PART's INDEPENDENT)
	Data        []byte // nil: nothing came in this time, a gap (EXT-X-PART's GAP)

	FirstArrived, LastArrived time.Time // of its first and last frame
}

// InitSection is a Media Initialization Section (RFC 8216bis 4.4.4.5, EXT-X-MAP). It is immutable.
type InitSection struct {
	Number int // from 1; the file is "init<Number>.mp4"
	Data   []byte
}

// Head is what is known of a Media Segment when it starts. It is immutable.
type Head struct {
	MSN           int64        // Media Sequence Number
	Discontinuity bool         // EXT-X-DISCONTINUITY stands before it
	Date          time.Time    // EXT-X-PROGRAM-DATE-TIME
	Map           *InitSection // EXT-X-MAP; nil in a transport stream, and in a segment of gaps before anything came
}

// Segment is a complete Media Segment. It is immutable: a recorder may keep it and its bytes as long as it likes.
type Segment struct {
	Head
	Ticks int64  // duration, in ticks of media.VideoTimeScale
	Parts []Part // in order; do not modify
	Size  int64  // bytes of all parts; 0: the segment is a gap (EXT-X-GAP)

	position int64    // ticks of segments up to and including this one since the stream started
	data     [][]byte // the parts' bytes
	partTags []byte   // the EXT-X-PART lines
	tags     []byte   // EXT-X-GAP if it has no data, EXTINF and the URI
}

// Duration returns how long the segment plays.
func (s *Segment) Duration() time.Duration { return time.Duration(nanos(s.Ticks)) }

// Data returns the segment's bytes in order, as slices that all readers share; do not modify.
func (s *Segment) Data() [][]byte { return s.data }

// newSegment completes a segment with its parts.
func newSegment(h Head, parts []Part, partTags []byte, ext string) *Segment {
	s := &Segment{Head: h, Parts: parts, partTags: partTags}
	s.data = make([][]byte, 0, len(parts))
	for i := range parts {
		s.Ticks += parts[i].Ticks
		if parts[i].Data != nil {
			s.data = append(s.data, parts[i].Data)
			s.Size += int64(len(parts[i].Data))
		}
	}
	b := make([]byte, 0, 48)
	if s.Size == 0 {
		b = append(b, "#EXT-X-GAP\n"...)
	}
	b = append(b, "#EXTINF:"...)
	b = appendSeconds(b, s.Ticks)
	b = append(b, ",live\n"...)
	b = appendSegmentName(b, h.MSN, ext)
	s.tags = append(b, '\n')
	return s
}

// arrivals returns when the first and the last frame of a segment came.
func (s *Segment) arrivals() (first, last time.Time) {
	for i := range s.Parts {
		if s.Parts[i].Data == nil {
			continue
		}
		if first.IsZero() {
			first = s.Parts[i].FirstArrived
		}
		last = s.Parts[i].LastArrived
	}
	return first, last
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
func appendPart(b []byte, msn int64, index int, ext string, p *Part) []byte {
	b = append(b, "#EXT-X-PART:DURATION="...)
	b = appendSeconds(b, p.Ticks)
	b = append(b, `,URI="`...)
	b = appendPartName(b, msn, index, ext)
	b = append(b, '"')
	if p.Independent {
		b = append(b, ",INDEPENDENT=YES"...)
	}
	if p.Data == nil {
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
