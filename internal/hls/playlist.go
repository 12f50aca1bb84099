package hls

import (
	"strconv"
	"time"
)

const (
	partTagTargets = 3 // target durations from the end for which parts are listed (RFC 8216bis 6.2.2)
	skipTargets    = 6 // the least Skip Boundary in target durations (4.4.3.8)
	holdBackParts  = 3 // PART-HOLD-BACK in part targets (4.4.3.8)
	deltaVersion   = 9 // EXT-X-VERSION that EXT-X-SKIP needs (8)
)

// skippable returns how many of the listed segments a delta update leaves out: those that end further from the end of
// the last complete segment than the Skip Boundary.
func (s *Snapshot) skippable() int {
	if s.ended || !s.Ready() || s.stream.skipUntil == 0 {
		return 0
	}
	n := 0
	end := s.segments[len(s.segments)-1].position
	for _, g := range s.segments[s.listed:] {
		if end-g.position < s.stream.skipUntil {
			break
		}
		n++
	}
	return n
}

// render writes the media playlist.
func (s *Snapshot) render(delta bool) []byte {
	if !s.Ready() {
		return nil
	}
	size := 512
	for _, g := range s.segments[s.listed:] {
		size += 160 + len(g.tags) + len(g.partTags)
	}
	b := s.appendHeader(make([]byte, 0, size+len(s.partTags)), delta)
	listed := s.segments[s.listed:]
	var init *InitSection
	if delta {
		n := s.skippable()
		b = append(b, "#EXT-X-SKIP:SKIPPED-SEGMENTS="...)
		b = appendLine(b, int64(n))
		init = listed[n-1].Map
		listed = listed[n:]
	}
	end := s.segments[len(s.segments)-1].position
	if s.showsOpen() {
		end += s.openDuration()
	}
	for _, g := range listed {
		b = g.Head.append(b, init)
		init = g.Map
		if s.stream.lowLatency && !s.ended && end-g.position < partTagTargets*s.stream.target {
			b = append(b, g.partTags...)
		}
		b = append(b, g.tags...)
	}
	if s.showsOpen() {
		b = s.open.append(b, init)
		b = append(b, s.partTags...)
	}
	return s.appendTail(b)
}

func (s *Snapshot) appendHeader(b []byte, delta bool) []byte {
	version := s.stream.version
	if delta {
		version = deltaVersion
	}
	b = append(b, "#EXTM3U\n#EXT-X-VERSION:"...)
	b = appendLine(b, int64(version))
	b = append(b, "#EXT-X-TARGETDURATION:"...)
	b = appendLine(b, s.stream.target/second)
	if s.stream.lowLatency {
		b = append(b, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES"...)
		if s.stream.skipUntil > 0 {
			b = append(b, ",CAN-SKIP-UNTIL="...)
			b = appendMillis(b, s.stream.skipUntil)
		}
		b = append(b, ",HOLD-BACK="...)
		b = appendMillis(b, 3*s.stream.target)
		b = append(b, ",PART-HOLD-BACK="...)
		b = appendMillis(b, holdBackParts*s.stream.part)
		b = append(b, "\n#EXT-X-PART-INF:PART-TARGET="...)
		b = appendMillis(b, s.stream.part)
		b = append(b, '\n')
	}
	b = append(b, "#EXT-X-MEDIA-SEQUENCE:"...)
	b = appendLine(b, s.segments[s.listed].MSN)
	b = append(b, "#EXT-X-DISCONTINUITY-SEQUENCE:"...)
	return appendLine(b, s.skipped)
}

// appendTail writes what follows the segments.
func (s *Snapshot) appendTail(b []byte) []byte {
	if s.ended {
		return append(b, "#EXT-X-ENDLIST\n"...)
	}
	if !s.stream.lowLatency {
		return b
	}
	b = append(b, `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="`...)
	b = appendPartName(b, s.hintMSN, s.hintPart, s.stream.extension)
	b = append(b, "\"\n"...)
	reports := s.stream.live.reports.Load()
	if reports == nil {
		return b
	}
	for _, r := range (*reports)() {
		b = append(b, `#EXT-X-RENDITION-REPORT:URI="`...)
		b = append(b, r.URI...)
		b = append(b, `",LAST-MSN=`...)
		b = strconv.AppendInt(b, r.LastMSN, 10)
		if r.LastPart >= 0 {
			b = append(b, ",LAST-PART="...)
			b = strconv.AppendInt(b, int64(r.LastPart), 10)
		}
		b = append(b, '\n')
	}
	return b
}

// append writes the tags that stand before a segment's parts (RFC 8216bis 4.4.4.9). init is what the segment before it
// in the playlist uses.
func (h *Head) append(b []byte, init *InitSection) []byte {
	if h.Discontinuity {
		b = append(b, "#EXT-X-DISCONTINUITY\n"...)
	}
	if h.Map != nil && (h.Map != init || h.Discontinuity) {
		b = append(b, `#EXT-X-MAP:URI="init`...)
		b = strconv.AppendInt(b, int64(h.Map.Number), 10)
		b = append(b, ".mp4\"\n"...)
	}
	b = append(b, "#EXT-X-PROGRAM-DATE-TIME:"...)
	b = h.Date.AppendFormat(b, "2006-01-02T15:04:05.000Z")
	return append(b, '\n')
}

func appendLine(b []byte, n int64) []byte {
	return append(strconv.AppendInt(b, n, 10), '\n')
}

// appendMillis appends ticks that are a whole number of milliseconds as seconds.
func appendMillis(b []byte, ticks int64) []byte {
	ms := nanos(ticks) / int64(time.Millisecond)
	b = strconv.AppendInt(b, ms/1000, 10)
	return append(b, '.', byte('0'+ms/100%10), byte('0'+ms/10%10), byte('0'+ms%10))
}
