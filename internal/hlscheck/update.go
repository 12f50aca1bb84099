package hlscheck

import "math"

// patch makes the full playlist out of a Playlist Delta Update and the playlist that came before it (6.3.7). It fails
// when the update skips segments that the older playlist does not have.
func patch(older, delta *mediaPlaylist) (*mediaPlaylist, findings) {
	var f findings
	full := *delta
	full.skip = nil
	full.segments = nil
	for msn := delta.sequence; msn < delta.first(); msn++ {
		s := older.segment(msn)
		if s == nil || s.uri == "" {
			f.must(false, "6.2.5.1", "the delta update skips segment %d, which the playlist before it did not list as complete", msn)
			return nil, f
		}
		full.segments = append(full.segments, *s)
	}
	if len(full.segments) > 0 && full.segments[0].initMap == nil { // its tag stood at a segment that is gone
		full.segments[0].initMap = older.mapFor(delta.sequence)
	}
	full.segments = append(full.segments, delta.segments...)
	boundary := float64(6 * delta.target)
	if delta.control != nil && delta.control.skipUntil > 0 {
		boundary = delta.control.skipUntil
	}
	kept := delta.duration()
	f.must(kept >= boundary-float64(delta.target)-rounding, "6.2.5.1",
		"the delta update keeps %.3f s; segments closer to the end than the Skip Boundary of %.3f s were skipped", kept, boundary)
	if len(delta.dateRanges) == 0 || !delta.skip.hasList {
		full.dateRanges = delta.dateRanges
	}
	return &full, f
}

// checkUpdate holds a playlist against an older version of itself.
func checkUpdate(older, newer *mediaPlaylist) findings {
	var f findings
	f.must(newer.target == older.target, "6.2.1", "EXT-X-TARGETDURATION changed from %d to %d", older.target, newer.target)
	f.must(newer.partTarget == older.partTarget || newer.ended, "4.4.3.7",
		"PART-TARGET changed from %.5f to %.5f", older.partTarget, newer.partTarget)
	f.must(newer.kind == older.kind || older.kind == "", "6.2.1", "EXT-X-PLAYLIST-TYPE changed")
	f.must(newer.sequence >= older.sequence, "6.2.2",
		"EXT-X-MEDIA-SEQUENCE went back from %d to %d", older.sequence, newer.sequence)
	f.must(newer.end() >= older.end(), "6.2.1", "the last segment went back from %d to %d", older.end()-1, newer.end()-1)
	f.must(!older.ended || newer.ended && newer.end() == older.end(), "4.4.3.4", "the playlist changed after EXT-X-ENDLIST")
	if older.kind != "" {
		f.must(newer.sequence == older.sequence, "6.2.1", "segments were removed from an %s playlist", older.kind)
	}
	if newer.sequence < older.sequence {
		return f
	}
	checkDiscontinuities(&f, older, newer)
	for msn := newer.first(); msn < newer.end(); msn++ {
		if was := older.segment(msn); was != nil {
			checkKept(&f, newer, was, msn)
		}
	}
	if older.open != nil && newer.open != nil && newer.end() == older.end() {
		checkKept(&f, newer, older.open, newer.end())
	}
	return f
}

// checkDiscontinuities: the discontinuity sequence grows by one for each EXT-X-DISCONTINUITY that left the playlist. A
// tag on the oldest listed segment may stay or go (6.2.2 counts it when the tag is removed).
func checkDiscontinuities(f *findings, older, newer *mediaPlaylist) {
	at := func(p *mediaPlaylist, msn int64) (int64, bool) {
		d := p.discontinuity
		for i := p.first(); i < p.end(); i++ {
			if p.segments[i-p.first()].discontinuity {
				d++
			}
			if i == msn {
				return d, true
			}
		}
		return 0, false
	}
	if older.skip != nil || newer.skip != nil {
		return
	}
	for msn := newer.first(); msn < newer.end(); msn++ {
		was, ok := at(older, msn)
		if !ok {
			continue
		}
		is, _ := at(newer, msn)
		f.must(is == was, "6.2.2", "the Discontinuity Sequence Number of segment %d changed from %d to %d", msn, was, is)
		return
	}
}

// checkKept compares a segment with its older self. An open segment may grow, and nothing else may change.
func checkKept(f *findings, newer *mediaPlaylist, was *segment, msn int64) {
	is := newer.segment(msn)
	if was.uri != "" {
		f.must(is.uri == was.uri, "6.2.1", "the URI of segment %d changed from %s to %s", msn, was.uri, is.uri)
		f.must(is.duration == was.duration, "6.2.1", "the EXTINF of segment %d changed from %.5f to %.5f", msn, was.duration, is.duration)
		f.must(is.gap == was.gap, "6.2.1", "EXT-X-GAP of segment %d changed", msn)
	}
	if !was.date.IsZero() {
		off := is.date.Sub(was.date).Seconds()
		f.must(!is.date.IsZero() && math.Abs(off) < rounding, "6.2.1", "PROGRAM-DATE-TIME of segment %d changed by %.3f s", msn, off)
	}
	if len(is.parts) == 0 {
		checkDropped(f, newer, was, msn)
		return
	}
	f.must(len(is.parts) >= len(was.parts), "6.2.1", "segment %d lost parts: %d became %d", msn, len(was.parts), len(is.parts))
	for i, q := range was.parts[:min(len(was.parts), len(is.parts))] {
		r := is.parts[i]
		f.must(r.uri == q.uri && r.duration == q.duration && r.independent == q.independent, "6.2.1", "part %d.%d changed", msn, i)
	}
	f.must(was.uri == "" || len(is.parts) == len(was.parts), "6.2.1", "part added to segment %d after it was complete", msn)
}

// checkDropped: the parts of a segment are unlisted together, once it is three Target Durations from the end, or when
// the end itself has come and nobody needs to be quick any more.
func checkDropped(f *findings, newer *mediaPlaylist, was *segment, msn int64) {
	if len(was.parts) == 0 || newer.ended {
		return
	}
	fromEnd := newer.openDuration()
	for n := msn + 1; n < newer.end(); n++ {
		fromEnd += newer.segment(n).duration
	}
	f.must(newer.segment(msn).uri != "", "6.2.1", "the parts of the open segment %d are gone", msn)
	f.should(fromEnd+was.partsDuration() >= float64(3*newer.target)-rounding, "6.2.2",
		"the parts of segment %d are not listed any more %.3f s from the end; clients may count on three Target Durations", msn, fromEnd)
}

// checkSame holds two renderings of a playlist that overlap against each other: what both list must be the same. It is
// how a patched delta update is proved against the full playlist.
func checkSame(patched, full *mediaPlaylist) findings {
	var f findings
	for msn := max(patched.first(), full.first()); msn < min(patched.end(), full.end()); msn++ {
		a, b := patched.segment(msn), full.segment(msn)
		same := a.uri == b.uri && a.duration == b.duration && a.discontinuity == b.discontinuity && a.gap == b.gap &&
			a.date.Equal(b.date)
		f.must(same, "6.2.5.1", "segment %d differs between the delta update and the full playlist", msn)
	}
	f.must(patched.sequence <= full.sequence, "6.2.5.1",
		"the delta update starts at %d, a full playlist loaded later at %d", patched.sequence, full.sequence)
	f.must(patched.target == full.target, "6.2.5.1", "the delta update differs in EXT-X-TARGETDURATION")
	return f
}
