package hls

// window is the list of complete segments: the listed ones and, before them, those that are still kept for viewers who
// know them from an older playlist. The slices in it are replaced, never changed, because snapshots share them.
type window struct {
	segments []*Segment
	listed   int   // index of the first listed one
	next     int64 // media sequence number of the segment to come
	position int64 // ticks of all segments so far
	longest  int64 // duration of the longest playlist so far
	target   int64 // target duration, ticks
	bytes    int64 // of everything kept, the open segment's parts included

	discontinuities int64 // of the segments that left the playlist
	peak            int   // bits a second
	average         int
	carry           load // segments that are too short to be a peak of their own
}

// load is an amount of data over a time.
type load struct {
	bytes int64
	ticks int64
}

func (l load) bits() int {
	if l.ticks == 0 {
		return 0
	}
	return int((l.bytes*8*second + l.ticks - 1) / l.ticks)
}

// addSegment lists a segment, unlists those that the playlist, with at least deepest ticks, can do without, and lets go of
// those whose time is over. RFC 8216bis 6.2.2 asks that a segment stays for its own duration plus that of the longest
// playlist with it, counted from its first listing; here it stays that long after it left the list, so that a viewer
// who got the oldest playlist can play it to its end.
func (w *window) addSegment(s *Segment, deepest int64) {
	w.next++
	w.position += s.Ticks
	s.position = w.position
	all := make([]*Segment, len(w.segments)+1)
	copy(all, w.segments)
	all[len(w.segments)] = s
	listed := w.position - all[w.listed].position + all[w.listed].Ticks
	for listed-all[w.listed].Ticks >= deepest {
		listed -= all[w.listed].Ticks
		if all[w.listed].Discontinuity {
			w.discontinuities++
		}
		w.listed++
	}
	w.longest = max(w.longest, listed)
	gone := 0
	for gone < w.listed && w.position-all[gone].position > 2*w.longest+all[gone].Ticks {
		w.bytes -= all[gone].Size
		if i := all[gone].Map; i != nil && i != all[gone+1].Map {
			w.bytes -= int64(len(i.Data))
		}
		gone++
	}
	w.segments = all[gone:]
	w.listed -= gone
	w.measure(s)
}

// measure keeps the bit rates. A peak is the rate of segments that last at least half the target duration (RFC 8216bis
// 4.4.6.2); shorter ones count together with the next.
func (w *window) measure(s *Segment) {
	w.carry.bytes += s.Size
	w.carry.ticks += s.Ticks
	if 2*w.carry.ticks >= w.target {
		w.peak = max(w.peak, w.carry.bits())
		w.carry = load{}
	}
	var all load
	for _, s := range w.segments[w.listed:] {
		all.bytes += s.Size
		all.ticks += s.Ticks
	}
	w.average = all.bits()
	w.peak = max(w.peak, w.average) // before the first peak is complete
}
