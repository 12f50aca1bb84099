package hlscheck

import (
	"fmt"
	"math"
	"strings"
)

// rounding is the slack for sums of decimal durations, which servers round to some digits.
const rounding = 0.002

// findings gathers the breaches of one playlist or of one pair of playlists. A musts breach is a violation, a shoulds
// breach a warning.
type findings struct{ musts, shoulds []problem }

func (f *findings) must(ok bool, clause, format string, args ...any) {
	if !ok {
		f.musts = append(f.musts, problem{clause, format, fmt.Sprintf(format, args...)})
	}
}

func (f *findings) should(ok bool, clause, format string, args ...any) {
	if !ok {
		f.shoulds = append(f.shoulds, problem{clause, format, fmt.Sprintf(format, args...)})
	}
}

func (f *findings) join(g findings) {
	f.musts = append(f.musts, g.musts...)
	f.shoulds = append(f.shoulds, g.shoulds...)
}

// checkMedia holds one Media Playlist against the rules that it shows by itself.
func checkMedia(p *mediaPlaylist) findings {
	var f findings
	checkVersion(&f, p)
	checkControl(&f, p)
	for i := range p.segments {
		checkSegment(&f, p, &p.segments[i], p.first()+int64(i))
	}
	if p.open != nil {
		checkParts(&f, p, p.open, p.end(), false)
	}
	checkPartWindow(&f, p)
	checkHints(&f, p)
	checkDates(&f, p)
	if !p.ended && p.skip == nil && p.kind == "" {
		f.must(p.duration() >= float64(3*p.target)-rounding || p.sequence == 0, "6.2.2",
			"the live playlist lists %.3f s, less than three Target Durations of %d s, though segments were removed",
			p.duration(), p.target)
	}
	return f
}

// checkVersion holds EXT-X-VERSION against what section 8 asks for the features in use.
func checkVersion(f *findings, p *mediaPlaylist) {
	need, why := int64(1), ""
	raise := func(v int64, what string) {
		if v > need {
			need, why = v, what
		}
	}
	for i := range p.segments {
		s := &p.segments[i]
		if s.duration != math.Trunc(s.duration) {
			raise(3, "decimal EXTINF durations")
		}
		if s.bytes != nil {
			raise(4, "EXT-X-BYTERANGE")
		}
		if s.initMap != nil {
			raise(6, "EXT-X-MAP")
		}
	}
	if p.iframesOnly {
		raise(4, "EXT-X-I-FRAMES-ONLY")
	}
	if p.skip != nil {
		raise(9, "EXT-X-SKIP")
		if p.skip.hasList {
			raise(10, "RECENTLY-REMOVED-DATERANGES")
		}
	}
	have := max(p.version, 1)
	f.must(have >= need, "8", "EXT-X-VERSION is %d; %s need %d", have, why, need)
}

func checkControl(f *findings, p *mediaPlaylist) {
	c := p.control
	hasParts := p.open != nil && len(p.open.parts) > 0
	for i := range p.segments {
		hasParts = hasParts || len(p.segments[i].parts) > 0
	}
	f.must(!hasParts || p.partTarget > 0, "4.4.3.7", "EXT-X-PART without EXT-X-PART-INF")
	if c == nil {
		f.must(p.partTarget == 0 || p.ended, "4.4.3.8", "EXT-X-PART-INF without a PART-HOLD-BACK: no EXT-X-SERVER-CONTROL")
		f.must(p.skip == nil, "4.4.3.8", "EXT-X-SKIP from a server that does not offer CAN-SKIP-UNTIL")
		return
	}
	target := float64(p.target)
	if p.partTarget > 0 {
		f.must(c.partHoldBack > 0, "4.4.3.8", "EXT-X-PART-INF without PART-HOLD-BACK")
		if c.partHoldBack > 0 {
			f.must(c.partHoldBack >= 2*p.partTarget-rounding, "4.4.3.8",
				"PART-HOLD-BACK %.3f is less than twice the Part Target Duration %.3f", c.partHoldBack, p.partTarget)
			f.should(c.partHoldBack >= 3*p.partTarget-rounding, "4.4.3.8",
				"PART-HOLD-BACK %.3f is less than three times the Part Target Duration %.3f", c.partHoldBack, p.partTarget)
		}
		f.must(c.block || p.ended, "B.1", "a Low-Latency playlist without CAN-BLOCK-RELOAD=YES")
	}
	if c.holdBack > 0 {
		f.must(c.holdBack >= 3*target-rounding, "4.4.3.8",
			"HOLD-BACK %.3f is less than three Target Durations of %d s", c.holdBack, p.target)
	}
	if c.skipUntil > 0 {
		f.must(c.skipUntil >= 6*target-rounding, "4.4.3.8",
			"CAN-SKIP-UNTIL %.3f is less than six Target Durations of %d s", c.skipUntil, p.target)
	}
	f.must(p.skip == nil || c.skipUntil > 0, "4.4.3.8", "EXT-X-SKIP from a server that does not offer CAN-SKIP-UNTIL")
}

func checkSegment(f *findings, p *mediaPlaylist, s *segment, msn int64) {
	f.must(math.Round(s.duration) <= float64(p.target), "4.4.3.1",
		"segment %d: EXTINF %.3f rounds to more than the Target Duration %d", msn, s.duration, p.target)
	f.must(s.uri != "", "4.1", "segment %d: empty URI", msn)
	if len(s.parts) == 0 {
		return
	}
	checkParts(f, p, s, msn, true)
	// Three digits a part is what servers write; half a digit of each may be lost.
	slack := rounding + 0.0005*float64(len(s.parts))
	f.must(math.Abs(s.partsDuration()-s.duration) <= slack, "4.4.4.9",
		"segment %d: its parts last %.3f s, its EXTINF is %.3f", msn, s.partsDuration(), s.duration)
}

// checkParts holds the part durations of a segment against the Part Target Duration. The last part of a complete
// segment may be short; the last of an open one may turn out to be the last.
func checkParts(f *findings, p *mediaPlaylist, s *segment, msn int64, complete bool) {
	f.must(!s.lateTags, "4.4.4.9", "segment %d: DISCONTINUITY, KEY, MAP or PROGRAM-DATE-TIME after its first part", msn)
	for i, q := range s.parts {
		f.must(q.uri != "", "4.4.4.9", "part %d.%d: empty URI", msn, i)
		if p.partTarget == 0 {
			continue
		}
		f.must(q.duration <= p.partTarget+rounding/2, "4.4.4.9",
			"part %d.%d lasts %.3f s, more than PART-TARGET %.3f", msn, i, q.duration, p.partTarget)
		last := i == len(s.parts)-1 // of an open segment: unknown until the next one comes
		exempt := q.independent || q.gap || last || s.parts[i+1].gap
		f.must(exempt || q.duration >= 0.85*p.partTarget-rounding/2, "4.4.4.9",
			"part %d.%d lasts %.3f s, less than 85%% of PART-TARGET %.3f, and is not the last of its segment",
			msn, i, q.duration, p.partTarget)
	}
	f.must(complete || !s.gap || len(s.parts) == 0 || s.parts[0].gap, "4.4.4.7", "segment %d: EXT-X-GAP with parts that are none", msn)
}

// checkPartWindow: parts belong to the live edge. 6.2.2 lets a server drop them three Target Durations before the end,
// and B.1 asks that the parts of the last three Target Durations are there.
func checkPartWindow(f *findings, p *mediaPlaylist) {
	if p.partTarget == 0 || p.ended {
		return
	}
	fromEnd := p.openDuration()
	for i := len(p.segments) - 1; i >= 0 && fromEnd < float64(2*p.target); i-- {
		s := &p.segments[i]
		// A server that has just gone live may have older segments from before it made parts; an encoder's first
		// segment is not one of them.
		f.should(len(s.parts) > 0 || s.gap, "B.1", "segment %d ends %.3f s before the live edge and has no parts", p.first()+int64(i), fromEnd)
		fromEnd += s.duration
	}
}

func checkHints(f *findings, p *mediaPlaylist) {
	kinds := map[string]int{}
	for _, h := range p.hints {
		kinds[h.kind]++
		f.must(h.uri != "", "4.4.5.3", "EXT-X-PRELOAD-HINT with an empty URI")
	}
	f.must(!p.ended || len(p.hints) == 0, "4.4.5.3", "EXT-X-PRELOAD-HINT in a playlist with EXT-X-ENDLIST")
	f.must(kinds["PART"] <= 1 && kinds["MAP"] <= 1, "6.2.6", "more than one EXT-X-PRELOAD-HINT of one TYPE")
	f.should(p.partTarget == 0 || p.ended || kinds["PART"] == 1, "B.1", "a Low-Latency playlist without a hint for the next part")
}

// dateSlack is how far dates may stray from the sum of durations: a server may slew its dates to its clock.
const dateSlack = 0.25

func checkDates(f *findings, p *mediaPlaylist) {
	dated := false
	for i := range p.segments {
		s := &p.segments[i]
		dated = dated || !s.date.IsZero()
		if i == 0 || s.discontinuity || s.date.IsZero() || p.segments[i-1].date.IsZero() {
			continue
		}
		before := &p.segments[i-1]
		off := s.date.Sub(before.date).Seconds() - before.duration
		f.must(math.Abs(off) <= dateSlack, "4.4.4.6",
			"segment %d: PROGRAM-DATE-TIME is %.3f s off the one before plus its EXTINF", p.first()+int64(i), off)
	}
	dated = dated || p.open != nil && !p.open.date.IsZero()
	f.must(dated || len(p.dateRanges) == 0 || p.skip != nil, "4.4.5.1", "EXT-X-DATERANGE without any EXT-X-PROGRAM-DATE-TIME")
	f.must(dated || p.partTarget == 0, "B.1", "a Low-Latency playlist without EXT-X-PROGRAM-DATE-TIME")
}

// checkMultivariant holds a Multivariant Playlist against the rules that it shows by itself.
func checkMultivariant(p *multivariantPlaylist) findings {
	var f findings
	plain := 0
	for _, v := range p.variants {
		if !v.iframes {
			plain++
		}
		f.must(v.bandwidth > 0, "4.4.6.2", "variant %s: BANDWIDTH is 0", v.uri)
		f.must(v.averageBandwidth <= v.bandwidth, "4.4.6.2",
			"variant %s: AVERAGE-BANDWIDTH %d is above BANDWIDTH %d", v.uri, v.averageBandwidth, v.bandwidth)
		f.should(v.codecs != "", "4.4.6.2", "variant %s has no CODECS", v.uri)
		f.should(v.width > 0 || !hasVideo(v.codecs), "4.4.6.2", "variant %s has video and no RESOLUTION", v.uri)
		for kind, group := range v.groups {
			f.must(p.hasGroup(kind, group), "4.4.6.2", "variant %s: no EXT-X-MEDIA of TYPE %s and GROUP-ID %q", v.uri, kind, group)
		}
	}
	f.must(plain > 0, "4.4.6.2", "a Multivariant Playlist without EXT-X-STREAM-INF")
	for i, m := range p.media {
		for _, o := range p.media[:i] {
			if o.kind != m.kind || o.group != m.group {
				continue
			}
			f.must(o.name != m.name, "4.4.6.1.1", "group %q has two members named %q", m.group, m.name)
			f.must(o.isDefault != "YES" || m.isDefault != "YES", "4.4.6.1.1", "group %q has two DEFAULT members", m.group)
		}
	}
	return f
}

func (p *multivariantPlaylist) hasGroup(kind, group string) bool {
	for _, m := range p.media {
		if m.kind == kind && m.group == group {
			return true
		}
	}
	return false
}

// hasVideo reports whether a CODECS value names a video format.
func hasVideo(codecs string) bool {
	for c := range strings.SplitSeq(codecs, ",") {
		for _, prefix := range []string{"avc", "hvc", "hev", "av01", "vp0", "dvh"} {
			if strings.HasPrefix(strings.TrimSpace(c), prefix) {
				return true
			}
		}
	}
	return false
}
