package hlscheck

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// marshal writes a playlist such that parse reads the same one back. Tests serve what it writes.
func (p *playlist) marshal() string {
	var w writer
	w.line("#EXTM3U")
	if p.media != nil {
		w.media(p.media)
	} else {
		w.multivariant(p.multivariant)
	}
	return w.String()
}

type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(w, format, args...)
	w.WriteByte('\n')
}

// list writes a tag with an attribute list. Members with an empty value are left out.
func (w *writer) list(tag string, members ...string) {
	var present []string
	for i := 0; i < len(members); i += 2 {
		if members[i+1] != "" {
			present = append(present, members[i]+"="+members[i+1])
		}
	}
	w.line("#%s:%s", tag, strings.Join(present, ","))
}

func quote(s string) string { return `"` + s + `"` }

func quoteIf(s string) string {
	if s == "" {
		return ""
	}
	return quote(s)
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func decimalIf(f float64) string {
	if f == 0 {
		return ""
	}
	return decimal(f)
}

func intIf(n, absent int64) string {
	if n == absent {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func yesIf(b bool) string {
	if b {
		return "YES"
	}
	return ""
}

func rangeIf(r *byteRange) string {
	if r == nil {
		return ""
	}
	return quote(r.String())
}

func (w *writer) common(version int64, independent bool, start *startTag) {
	if version != 0 {
		w.line("#EXT-X-VERSION:%d", version)
	}
	if independent {
		w.line("#EXT-X-INDEPENDENT-SEGMENTS")
	}
	if start != nil {
		w.list("EXT-X-START", "TIME-OFFSET", decimal(start.offset), "PRECISE", yesIf(start.precise))
	}
}

func (w *writer) media(p *mediaPlaylist) {
	w.common(p.version, p.independent, p.start)
	w.line("#EXT-X-TARGETDURATION:%d", p.target)
	if p.sequence != 0 {
		w.line("#EXT-X-MEDIA-SEQUENCE:%d", p.sequence)
	}
	if p.discontinuity != 0 {
		w.line("#EXT-X-DISCONTINUITY-SEQUENCE:%d", p.discontinuity)
	}
	if p.kind != "" {
		w.line("#EXT-X-PLAYLIST-TYPE:%s", p.kind)
	}
	if p.iframesOnly {
		w.line("#EXT-X-I-FRAMES-ONLY")
	}
	if p.partTarget != 0 {
		w.list("EXT-X-PART-INF", "PART-TARGET", decimal(p.partTarget))
	}
	if c := p.control; c != nil {
		w.list("EXT-X-SERVER-CONTROL", "CAN-BLOCK-RELOAD", yesIf(c.block), "CAN-SKIP-UNTIL", decimalOr0(c.skipUntil, c.skipDateRanges),
			"CAN-SKIP-DATERANGES", yesIf(c.skipDateRanges), "HOLD-BACK", decimalIf(c.holdBack), "PART-HOLD-BACK", decimalIf(c.partHoldBack),
			"X", "0")
	}
	if s := p.skip; s != nil {
		removed := ""
		if s.hasList {
			removed = quote(strings.Join(s.removed, "\t"))
		}
		w.list("EXT-X-SKIP", "SKIPPED-SEGMENTS", strconv.FormatInt(s.segments, 10), "RECENTLY-REMOVED-DATERANGES", removed)
	}
	for i := range p.segments {
		w.segment(&p.segments[i])
	}
	if p.open != nil {
		w.segment(p.open)
	}
	w.tail(p)
}

func decimalOr0(f float64, write bool) string {
	if write {
		return decimal(f)
	}
	return decimalIf(f)
}

func (w *writer) tail(p *mediaPlaylist) {
	for _, h := range p.hints {
		w.list("EXT-X-PRELOAD-HINT", "TYPE", h.kind, "URI", quote(h.uri), "BYTERANGE-START", intIf(h.start, 0), "BYTERANGE-LENGTH", intIf(h.length, -1))
	}
	for _, r := range p.reports {
		w.list("EXT-X-RENDITION-REPORT", "URI", quote(r.uri), "LAST-MSN", intIf(r.lastMSN, -1), "LAST-PART", intIf(r.lastPart, -1))
	}
	for _, d := range p.dateRanges {
		start := ""
		if !d.start.IsZero() {
			start = quote(d.start.Format(time.RFC3339Nano))
		}
		w.list("EXT-X-DATERANGE", "ID", quote(d.id), "CLASS", quoteIf(d.class), "START-DATE", start)
	}
	if p.ended {
		w.line("#EXT-X-ENDLIST")
	}
}

func (w *writer) segment(s *segment) {
	if s.lateTags && len(s.parts) > 0 {
		w.part(s.parts[0])
	}
	if s.discontinuity {
		w.line("#EXT-X-DISCONTINUITY")
	}
	if k := s.key; k != nil {
		w.list("EXT-X-KEY", "METHOD", k.method, "URI", quoteIf(k.uri))
	}
	if m := s.initMap; m != nil {
		w.list("EXT-X-MAP", "URI", quote(m.uri), "BYTERANGE", rangeIf(m.bytes))
	}
	if !s.date.IsZero() {
		w.line("#EXT-X-PROGRAM-DATE-TIME:%s", s.date.Format(time.RFC3339Nano))
	}
	if s.gap {
		w.line("#EXT-X-GAP")
	}
	if s.bitrate != 0 {
		w.line("#EXT-X-BITRATE:%d", s.bitrate)
	}
	if s.bytes != nil {
		w.line("#EXT-X-BYTERANGE:%s", s.bytes)
	}
	for i, q := range s.parts {
		if i > 0 || !s.lateTags {
			w.part(q)
		}
	}
	if s.uri != "" {
		w.line("#EXTINF:%s,%s", decimal(s.duration), s.title)
		w.line("%s", s.uri)
	}
}

func (w *writer) part(q part) {
	w.list("EXT-X-PART", "DURATION", decimal(q.duration), "URI", quote(q.uri), "INDEPENDENT", yesIf(q.independent),
		"GAP", yesIf(q.gap), "BYTERANGE", rangeIf(q.bytes))
}

func (w *writer) multivariant(p *multivariantPlaylist) {
	w.common(p.version, p.independent, p.start)
	for _, d := range p.sessionData {
		value, uri := quote(d.value), ""
		if d.uri != "" {
			value, uri = "", quote(d.uri)
		}
		w.list("EXT-X-SESSION-DATA", "DATA-ID", quote(d.id), "VALUE", value, "URI", uri, "LANGUAGE", quoteIf(d.language))
	}
	for _, m := range p.media {
		w.list("EXT-X-MEDIA", "TYPE", m.kind, "GROUP-ID", quote(m.group), "NAME", quote(m.name), "LANGUAGE", quoteIf(m.language),
			"URI", quoteIf(m.uri), "AUTOSELECT", m.autoselect, "DEFAULT", m.isDefault)
	}
	for _, v := range p.variants {
		w.variant(v)
	}
}

func (w *writer) variant(v variant) {
	tag, uri, resolution := "EXT-X-STREAM-INF", "", ""
	if v.iframes {
		tag, uri = "EXT-X-I-FRAME-STREAM-INF", quote(v.uri)
	}
	if v.width != 0 || v.height != 0 {
		resolution = fmt.Sprintf("%dx%d", v.width, v.height)
	}
	members := []string{
		"BANDWIDTH", strconv.FormatInt(v.bandwidth, 10), "AVERAGE-BANDWIDTH", intIf(v.averageBandwidth, 0),
		"CODECS", quoteIf(v.codecs), "RESOLUTION", resolution, "FRAME-RATE", decimalIf(v.frameRate), "URI", uri,
	}
	for _, kind := range []string{"AUDIO", "VIDEO", "SUBTITLES"} {
		if group, ok := v.groups[kind]; ok {
			members = append(members, kind, quote(group))
		}
	}
	w.list(tag, members...)
	if !v.iframes {
		w.line("%s", v.uri)
	}
}
