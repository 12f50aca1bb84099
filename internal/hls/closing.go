package hls

// start opens the next segment.
func (a *assembler) start(at int64, discontinuity bool) {
	if a.open.msn >= 0 && len(a.parts) == 0 && a.open.discontinuity {
		discontinuity = true // it takes the place of one that never got a part
	}
	a.from = at
	a.bounds.open(at)
	a.open = head{msn: a.window.next, start: at, init: a.init, discontinuity: discontinuity, date: a.clock.date(at)}
	a.parts = make([]part, 0, cap(a.parts))
	a.partTags = make([]byte, 0, cap(a.partTags))
	a.filled = 0
}

// close ends the open part at a place on the timeline.
func (a *assembler) close(to int64) {
	due := 0
	for due < len(a.held) && place(&a.held[due]) < to {
		due++
	}
	if len(a.video) == 0 && due > 0 {
		a.stills(to)
	}
	p := part{duration: to - a.from}
	if len(a.video) > 0 || due > 0 {
		p.first, p.last = a.arrivals(due)
		p.independent = len(a.video) > 0 && a.video[0].Key
		p.data = a.container.part(a.contents(to, due))
		a.filled += int64(len(p.data))
		a.window.bytes += int64(len(p.data))
		a.drop(due)
	}
	a.partTags = appendPart(a.partTags, a.open.msn, len(a.parts), a.container.extension(), &p)
	a.parts = append(a.parts, p)
	a.from, a.full = to, false
	a.dirty |= dirtyPart
}

// contents gathers what goes into the part that ends at a place: the pictures, the due sound and the tags.
func (a *assembler) contents(to int64, due int) *contents {
	c := &a.filling
	c.video, c.audio, c.tags = a.video, a.held[:due], a.tags
	switch {
	case a.next >= 0:
		c.videoEnd = a.next
	case a.silence >= a.grace: // still on the screen, for nobody knows how long
		c.videoEnd = a.stillEnd(to)
	default:
		c.videoEnd = a.end
	}
	if due > 0 {
		c.audioEnd = a.held[due-1].DTS + audioFrame
		if due < len(a.held) && a.held[due].DTS < c.audioEnd+audioFrame {
			c.audioEnd = a.held[due].DTS
		}
	}
	return c
}

// drop forgets the frames that are in a part now.
func (a *assembler) drop(due int) {
	a.video = a.forget(a.video, len(a.video))
	a.held = a.forget(a.held, due)
	for i := range a.tags {
		a.pending -= int64(len(a.tags[i].data)) + itemCost
	}
	clear(a.tags)
	a.tags = a.tags[:0]
}

// finish ends the open segment at a place on the timeline, or before it, when nothing that is worth a part is left: then
// from tells where.
func (a *assembler) finish(at int64) {
	a.advance(at)
	if rest := at - a.from; rest > 0 && (len(a.video) > 0 || 2*rest >= a.part) {
		a.close(at)
	}
	if len(a.parts) == 0 {
		return
	}
	a.window.add(newSegment(a.open, a.from-a.open.start, a.window.position, a.parts, a.partTags, a.container.extension()), a.deepest)
	a.dirty |= dirtySegment
}
