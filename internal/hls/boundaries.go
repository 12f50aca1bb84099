package hls

// Rules for segment boundaries, in ticks of media.VideoTimeScale.
const (
	second = 90000

	minTarget = 2 // seconds; also what short GOPs are joined to
	maxTarget = 6

	// gopSlack is how much a GOP may miss a whole number of seconds and still count as that many: encoders' times are
	// rounded to milliseconds and frames do not divide every second.
	gopSlack = second / 10

	// gopJitter is by how much GOPs of one length differ, for the same reasons.
	gopJitter = second / 100
)

// boundaries decides where segments end. It knows times and keyframes only, so that one decision can serve every
// rendition of a presentation: all times are ticks on the broadcast's timeline.
type boundaries struct {
	target int64 // TARGETDURATION
	start  int64 // of the open segment
	hasKey bool
	key    int64 // the newest keyframe
	gop    int64 // length of the newest complete GOP, 0 before that
	even   bool  // the one before it was as long, so the next keyframe can be told beforehand
}

// limit returns the longest segment whose duration still rounds to the target duration (RFC 8216bis 4.4.3.1).
func (b *boundaries) limit() int64 { return b.target + second/2 - second/1000 }

// openSegment starts a segment.
func (b *boundaries) openSegment(at int64) { b.start = at }

// noteKeyframe notes a keyframe and reports whether it starts a new segment: once the open one has the least length, or
// when another GOP like the last would not fit into it any more.
func (b *boundaries) noteKeyframe(dts int64) bool {
	if b.hasKey {
		gop := dts - b.key
		b.even = abs(gop-b.gop) <= gopJitter
		b.gop = gop
	}
	b.hasKey, b.key = true, dts
	length := dts - b.start
	return b.starts(length)
}

// skip starts over behind a hole.
func (b *boundaries) skip(dts int64, key bool) { b.hasKey, b.key, b.even = key, dts, false }

// starts reports whether a keyframe starts a new segment when the open one has a length.
func (b *boundaries) starts(length int64) bool {
	return length >= minTarget*second-gopSlack || 4*length > b.target && length+b.gop > b.limit()
}

// full reports whether a segment that ends at the given time must not take another part: because it would become too
// long, or because it has the length of the target and no keyframe is due before it would be too long.
func (b *boundaries) full(end, part int64) bool {
	longest := b.start + b.limit()
	return end+part > longest || end-b.start >= b.target && b.key+b.gop > longest
}

// undecided reports whether a picture at the given time may well be a keyframe that starts a segment, or not: GOPs are
// not all of one length, and only that picture tells.
func (b *boundaries) undecided(at int64) bool {
	then := *b
	return !b.even && then.noteKeyframe(at)
}

// keyExpected reports whether a keyframe that starts a segment is due at the given time, going by the last two GOPs.
func (b *boundaries) keyExpected(at, tolerance int64) bool {
	if !b.even || abs(at-b.key-b.gop) > tolerance {
		return false
	}
	length := at - b.start
	return b.starts(length)
}

// targetFor returns the target duration in ticks that suits a stream whose GOPs last gop: short ones are joined.
func targetFor(gop int64) int64 {
	gop = max(gop, 1)
	n := max((minTarget*second-gopSlack+gop-1)/gop, 1)
	return clampTarget(n*gop - gopSlack)
}

// clampTarget rounds a target duration up to whole seconds within the range that IVS knows.
func clampTarget(ticks int64) int64 {
	return min(max((ticks+second-1)/second, minTarget), maxTarget) * second
}
